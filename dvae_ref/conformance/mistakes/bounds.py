"""Mistakes in the bounds of Eqs. 2 and 3."""

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.registry import mistake, replaced, scaled
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
