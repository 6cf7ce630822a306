"""Twins of theory.overlapping: mean field, log p(zeta) and its gradient."""

import numpy as np

from dvae_ref.fast.elementary import OPTIONS, decay, flipped, positive
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import agree
from dvae_ref.fast.smoothing import d_off, sigmoid
from dvae_ref.fast.sums import plain_sum, sum_with_logs
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.overlapping import LogP

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled(**OPTIONS)
def _activate(a, b, first, field):
    """field <- sigmoid(a + b + field) for the units of a side, (N, side), which are b's from `first` on."""
    for i in range(field.shape[0]):
        own = b[i, first : first + field.shape[1]]
        for j in range(field.shape[1]):
            field[i, j] = sigmoid(a[j] + own[j] + field[i, j])


@compiled(**OPTIONS)
def _side_of_bound(a, b, first, field, logit_m, out):
    """Add to out (N,) the sums over a side of softplus(logit m) - max(b, 0), nats, with logit m = a + b + field.

    The side's units are those of b and logit_m from `first` on. Where b > 0, softplus(l) - b = (l - b) + softplus(-l).
    """
    terms, factors = np.empty(len(a), np.float32), np.empty(len(a), np.float32)
    for i in range(field.shape[0]):
        own, logit = b[i, first : first + len(a)], logit_m[i, first : first + len(a)]
        for j in range(len(a)):
            rest = a[j] + field[i, j]
            logit[j] = own[j] + rest
            mirrored = flipped(logit[j], own[j] > _ZERO)
            terms[j] = (rest if own[j] > _ZERO else _ZERO) + positive(mirrored)
            factors[j] = _ONE + decay(abs(mirrored))
        out[i] += sum_with_logs(terms, factors)


@compiled(**OPTIONS)
def _row_dots(x, y, out):
    """out <- out - the dot products of rows, (N, side) each -> (N,)."""
    terms = np.empty(x.shape[1], np.float32)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            terms[j] = x[i, j] * y[i, j]
        out[i] -= plain_sum(terms)


def _fit(rbm, *layout):
    """Whether these arrays agree with an RBM of D = L + R units."""
    return agree((rbm.a, "D"), (rbm.W, "LR"), *layout) and len(rbm.a) == sum(rbm.W.shape)


def _sides(rbm, rows):
    """Room for numbers of the left and of the right units: (rows, L), (rows, R)."""
    n_left, n_right = rbm.W.shape
    return np.empty((rows, n_left), np.float32), np.empty((rows, n_right), np.float32)


def log_p(rbm, b, sweeps=5):
    """The fields left = W m_right and right = m_left W of the last sweep say it all: since
    H(m) + (a + b) m = softplus(logit m) - m field, the value is

        sum_i (softplus(logit m_i) - max(b_i, 0)) - m_right·right,

    m_left W m_right having gone with the left side's m·field.
    """
    if sweeps < 1 or not _fit(rbm, (b, "ND")):
        return NotImplemented
    W_T, a_left, a_right, n_left = rbm.W.T, rbm.a_left, rbm.a_right, len(rbm.W)
    left, right = _sides(rbm, len(b))
    right[:] = rbm.W.sum(0) / 2  # m_left = 1/2
    for _ in range(sweeps - 1):
        _activate(a_right, b, n_left, right)
        np.matmul(right, W_T, out=left)
        _activate(a_left, b, 0, left)
        np.matmul(left, rbm.W, out=right)
    m_right = right.copy()
    _activate(a_right, b, n_left, m_right)
    np.matmul(m_right, W_T, out=left)
    value, logit_m = np.zeros(len(b), np.float64), np.empty_like(b)
    _side_of_bound(a_left, b, 0, left, logit_m, value)
    _side_of_bound(a_right, b, n_left, right, logit_m, value)
    _row_dots(m_right, right, value)
    return value.astype(np.float32), LogP(rbm, b, logit_m)


@compiled(**OPTIONS)
def _log_p_backward(d, b, logit_m, left, right, d_b):
    """left = d m of the left side, right = m of the right, d_b = d (m - [b > 0]), m = sigmoid(logit_m).  d: (N,)."""
    n_left = left.shape[1]
    for i in range(b.shape[0]):
        for j in range(n_left):
            left[i, j] = d[i] * sigmoid(logit_m[i, j])
        for j in range(right.shape[1]):
            right[i, j] = sigmoid(logit_m[i, n_left + j])
        for j in range(b.shape[1]):
            d_b[i, j] = d_off(d[i], logit_m[i, j], b[i, j])


def log_p_backward(d_log_p, cache):
    """m is held fixed (Eq. 5): sum_n d_n m m' in W, from the left side's d m and the right side's m."""
    rbm, b, logit_m = cache
    if not _fit(rbm, (d_log_p, "N"), (b, "ND"), (logit_m, "ND")):
        return NotImplemented
    left, right = _sides(rbm, len(b))
    d_b = np.empty_like(b)
    _log_p_backward(d_log_p, b, logit_m, left, right, d_b)
    d_a = np.concatenate([left.sum(0), d_log_p @ right])
    return RBM(d_a, left.T @ right), d_b
