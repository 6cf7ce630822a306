"""Mistakes in log p(x|zeta) of whole models.

Right is sum over pixels of x logits - log(1 + e^logits), nats, with logit(mean_x) in the logits. By probabilities it is
x log p + (1 - x) log(1 - p), which has log 0 at a logit of 40 and is guarded for that: Keras clips p to [1e-7,
1 - 1e-7]. Pixels of which the model is sure and wrong then cost 16 nats at most, and have no gradient: it looks better
than it is, and does not learn from them.
"""

import numpy as np

from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.model import autoencoder, layers
from dvae_ref.theory.elementary import sigmoid

OWN = "own_networks_*"


@mistake("logit(mean_x) is subtracted from the decoder's logits, not added", EVERY, DISCRETE)
def opposite_output_bias(case):
    """The decoder's bias less twice logit(mean_x): training begins from the negative of the mean image."""
    bias = case.inputs["decoder.out.bias"] - 2 * autoencoder.output_bias(case.inputs["mean_x"])
    return case.again({"decoder.out.bias": bias})


def with_likelihood(case, value, slope):
    """log p(x|zeta) = sum over pixels of value(x, logits), its derivative in the logits slope(x, logits)."""

    def forward(x, logits):
        x = np.repeat(x, len(logits) // len(x), axis=0)
        return value(x, logits).sum(-1), (x, logits)

    def backward(d, cache):
        return d[:, None] * slope(*cache)

    with replaced(layers, bernoulli=forward, bernoulli_backward=backward):
        return case.again()


@mistake("p(x|zeta) is clipped away from 0 and 1", EVERY, OWN, read_off=True)
def clipped_likelihood(case):
    """At 1e-7 in Keras."""
    return closest(case, [clipped_at(case, least) for least in (1e-7, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3)])


def clipped_at(case, least):
    """x log p + (1 - x) log(1 - p) with p within [least, 1 - least], beyond which it does not move."""
    most = np.log1p(-least) - np.log(least)

    def value(x, logits):  # 1 - (1 - 1e-7) is off 1e-7 by rounding, which they have too
        p = np.clip(sigmoid(logits), least, 1 - least)
        return x * np.log(p) + (1 - x) * np.log(1 - p)

    def slope(x, logits):
        return (x - sigmoid(logits)) * (np.abs(logits) < most)

    return with_likelihood(case, value, slope)


@mistake("a guard is added inside the logarithms of p(x|zeta)", EVERY, OWN, read_off=True)
def guarded_likelihood(case):
    """1e-7 in many a loss."""
    return closest(case, [guarded_by(case, guard) for guard in (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-12)])


def guarded_by(case, guard):
    """x log(p + guard) + (1 - x) log(1 - p + guard)."""

    def value(x, logits):
        p = sigmoid(logits)
        return x * np.log(p + guard) + (1 - x) * np.log(1 - p + guard)

    def slope(x, logits):
        p, rest = sigmoid(logits), sigmoid(-logits)
        return p * rest * (x / (p + guard) - (1 - x) / (rest + guard))

    return with_likelihood(case, value, slope)


@mistake("the squared error in place of log p(x|zeta)", EVERY, OWN, read_off=True)
def squared_error(case):
    """With a 1/2, or without it: a Gaussian's likelihood but for a constant, in nats that compare with no others."""
    return closest(case, [squared_by(case, factor) for factor in (1.0, 0.5)])


def squared_by(case, factor):
    """-factor (x - p)^2."""

    def value(x, logits):
        return -factor * (x - sigmoid(logits)) ** 2

    def slope(x, logits):
        return 2 * factor * (x - sigmoid(logits)) * sigmoid(logits) * sigmoid(-logits)

    return with_likelihood(case, value, slope)
