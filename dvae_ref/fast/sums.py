"""Sums over units of softplus(x) = max(x, 0) + log(1 + e^-|x|): one log for 64 units."""

import math

import numpy as np

from dvae_ref.fast.elementary import OPTIONS, REDUCE
from dvae_ref.fast.jit import compiled

_ZERO, _ONE = np.float32(0), np.float32(1)
_FACTORS = 64  # of at most 2 each


@compiled(**REDUCE)
def plain_sum(terms):
    """sum_j terms_j of a float32 vector, in vectors of partial sums: its order is the compiler's, always the same."""
    total = _ZERO
    for j in range(terms.size):
        total += terms[j]
    return total


@compiled(**REDUCE)
def product(factors):
    """prod_j factors_j of a float32 vector, likewise."""
    total = _ONE
    for j in range(factors.size):
        total *= factors[j]
    return total


@compiled(**OPTIONS)
def sum_with_logs(terms, factors):
    """sum_j terms_j + log prod_j factors_j in float64; factors from 1 to 2, whose products of 64 stay in float32."""
    total = np.float64(plain_sum(terms))
    for first in range(0, factors.size, _FACTORS):
        total += math.log(product(factors[first : first + _FACTORS]))
    return total
