"""Mistakes in what is made of chains: the negative phase, AIS log-weights, population annealing."""

import numpy as np
from scipy.special import logsumexp

from dvae_ref.conformance.mistakes.registry import closest, mistake, scaled
from dvae_ref.conformance.mistakes.sampling import between

PHASE, AIS, POPULATION = "negative_phase", "ais_weights", "population_annealing"


@mistake("covariances in place of E[z_left z_right']", PHASE)
def centred(case):
    return {"mean_zz": case.outputs["covariance"]}


@mistake("E[z_left z_right'] in place of covariances: not centred", PHASE)
def plain(case):
    return {"covariance": case.outputs["mean_zz"]}


@mistake("covariances over the number of chains less 1", PHASE)
def unbiased(case):
    chains = len(case.inputs["z"])
    return scaled(case.outputs, chains / (chains - 1), "covariance")


@mistake("sums over the chains in place of means", PHASE)
def sums(case):
    return scaled(case.outputs, len(case.inputs["z"]), "mean_z", "mean_zz")


def with_log_w(case, log_w, base=None):
    """The outputs with other log-weights."""
    base = len(case.inputs["a"]) * np.log(2) if base is None else base
    return {"log_w": log_w, "log_z": base + logsumexp(log_w) - np.log(len(log_w))}


@mistake("the mean of log w in place of the log of the mean w", AIS)
def mean_of_logs(case):
    log_w = case.outputs["log_w"]
    return {"log_z": case.outputs["log_z"] - logsumexp(log_w) + np.log(len(log_w)) + log_w.mean()}


@mistake("the log of the sum of w: the number of chains is left out", AIS)
def sum_of_weights(case):
    return {"log_z": case.outputs["log_z"] + np.log(len(case.outputs["log_w"]))}


@mistake("log Z of the base counts one side alone: units x log 2 / 2", AIS)
def half_base(case):
    return {"log_z": case.outputs["log_z"] - len(case.inputs["a"]) * np.log(2) / 2}


@mistake("log Z of a base with the biases a, where the steps begin at none", AIS)
def biased_base(case):
    a = case.inputs["a"]
    return {"log_z": case.outputs["log_z"] + np.sum(np.log1p(np.exp(a)) - np.log(2))}


@mistake("log w has the opposite sign", AIS)
def opposite_weights(case):
    return with_log_w(case, -case.outputs["log_w"])


@mistake("the left side's biases are not multiplied by t, or left out", AIS)
def untempered(case):
    n = len(case.inputs["W"])
    gone = np.concatenate([np.zeros(n), case.inputs["a"][n:]])
    return case.again({"a": gone})


@mistake("each step takes the state after it, not the one before", AIS)
def later_states(case):
    left = case.inputs["left"]
    found = [np.roll(left, -1, 0), np.concatenate([left[1:], left[-1:]])]
    return closest(case, [case.again({"left": states}) for states in found])


@mistake("a step is left out", AIS)
def lacks_a_step(case):
    t, left = case.inputs["t"], case.inputs["left"]
    steps = range(len(left))
    found = [{"t": t[[n, n + 1]], "left": left[[n]]} for n in (steps[0], steps[-1])]
    return closest(case, [with_log_w(case, case.outputs["log_w"] - case.again(one)["log_w"]) for one in found])


@mistake("the temperatures are in equal steps, not those given", AIS)
def equal_steps(case):
    return case.again({"t": np.linspace(0, 1, len(case.inputs["t"]))})


# -- population annealing ----------------------------------------------------------------------------------------------


@mistake("the weights are exp(+step E)", POPULATION)
def opposite_step(case):
    return case.again({"step": -case.inputs["step"]})


@mistake("tau is a share of the whole: it sums to 1", POPULATION)
def shares(case):
    return scaled(case.outputs, 1 / len(case.inputs["u"]), "tau")


@mistake("the log of the sum of the weights in place of that of their mean", POPULATION)
def log_of_sum(case):
    return {"log_mean_weight": case.outputs["log_mean_weight"] + np.log(len(case.inputs["u"]))}


@mistake("the mean of the logs of the weights in place of the log of their mean", POPULATION)
def mean_of_log_weights(case):
    return {"log_mean_weight": -case.inputs["step"] * case.inputs["energies"].mean()}


@mistake("tau is rounded to copies, without u", POPULATION)
def rounded(case):
    tau = case.outputs["tau"]
    return closest(case, [{"copies": change(tau)} for change in (np.round, np.ceil, np.floor)])


@mistake("one copy more where u > tau - floor(tau)", POPULATION)
def above_the_fraction(case):
    tau = case.outputs["tau"]
    return {"copies": np.floor(tau) + (case.inputs["u"] > tau % 1)}


@mistake("the step of the inverse temperature is another", POPULATION, read_off=True)
def other_step(case):
    """As tau says; as copies alone do, to the thousandth."""
    energies, step = case.inputs["energies"], case.inputs["step"]
    if "tau" in case.theirs:
        with np.errstate(all="ignore"):
            slope = np.polyfit(energies, np.log(case.theirs["tau"]), 1)[0]
        return case.again({"step": -slope}) if slope < 0 else {}
    return closest(case, [case.again({"step": factor * step}) for factor in (0.97, *np.arange(0.5, 2, 0.002))])


@mistake("something is added to the probability of one copy more", POPULATION, read_off=True)
def added(case):
    tau, u = case.outputs["tau"], case.inputs["u"]
    by = 0.002
    if "copies" in case.theirs:
        by = between(case.theirs["copies"] > np.floor(tau) + 0.5, u - tau % 1, np.ones_like(u))
    return {"copies": np.floor(tau) + (u < tau % 1 + by)} if np.isfinite(by) else {}
