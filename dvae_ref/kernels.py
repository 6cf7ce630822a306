"""Fused kernels: the same work as a readable form elsewhere, in one pass. Each names its oracle."""

import math

import numpy as np
from numba import njit

from dvae_ref.elementwise import OPTIONS, exp_minus

_ZERO, _ONE = np.float32(0), np.float32(1)
_FACTORS = 112  # of at most 2 each: their product stays below 2**112


@njit(**OPTIONS)
def _bernoulli(x, logits, out, residual):
    """sum_v x_v l_v - max(l_v, 0) - log(1 + e^-|l_v|), and x - sigmoid(l) if there is room for it.

    One log serves a product of 112 factors.
    """
    n, n_pixels = logits.shape
    k = n // len(x)
    e = np.empty(n_pixels, np.float32)
    for row in range(n):
        image, logit = x[row // k], logits[row]
        for v in range(n_pixels):
            e[v] = exp_minus(abs(logit[v]))
        total = np.float64(_linear(image, logit))
        for first in range(0, n_pixels, _FACTORS):
            total -= math.log(_product(e[first : first + _FACTORS]))
        out[row] = total
        if len(residual):
            rest = residual[row]
            for v in range(n_pixels):
                rest[v] = image[v] - (e[v] if logit[v] < _ZERO else _ONE) / (_ONE + e[v])


# "reassoc" lets LLVM keep a vector of partial results; nothing else is relaxed.
@njit(**OPTIONS, fastmath={"reassoc"})
def _linear(image, logit):
    total = _ZERO
    for v in range(len(logit)):
        total += image[v] * logit[v] - (logit[v] if logit[v] > _ZERO else _ZERO)
    return total


@njit(**OPTIONS, fastmath={"reassoc"})
def _product(e):
    total = _ONE
    for v in range(len(e)):
        total *= _ONE + e[v]
    return total


def bernoulli(x, logits, residual=None):
    """log p(x|logits) of layers.bernoulli: (B, V), (B K, V) -> (B K,), in float32 only.  residual: written, (B K, V).

    Releases the interpreter lock, so chunks can run in threads. Agrees with the readable form in float64 to 2e-7
    relative to sum (|l| + log 2) (tests/test_kernels.py).
    """
    x, logits = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(logits, np.float32)
    out = np.empty(len(logits), np.float32)
    _bernoulli(x, logits, out, logits[:0] if residual is None else residual)
    return out


@njit(**OPTIONS)
def _adam(p, g, m, v, rate, beta1, rest1, beta2, rest2, epsilon, new_p, new_m, new_v):
    for i in range(p.size):
        new_m[i] = beta1 * m[i] + rest1 * g[i]
        new_v[i] = beta2 * v[i] + rest2 * (g[i] * g[i])
        new_p[i] = p[i] - rate * new_m[i] / (np.sqrt(new_v[i]) + epsilon)


def adam(p, g, m, v, rate, beta1, beta2, epsilon):
    """(p, m, v) of experiment.optimizer.step in one pass over float32 arrays of one shape."""
    constants = rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon  # 1 - beta2 before it is rounded: it would lose 5e-5
    flat = [np.ascontiguousarray(a).reshape(-1) for a in (p, g, m, v)]
    new = [np.empty(p.shape, np.float32) for _ in range(3)]
    _adam(*flat, *map(np.float32, constants), *(a.reshape(-1) for a in new))
    return tuple(new)
