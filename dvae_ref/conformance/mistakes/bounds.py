"""Mistakes in the bounds of Eqs. 2 and 3.

Right are log (1/K) sum_k w_k (Eq. 3) and the mean over k of log w_k (Eq. 2), log w = kappa
(log p(zeta) - log q(zeta|x)) + log p(x|zeta), nats, an image at a time, and gradients of the mean over images.

At K = 1 most mistakes in log-mean-exp and its weights make no difference, so that tests with one sample pass. kappa is
1 after the warm-up: where it is wrong, the beginning of a run is another, and its end looks right. A sum over images
for the mean multiplies every gradient by their number: to Adam, an epsilon that is as many times smaller, and weaker
weight decay.
"""

import functools

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.registry import closest, gradients, mistake, replaced, scaled
from dvae_ref.theory import bounds

WEIGHTED, VARIATIONAL, DISCRETE = "bound_importance_weighted", "bound_variational", "bound_discrete"
OWN, MODELS = "own_networks_*", "objective_*"


def alone(wrong, case):
    """In the place of Eq. 3, of given log-densities or log-weights."""
    return case.again(bound=wrong)


def inside(wrong, case):
    """In the place of bounds.importance_weighted, in whole models."""
    with replaced(bounds, importance_weighted=wrong):
        return case.again()


for _name, _wrong in formulas.IMPORTANCE_WEIGHTED.items():
    mistake(_name, WEIGHTED)(functools.partial(alone, _wrong))
    mistake(_name, "objective_dvaes_*", "own_networks_dvaes_*")(functools.partial(inside, _wrong))
    if _wrong is not formulas.equal_weights:  # the values are right
        mistake(_name, DISCRETE)(functools.partial(alone, _wrong))


@mistake("the log of the mean weight in place of the mean of the logs", VARIATIONAL)
def log_of_mean(case):
    """log (1/K) sum_k w_k, where the mean of log w is due."""
    return case.again(bound=bounds.importance_weighted)


@mistake("the sum over the samples in place of the mean", VARIATIONAL)
def sum_over_samples(case):
    """sum_k log w_k."""
    return scaled(case.outputs, case.inputs["log_px"].shape[1])


@mistake("the gradient of the sum over the images in place of the mean", WEIGHTED, VARIATIONAL, OWN, MODELS)
def sum_over_images(case):
    """Each image's gradient with the weight 1, where 1 / images is due."""
    images = case.inputs["x"] if "x" in case.inputs else case.inputs["log_px"]
    return scaled(gradients(case.outputs), len(images))


@mistake("log p(zeta) - log q(zeta|x) has the opposite sign", WEIGHTED, VARIATIONAL, OWN)
def opposite_ratio(case):
    """log w = kappa (log q(zeta|x) - log p(zeta)) + log p(x|zeta)."""
    return case.again({"kappa": -case.inputs["kappa"]})


@mistake("kappa is left out", WEIGHTED, VARIATIONAL, OWN, MODELS)
def without_kappa(case):
    """kappa = 1."""
    return case.again({"kappa": np.ones_like(case.inputs["kappa"])})


@mistake("kappa multiplies log p(x|zeta), too", WEIGHTED, VARIATIONAL, MODELS, OWN)
def kappa_on_all(case):
    """log w = kappa (log p(zeta) - log q(zeta|x) + log p(x|zeta))."""

    def log_weights(log_ratio, log_px, kappa):
        return kappa * (log_ratio + log_px)

    def backward(d_log_w, kappa):
        return kappa * d_log_w, kappa * d_log_w

    with replaced(bounds, log_weights=log_weights, log_weights_backward=backward):
        return case.again()


@mistake("+log K in place of -log K", WEIGHTED)
def plus_log_k(case):
    """log K sum_k w_k."""
    return {"bound": case.outputs["bound"] + 2 * np.log(case.inputs["log_px"].shape[1])}


@mistake("kappa multiplies log p(x|zeta) alone", WEIGHTED, VARIATIONAL, OWN)
def kappa_on_likelihood(case):
    """log w = log p(zeta) - log q(zeta|x) + kappa log p(x|zeta)."""

    def log_weights(log_ratio, log_px, kappa):
        return log_ratio + kappa * log_px

    def backward(d_log_w, kappa):
        return d_log_w, kappa * d_log_w

    with replaced(bounds, log_weights=log_weights, log_weights_backward=backward):
        return case.again()


@mistake("kappa multiplies the bound, not log p(zeta) - log q(zeta|x) in the weights", WEIGHTED)
def kappa_outside(case):
    """kappa log (1/K) sum_k w_k, with kappa = 1 in w: the likelihood is warmed up as well."""
    return scaled(without_kappa(case), case.inputs["kappa"])


@mistake("the first sample alone", VARIATIONAL, WEIGHTED)
def first_sample(case):
    """log w_1."""

    def bound(log_w):
        first = np.zeros_like(log_w)
        first[:, 0] = 1
        return np.sum(first * log_w, 1), first

    return case.again(bound=bound)


@mistake("squared weights in the gradient, as in DReG", WEIGHTED)
def squared_weights(case):
    """(w_k / sum w)^2 for w_k / sum w; or w_k^2 / sum w^2.

    DReG (Tucker et al. 2019) has squared weights in the encoder's gradient, on the path through zeta alone. Where all
    gradients have them, the decoder's and the prior's too, they are the gradient of nothing that is sought.
    """

    def squared(log_w):
        value, weights = bounds.importance_weighted(log_w)
        return value, weights**2

    def of_doubled(log_w):
        return bounds.importance_weighted(2 * log_w)

    return closest(case, [gradients(case.again(bound=squared)), gradients(case.again(bound=of_doubled))])


@mistake("kappa multiplies log q(zeta|x) alone", WEIGHTED)
def kappa_on_log_q(case):
    """log w = log p(zeta) - kappa log q(zeta|x) + log p(x|zeta): as with log p / kappa."""
    kappa = case.inputs["kappa"]
    found = case.again({"log_p": case.inputs["log_p"] / kappa})
    return found | {"d_log_p": found["d_log_p"] / kappa}
