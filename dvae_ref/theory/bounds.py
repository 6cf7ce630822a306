"""The variational bound of Eq. 2 and the importance-weighted bound of Eq. 3 as functions of K log-weights.

Derived in docs/derivations/07-bounds.md.
"""

import math

import numpy as np

from dvae_ref.arrays import Array, in_floats
from dvae_ref.theory.elementary import per_row


@in_floats
def log_weights(log_ratio: Array, log_px: Array, *, kappa: float = 1.0) -> Array:
    """log w = kappa log_ratio + log p(x|zeta); kappa is the KL warm-up coefficient.

    log_ratio: log p(zeta) - log q(zeta|x), or the sample's estimate of minus the KL term of Eq. 2. (N,) each, nats.
    """
    return kappa * log_ratio + log_px


@in_floats
def log_weights_backward(d_log_w: Array, *, kappa: float = 1.0) -> tuple[Array, Array]:
    """Gradients in (log_ratio, log_px): kappa d_log_w and d_log_w, (N,) each."""
    return kappa * d_log_w, d_log_w


@in_floats
def variational(log_w: Array) -> tuple[Array, Array]:
    """The variational bound of Eq. 2, nats, averaged over K samples, (B, K) -> (B,), and as its cache its weights, 1/K.

    ValueError for log-weights that are not (B, K) with K >= 1.

    >>> bound, weights = variational(np.array([[-90.0, -92.0]]))
    >>> bound.tolist(), weights.tolist()
    ([-91.0], [[0.5, 0.5]])
    """
    _check(log_w)
    return log_w.mean(-1), np.full_like(log_w, 1 / log_w.shape[-1])


def _check(log_w):
    if log_w.ndim != 2 or log_w.shape[1] == 0:
        raise ValueError(f"a bound takes log-weights (B, K) with K >= 1; got shape {log_w.shape}")


@in_floats
def importance_weighted(log_w: Array) -> tuple[Array, Array]:
    """log((1/K) sum_k w_k) of each row, (B, K) -> (B,) in nats, with the normalised weights (B, K) as its cache.

    In expectation a lower bound of log p(x) that rises with K; for K = 1 the variational bound. Eq. 3. Weights may
    differ by any factor: the largest is taken out first. Error 1e-13 max(1, |value|) in float64 (tests/theory).
    ValueError for log-weights that are not (B, K) with K >= 1.

    >>> bound, weights = importance_weighted(np.log([[1.0, 3.0]]))
    >>> float(np.exp(bound[0])), weights.round(12).tolist()
    (2.0, [[0.25, 0.75]])
    """
    _check(log_w)
    peak = log_w.max(-1, keepdims=True)
    w = np.exp(log_w - peak)
    total = w.sum(-1, keepdims=True)
    return (peak + np.log(total) - math.log(log_w.shape[-1]))[:, 0], w / total


@in_floats
def backward(d_bound: Array, weights: Array) -> Array:
    """d bound / d log w_k is the weight of sample k, for either bound: exact, nothing is stopped.  (B,) -> (B, K).

    ValueError if d_bound is not one number a row.
    """
    return per_row(d_bound, weights) * weights
