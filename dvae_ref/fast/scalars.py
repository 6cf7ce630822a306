"""Scalar functions of the samplers, written once for every backend.

Each is plain Python that numba compiles too. The arithmetic is chosen so that every backend rounds alike:

- 32-bit words travel in uint64 carriers and constants are typed NumPy scalars, because mixed integer types
  and Python floats promote differently in NumPy and in numba;
- only float32 +, - and * occur, correctly rounded everywhere, and no product is written next to a sum:
  compilers for GPUs contract a * b + c into one rounding, so products go through `mul`, which a GPU backend
  maps to its uncontracted multiply.

All but `clamp` and `exp_minus` work elementwise on arrays as well, so the NumPy oracles call the very same
functions.
"""

import numpy as np
from numba.extending import register_jitable


def singles(*numbers):
    """The numbers in float32, a tuple: constants of a kernel, such as the coefficients of a polynomial."""
    return tuple(np.float32(number) for number in numbers)


ONE = np.float32(1)
HALF = np.float32(0.5)
FIELD_MAX = np.float32(80)
_ULP_OF_UNIFORM = np.float32(2.0**-23)
_NINE, _TWELVE, _TWENTY = np.uint64(9), np.uint64(12), np.uint64(20)
_FOUR, _HALF_WORD = np.uint64(4), np.uint64(0xFFFF)
_FINE_BITS, _FINE_MOST = np.int32(7), np.int32(127)

_LOG2_E = np.float32(1.44269504)
_ROUND = np.float32(1.5 * 2.0**23)  # adding it leaves the nearest integer in the low bits of the sum
_LN2_HIGH = np.float32(0.693359375)  # ten bits: n * _LN2_HIGH is exact
_LN2_LOW = np.float32(-2.12194440e-4)
# exp(r) = 1 + r + r^2 P(r) for |r| <= log(2)/2: the coefficients of Cephes' expf, highest first
_EXP = singles(1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_MANTISSA_BITS = np.int32(23)

MAX_INCREMENT = 0.25
# tanh(y) = y + y^3 T(y^2) and artanh(x) = x + x^3 A(x^2), highest first; for |x|, |y| <= 1/8 truncation is below 1e-8
_TANH = singles(-17 / 315, 2 / 15, -1 / 3)
_ARTANH = singles(1 / 7, 1 / 5, 1 / 3)


@register_jitable(forceinline=True)
def mul(x, y):
    """x * y with its own rounding, never contracted with a following sum."""
    return x * y


@register_jitable(forceinline=True)
def clamp(field):
    """The field moved into the domain of `exp`; no flip probability changes by as much as 1e-34."""
    return min(max(field, -FIELD_MAX), FIELD_MAX)


@register_jitable(forceinline=True)
def exp(x):
    """exp(x) in float32 for |x| <= 87; about 1 ulp (measured: tests/sampling/test_philox.py)."""
    shifted = mul(x, _LOG2_E) + _ROUND
    n = shifted - _ROUND
    r = (x - mul(n, _LN2_HIGH)) - mul(n, _LN2_LOW)
    p = mul(_EXP[0], r) + _EXP[1]
    p = mul(p, r) + _EXP[2]
    p = mul(p, r) + _EXP[3]
    p = mul(p, r) + _EXP[4]
    p = mul(p, r) + _EXP[5]
    y = mul(p, mul(r, r)) + r + ONE
    # times 2**n: the low bits of `shifted` are n, and the shift moves them onto the exponent of y
    bits = np.float32(y).view(np.int32) + (np.float32(shifted).view(np.int32) << _MANTISSA_BITS)
    return np.int32(bits).view(np.float32)


@register_jitable(forceinline=True)
def uniform(word):
    """A 32-bit word mapped to the open interval (0, 1): (floor(word / 2**9) + 1/2) / 2**23, exact in
    float32."""
    return mul(np.float32(np.int32(word >> _NINE)) + HALF, _ULP_OF_UNIFORM)


@register_jitable(forceinline=True)
def uniform_double(high, low):
    """Two 32-bit words mapped to (0, 1): (n + 1/2) / 2**52 with n their leading 52 bits, exact in float64."""
    return (np.int64((high << _TWENTY) | (low >> _TWELVE)) + 0.5) * 2.0**-52


@register_jitable(forceinline=True)
def is_up(u, exp_minus_field):
    """Whether a unit with this field is 1: u < sigmoid(field), written without a division.

    The probability is sigmoid(field) to within 2**-23 (the spacing of u): below a field of -16.6 a unit is
    never 1.
    """
    return mul(u, ONE + exp_minus_field) < ONE


@register_jitable(forceinline=True)
def exp_minus(field):
    """exp(-field) of any finite field, clamped."""
    return exp(-clamp(field))


# -- a spin from 16 bits, and 7 more where they do not decide (docs/derivations/09-sampling.md) ----------------------


@register_jitable(forceinline=True)
def half(word, odd):
    """16 bits of a word, the low ones for an even chain of a counter's eight, the high ones for an odd one; int32."""
    return np.int32(word >> (odd << _FOUR) & _HALF_WORD)


@register_jitable(forceinline=True)
def fine_bits(bits):
    """The 7 bits that a second counter adds: the leading ones of 16."""
    return bits >> np.int32(9)


@register_jitable(forceinline=True)
def spin_uniform(coarse, fine):
    """u of a spin: (n + 1/2) / 2**23 with the 23 bits n = coarse 2**7 + fine; int32 of 16 and of 7 bits."""
    return mul(np.float32(np.int32((coarse << _FINE_BITS) | fine)) + HALF, _ULP_OF_UNIFORM)


@register_jitable(forceinline=True)
def surely_up(coarse, exp_minus_field):
    """Whether the spin is 1 whatever the 7 fine bits are: for the largest u that the 16 coarse bits leave.

    `is_up` falls with u, rounding included (products with one positive number round monotonically), so
    surely_up <= spin <= possibly_up, and where these two agree no second counter is needed.
    """
    return is_up(spin_uniform(coarse, _FINE_MOST), exp_minus_field)


@register_jitable(forceinline=True)
def possibly_up(coarse, exp_minus_field):
    """Whether the spin is 1 for the least u that the 16 coarse bits leave."""
    return is_up(spin_uniform(coarse, np.int32(0)), exp_minus_field)


@register_jitable(forceinline=True)
def softplus_increment(exp_minus_field, delta):
    """softplus(f) - softplus(f - delta) for |delta| <= 1/4, given exp(-f): the ratio of two (1 + exp(field)),
    in nats.

    It equals 2 artanh(t / (1 + exp(-f) (1 + t))) with t = tanh(delta / 2), where nothing cancels: the
    relative error of this *difference* is a few float32 ulp however small delta is.
    """
    t = _odd(_TANH, mul(HALF, delta))
    x = t / (ONE + mul(exp_minus_field, ONE + t))
    half = _odd(_ARTANH, x)
    return half + half


@register_jitable(forceinline=True)
def _odd(coefficients, x):
    """x + x^3 P(x^2), P of degree 2: what tanh and artanh are near 0."""
    square = mul(x, x)
    p = mul(coefficients[0], square) + coefficients[1]
    p = mul(p, square) + coefficients[2]
    return x + mul(mul(x, square), p)
