"""Mistakes in the log-weights of the discrete model, and in what is made of them."""

import functools

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.layers import trained
from dvae_ref.conformance.mistakes.objectives import DISCRETE, regrouped
from dvae_ref.conformance.mistakes.registry import mistake, replaced, scaled
from dvae_ref.model import networks

BOUND = "bound_discrete"


def with_log_w(case, log_w):
    """The outputs with other log-weights."""
    log_p_x = np.logaddexp.reduce(log_w, 1) - np.log(float(case.inputs["k"]))
    return case.outputs | {"log_w": log_w, "log_p_x": log_p_x}


@mistake("log Z is left out", DISCRETE)
def without_log_z(case):
    return with_log_w(case, case.outputs["log_w"] + case.inputs["log_z"])


@mistake("log q(z|x) is left out", DISCRETE)
def without_log_q(case):
    return with_log_w(case, case.outputs["log_w"] + case.outputs["log_q_z"].reshape(case.outputs["log_w"].shape))


@mistake("log Z has the opposite sign", DISCRETE)
def added_log_z(case):
    return with_log_w(case, case.outputs["log_w"] + 2 * case.inputs["log_z"])


@mistake("log q(z|x) has the opposite sign", DISCRETE)
def added_log_q(case):
    return with_log_w(case, case.outputs["log_w"] + 2 * case.outputs["log_q_z"].reshape(case.outputs["log_w"].shape))


@mistake("z = 1 where u > 1 - q", DISCRETE)
def from_above(case):
    return case.again({"u": 1 - case.inputs["u"]})


@mistake("log-sum-exp without -log K", DISCRETE)
def without_log_k(case):
    return {"log_p_x": case.outputs["log_p_x"] + np.log(float(case.inputs["k"]))}


@mistake("the mean of the log-weights in place of the log of their mean", DISCRETE)
def mean_of_logs(case):
    return {"log_p_x": case.outputs["log_w"].mean(1)}


@mistake("batch norm takes the batch's statistics in place of the moving averages", DISCRETE)
def of_the_batch(case):
    with replaced(networks, hidden_evaluate=trained):
        return case.again()


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", DISCRETE)
def tiled_samples(case):
    images, k = case.outputs["log_w"].shape
    found = case.again({"u": regrouped(case.inputs["u"], k, images)})
    back = {"z_drawn": regrouped(found["z_drawn"], images, k)}
    return found | back | {"log_q_z": found["log_q_z"].reshape(images, k).T.reshape(-1)}


def with_bound(wrong, case):
    return case.again(bound=wrong)


for _name, _wrong in formulas.IMPORTANCE_WEIGHTED.items():
    if _wrong is not formulas.equal_weights:  # the values are right
        mistake(_name, BOUND)(functools.partial(with_bound, _wrong))


@mistake("log Z is left out", BOUND)
def bound_without_log_z(case):
    return case.again({"log_z": 0 * case.inputs["log_z"]})


@mistake("log Z has the opposite sign", BOUND)
def opposite_log_z(case):
    return case.again({"log_z": -case.inputs["log_z"]})


@mistake("the NLL is the sum over the images in place of the mean", BOUND)
def sum_over_images(case):
    return scaled(case.outputs, len(case.inputs["log_w"]), "nll")
