"""Mistakes in the log-weights of the discrete model, and in what is made of them.

Right is log w = -E(z) - log Z - log q(z|x) + log p(x|z) with z binary and batch norm by its moving averages, and
log p(x) ~ log (1/K) sum_k w_k. Mistakes here are in every number of a table, none in training. log Z has hundreds of
nats, so that its sign is noticed; a small error in it moves log p(x) of all images alike, and is not. Without -log K an
NLL is too low by 8.3 nats at K = 4000; by the mean of the logs it is the negative ELBO, some nats too high.
"""

import numpy as np

from dvae_ref.conformance.mistakes.batch_norm import trained
from dvae_ref.conformance.mistakes.objectives import DISCRETE, regrouped
from dvae_ref.conformance.mistakes.registry import mistake, replaced, scaled
from dvae_ref.model import networks

BOUND, OWN = "bound_discrete", "own_networks_*"


@mistake("log Z is left out", DISCRETE, BOUND, OWN)
def without_log_z(case):
    """-E(z) - log q + log p(x|z)."""
    return case.again({"log_z": 0 * case.inputs["log_z"]})


@mistake("log Z has the opposite sign", DISCRETE, BOUND, OWN)
def opposite_log_z(case):
    """-E(z) + log Z - log q + log p(x|z)."""
    return case.again({"log_z": -case.inputs["log_z"]})


def with_log_q(case, more):
    """The log-weights with `more` times log q(z|x) added."""
    log_w = case.outputs["log_w"] + more * case.outputs["log_q_z"].reshape(case.outputs["log_w"].shape)
    return {"log_w": log_w, "log_p_x": np.logaddexp.reduce(log_w, 1) - np.log(float(case.inputs["k"]))}


@mistake("log q(z|x) is left out", DISCRETE)
def without_log_q(case):
    """-E(z) - log Z + log p(x|z)."""
    return with_log_q(case, 1)


@mistake("log q(z|x) has the opposite sign", DISCRETE)
def added_log_q(case):
    """-E(z) - log Z + log q(z|x) + log p(x|z)."""
    return with_log_q(case, 2)


@mistake("z = 1 where u > 1 - q", DISCRETE)
def from_above(case):
    """z = [u > 1 - q]: as good a draw as z = [u < q], but not the same z."""
    return case.again({"u": 1 - case.inputs["u"]})


@mistake("log-sum-exp without -log K", DISCRETE)
def without_log_k(case):
    """log sum_k w_k."""
    return {"log_p_x": case.outputs["log_p_x"] + np.log(float(case.inputs["k"]))}


@mistake("the mean of the log-weights in place of the log of their mean", DISCRETE)
def mean_of_logs(case):
    """(1/K) sum_k log w_k."""
    return {"log_p_x": case.outputs["log_w"].mean(1)}


@mistake("batch norm takes the batch's statistics in place of the moving averages", DISCRETE)
def of_the_batch(case):
    """As in training: the number then depends on which images, and how many samples, are measured together."""
    with replaced(networks, hidden_evaluate=trained):
        return case.again()


@mistake("the samples of an image are taken to be B rows apart: tiled, not repeated", DISCRETE)
def tiled_samples(case):
    """Row k B + i for sample k of image i, where row i K + k is meant."""
    images, k = case.outputs["log_w"].shape
    found = case.again({"u": regrouped(case.inputs["u"], k, images)})
    back = {"z_drawn": regrouped(found["z_drawn"], images, k)}
    return found | back | {"log_q_z": found["log_q_z"].reshape(images, k).T.reshape(-1)}


@mistake("the NLL is the sum over the images in place of the mean", BOUND)
def sum_over_images(case):
    """-sum over images of log p(x)."""
    return scaled(case.outputs, len(case.inputs["log_w"]), "nll")
