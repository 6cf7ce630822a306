"""Twins of dvae_ref.theory.spike."""

import math

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast.elementary import INLINE, OPTIONS, at_least, at_most, exp_minus, log, log1p
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import alike, uniform

_ZERO, _ONE, _TINY = np.float32(0), np.float32(1), np.float32(np.finfo(np.float32).tiny)


@register_jitable(**INLINE)
def _above_spike(logit_q, rho):
    """(s, 1 - s) of theory/spike.py, and 1 - q. Comparisons are such that a NaN stays one.

    1 - s = (1 - rho) / q never cancels; s = (rho - (1 - q)) / q where q > 1/2, and is 1 - (1 - s) elsewhere.
    """
    e = exp_minus(abs(logit_q))
    larger = _ONE / (_ONE + e)
    q, one_minus_q = (e * larger, larger) if logit_q < _ZERO else (larger, e * larger)
    q = at_least(_TINY, q)
    one_minus_s = at_most(_ONE, (_ONE - rho) / q)
    near = at_least(_ZERO, rho - one_minus_q) / q
    s = near if one_minus_q < q else _ONE - one_minus_s
    return s, one_minus_s, one_minus_q


@compiled(**OPTIONS)
def _spike_sample(logit_q, rho, rise, beta, out):
    """zeta = log(1 + rise s) / beta, rise = e^beta - 1; all of one shape (n,)."""
    for i in range(out.size):
        s, _, _ = _above_spike(logit_q[i], rho[i])
        y = rise * s
        high = log(_ONE + y) if y >= _ONE else y  # a NaN stays one
        out[i] = (log1p(min(y, _ONE)) if y < _ONE else high) / beta


@compiled(**OPTIONS)
def _spike_slope(logit_q, rho, rise, beta, out):
    """dzeta/dlogit q = rise (1 - s) (1 - q) / (beta (1 + rise s)) where zeta > 0, and 0 on the spike."""
    for i in range(out.size):
        s, one_minus_s, one_minus_q = _above_spike(logit_q[i], rho[i])
        slope = rise / beta / (rise * s + _ONE) * one_minus_s * one_minus_q
        out[i] = _ZERO if s <= _ZERO else slope


def _run_spike(kernel, logit_q, rho, beta):
    """What the kernel writes, a fresh array of the inputs' shape."""
    if not (alike(logit_q, rho) and uniform(rho) and 0 < beta < 88):
        return NotImplemented
    out = np.empty(logit_q.shape, np.float32)
    logit_q, rho = np.ascontiguousarray(logit_q).reshape(-1), np.ascontiguousarray(rho).reshape(-1)
    kernel(logit_q, rho, np.float32(math.expm1(beta)), np.float32(beta), out.reshape(-1))
    return out


def sample(logit_q, rho, beta):
    return _run_spike(_spike_sample, logit_q, rho, beta)


def d_zeta_d_logit_q(logit_q, rho, beta):
    return _run_spike(_spike_slope, logit_q, rho, beta)
