"""log q(zeta|x) and log p(zeta) of the overlapping relaxation, compiled for float32: forward and backward.

The readable forms are mixture.log_q, overlapping.log_p and what they call; tests/test_kernels_latent.py holds both
together. Sums over units of softplus(x) = max(x, 0) + log(1 + e^-|x|) take one log for 64 units.
"""

import math

import numpy as np
from numba import njit
from numba.extending import register_jitable

from dvae_ref.boltzmann import RBM
from dvae_ref.elementwise import OPTIONS, REDUCE, decay
from dvae_ref.kernels_smoothing import sigmoid

_ZERO, _ONE = np.float32(0), np.float32(1)
_FACTORS = 64  # of at most 2 each


def takes(*arrays):
    """Whether there are kernels for these arrays: float32 in contiguous rows."""
    return all(a.dtype == np.float32 and a.ndim == 2 and a.flags.c_contiguous for a in arrays)


@register_jitable(forceinline=True, error_model="numpy")
def _positive(x):
    return x if x > _ZERO else _ZERO


@njit(**REDUCE)
def _sum(terms):
    total = _ZERO
    for j in range(terms.size):
        total += terms[j]
    return total


@njit(**REDUCE)
def _product(factors):
    total = _ONE
    for j in range(factors.size):
        total *= factors[j]
    return total


@njit(**OPTIONS)
def _add_up(terms, factors):
    """sum terms + log prod factors."""
    total = np.float64(_sum(terms))
    for first in range(0, factors.size, _FACTORS):
        total += math.log(_product(factors[first : first + _FACTORS]))
    return total


@njit(**OPTIONS)
def _log_q(logit_q, b, out):
    """One unit: softplus(s (l + b)) - softplus(s l), s = -1 where b > 0 and 1 elsewhere."""
    terms, factors = np.empty(b.shape[1], np.float32), np.empty(b.shape[1], np.float32)
    for i in range(b.shape[0]):
        for j in range(b.shape[1]):
            sign = -_ONE if b[i, j] > _ZERO else _ONE
            before = sign * logit_q[i, j]
            after = before + sign * b[i, j]
            terms[j] = _positive(after) - _positive(before)
            factors[j] = (_ONE + decay(abs(after))) / (_ONE + decay(abs(before)))
        out[i] = _add_up(terms, factors)


@njit(**OPTIONS)
def _log_q_backward(d, logit_q, b, d_logit_q, d_b):
    """d (nu - q) and d (nu - [b > 0])."""
    for i in range(b.shape[0]):
        for j in range(b.shape[1]):
            nu_logit = logit_q[i, j] + b[i, j]
            d_logit_q[i, j] = d[i] * (sigmoid(nu_logit) - sigmoid(logit_q[i, j]))
            off = sigmoid(-nu_logit if b[i, j] > _ZERO else nu_logit)
            d_b[i, j] = -d[i] * off if b[i, j] > _ZERO else d[i] * off


def log_q(logit_q, b):
    """mixture.log_q: (N, D) -> (N,)."""
    out = np.empty(len(b), np.float32)
    _log_q(logit_q, b, out)
    return out


def log_q_backward(d_log_q, logit_q, b):
    """mixture.log_q_backward: (d_logit_q, d_b)."""
    out = np.empty_like(b), np.empty_like(b)
    _log_q_backward(d_log_q, logit_q, b, *out)
    return out


@njit(**OPTIONS)
def _activate(a, b, first, field, out):
    """sigmoid(a + b + field) of the units from `first` on."""
    for i in range(out.shape[0]):
        own = b[i, first : first + out.shape[1]]
        for j in range(out.shape[1]):
            out[i, j] = sigmoid(a[j] + own[j] + field[i, j])


@njit(**OPTIONS)
def _activate_in_place(a, b, first, field):
    for i in range(field.shape[0]):
        own = b[i, first : first + field.shape[1]]
        for j in range(field.shape[1]):
            field[i, j] = sigmoid(a[j] + own[j] + field[i, j])


@njit(**OPTIONS)
def _side_of_bound(a, b, first, field, logit_m, out):
    """Add to out the sums over a side of softplus(logit m) - max(b, 0), with logit m = a + b + field."""
    terms, factors = np.empty(len(a), np.float32), np.empty(len(a), np.float32)
    for i in range(field.shape[0]):
        own, logit = b[i, first : first + len(a)], logit_m[i, first : first + len(a)]
        for j in range(len(a)):
            rest = a[j] + field[i, j]
            logit[j] = own[j] + rest
            mirrored = -logit[j] if own[j] > _ZERO else logit[j]
            terms[j] = (rest if own[j] > _ZERO else _ZERO) + _positive(mirrored)
            factors[j] = _ONE + decay(abs(mirrored))
        out[i] += _add_up(terms, factors)


@njit(**OPTIONS)
def _row_dots(x, y, out):
    """out - the dot products of rows."""
    terms = np.empty(x.shape[1], np.float32)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            terms[j] = x[i, j] * y[i, j]
        out[i] -= _sum(terms)


def log_p(rbm, b, sweeps):
    """overlapping.log_p: (value, logit m), sweeps >= 1.

    The fields left = W m_right and right = m_left W of the last sweep say it all: since
    H(m) + (a + b) m = softplus(logit m) - m field, the value is

        sum_i (softplus(logit m_i) - max(b_i, 0)) - m_right·right,

    m_left W m_right having gone with the left side's m·field. Where b > 0, softplus(l) - b = (l - b) + softplus(-l).
    """
    n_left, W_T, a_left, a_right = rbm.W.shape[0], rbm.W.T, rbm.a_left, rbm.a_right
    left, right = np.empty((len(b), n_left), np.float32), np.empty((len(b), len(a_right)), np.float32)
    right[:] = rbm.W.sum(0) / 2  # m_left = 1/2
    for _ in range(sweeps - 1):
        _activate_in_place(a_right, b, n_left, right)
        _activate_in_place(a_left, b, 0, np.matmul(right, W_T, out=left))
        np.matmul(left, rbm.W, out=right)
    m_right = np.empty_like(right)
    _activate(a_right, b, n_left, right, m_right)
    np.matmul(m_right, W_T, out=left)
    value, logit_m = np.zeros(len(b), np.float64), np.empty_like(b)
    _side_of_bound(a_left, b, 0, left, logit_m, value)
    _side_of_bound(a_right, b, n_left, right, logit_m, value)
    _row_dots(m_right, right, value)
    return value.astype(np.float32), logit_m


@njit(**OPTIONS)
def _log_p_backward(d, b, logit_m, left, right, d_b):
    """d m of the left side, m of the right, and d (m - [b > 0])."""
    n_left = left.shape[1]
    for i in range(b.shape[0]):
        for j in range(n_left):
            left[i, j] = d[i] * sigmoid(logit_m[i, j])
        for j in range(right.shape[1]):
            right[i, j] = sigmoid(logit_m[i, n_left + j])
        for j in range(b.shape[1]):
            logit = logit_m[i, j]
            off = sigmoid(-logit if b[i, j] > _ZERO else logit)
            d_b[i, j] = -d[i] * off if b[i, j] > _ZERO else d[i] * off


def log_p_backward(d_log_p, rbm, b, logit_m):
    """overlapping.log_p_backward: (RBM, d_b)."""
    left, right = (np.empty((len(b), n), np.float32) for n in rbm.W.shape)
    d_b = np.empty_like(b)
    _log_p_backward(d_log_p, b, logit_m, left, right, d_b)
    return RBM(np.concatenate([left.sum(0), d_log_p @ right]), left.T @ right), d_b
