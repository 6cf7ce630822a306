"""The importance-weighted bound of Eq. 3, its importance weights, and their gradients."""

import math

import numpy as np


def log_weights(log_p, log_q, log_px, *, kappa=1.0):
    """log w = kappa (log p(zeta) - log q(zeta|x)) + log p(x|zeta); kappa is the KL warm-up coefficient."""
    return kappa * (log_p - log_q) + log_px


def log_weights_backward(d_log_w, *, kappa=1.0):
    """Gradients in (log_p, log_q, log_px)."""
    return kappa * d_log_w, -kappa * d_log_w, d_log_w


def importance_weighted(log_w):
    """log((1/K) sum_k w_k) of each row, (B, K) -> (B,) in nats, with the normalised weights (B, K) as its cache.

    In expectation a lower bound of log p(x) that rises with K; for K = 1 the variational bound.
    """
    peak = log_w.max(-1, keepdims=True)
    w = np.exp(log_w - peak)
    total = w.sum(-1, keepdims=True)
    return (peak + np.log(total) - math.log(log_w.shape[-1]))[:, 0], w / total


def importance_weighted_backward(d_bound, weights):
    """d bound / d log w_k is the normalised weight of sample k: exact, nothing is stopped.  (B,) -> (B, K)."""
    return d_bound[:, None] * weights
