"""Functions of the theory with a mistake in them, by the function whose place they take: the mistake's name, function.

Written once: `conformance check` computes a quantity anew with one in its place, `python -m validation --sabotage` sees
whether the claims notice it, and tests hold both.
"""

import math

import numpy as np

from dvae_ref.theory import bounds
from dvae_ref.theory.boltzmann import RBM, couple, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import mean_field

MEAN_FIELD = {}  # (rbm, b, sweeps) -> logit m
IMPORTANCE_WEIGHTED = {}  # log_w (B, K) -> (bound (B,), its gradient in log_w)
RIGHT = bounds.importance_weighted


def in_place_of(table, name):
    """Enter a function in a table above."""

    def enter(wrong):
        table[name] = wrong
        return wrong

    return enter


# -- sweeps of the mean field ------------------------------------------------------------------------------------------


@in_place_of(MEAN_FIELD, "the left side is updated before the right")
def left_first(rbm, b, sweeps=5):
    """m_left <- sigmoid(a + b + W m_right), then m_right."""
    n = len(rbm.W)
    swapped = RBM(np.roll(rbm.a, -n), rbm.W.T)
    return np.roll(mean_field(swapped, np.roll(b, -n, -1), sweeps), n, -1)


@in_place_of(MEAN_FIELD, "both sides are updated at once, from the old m")
def at_once(rbm, b, sweeps=5):
    """m <- sigmoid(a + b + J m), J = [[0, W], [W', 0]]."""
    logit = np.zeros_like(b)
    for _ in range(sweeps):
        logit = rbm.a + b + couple(rbm, sigmoid(logit))
    return logit


@in_place_of(MEAN_FIELD, "one sweep too many")
def one_more(rbm, b, sweeps=5):
    """sweeps + 1."""
    return mean_field(rbm, b, sweeps + 1)


@in_place_of(MEAN_FIELD, "one sweep too few")
def one_less(rbm, b, sweeps=5):
    """sweeps - 1."""
    return mean_field(rbm, b, max(sweeps - 1, 0))


@in_place_of(MEAN_FIELD, "b is left out of the sweeps")
def without_b(rbm, b, sweeps=5):
    """m_right <- sigmoid(a + m_left W), then m_left."""
    return mean_field(rbm, 0 * b, sweeps)


@in_place_of(MEAN_FIELD, "m starts from 0, not from 1/2")
def from_zero(rbm, b, sweeps=5):
    """m_left = 0 before the first sweep."""
    logit = np.full_like(b, -700.0)
    for _ in range(sweeps):
        m_left = sigmoid(split(logit, rbm)[0])
        right = split(rbm.a + b, rbm)[1] + m_left @ rbm.W
        left = split(rbm.a + b, rbm)[0] + sigmoid(right) @ rbm.W.T
        logit = np.concatenate([left, right], -1)
    return logit


@in_place_of(MEAN_FIELD, "the sweeps are damped: m <- (old m + new m) / 2")
def damped(rbm, b, sweeps=5):
    """Each side half of what it was, half of what it is to be: against oscillations, of which there are none here."""
    left, right = (np.full_like(side, 0.5) for side in split(b, rbm))
    bias_left, bias_right = split(rbm.a + b, rbm)
    for _ in range(sweeps):
        right = (right + sigmoid(bias_right + left @ rbm.W)) / 2
        left = (left + sigmoid(bias_left + right @ rbm.W.T)) / 2
    m = np.concatenate([left, right], -1)
    with np.errstate(divide="ignore"):
        return (np.log(m) - np.log1p(-m)).clip(-700, 700)


# -- the importance-weighted bound -------------------------------------------------------------------------------------


@in_place_of(IMPORTANCE_WEIGHTED, "log-sum-exp without -log K")
def without_log_k(log_w):
    """log sum_k w_k: logsumexp alone. Too high by log K, nothing at K = 1, and no bound any more."""
    value, weights = RIGHT(log_w)
    return value + math.log(log_w.shape[-1]), weights


@in_place_of(IMPORTANCE_WEIGHTED, "-log K is there twice")
def log_k_twice(log_w):
    """log (1/K^2) sum_k w_k."""
    value, weights = RIGHT(log_w)
    return value - math.log(log_w.shape[-1]), weights


@in_place_of(IMPORTANCE_WEIGHTED, "the mean of the log-weights in place of the log of their mean")
def mean_of_logs(log_w):
    """(1/K) sum_k log w_k: the variational bound, which is below Eq. 3 and no better for more samples."""
    return bounds.variational(log_w)


@in_place_of(IMPORTANCE_WEIGHTED, "equal weights in the gradient")
def equal_weights(log_w):
    """dlog w_k / K, where dlog w_k w_k / sum w is due: Eq. 3 is reported, and Eq. 2 is what is trained."""
    return RIGHT(log_w)[0], np.full_like(log_w, 1 / log_w.shape[-1])


@in_place_of(IMPORTANCE_WEIGHTED, "log-sum-exp of the negative log-weights, taken negative")
def of_losses(log_w):
    """-log (1/K) sum_k 1/w_k: log-mean-exp of the losses -log w, which the worst sample decides."""
    value, weights = RIGHT(-log_w)
    return -value, weights


@in_place_of(IMPORTANCE_WEIGHTED, "the best sample in place of the mean over samples")
def best_sample(log_w):
    """max_k log w_k."""
    return log_w.max(-1), 1.0 * (log_w == log_w.max(-1, keepdims=True))


@in_place_of(IMPORTANCE_WEIGHTED, "one log-mean-exp over the whole batch")
def over_the_batch(log_w):
    """log (1/(B K)) sum over images and samples of w, for every image: a logsumexp without its axis."""
    value, weights = RIGHT(log_w.reshape(1, -1))
    return np.full(len(log_w), value[0]), len(log_w) * weights.reshape(log_w.shape)
