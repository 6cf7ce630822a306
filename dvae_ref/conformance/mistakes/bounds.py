"""Mistakes in the bounds of Eqs. 2 and 3."""

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced, scaled
from dvae_ref.theory import bounds

WEIGHTED, VARIATIONAL, OWN = "bound_importance_weighted", "bound_variational", "own_networks_*"


@mistake("log-sum-exp without -log K", WEIGHTED)
def without_log_k(case):
    return case.again(bound=formulas.without_log_k)


@mistake("the mean of the log-weights in place of the log of their mean", WEIGHTED)
def mean_of_logs(case):
    return case.again(bound=formulas.mean_of_logs)


@mistake("equal weights in the gradient", WEIGHTED)
def equal_weights(case):
    return gradients(case.again(bound=formulas.equal_weights))


@mistake("the log of the mean weight in place of the mean of the logs", VARIATIONAL)
def log_of_mean(case):
    return case.again(bound=bounds.importance_weighted)


@mistake("the sum over the samples in place of the mean", VARIATIONAL)
def sum_over_samples(case):
    return scaled(case.outputs, case.inputs["log_px"].shape[1])


@mistake("the gradient of the sum over the images in place of the mean", WEIGHTED, VARIATIONAL)
def sum_over_images(case):
    return case.outputs | scaled(gradients(case.outputs), len(case.inputs["log_px"]))


def gradients(outputs):
    return {name: value for name, value in outputs.items() if name.startswith("d_")}


@mistake("kappa is left out", WEIGHTED, VARIATIONAL, OWN)
def without_kappa(case):
    return case.again({"kappa": np.ones_like(case.inputs["kappa"])})


@mistake("kappa multiplies log p(x|zeta), too", WEIGHTED, VARIATIONAL, "objective_*", OWN)
def kappa_on_all(case):
    whole = replaced(
        bounds,
        log_weights=lambda log_ratio, log_px, kappa: kappa * (log_ratio + log_px),
        log_weights_backward=lambda d_log_w, kappa: (kappa * d_log_w, kappa * d_log_w),
    )
    with whole:
        return case.again()


@mistake("log p(zeta) - log q(zeta|x) has the opposite sign", WEIGHTED, VARIATIONAL, OWN)
def opposite_ratio(case):
    return case.again({"kappa": -case.inputs["kappa"]})


@mistake("+log K in place of -log K", WEIGHTED)
def plus_log_k(case):
    return {"bound": case.outputs["bound"] + 2 * np.log(case.inputs["log_px"].shape[1])}


@mistake("kappa multiplies log p(x|zeta) alone", WEIGHTED, VARIATIONAL, OWN)
def kappa_on_likelihood(case):
    other = replaced(
        bounds,
        log_weights=lambda log_ratio, log_px, kappa: log_ratio + kappa * log_px,
        log_weights_backward=lambda d_log_w, kappa: (d_log_w, kappa * d_log_w),
    )
    with other:
        return case.again()


@mistake("kappa multiplies the bound, not log p(zeta) - log q(zeta|x) in the weights", WEIGHTED)
def kappa_outside(case):
    return scaled(without_kappa(case), case.inputs["kappa"])


@mistake("the first sample alone", VARIATIONAL, WEIGHTED)
def first_sample(case):
    def bound(log_w):
        return log_w[:, 0], np.eye(log_w.shape[1])[np.zeros(len(log_w), int)]

    return case.again(bound=bound)


@mistake("squared weights in the gradient, as in DReG", WEIGHTED)
def squared_weights(case):
    def bound(log_w):
        value, weights = bounds.importance_weighted(log_w)
        return value, weights**2

    def of_doubled(log_w):
        return bounds.importance_weighted(log_w)[0], bounds.importance_weighted(2 * log_w)[1]

    return closest(case, [gradients(case.again(bound=way)) for way in (bound, of_doubled)])


@mistake("kappa multiplies log q(zeta|x) alone", WEIGHTED)
def kappa_on_log_q(case):
    kappa = case.inputs["kappa"]
    found = case.again({"log_p": case.inputs["log_p"] / kappa})
    return found | {"d_log_p": found["d_log_p"] / kappa}
