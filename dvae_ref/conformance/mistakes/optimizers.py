"""Mistakes in Adam (Kingma & Ba 2015), and its many relatives.

Right is, with t from 1 and the new moments in the step,

    m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,
    p <- p - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).

The kit's step is one in the middle of a run, at t = 5 to 39. After some thousands of steps the corrections are 1, and
what is wrong in them is a wrong learning rate at the start. epsilon stays: 1e-3, as the release has it, damps
parameters of small gradients for good, and 1e-8, the default of PyTorch, does not.
"""

import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake
from dvae_ref.runs import optimizer


@mistake("epsilon is added to the corrected root, sqrt(v / (1 - beta2^t)): Adam as PyTorch has it", "adam")
def corrected_epsilon(case):
    """sqrt(v) + sqrt(1 - beta2^t) epsilon, where sqrt(v) + epsilon is due."""
    correction = math.sqrt(1 - case.inputs["beta2"] ** case.inputs["iteration"])
    return case.again({"adam_epsilon": case.inputs["adam_epsilon"] * correction})


@mistake("epsilon is added to v, inside the root", "adam")
def epsilon_in_root(case):
    """sqrt(v + epsilon)."""
    return rescaled(case, lambda v, epsilon: np.sqrt(v + epsilon))


@mistake("epsilon is left out", "adam")
def without_epsilon(case):
    """sqrt(v)."""
    return case.again({"adam_epsilon": 0 * case.inputs["adam_epsilon"]})


@mistake("the moments are not corrected for their bias", "adam")
def without_correction(case):
    """p - learning_rate m / (sqrt(v) + epsilon)."""
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
    """t - 1 in the corrections."""
    return case.again({"iteration": case.inputs["iteration"] - 1})


@mistake("up the gradient in place of down", "adam")
def ascent(case):
    """p + learning_rate ..."""
    return case.outputs | {"p_after": 2 * case.inputs["p"] - case.outputs["p_after"]}


@mistake("beta1 and beta2 are exchanged", "adam")
def exchanged_betas(case):
    """m by beta2, v by beta1: m then remembers 1000 gradients and v 10."""
    return case.again({"beta1": case.inputs["beta2"], "beta2": case.inputs["beta1"]})


@mistake("the step uses the moments from before the update", "adam")
def stale_moments(case):
    """m and v of the inputs in the step; the moments after it are right: the step before the update in the loop."""

    def update(p, g, state, **options):
        after = optimizer.update(p, g, state, **options)
        rate = options["learning_rate"] * math.sqrt(1 - options["beta2"] ** options["iteration"])
        rate /= 1 - options["beta1"] ** options["iteration"]
        return p - rate * state.m / (np.sqrt(state.v) + options["epsilon"]), after[1]

    return case.again(update=update)


def stepped(case, numerator=None, denominator=None, correction=None):
    """p after a step rate numerator / denominator; None for what is as it should be."""
    i, beta1, beta2, t = case.inputs, case.inputs["beta1"], case.inputs["beta2"], int(case.inputs["iteration"])
    correction = correction or math.sqrt(1 - beta2**t) / (1 - beta1**t)
    numerator = case.outputs["m_after"] if numerator is None else numerator
    denominator = np.sqrt(case.outputs["v_after"]) + i["adam_epsilon"] if denominator is None else denominator
    return case.outputs | {"p_after": i["p"] - i["learning_rate"] * correction * numerator / denominator}


@mistake("AdamW: p shrinks by learning_rate x 0.01 as well", "adam")
def decoupled_decay(case):
    """-0.01 learning_rate p: 0.01 is the default of PyTorch's AdamW."""
    i = case.inputs
    return case.outputs | {"p_after": case.outputs["p_after"] - i["learning_rate"] * 0.01 * i["p"]}


@mistake("AMSGrad: the larger of the old and the new v", "adam")
def amsgrad(case):
    """max(v, v of before) in the root."""
    largest = np.maximum(case.inputs["v"], case.outputs["v_after"])
    return stepped(case, denominator=np.sqrt(largest) + case.inputs["adam_epsilon"])


@mistake("Nesterov's momentum (NAdam)", "adam")
def nesterov(case):
    """beta1 m + (1 - beta1) g in the place of m."""
    beta1 = case.inputs["beta1"]
    return stepped(case, numerator=beta1 * case.outputs["m_after"] + (1 - beta1) * case.inputs["g"])


@mistake("the powers of beta1 and beta2 are float32's, multiplied up: TensorFlow 1", "adam")
def single_powers(case):
    """beta^t as a product of t float32 numbers: TensorFlow 1 keeps it as a variable."""

    def power(beta):
        return float(np.prod(np.full(int(case.inputs["iteration"]), beta, np.float32), dtype=np.float32))

    beta1, beta2 = power(case.inputs["beta1"]), power(case.inputs["beta2"])
    return stepped(case, correction=math.sqrt(1 - beta2) / (1 - beta1))


def corrections(case):
    """(1 / (1 - beta1^t), sqrt(1 - beta2^t))."""
    t = case.inputs["iteration"]
    return 1 / (1 - case.inputs["beta1"] ** t), math.sqrt(1 - case.inputs["beta2"] ** t)


@mistake("m is corrected for its bias, v is not", "adam")
def only_m(case):
    """1 / (1 - beta1^t) alone."""
    return stepped(case, correction=corrections(case)[0])


@mistake("v is corrected for its bias, m is not", "adam")
def only_v(case):
    """sqrt(1 - beta2^t) alone."""
    return stepped(case, correction=corrections(case)[1])


@mistake("epsilon is 1e-8, not the one given", "adam", read_off=True)
def usual_epsilon(case):
    """On the corrected root, or on the other."""
    found = [case.again({"adam_epsilon": np.array(1e-8 * factor)}) for factor in (1.0, corrections(case)[1])]
    return closest(case, found)


@mistake("the iteration is counted from 2", "adam")
def counted_from_two(case):
    """t + 1 in the corrections."""
    return case.again({"iteration": case.inputs["iteration"] + 1})


@mistake("m lacks 1 - beta1: momentum", "adam")
def momentum(case):
    """m = beta1 m + g."""
    m = case.inputs["beta1"] * case.inputs["m"] + case.inputs["g"]
    return stepped(case, numerator=m) | {"m_after": m}


@mistake("AdaBelief: v of g - m", "adam")
def belief(case):
    """v = beta2 v + (1 - beta2) (g - m)^2."""
    beta2 = case.inputs["beta2"]
    v = beta2 * case.inputs["v"] + (1 - beta2) * (case.inputs["g"] - case.outputs["m_after"]) ** 2
    return stepped(case, denominator=np.sqrt(v) + case.inputs["adam_epsilon"]) | {"v_after": v}


@mistake("weight decay is added to the gradient", "adam", read_off=True)
def decay_in_gradient(case):
    """g + decay p, in both moments."""
    found = [case.again({"g": case.inputs["g"] + decay * case.inputs["p"]}) for decay in (1e-4, 1e-5, 1e-3, 1e-2)]
    return closest(case, found)


@mistake("AdaMax: the largest |g|, each step beta2 times smaller, in place of sqrt(v)", "adam")
def infinity_norm(case):
    """v = max(beta2 v, |g|), p - learning_rate / (1 - beta1^t) m / (v + epsilon): Keras; PyTorch has it in the max."""
    i = case.inputs
    epsilon, of_m = i["adam_epsilon"], corrections(case)[0]
    keras = np.maximum(i["beta2"] * i["v"], np.abs(i["g"]))
    torch = np.maximum(i["beta2"] * i["v"], np.abs(i["g"]) + epsilon)
    found = [
        stepped(case, denominator=keras + epsilon, correction=of_m) | {"v_after": keras},
        stepped(case, denominator=torch, correction=of_m) | {"v_after": torch},
    ]
    return closest(case, found)
