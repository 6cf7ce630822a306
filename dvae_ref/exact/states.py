"""States are numbers: bit i of the number is unit i."""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.fast.jit import compiled


def vectors(numbers: Array, d: int) -> Array:
    """The states of d units with these numbers, integers (n,), as vectors of 0 and 1: (n, d), float64.

    >>> vectors(np.array([0, 1, 6]), 3).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    bits = np.right_shift.outer(numbers, np.arange(d)) & 1
    return bits.astype(np.float64)


@compiled()
def bits(n_states: int) -> int:
    """How many units have n_states, a power of 2."""
    n = 0
    while 1 << n < n_states:
        n += 1
    return n


@compiled()
def log_weights(on: Array, off: Array) -> Array:
    """sum_i [z_i on_i + (1 - z_i) off_i] of every state z: (n,), (n,) -> (2^n,)."""
    out = np.zeros(1 << on.size)
    for i in range(on.size):
        half = 1 << i
        for s in range(half):
            out[half + s] = out[s] + on[i]
            out[s] += off[i]
    return out
