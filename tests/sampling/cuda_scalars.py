"""Kernels that only hand on what a scalar function returns, to see what it is on the way to a GPU."""

import numpy as np
from numba import cuda, types

from dvae_ref.fast import scalars
from dvae_ref.sampling import philox
from dvae_ref.sampling.cuda import device

THREADS = 64


@cuda.jit
def philox_kernel(counters, keys, words):
    """(n, 4), (n, 2) -> (n, 4), uint64."""
    i = THREADS * device.block()[0] + device.thread()[0]
    if i < counters.shape[0]:
        c0, c1, c2, c3 = counters[i, 0], counters[i, 1], counters[i, 2], counters[i, 3]
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = philox.philox(c0, c1, c2, c3, keys[i, 0], keys[i, 1])


@cuda.jit
def scalar_kernel(x, word, exp, increment, uniform):
    """(n,), float32 and uint64 -> exp(-clamp(x)), softplus_increment(exp, x / 512), uniform(word): (n,), float32."""
    i = THREADS * device.block()[0] + device.thread()[0]
    if i < x.shape[0]:
        exp[i] = scalars.exp(-scalars.clamp(x[i]))
        increment[i] = scalars.softplus_increment(exp[i], scalars.mul(x[i], np.float32(1 / 512)))
        uniform[i] = scalars.uniform(word[i])


_WORDS, _FLOATS = types.uint64[:, ::1], types.float32[::1]
PHILOX = (_WORDS, _WORDS, _WORDS)
SCALARS = (_FLOATS, types.uint64[::1], _FLOATS, _FLOATS, _FLOATS)


def blocks(n):
    return -(-n // THREADS)
