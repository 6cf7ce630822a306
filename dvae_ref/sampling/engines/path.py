"""What an engine is given: a path of machines, and what a step along it adds to a log-weight.

Gibbs sampling is annealing that stays at t = 1, without weights: a path from no base.
"""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars


class Path(NamedTuple):
    """E_t(z) = -base·z - t (slope·z + z_left W z_right): float32, every field slope + W z exact."""

    base: np.ndarray  # (D,)
    slope: np.ndarray  # (D,)
    W: np.ndarray  # (D_left, D_right)


@register_jitable(forceinline=True)
def increment(h, base, t_next, delta_t):
    """softplus(base + t_next h) - softplus(base + (t_next - delta_t) h) for |delta_t h| <= 1/4: a float32 number, as
    float64, so that sums of them hardly depend on their order."""
    e = scalars.exp_minus(base + scalars.mul(t_next, h))
    return np.float64(scalars.softplus_increment(e, scalars.mul(delta_t, h)))


@register_jitable
def difference(h, base, t, t_next):
    """softplus(base + t_next h) - softplus(base + t h), float64, for steps of any size."""
    return _softplus(base + t_next * h) - _softplus(base + t * h)


@register_jitable
def _softplus(field):
    return max(field, 0.0) + math.log1p(math.exp(-abs(field)))
