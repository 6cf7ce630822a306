"""Draws of zeta and dt/dlogit q, compiled for float32: mixture.sample, Eq. 9 and the log-ratio b in one pass each.

By the symmetry (t, logit q) -> (-t, -logit q), Eq. 9 needs the densities of one side only. With f the larger of f0 and
f1 and nu = sigmoid(logit q + b) = q(z=1|x,zeta),

    dt/dlogit q = (R0 - R1) / f * (q (1 - nu) if t <= 0 else (1 - q) nu),

where (R0 - R1) / f is the `gap` of kernels_smoothing.py. What is readable is in smoothing.py, mixture.py and spike.py;
tests/test_kernels_draw.py holds both together.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

from dvae_ref import kernels_smoothing as scalar
from dvae_ref.elementwise import OPTIONS, exp_minus, log, log1p
from dvae_ref.smoothing import Exponential, Gaussian, Power, UniformExponential

_ZERO, _HALF, _ONE, _TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(np.finfo(np.float32).tiny)


# -- kernels of a smoothing --------------------------------------------------------------------------------------------


class Family(NamedTuple):
    """Kernels over (rows, units), and the constants c that they take for a smoothing."""

    constants: object
    draw: object
    log_ratio: object
    d_log_ratio: object
    d_logit: object
    d_out: object


def _family(constants, sample0, zeta, d_zeta, log_ratio, d_log_ratio, gap):
    @register_jitable(forceinline=True, error_model="numpy")
    def slope(t, logit_q, c, j):
        """dt/dlogit q."""
        nu_logit = logit_q + log_ratio(t, c, j)
        upper = t > _ZERO
        weight = scalar.product_of_sigmoids(-logit_q if upper else logit_q, nu_logit if upper else -nu_logit)
        return gap(abs(t), c, j) * weight

    @njit(**OPTIONS)
    def draw(logit_q, u, rho, c, t, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                t0 = sample0(rho[i, j], c, j)
                t[i, j] = -t0 if u[i, j] < scalar.sigmoid(logit_q[i, j]) else t0
                out[i, j] = zeta(t[i, j])

    @njit(**OPTIONS)
    def elementwise_log_ratio(t, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = log_ratio(t[i, j], c, j)

    @njit(**OPTIONS)
    def elementwise_slope(t, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = d_log_ratio(t[i, j], c, j)

    @njit(**OPTIONS)
    def d_logit(t, logit_q, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                out[i, j] = slope(t[i, j], logit_q[i, j], c, j)

    @njit(**OPTIONS)
    def d_out(d_logit_q, d_t, d_zeta_in, t, logit_q, c, out):
        for i in range(t.shape[0]):
            for j in range(t.shape[1]):
                whole = d_t[i, j] + d_zeta_in[i, j] * d_zeta(t[i, j])
                out[i, j] = d_logit_q[i, j] + whole * slope(t[i, j], logit_q[i, j], c, j)

    return Family(constants, draw, elementwise_log_ratio, elementwise_slope, d_logit, d_out)


_UNIT = scalar.sigmoid, scalar.unit_slope
_EXPONENTIAL = _family(
    *(scalar.exponential_constants, scalar.exponential_sample0, *_UNIT),
    *(scalar.exponential_log_ratio, scalar.exponential_slope, scalar.exponential_gap),
)
_FAMILIES = {
    Power: _family(
        scalar.power_constants,
        scalar.power_sample0,
        *_UNIT,
        scalar.linear_log_ratio,
        scalar.constant_slope,
        scalar.power_gap,
    ),
    Exponential: _EXPONENTIAL,
    UniformExponential: _EXPONENTIAL,
    Gaussian: _family(
        *(scalar.gaussian_constants, scalar.gaussian_sample0, scalar.shifted, scalar.no_slope),
        *(scalar.linear_log_ratio, scalar.constant_slope, scalar.gaussian_gap),
    ),
}


def takes(smoothing, *arrays):
    """Whether there are kernels for this smoothing and these arrays: float32, all of one shape."""
    return type(smoothing) in _FAMILIES and alike(*arrays)


def alike(*arrays):
    """Whether all are float32, of one shape, which is not ()."""
    first = arrays[0]
    return all(
        isinstance(a, np.ndarray) and a.dtype == np.float32 and a.ndim > 0 and a.shape == first.shape for a in arrays
    )


def _run(kernel, smoothing, inputs, outputs=1):
    """Fresh arrays of the inputs' shape, written by a kernel of the smoothing's family."""
    shape = inputs[0].shape
    rows = [np.ascontiguousarray(a).reshape(-1, shape[-1]) for a in inputs]
    given = _FAMILIES[type(smoothing)].constants(smoothing)
    c = np.empty((len(given), shape[-1]), np.float32)
    for own, constant in zip(c, given, strict=True):
        own[:] = constant
    out = [np.empty(rows[0].shape, np.float32) for _ in range(outputs)]
    kernel(*rows, c, *out)
    return tuple(a.reshape(shape) for a in out)


def draw(logit_q, u, rho, smoothing):
    """(t, zeta): mixture.sample and smoothing.zeta."""
    return _run(_FAMILIES[type(smoothing)].draw, smoothing, (logit_q, u, rho), 2)


def draw_backward(d_logit_q, d_t, d_zeta, t, logit_q, smoothing):
    """d_logit_q + (d_t + d_zeta dzeta/dt) dt/dlogit q: posteriors.Mixture.draw_backward."""
    return _run(_FAMILIES[type(smoothing)].d_out, smoothing, (d_logit_q, d_t, d_zeta, t, logit_q))[0]


def d_t_d_logit_q(t, logit_q, smoothing):
    """mixture.d_t_d_logit_q."""
    return _run(_FAMILIES[type(smoothing)].d_logit, smoothing, (t, logit_q))[0]


def log_ratio(t, smoothing):
    """smoothing.log_ratio."""
    return _run(_FAMILIES[type(smoothing)].log_ratio, smoothing, (t,))[0]


def d_log_ratio(t, smoothing):
    """smoothing.d_log_ratio."""
    return _run(_FAMILIES[type(smoothing)].d_log_ratio, smoothing, (t,))[0]


# -- dt/dbeta of the Gaussian ------------------------------------------------------------------------------------------


@njit(**OPTIONS)
def _gaussian_d_beta(t, logit_q, c, out):
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            nu = scalar.sigmoid(logit_q[i, j] + c[0, j] * t[i, j])
            out[i, j] = (nu - _HALF - t[i, j]) / (c[0, j] + c[0, j])


def d_t_d_beta(t, logit_q, smoothing):
    """mixture.d_t_d_beta of a Gaussian: (nu - zeta) / (2 beta), nu = q(z=1|x,zeta), since dR/dbeta there is r times
    the distance to the vertex / (2 beta)."""
    return _run(_gaussian_d_beta, smoothing, (t, logit_q))[0]


# -- spike and exponential ---------------------------------------------------------------------------------------------


@register_jitable(forceinline=True, error_model="numpy")
def _above_spike(logit_q, rho):
    """(s, 1 - s) of spike.py, 1 - q."""
    e = exp_minus(abs(logit_q))
    larger = _ONE / (_ONE + e)
    q, one_minus_q = max(e * larger if logit_q < _ZERO else larger, _TINY), larger if logit_q < _ZERO else e * larger
    one_minus_s = min((_ONE - rho) / q, _ONE)
    near = max(rho - one_minus_q, _ZERO) / q
    return (near if one_minus_q < q else _ONE - one_minus_s), one_minus_s, one_minus_q


@njit(**OPTIONS)
def _spike_sample(logit_q, rho, rise, beta, out):
    for i in range(out.size):
        s, _, _ = _above_spike(logit_q[i], rho[i])
        y = rise * s
        out[i] = (log1p(min(y, _ONE)) if y < _ONE else log(_ONE + y)) / beta


@njit(**OPTIONS)
def _spike_slope(logit_q, rho, rise, beta, out):
    for i in range(out.size):
        s, one_minus_s, one_minus_q = _above_spike(logit_q[i], rho[i])
        slope = rise / beta / (rise * s + _ONE) * one_minus_s * one_minus_q
        out[i] = slope if s > _ZERO else _ZERO


def _run_spike(kernel, logit_q, rho, beta):
    out = np.empty(logit_q.shape, np.float32)
    arrays = (np.ascontiguousarray(a).reshape(-1) for a in (logit_q, rho))
    kernel(*arrays, np.float32(math.expm1(beta)), np.float32(beta), out.reshape(-1))
    return out


def spike_sample(logit_q, rho, beta):
    """spike.sample."""
    return _run_spike(_spike_sample, logit_q, rho, beta)


def spike_d_zeta_d_logit_q(logit_q, rho, beta):
    """spike.d_zeta_d_logit_q."""
    return _run_spike(_spike_slope, logit_q, rho, beta)
