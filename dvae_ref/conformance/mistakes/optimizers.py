"""Mistakes in Adam."""

import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.runs import optimizer


@mistake("epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it", "adam")
def corrected_epsilon(case):
    correction = math.sqrt(1 - case.inputs["beta2"] ** case.inputs["iteration"])
    return case.again({"adam_epsilon": case.inputs["adam_epsilon"] * correction})


@mistake("epsilon is added to v, inside the root", "adam")
def epsilon_in_root(case):
    return rescaled(case, lambda v, epsilon: np.sqrt(v + epsilon))


@mistake("epsilon is left out", "adam")
def without_epsilon(case):
    return case.again({"adam_epsilon": 0 * case.inputs["adam_epsilon"]})


@mistake("the moments are not corrected for their bias", "adam")
def without_correction(case):
    t = case.inputs["iteration"]
    correction = math.sqrt(1 - case.inputs["beta2"] ** t) / (1 - case.inputs["beta1"] ** t)
    return case.again({"learning_rate": case.inputs["learning_rate"] / correction})


def rescaled(case, denominator):
    """The step with another denominator(v, epsilon)."""
    v, epsilon = case.outputs["v_after"], float(case.inputs["adam_epsilon"])
    step = (case.outputs["p_after"] - case.inputs["p"]) * (np.sqrt(v) + epsilon) / denominator(v, epsilon)
    return case.outputs | {"p_after": case.inputs["p"] + step}


@mistake("the iteration is counted from 0", "adam")
def counted_from_zero(case):
    return case.again({"iteration": case.inputs["iteration"] - 1})


@mistake("up the gradient in place of down", "adam")
def ascent(case):
    return case.outputs | {"p_after": 2 * case.inputs["p"] - case.outputs["p_after"]}


@mistake("beta1 and beta2 are exchanged", "adam")
def exchanged_betas(case):
    return case.again({"beta1": case.inputs["beta2"], "beta2": case.inputs["beta1"]})


@mistake("the step uses the moments from before the update", "adam")
def stale_moments(case):
    def update(p, g, state, **options):
        after = optimizer.update(p, g, state, **options)
        rate = options["learning_rate"] * math.sqrt(1 - options["beta2"] ** options["iteration"])
        rate /= 1 - options["beta1"] ** options["iteration"]
        return p - rate * state.m / (np.sqrt(state.v) + options["epsilon"]), after[1]

    return case.again(update=update)
