"""Fused kernels: the same work as a readable form elsewhere, in one pass. Each names its oracle."""

import math

import numpy as np
from numba import njit

from dvae_ref.sampling import scalars

_LANES = 16
_FACTORS = 64  # of at most 2 each: a product stays below 2**64


@njit(cache=True, nogil=True)
def _bernoulli_float32(x, logits, out):
    """sum_v x_v l_v - max(l_v, 0) - log(1 + e^-|l_v|); the logs are taken of products of up to 64 factors."""
    n, n_pixels = logits.shape
    k = n // len(x)
    lanes = np.empty(_LANES, np.float32)
    linear = np.empty(_LANES, np.float32)
    block = _LANES * _FACTORS
    for row in range(n):
        image, logit = x[row // k], logits[row]
        total = 0.0
        for start in range(0, n_pixels, block):
            stop = min(start + block, n_pixels)
            lanes[:] = np.float32(1)
            linear[:] = np.float32(0)
            full = start + (stop - start) // _LANES * _LANES
            for v in range(start, full, _LANES):
                for lane in range(_LANES):
                    l = logit[v + lane]
                    e = scalars.exp(max(-abs(l), -scalars.FIELD_MAX))
                    lanes[lane] *= np.float32(1) + e
                    linear[lane] += image[v + lane] * l - max(l, np.float32(0))
            for v in range(full, stop):
                l = logit[v]
                total += image[v] * l - max(l, np.float32(0)) - math.log1p(math.exp(-abs(l)))
            for lane in range(_LANES):
                total += linear[lane] - math.log(lanes[lane])
        out[row] = total


def bernoulli(x, logits):
    """log p(x|logits) of layers.bernoulli, without a cache: (B, V), (B K, V) -> (B K,), in float32 only.

    Releases the interpreter lock, so chunks can run in threads. Agrees with the readable form in float64 to 1e-6
    relative to sum |l| (tests/test_kernels.py).
    """
    x, logits = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(logits, np.float32)
    out = np.empty(len(logits), np.float32)
    _bernoulli_float32(x, logits, out)
    return out
