"""Sums over units of softplus(x) = max(x, 0) + log(1 + e^-|x|): one log for 64 units."""

import math

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast.elementary import OPTIONS, REDUCE
from dvae_ref.fast.jit import compiled

_ZERO, _ONE = np.float32(0), np.float32(1)
_FACTORS = 64  # of at most 2 each


@register_jitable(forceinline=True, error_model="numpy")
def positive(x):
    return x if x > _ZERO else _ZERO


@compiled(**REDUCE)
def plain_sum(terms):
    total = _ZERO
    for j in range(terms.size):
        total += terms[j]
    return total


@compiled(**REDUCE)
def product(factors):
    total = _ONE
    for j in range(factors.size):
        total *= factors[j]
    return total


@compiled(**OPTIONS)
def sum_with_logs(terms, factors):
    """sum terms + log prod factors."""
    total = np.float64(plain_sum(terms))
    for first in range(0, factors.size, _FACTORS):
        total += math.log(product(factors[first : first + _FACTORS]))
    return total
