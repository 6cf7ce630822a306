"""Weights as whole numbers, which every processor adds up alike: what `population` and `cuda.resampling` share."""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars

LEAST_LOG_W = np.float32(-87)  # log-weights below it are worth no copy
_LARGEST = np.float32(2.0**31)  # the largest weight as a whole number; the sum of 2**22 of them is exact in float64


@register_jitable(forceinline=True)
def whole(log_w):
    """A weight as a whole number, int64, from LEAST_LOG_W <= log_w <= 0, float32, of which the largest is 0.

    Elementwise on arrays, too.
    """
    return np.int64(scalars.mul(scalars.exp(log_w), _LARGEST))
