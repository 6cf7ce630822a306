"""Twins of theory.elementary for contiguous float32 arrays: one pass, vectorised, without temporaries.

NumPy's exp and log1p with the passes around them cost 2 to 5 ns an element, these 0.2 to 0.4. They hold the
accuracy of the readable functions: four ulp (tests/theory/test_elementary.py).
"""

import math

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import alike

_NUMPY = {"nogil": True, "error_model": "numpy"}  # Python's tests divisors for 0: no vectors
OPTIONS = _NUMPY | {"fastmath": {"contract"}}  # x y + z is rounded once
REDUCE = _NUMPY | {"fastmath": {"contract", "reassoc"}}  # and sums in whatever order keeps a vector of partial results
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_REACH = np.float32(87)  # of scalars.exp: exp(-88) is no normal float32 any more
_FAR, _SHIFT, _EXP_MINUS_SHIFT = np.float32(80), np.float32(40), np.float32(np.exp(-40.0))
_ARTANH = tuple(np.float32(1 / n) for n in (13, 11, 9, 7, 5, 3))  # of s^2, highest power first; |s| <= 1/3
_MEAN_EXP = tuple(np.float32((-1) ** n / math.factorial(n + 1)) for n in range(8, -1, -1))  # of y <= log 2
_NEGLIGIBLE = np.float32(1e-15)  # beside 1, and so is its square
_TINY, _SUBNORMAL = np.float32(2.0**-126), np.float32(2.0**24)
_SQRT_HALF, _MANTISSA = np.int32(0x3F3504F3), np.int32(23)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # ten bits: n * _LN2_HIGH is exact


@register_jitable(forceinline=True, error_model="numpy")
def exp_minus(size):
    """exp(-size) for size >= 0, down to the least subnormal number; NaN stays NaN."""
    far = size > _FAR
    size = size - _SHIFT if far else size
    e = scalars.exp(-(_REACH if size > _REACH else size))
    return e * _EXP_MINUS_SHIFT if far else e


@register_jitable(forceinline=True, error_model="numpy")
def log1p(e):
    """log(1 + e) for 0 <= e <= 1, as 2 artanh(e / (2 + e)): relative accuracy also for tiny e."""
    return _twice_artanh(e / (_TWO + e))


@register_jitable(forceinline=True, error_model="numpy")
def _twice_artanh(s):
    square = max(abs(s), _NEGLIGIBLE) * max(abs(s), _NEGLIGIBLE)  # no subnormal number
    p = _ARTANH[0]
    for c in _ARTANH[1:]:
        p = p * square + c
    return (s + s) * (_ONE + square * p)


@register_jitable(forceinline=True, error_model="numpy")
def log(x):
    """log(x) of a positive number, subnormal ones included: of x = 2^n m, m from sqrt(1/2) to sqrt(2)."""
    small = x < _TINY
    bits = np.float32(x * _SUBNORMAL if small else x).view(np.int32)
    n = np.int32(np.int32(bits - _SQRT_HALF) >> _MANTISSA)
    m = np.int32(bits - np.int32(n << _MANTISSA)).view(np.float32)
    power = np.float32(n) - (np.float32(24) if small else _ZERO)
    return power * _LN2_HIGH + (_twice_artanh((m - _ONE) / (m + _ONE)) + power * _LN2_LOW)


@register_jitable(forceinline=True, error_model="numpy")
def decay(size):
    """exp(-size) for size >= 0, but no less than exp(-80): arithmetic on subnormal numbers takes several times as long.

    NaN stays NaN.
    """
    return scalars.exp(-(_FAR if size > _FAR else size))


@register_jitable(forceinline=True, error_model="numpy")
def growth(size):
    """exp(size) for size >= 0, but no more than exp(80)."""
    return scalars.exp(_FAR if size > _FAR else size)


@register_jitable(forceinline=True, error_model="numpy")
def mean_decay_near(y):
    """(1 - exp(-y)) / y for 0 <= y <= log 2, the mean of exp(-s) over 0 < s < y."""
    y = max(y, _NEGLIGIBLE)
    p = _MEAN_EXP[0]
    for c in _MEAN_EXP[1:]:
        p = p * y + c
    return p


@register_jitable(forceinline=True, error_model="numpy")
def mean_decay(y):
    """(1 - exp(-y)) / y for finite y >= 0."""
    return mean_decay_near(y) if y < _HALF else (_ONE - decay(y)) / y


@register_jitable(forceinline=True, error_model="numpy")
def rise(y):
    """1 - exp(-y) for y >= 0, relative accuracy also for tiny y."""
    return y * mean_decay_near(y) if y < _HALF else _ONE - decay(y)


@compiled(**OPTIONS)
def _sigmoid(x, out):
    for i in range(x.size):
        e = exp_minus(abs(x[i]))
        out[i] = (e if x[i] < _ZERO else _ONE) / (_ONE + e)


@compiled(**OPTIONS)
def _softplus(x, out):
    for i in range(x.size):
        out[i] = (_ZERO if x[i] < _ZERO else x[i]) + log1p(exp_minus(abs(x[i])))


@compiled(**OPTIONS)
def _logaddexp(x, y, out):
    for i in range(x.size):
        out[i] = (y[i] if x[i] < y[i] else x[i]) + log1p(exp_minus(abs(x[i] - y[i])))


@compiled(**OPTIONS)
def _bernoulli_entropy(x, out):
    for i in range(x.size):
        size = abs(x[i])
        e = exp_minus(size)
        out[i] = log1p(e) + size * e / (_ONE + e)


def _on_arrays(kernel):
    """The function of contiguous float32 arrays of one shape that a kernel of flat arrays makes."""

    def function(*arrays):
        if not alike(*arrays) or not all(array.flags.c_contiguous for array in arrays):
            return NotImplemented
        out = np.empty(arrays[0].shape, np.float32)
        kernel(*(array.reshape(-1) for array in arrays), out.reshape(-1))
        return out

    return function


sigmoid, softplus, logaddexp, bernoulli_entropy = map(_on_arrays, (_sigmoid, _softplus, _logaddexp, _bernoulli_entropy))
