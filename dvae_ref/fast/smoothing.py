"""The scalar functions of the draws' kernels, a smoothing after the other: t of rho, b and its slope, the gap of Eq. 9.

Each takes constants c of shape (number, units), so that beta may differ from unit to unit, and the unit j. A `gap` is
(R0 - R1) / f at t = -size, with f the larger of the densities f0 and f1 of t: large and tiny factors cancel on paper.
The readable forms are those of smoothing.py.
"""

import math

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast.elementary import (
    INLINE,
    decay,
    flipped,
    growth,
    horner,
    log,
    log1p,
    mean_decay,
    mean_decay_near,
    numerator,
    rise,
)
from dvae_ref.fast.scalars import singles

_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_LEAST, _MOST = np.float32(np.finfo(np.float32).tiny), np.float32(1 - np.finfo(np.float32).epsneg)
_NEGLIGIBLE, _LOG_TWO = np.float32(40), np.float32(math.log(2))


@register_jitable(**INLINE)
def inside(rho):
    """The nearest number inside (0, 1)."""
    return min(max(rho, _LEAST), _MOST)


@register_jitable(**INLINE)
def sigmoid(x):
    """1 / (1 + e^-x), but no less than e^-80."""
    e = decay(abs(x))
    return numerator(x, e) / (_ONE + e)


@register_jitable(**INLINE)
def product_of_sigmoids(x, y):
    """sigmoid(x) sigmoid(y), by one division."""
    ex, ey = decay(abs(x)), decay(abs(y))
    return numerator(x, ex) * numerator(y, ey) / ((_ONE + ex) * (_ONE + ey))


@register_jitable(**INLINE)
def d_off(d, logit, b):
    """d (sigmoid(logit) - [b > 0]), the gradient in b, without a subtraction: -d sigmoid(-logit) where b > 0."""
    off = sigmoid(flipped(logit, b > _ZERO))
    return flipped(d * off, b > _ZERO)


# -- zeta and dzeta/dt -------------------------------------------------------------------------------------------------


@register_jitable(**INLINE)
def unit_slope(t):
    """dzeta/dt = zeta (1 - zeta) of zeta = sigmoid(t)."""
    e = decay(min(abs(t), _NEGLIGIBLE))  # times a cotangent it stays a normal number
    return e / ((_ONE + e) * (_ONE + e))


@register_jitable(**INLINE)
def shifted(t):
    """zeta of t = zeta - 1/2."""
    return t + _HALF


@register_jitable(**INLINE)
def no_slope(t):
    """dzeta/dt of t = zeta - 1/2."""
    return _ONE


# -- the power function: c = beta, 1 - 1/beta, 1/beta ------------------------------------------------------------------


def power_constants(smoothing):
    return smoothing.beta, 1 - 1 / smoothing.beta, 1 / smoothing.beta


@register_jitable(**INLINE)
def power_sample0(rho, c, j):
    """t of zeta = rho^beta."""
    y = -c[0, j] * log(inside(rho))  # -log zeta
    return -y - log(rise(y))


@register_jitable(**INLINE)
def linear_log_ratio(t, c, j):
    """b = (1 - 1/beta) t of the power function, and beta t of a Gaussian."""
    return c[1, j] * t


@register_jitable(**INLINE)
def constant_slope(t, c, j):
    """db/dt."""
    return c[1, j]


@register_jitable(**INLINE)
def power_gap(size, c, j):
    """At t = -size: beta (1 + e^-size) (1 - zeta^mu + ((1-zeta) / zeta)^lam (1 - (1-zeta)^mu))."""
    e = decay(size)
    one_minus = log1p(e)  # -log(1 - zeta)
    near = c[1, j] * one_minus  # at most log 2
    gap = rise(c[1, j] * (size + one_minus)) + growth(c[2, j] * size) * (near * mean_decay_near(near))
    return c[0, j] * (_ONE + e) * gap


# -- exponentials, with a uniform part of weight epsilon ---------------------------------------------------------------
# c = beta, epsilon, (1 - epsilon) beta / (1 - e^-beta), 1 - e^-beta, e^-beta, e^low - 1, beta - low, where low is beta,
# but 87 at most: float32 holds e^87


def exponential_constants(smoothing):
    """The third is the height of the exponential part at its vertex."""
    beta, epsilon = smoothing.beta, getattr(smoothing, "epsilon", 0.0)
    low, rise = min(beta, 87.0), -math.expm1(-beta)
    return beta, epsilon, (1 - epsilon) * beta / rise, rise, math.exp(-beta), math.expm1(low), beta - low


@register_jitable(**INLINE)
def exponential_sample0(rho, c, j):
    """t of the zeta whose CDF is rho, within the uniform part for rho < epsilon: log zeta - log(1 - zeta).

    With x = rest (1 - e^-beta), beta zeta = -log(1 - x) and beta (1 - zeta) = log(1 + y); the beta cancels. Beyond
    beta = 87 the 1 is nothing beside y.
    """
    rho, epsilon = inside(rho), c[1, j]
    uniform = rho < epsilon
    rest, above = inside((rho - epsilon) / (_ONE - epsilon)), (_ONE - rho) / (_ONE - epsilon)
    x, w = rest * c[3, j], above + rest * c[4, j]  # x + w = 1, w = e^(-beta zeta)
    y = above * c[5, j]  # e^(beta (1 - zeta)) - 1, less a factor of e^(beta - low)
    near0 = log1p(x / w) if x < w else -log(w)
    near1 = log1p(y) if y < _ONE else log(_ONE + y) + c[6, j]
    inner = inside(rho / epsilon)
    return log(inner if uniform else near0) - log((_ONE - inner) if uniform else near1)


@register_jitable(**INLINE)
def _exponential_densities(t, c, j):
    """zeta, 1 - zeta, and the exponential parts of r(zeta|0) and r(zeta|1), without epsilon's."""
    e = decay(abs(t))
    larger = _ONE / (_ONE + e)
    smaller = e * larger
    zeta, one_minus = (smaller, larger) if t < _ZERO else (larger, smaller)
    part0, part1 = c[2, j] * decay(c[0, j] * zeta), c[2, j] * decay(c[0, j] * one_minus)
    return zeta, one_minus, part0, part1


@register_jitable(**INLINE)
def exponential_log_ratio(t, c, j):
    """b = log r(zeta|1) - log r(zeta|0); beta (2 zeta - 1) without a uniform part."""
    zeta, one_minus, part0, part1 = _exponential_densities(t, c, j)
    mixed = log((part1 + c[1, j]) / (part0 + c[1, j]))
    return mixed if c[1, j] > _ZERO else c[0, j] * (zeta - one_minus)


@register_jitable(**INLINE)
def exponential_slope(t, c, j):
    """db/dt = beta zeta (1 - zeta) (p0 + p1), p0 and p1 the shares of the exponential parts in the two densities."""
    zeta, one_minus, part0, part1 = _exponential_densities(t, c, j)
    mixed = part0 / (part0 + c[1, j]) + part1 / (part1 + c[1, j])
    return c[0, j] * zeta * one_minus * (mixed if c[1, j] > _ZERO else _TWO)


@register_jitable(**INLINE)
def exponential_gap(size, c, j):
    """At t = -size: (1 - eps) (1 - e^(-beta zeta)) (1 - e^(-beta (1-zeta))) / (zeta (1-zeta) r0 (1 - e^-beta))."""
    zeta, one_minus, part0, _ = _exponential_densities(-size, c, j)
    both = mean_decay(c[0, j] * zeta) * mean_decay(c[0, j] * one_minus)
    return c[0, j] * c[2, j] * both / (part0 + c[1, j])


# -- logistics: c = beta, beta / 2, 1 / beta, (1 - e^-beta) / beta, 2 beta (1 - e^-beta) -------------------------------


def logistic_constants(smoothing):
    beta = smoothing.beta
    return beta, beta / 2, 1 / beta, -math.expm1(-beta) / beta, -2 * beta * math.expm1(-beta)


@register_jitable(**INLINE)
def logistic_sample0(rho, c, j):
    """t = logit(rho) / beta - 1/2."""
    rho = inside(rho)
    return (log(rho) - log(_ONE - rho)) * c[2, j] - _HALF


@register_jitable(**INLINE)
def logistic_log_ratio(t, c, j):
    """b = 2 log((1 + e^(beta (1/2 + t))) / (1 + e^(beta (1/2 - t)))) - 2 beta t, odd in t, without cancellation.

    With low and high the smaller and the larger of beta |t| and beta / 2, its half is
    low + log((1 + e^-(low + high)) / (1 + e^-(high - low))); for low < log 2, log1p of e^half - 1.
    """
    far = c[0, j] * abs(t)
    low, high = min(far, c[1, j]), max(far, c[1, j])
    apart = _ONE + decay(high - low)
    small = min(low, _LOG_TWO)
    near = log1p(min(growth(small) * rise(small) * rise(high) / apart, _ONE))
    half = near if low < _LOG_TWO else low + log((_ONE + decay(low + high)) / apart)
    return flipped(half + half, t <= _ZERO)


@register_jitable(**INLINE)
def logistic_slope(t, c, j):
    """db/dt = 2 beta (1 - e^-beta) sigmoid(beta (1/2 + t)) sigmoid(beta (1/2 - t))."""
    return c[4, j] * product_of_sigmoids(c[0, j] * (_HALF + t), c[0, j] * (_HALF - t))


@register_jitable(**INLINE)
def logistic_gap(size, c, j):
    """At t = -size: (1 - e^-beta) (1 + e^x0) / (beta (1 + e^x1)), x0 = beta (1/2 - size), x1 = -beta (1/2 + size)."""
    x0 = c[0, j] * (_HALF - size)
    e = growth(x0) if x0 > _ZERO else decay(-x0)
    return c[3, j] * (_ONE + e) / (_ONE + decay(c[0, j] * (_HALF + size)))


# -- Gaussians: c = beta, beta, sqrt(beta), 1 / sqrt(beta) -------------------------------------------------------------
# Polynomials fitted for the least relative error, highest power first:
# (1 - Phi(x)) / phi(x), x >= 0, is one in (x - 3) / (x + 3), divided by x + 3, to 1e-7;
# Phi^-1(rho) / (2 rho - 1) is, to 8e-7, a function of w = -log(4 rho (1 - rho)) <= 88: up to w = 6.25 one in w, from
# there sqrt(w) times one in (sqrt(w) - 1) / (sqrt(w) + 1).

_MILLS = singles(0.000299679764, -0.000319669933, -0.00255593318, 0.0023397694, 0.0174618466)
_MILLS += singles(-0.0261514756, -0.118470935, 0.576560437, -1.27670575, 1.82754194)
_CENTRE = singles(-4.74121266e-09, 4.62049268e-07, -2.30196634e-06, -1.86460215e-05, 0.000265711587)
_CENTRE += singles(-0.00105008035, -0.00853548651, 0.339636711, 2.33862139)
_TAIL = singles(-18.7942816, 11.938431, -2.36661758, 0.296827292, -0.342358529, -0.0873630431, 0.216137863, 1.3614862)
_EDGE, _CENTRE_AT, _TAIL_AT = np.float32(6.25), np.float32(3.125), np.float32(0.618)
_THREE, _FOUR, _ROOT_TWO_PI = np.float32(3), np.float32(4), np.float32(math.sqrt(2 * math.pi))


def gaussian_constants(smoothing):
    """beta stands twice: the first is of d_beta and gaussian_gap, the second of linear_log_ratio."""
    root = np.sqrt(smoothing.beta)
    return smoothing.beta, smoothing.beta, root, 1 / root


@register_jitable(**INLINE)
def gaussian_sample0(rho, c, j):
    """t = Phi^-1(rho) / sqrt(beta) - 1/2."""
    rho = inside(rho)
    w = -log(_FOUR * rho * (_ONE - rho))
    root = np.sqrt(max(w, _ONE))
    tail = root * horner(_TAIL, (root - _ONE) / (root + _ONE) - _TAIL_AT)
    slope = horner(_CENTRE, w - _CENTRE_AT) if w < _EDGE else tail
    return (rho - (_ONE - rho)) * slope * c[3, j] - _HALF


@register_jitable(**INLINE)
def _mills(x):
    """(1 - Phi(x)) / phi(x) for x >= 0."""
    return horner(_MILLS, (x - _THREE) / (x + _THREE)) / (x + _THREE)


@register_jitable(**INLINE)
def gaussian_gap(size, c, j):
    """At t = -size, x0 = sqrt(beta) zeta, x1 = sqrt(beta) (1 - zeta): (Phi(x0) - Phi(-x1)) / (sqrt(beta) phi(x0))."""
    x0, x1 = c[2, j] * (_HALF - size), c[2, j] * (_HALF + size)
    near, far = _mills(abs(x0)), _mills(x1) * decay(c[0, j] * size)
    beyond = x0 < _ZERO
    below = near if beyond else _ROOT_TWO_PI * growth(_HALF * x0 * x0) - near
    return (below - far) * c[3, j]
