"""States are numbers: bit i of the number is unit i."""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.fast.jit import compiled


def vectors(d: int, start: int, stop: int) -> Array:
    """The states number `start` to `stop` as binary vectors: (stop - start, d)."""
    return (np.arange(start, stop)[:, None] >> np.arange(d) & 1).astype(np.float64)


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
