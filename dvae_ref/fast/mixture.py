"""Twins of theory.mixture: draws of zeta, Eq. 9, the log-ratio b and log q(zeta|x), in one pass each.

By the symmetry (t, logit q) -> (-t, -logit q), Eq. 9 needs the densities of one side only. With f the larger of f0 and
f1 and nu = sigmoid(logit q + b) = q(z=1|x,zeta),

    dt/dlogit q = (R0 - R1) / f * (q (1 - nu) if t <= 0 else (1 - q) nu),

where (R0 - R1) / f is the `gap` of fast/smoothing.py.
"""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import smoothing as scalar
from dvae_ref.fast.elementary import INLINE, OPTIONS, decay, flipped, positive
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import agree, alike, uniform
from dvae_ref.fast.smoothing import d_off, sigmoid
from dvae_ref.fast.sums import sum_with_logs
from dvae_ref.theory.logistic import Logistic
from dvae_ref.theory.mixture import LogQ
from dvae_ref.theory.smoothing import Exponential, Gaussian, Power, UniformExponential

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


# -- kernels of a smoothing --------------------------------------------------------------------------------------------


class Family(NamedTuple):
    """Kernels over (rows, units), and the constants c (number, units) that they take for a smoothing."""

    constants: object  # smoothing -> its constants, each a number or one a unit
    draw: object  # (logit_q, u, rho, c) -> t, zeta
    log_ratio: object  # (t, c) -> b
    d_log_ratio: object  # (t, c) -> db/dt
    d_logit: object  # (t, logit_q, c) -> dt/dlogit q
    d_out: object  # (d_logit_q, d_t, d_zeta, t, logit_q, c) -> the gradient in logit q
    d_beta: object = None  # (t, logit_q, c) -> dt/dbeta, of Gaussians


def _family(constants, sample0, coordinate, ratio, gap):
    """The Family of a smoothing's scalar functions in fast/smoothing.py.

    coordinate: (zeta of t, its derivative); ratio: (b of t, its derivative).
    """
    zeta, d_zeta = coordinate
    log_ratio, d_log_ratio = ratio

    @register_jitable(**INLINE)
    def slope(t, logit_q, c, j):
        """dt/dlogit q: Eq. 9, as above."""
        nu_logit = logit_q + log_ratio(t, c, j)
        upper = t > _ZERO
        weight = scalar.product_of_sigmoids(flipped(logit_q, upper), -flipped(nu_logit, upper))
        return gap(abs(t), c, j) * weight

    @compiled(**OPTIONS)
    def draw(logit_q, u, rho, c, t, out):
        """t: of r(zeta|0) for u >= q, its mirror image for u < q; out: zeta."""
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                t0 = sample0(rho[i, j], c, j)
                t[i, j] = flipped(t0, u[i, j] < sigmoid(logit_q[i, j]))
                out[i, j] = zeta(t[i, j])

    @compiled(**OPTIONS)
    def elementwise_log_ratio(t, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = log_ratio(t[i, j], c, j)

    @compiled(**OPTIONS)
    def elementwise_slope(t, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = d_log_ratio(t[i, j], c, j)

    @compiled(**OPTIONS)
    def d_logit(t, logit_q, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = slope(t[i, j], logit_q[i, j], c, j)

    @compiled(**OPTIONS)
    def d_out(d_logit_q, d_t, d_zeta_in, t, logit_q, c, out):
        """d_logit_q + (d_t + d_zeta dzeta/dt) dt/dlogit q: the cotangents are those of draw's logit_q, t and zeta."""
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                whole = d_t[i, j] + d_zeta_in[i, j] * d_zeta(t[i, j])
                out[i, j] = d_logit_q[i, j] + whole * slope(t[i, j], logit_q[i, j], c, j)

    return Family(constants, draw, elementwise_log_ratio, elementwise_slope, d_logit, d_out)


@compiled(**OPTIONS)
def _gaussian_d_beta(t, logit_q, c, out):
    """(nu - zeta) / (2 beta), nu = q(z=1|x,zeta), since dR/dbeta is r times the distance to the vertex / (2 beta)."""
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            nu_logit, upper = logit_q[i, j] + c[0, j] * t[i, j], t[i, j] > _ZERO
            off = sigmoid(flipped(nu_logit, upper))  # 1 - nu, or nu
            away = _HALF - abs(t[i, j])  # 1 - zeta, or zeta
            out[i, j] = (away - off if upper else off - away) / (c[0, j] + c[0, j])


_UNIT = scalar.sigmoid, scalar.unit_slope  # zeta of t, and dzeta/dt
_SHIFTED = scalar.shifted, scalar.no_slope
_LINEAR = scalar.linear_log_ratio, scalar.constant_slope  # b of t, and db/dt
_OF_EXPONENTIALS = scalar.exponential_log_ratio, scalar.exponential_slope
_OF_LOGISTICS = scalar.logistic_log_ratio, scalar.logistic_slope

_POWER = _family(scalar.power_constants, scalar.power_sample0, _UNIT, _LINEAR, scalar.power_gap)
_EXPONENTIAL = _family(
    scalar.exponential_constants, scalar.exponential_sample0, _UNIT, _OF_EXPONENTIALS, scalar.exponential_gap
)
_GAUSSIAN = _family(scalar.gaussian_constants, scalar.gaussian_sample0, _SHIFTED, _LINEAR, scalar.gaussian_gap)
_LOGISTIC = _family(scalar.logistic_constants, scalar.logistic_sample0, _SHIFTED, _OF_LOGISTICS, scalar.logistic_gap)
_FAMILIES = {
    Power: _POWER,
    Exponential: _EXPONENTIAL,
    UniformExponential: _EXPONENTIAL,
    Gaussian: _GAUSSIAN._replace(d_beta=_gaussian_d_beta),
    Logistic: _LOGISTIC,
}


def has_kernels(smoothing, *arrays):
    """Whether there are kernels for this smoothing, with a beta or one a unit, and these arrays of one shape."""
    if type(smoothing) not in _FAMILIES or not alike(*arrays):
        return False
    return np.shape(smoothing.beta) in ((), arrays[0].shape[-1:])


def _run(name, smoothing, inputs, outputs=1):
    """Fresh arrays of the inputs' shape, written by that kernel of the smoothing's family.

    A tuple where there are several outputs. The last axis is that of units: beta may differ along it.
    """
    if not has_kernels(smoothing, *inputs):
        return NotImplemented
    family, shape = _FAMILIES[type(smoothing)], inputs[0].shape
    flat = math.prod(shape[:-1]), shape[-1]
    rows = [np.ascontiguousarray(a).reshape(flat) for a in inputs]
    out = [np.empty(flat, np.float32) for _ in range(outputs)]
    kernel = getattr(family, name)
    kernel(*rows, _constants(family, smoothing, shape[-1]), *out)
    out = tuple(a.reshape(shape) for a in out)
    return out if outputs > 1 else out[0]


def _constants(family, smoothing, units):
    """The kernels' c: (number, units), float32."""
    given = family.constants(smoothing)
    c = np.empty((len(given), units), np.float32)
    for row, constant in zip(c, given, strict=True):
        row[:] = constant
    return c


def draw(logit_q, u, rho, smoothing):
    """Numbers that are not in [0, 1] are left to the readable form, which refuses them."""
    if not (has_kernels(smoothing, logit_q, u, rho) and uniform(u) and uniform(rho)):
        return NotImplemented
    return _run("draw", smoothing, (logit_q, u, rho), 2)


def draw_backward(d_logit_q, d_t, d_zeta, t, logit_q, smoothing):
    return _run("d_out", smoothing, (d_logit_q, d_t, d_zeta, t, logit_q))


def d_t_d_logit_q(t, logit_q, smoothing):
    return _run("d_logit", smoothing, (t, logit_q))


def log_ratio(t, smoothing):
    return _run("log_ratio", smoothing, (t,))


def d_log_ratio(t, smoothing):
    return _run("d_log_ratio", smoothing, (t,))


def d_t_d_beta(t, logit_q, smoothing):
    """Compiled for Gaussians alone, whose beta is the one that is learned (the Gaussian integral's)."""
    if type(smoothing) is not Gaussian:
        return NotImplemented
    return _run("d_beta", smoothing, (t, logit_q))


# -- log q(zeta|x) -----------------------------------------------------------------------------------------------------


@compiled(**OPTIONS)
def _log_q(logit_q, b, out):
    """log q(zeta|x) - log r_max of a row, (N, D) -> (N,): with l = logit q, the sum over units of
    softplus(s (l + b)) - softplus(s l), s = -1 where b > 0 and 1 elsewhere."""
    terms, factors = np.empty(b.shape[1], np.float32), np.empty(b.shape[1], np.float32)
    for i in range(b.shape[0]):
        for j in range(b.shape[1]):
            before = flipped(logit_q[i, j], b[i, j] > _ZERO)
            after = before - abs(b[i, j])
            terms[j] = positive(after) - positive(before)
            factors[j] = (_ONE + decay(abs(after))) / (_ONE + decay(abs(before)))
        out[i] = sum_with_logs(terms, factors)


@compiled(**OPTIONS)
def _log_q_backward(d, logit_q, b, d_logit_q, d_b):
    """d_logit_q = d (nu - q) and d_b = d (nu - [b > 0]), nu = sigmoid(logit q + b).  d: (N,), the others (N, D)."""
    for i in range(b.shape[0]):
        for j in range(b.shape[1]):
            nu_logit = logit_q[i, j] + b[i, j]
            d_logit_q[i, j] = d[i] * (sigmoid(nu_logit) - sigmoid(logit_q[i, j]))
            d_b[i, j] = d_off(d[i], nu_logit, b[i, j])


def log_q(logit_q, b):
    if not agree((logit_q, "ND"), (b, "ND")):
        return NotImplemented
    out = np.empty(len(b), np.float32)
    _log_q(logit_q, b, out)
    return out, LogQ(logit_q, b)


def log_q_backward(d_log_q, cache):
    logit_q, b = cache
    if not agree((d_log_q, "N"), (logit_q, "ND"), (b, "ND")):
        return NotImplemented
    out = np.empty_like(b), np.empty_like(b)
    _log_q_backward(d_log_q, logit_q, b, *out)
    return out
