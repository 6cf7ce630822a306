"""Twins of theory.overlapping: mean field, log p(zeta) and its gradient."""

import numpy as np

from dvae_ref.fast.elementary import OPTIONS, decay
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import agree
from dvae_ref.fast.smoothing import sigmoid
from dvae_ref.fast.sums import plain_sum, positive, sum_with_logs
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.overlapping import LogP

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled(**OPTIONS)
def _activate(a, b, first, field, out):
    """sigmoid(a + b + field) of the units from `first` on."""
    for i in range(out.shape[0]):
        own = b[i, first : first + out.shape[1]]
        for j in range(out.shape[1]):
            out[i, j] = sigmoid(a[j] + own[j] + field[i, j])


@compiled(**OPTIONS)
def _activate_in_place(a, b, first, field):
    for i in range(field.shape[0]):
        own = b[i, first : first + field.shape[1]]
        for j in range(field.shape[1]):
            field[i, j] = sigmoid(a[j] + own[j] + field[i, j])


@compiled(**OPTIONS)
def _side_of_bound(a, b, first, field, logit_m, out):
    """Add to out the sums over a side of softplus(logit m) - max(b, 0), with logit m = a + b + field."""
    terms, factors = np.empty(len(a), np.float32), np.empty(len(a), np.float32)
    for i in range(field.shape[0]):
        own, logit = b[i, first : first + len(a)], logit_m[i, first : first + len(a)]
        for j in range(len(a)):
            rest = a[j] + field[i, j]
            logit[j] = own[j] + rest
            mirrored = -logit[j] if own[j] > _ZERO else logit[j]
            terms[j] = (rest if own[j] > _ZERO else _ZERO) + positive(mirrored)
            factors[j] = _ONE + decay(abs(mirrored))
        out[i] += sum_with_logs(terms, factors)


@compiled(**OPTIONS)
def _row_dots(x, y, out):
    """out - the dot products of rows."""
    terms = np.empty(x.shape[1], np.float32)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            terms[j] = x[i, j] * y[i, j]
        out[i] -= plain_sum(terms)


def _fit(rbm, *layout):
    """Whether these arrays agree with an RBM of D = L + R units."""
    return agree((rbm.a, "D"), (rbm.W, "LR"), *layout) and len(rbm.a) == sum(rbm.W.shape)


def log_p(rbm, b, sweeps=5):
    """The fields left = W m_right and right = m_left W of the last sweep say it all: since
    H(m) + (a + b) m = softplus(logit m) - m field, the value is

        sum_i (softplus(logit m_i) - max(b_i, 0)) - m_right·right,

    m_left W m_right having gone with the left side's m·field. Where b > 0, softplus(l) - b = (l - b) + softplus(-l).
    """
    if sweeps < 1 or not _fit(rbm, (b, "ND")):
        return NotImplemented
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
    return value.astype(np.float32), LogP(rbm, b, logit_m)


@compiled(**OPTIONS)
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


def log_p_backward(d_log_p, cache):
    rbm, b, logit_m = cache
    if not _fit(rbm, (d_log_p, "N"), (b, "ND"), (logit_m, "ND")):
        return NotImplemented
    left, right = (np.empty((len(b), n), np.float32) for n in rbm.W.shape)
    d_b = np.empty_like(b)
    _log_p_backward(d_log_p, b, logit_m, left, right, d_b)
    return RBM(np.concatenate([left.sum(0), d_log_p @ right]), left.T @ right), d_b
