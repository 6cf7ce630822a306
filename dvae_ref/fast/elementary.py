"""Twins of theory.elementary for contiguous float32 arrays: one pass, vectorised, without temporaries.

NumPy's exp and log1p with the passes around them cost 2 to 5 ns an element, these 0.2 to 0.4. They hold the
accuracy of the readable functions: four ulp (tests/theory/test_elementary.py).
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import alike

_NUMPY = {"nogil": True, "error_model": "numpy"}  # Python's tests divisors for 0: no vectors
OPTIONS = _NUMPY | {"fastmath": {"contract"}}  # x y + z is rounded once
REDUCE = _NUMPY | {"fastmath": {"contract", "reassoc"}}  # and sums in whatever order keeps a vector of partial results
INLINE = {"forceinline": True, "error_model": "numpy"}  # of scalar functions, parts of the kernels that call them
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_REACH = np.float32(87)  # of scalars.exp: exp(-88) is no normal float32 any more
_FAR, _SHIFT, _EXP_MINUS_SHIFT = np.float32(80), np.float32(40), np.float32(np.exp(-40.0))
_ARTANH = scalars.singles(1 / 13, 1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3)  # of s^2, |s| <= 1/3, as atanh(s) / s - 1
_MEAN_EXP = scalars.singles(1 / 362880, -1 / 40320, 1 / 5040, -1 / 720, 1 / 120, -1 / 24, 1 / 6, -1 / 2, 1)
_NEGLIGIBLE = np.float32(1e-15)  # beside 1, and so is its square
_TINY, _SUBNORMAL = np.float32(2.0**-126), np.float32(2.0**24)
_SQRT_HALF, _MANTISSA = np.int32(0x3F3504F3), np.int32(23)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # ten bits: n * _LN2_HIGH is exact


# -- of a number, for kernels to inline; a condition is an expression, since statements would not be vectorised --------


@register_jitable(**INLINE)
def at_most(bound, x):
    """min(x, bound), but NaN stays NaN."""
    return bound if x > bound else x


@register_jitable(**INLINE)
def at_least(bound, x):
    """max(x, bound), but NaN stays NaN."""
    return bound if x < bound else x


@register_jitable(**INLINE)
def positive(x):
    """max(x, 0); 0 for NaN."""
    return x if x > _ZERO else _ZERO


@register_jitable(**INLINE)
def flipped(x, flip):
    """-x where `flip`, x elsewhere: (t, logit q) -> (-t, -logit q) is a symmetry of what kernels compute."""
    return -x if flip else x


@register_jitable(**INLINE)
def horner(coefficients, x):
    """The polynomial in x with these coefficients, the highest power's first."""
    p = coefficients[0]
    for c in coefficients[1:]:
        p = p * x + c
    return p


@register_jitable(**INLINE)
def exp_minus(size):
    """exp(-size) for size >= 0, down to the least subnormal number; NaN stays NaN."""
    far = size > _FAR
    size = size - _SHIFT if far else size
    e = scalars.exp(-at_most(_REACH, size))
    return e * _EXP_MINUS_SHIFT if far else e


@register_jitable(**INLINE)
def log1p(e):
    """log(1 + e) for 0 <= e <= 1, as 2 artanh(e / (2 + e)): relative accuracy also for tiny e."""
    return _twice_artanh(e / (_TWO + e))


@register_jitable(**INLINE)
def _twice_artanh(s):
    """log((1 + s) / (1 - s)) for |s| <= 1/3: 2 s (1 + s^2/3 + s^4/5 + ...)."""
    square = max(abs(s), _NEGLIGIBLE) * max(abs(s), _NEGLIGIBLE)  # no subnormal number
    return (s + s) * (_ONE + square * horner(_ARTANH, square))


@register_jitable(**INLINE)
def log(x):
    """log(x) of a positive number, subnormal ones included: of x = 2^n m, m from sqrt(1/2) to sqrt(2).

    That is n log 2 + 2 artanh((m - 1) / (m + 1)), with log 2 in two parts, the first times n exact.
    """
    small = x < _TINY
    bits = np.float32(x * _SUBNORMAL if small else x).view(np.int32)
    n = np.int32(np.int32(bits - _SQRT_HALF) >> _MANTISSA)
    m = np.int32(bits - np.int32(n << _MANTISSA)).view(np.float32)
    power = np.float32(n) - (np.float32(24) if small else _ZERO)
    return power * _LN2_HIGH + (_twice_artanh((m - _ONE) / (m + _ONE)) + power * _LN2_LOW)


@register_jitable(**INLINE)
def decay(size):
    """exp(-size) for size >= 0, but no less than exp(-80): arithmetic on subnormal numbers takes several times as long.

    NaN stays NaN.
    """
    return scalars.exp(-at_most(_FAR, size))


@register_jitable(**INLINE)
def growth(size):
    """exp(size) for size >= 0, but no more than exp(80)."""
    return scalars.exp(at_most(_FAR, size))


@register_jitable(**INLINE)
def mean_decay_near(y):
    """(1 - exp(-y)) / y for 0 <= y <= log 2, the mean of exp(-s) over 0 < s < y: 1 - y/2 + y^2/6 - ... + y^8/9!."""
    return horner(_MEAN_EXP, max(y, _NEGLIGIBLE))


@register_jitable(**INLINE)
def mean_decay(y):
    """(1 - exp(-y)) / y for finite y >= 0."""
    return mean_decay_near(y) if y < _HALF else (_ONE - decay(y)) / y


@register_jitable(**INLINE)
def rise(y):
    """1 - exp(-y) for y >= 0, relative accuracy also for tiny y."""
    return y * mean_decay_near(y) if y < _HALF else _ONE - decay(y)


@register_jitable(**INLINE)
def numerator(x, e):
    """sigmoid(x) (1 + e), given e = exp(-|x|): 1 where x >= 0, and e where it is negative."""
    return e if x < _ZERO else _ONE


# -- of arrays, a kernel and its twin each -----------------------------------------------------------------------------


@compiled(**OPTIONS)
def _sigmoid(x, out):
    for i in range(x.size):
        e = exp_minus(abs(x[i]))
        out[i] = numerator(x[i], e) / (_ONE + e)


@compiled(**OPTIONS)
def _softplus(x, out):
    """max(x, 0) + log(1 + e^-|x|)."""
    for i in range(x.size):
        out[i] = at_least(_ZERO, x[i]) + log1p(exp_minus(abs(x[i])))


@compiled(**OPTIONS)
def _logaddexp(x, y, out):
    """max(x, y) + log(1 + e^-|x - y|)."""
    for i in range(x.size):
        out[i] = at_least(y[i], x[i]) + log1p(exp_minus(abs(x[i] - y[i])))


@compiled(**OPTIONS)
def _bernoulli_entropy(x, out):
    """With p the smaller of sigmoid(x) and sigmoid(-x): -log(1 - p) + |x| p."""
    for i in range(x.size):
        size = abs(x[i])
        e = exp_minus(size)
        out[i] = log1p(e) + size * e / (_ONE + e)


def _on_arrays(kernel):
    """The function of contiguous float32 arrays of one shape that a kernel of flat arrays makes: a twin."""

    def function(*arrays):
        if not alike(*arrays) or not all(array.flags.c_contiguous for array in arrays):
            return NotImplemented
        out = np.empty(arrays[0].shape, np.float32)
        flat = [array.reshape(-1) for array in (*arrays, out)]
        kernel(*flat)
        return out

    return function


sigmoid, softplus, logaddexp, bernoulli_entropy = map(_on_arrays, (_sigmoid, _softplus, _logaddexp, _bernoulli_entropy))
