"""Mistakes in the sweeps of the mean field: made once, and known in all that contains them."""

from unittest.mock import patch

import numpy as np

from dvae_ref.conformance.mistakes.objectives import RELAXED
from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.theory import overlapping
from dvae_ref.theory.boltzmann import RBM, couple, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import mean_field

IN_LOG_P = ("log_p_overlapping_*", *RELAXED)


def swept(name):
    """Register a function (rbm, b, sweeps) -> logit m in the place of mean_field."""

    def register(wrong):
        def inside(case):
            with patch.object(overlapping, "mean_field", wrong):
                return case.again()

        mistake(name, "mean_field")(lambda case: case.again(iterate=wrong))
        mistake(name, *IN_LOG_P)(inside)
        return wrong

    return register


@swept("the left side is updated before the right")
def left_first(rbm, b, sweeps):
    n = len(rbm.W)
    swapped = RBM(np.roll(rbm.a, -n), rbm.W.T)
    return np.roll(mean_field(swapped, np.roll(b, -n, -1), sweeps), n, -1)


@swept("both sides are updated at once, from the old m")
def at_once(rbm, b, sweeps):
    logit = np.zeros_like(b)
    for _ in range(sweeps):
        logit = rbm.a + b + couple(rbm, sigmoid(logit))
    return logit


@swept("one sweep too many")
def one_more(rbm, b, sweeps):
    return mean_field(rbm, b, sweeps + 1)


@swept("one sweep too few")
def one_less(rbm, b, sweeps):
    return mean_field(rbm, b, max(sweeps - 1, 0))


@swept("b is left out of the sweeps")
def without_b(rbm, b, sweeps):
    return mean_field(rbm, 0 * b, sweeps)


@swept("m starts from 0, not from 1/2")
def from_zero(rbm, b, sweeps):
    logit = np.full_like(b, -700.0)
    for _ in range(sweeps):
        m_left = sigmoid(split(logit, rbm)[0])
        right = split(rbm.a + b, rbm)[1] + m_left @ rbm.W
        left = split(rbm.a + b, rbm)[0] + sigmoid(right) @ rbm.W.T
        logit = np.concatenate([left, right], -1)
    return logit


@swept("the sweeps are damped: m <- (old m + new m) / 2")
def damped(rbm, b, sweeps):
    left, right = (np.full_like(side, 0.5) for side in split(b, rbm))
    bias_left, bias_right = split(rbm.a + b, rbm)
    for _ in range(sweeps):
        right = (right + sigmoid(bias_right + left @ rbm.W)) / 2
        left = (left + sigmoid(bias_left + right @ rbm.W.T)) / 2
    m = np.concatenate([left, right], -1)
    with np.errstate(divide="ignore"):
        return (np.log(m) - np.log1p(-m)).clip(-700, 700)
