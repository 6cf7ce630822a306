"""Mistakes in the objective from one's own networks' outputs that are not those of the machine or the sweeps."""

import functools

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.bounds import gradients
from dvae_ref.conformance.mistakes.objectives import regrouped
from dvae_ref.conformance.mistakes.registry import mistake, replaced, scaled
from dvae_ref.theory import bounds

OWN, WEIGHTED, VARIATIONAL = "own_networks_*", "own_networks_dvaes_*", ("own_networks_dvae_*", "own_networks_dvaepp_*")


def with_bound(wrong, case):
    with replaced(bounds, importance_weighted=wrong):
        return case.again()


for _name, _wrong in formulas.IMPORTANCE_WEIGHTED.items():
    mistake(_name, WEIGHTED)(functools.partial(with_bound, _wrong))


@mistake("the log of the mean weight in place of the mean of the logs", *VARIATIONAL)
def log_of_mean(case):
    with replaced(bounds, variational=bounds.importance_weighted):
        return case.again()


@mistake("the sum over the samples in place of the mean", *VARIATIONAL)
def sum_over_samples(case):
    return scaled(case.outputs, case.inputs["k"])


@mistake("the gradient of the sum over the images in place of the mean", OWN)
def sum_over_images(case):
    return case.outputs | scaled(gradients(case.outputs), len(case.inputs["x"]))


@mistake("log Z is left out", OWN)
def without_log_z(case):
    return case.again({"log_z": 0 * case.inputs["log_z"]})


@mistake("log Z has the opposite sign", OWN)
def opposite_log_z(case):
    return case.again({"log_z": -case.inputs["log_z"]})


@mistake("log Z is not multiplied by kappa", OWN)
def whole_log_z(case):
    return case.again({"log_z": case.inputs["log_z"] / case.inputs["kappa"]})


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", OWN)
def tiled_samples(case):
    images, k = len(case.inputs["x"]), int(case.inputs["k"])
    rows = ("logit_q", "zeta", "logits")
    found = case.again({name: regrouped(case.inputs[name], k, images) for name in rows})
    return found | {f"d_{name}": regrouped(found[f"d_{name}"], images, k) for name in rows if f"d_{name}" in found}
