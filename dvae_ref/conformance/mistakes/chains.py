"""Mistakes in what is made of chains: the negative phase, AIS log-weights, population annealing.

Right are, of chains z, means over them; log Z = D log 2 + log (1/chains) sum w of AIS from the uniform distribution
(Neal 2001); tau = w / mean w and floor(tau) + [u < tau - floor(tau)] copies in a step of population annealing
(Hukushima & Iba 2003). Nats.

An error in log Z goes into log p(x) of every image alike, so that no comparison of images tells. The mean of log w is
too low, and the lower the worse the chains (Jensen); the sum for the mean is too high by the log of the number of
chains, 7 nats for 1000, for every model alike.
"""

import numpy as np
from scipy.special import logsumexp

from dvae_ref.conformance.mistakes.registry import closest, mistake, scaled
from dvae_ref.conformance.mistakes.sampling import between

PHASE, AIS, POPULATION = "negative_phase", "ais_weights", "population_annealing"


@mistake("covariances in place of E[z_left z_right']", PHASE)
def centred(case):
    """E[z_left z_right'] - E[z_left] E[z_right]'."""
    return {"mean_zz": case.outputs["covariance"]}


@mistake("E[z_left z_right'] in place of covariances: not centred", PHASE)
def plain(case):
    """The mean of z_left z_right'."""
    return {"covariance": case.outputs["mean_zz"]}


@mistake("covariances over the number of chains less 1", PHASE)
def unbiased(case):
    """sum over chains of the products of what is centred, over chains - 1: the default of np.cov and torch.cov."""
    chains = len(case.inputs["z"])
    return scaled(case.outputs, chains / (chains - 1), "covariance")


@mistake("sums over the chains in place of means", PHASE)
def sums(case):
    """sum over chains of z and of z_left z_right'."""
    return scaled(case.outputs, len(case.inputs["z"]), "mean_z", "mean_zz")


def log_base(case):
    """log Z of the base, the uniform distribution: units x log 2."""
    return len(case.inputs["a"]) * np.log(2)


def with_log_w(case, log_w):
    """The outputs with other log-weights, (chains,)."""
    return {"log_w": log_w, "log_z": log_base(case) + logsumexp(log_w) - np.log(len(log_w))}


@mistake("the mean of log w in place of the log of the mean w", AIS)
def mean_of_logs(case):
    """units x log 2 + mean log w."""
    return {"log_z": log_base(case) + case.outputs["log_w"].mean()}


@mistake("the log of the sum of w: the number of chains is left out", AIS)
def sum_of_weights(case):
    """units x log 2 + log sum w: logsumexp alone, too high by the log of the number of chains."""
    return {"log_z": log_base(case) + logsumexp(case.outputs["log_w"])}


@mistake("log Z of the base counts one side alone: units x log 2 / 2", AIS)
def half_base(case):
    """units x log 2 / 2 + log mean w: the side that is summed out has log 2 a unit as well."""
    return {"log_z": case.outputs["log_z"] - log_base(case) / 2}


@mistake("log Z of a base with the biases a, where the steps begin at none", AIS)
def biased_base(case):
    """sum_i log(1 + e^a_i) + log mean w: right if the steps began at the biases alone, as they do in many programs."""
    return {"log_z": case.outputs["log_z"] - log_base(case) + np.sum(np.log1p(np.exp(case.inputs["a"])))}


@mistake("log w has the opposite sign", AIS)
def opposite_weights(case):
    """log f_{t_{k-1}} - log f_{t_k}."""
    return with_log_w(case, -case.outputs["log_w"])


@mistake("the left side's biases are not multiplied by t, or left out", AIS)
def untempered(case):
    """log f_t(left) = sum_j log(1 + e^(t field_j)), or a_left·left more, which cancels."""
    on_right = np.arange(len(case.inputs["a"])) >= len(case.inputs["W"])
    return case.again({"a": case.inputs["a"] * on_right})


@mistake("each step takes the state after it, not the one before", AIS)
def later_states(case):
    """left_(k+1) for left_k; for the last the first, or itself: the transition made before the weight is taken.

    The order matters: f_{t_k} / f_{t_{k-1}} has the mean Z_k / Z_{k-1} over states of the distribution at t_{k-1}; over
    states of that at t_k it has not.
    """
    left = case.inputs["left"]
    turned, held = np.roll(left, -1, 0), np.roll(left, -1, 0)
    held[-1] = left[-1]
    return closest(case, [case.again({"left": turned}), case.again({"left": held})])


@mistake("a step is left out", AIS)
def lacks_a_step(case):
    """The first, or the last."""
    return closest(case, [without_step(case, 0), without_step(case, len(case.inputs["left"]) - 1)])


def without_step(case, n):
    """log w less what this step adds."""
    alone = case.again({"t": case.inputs["t"][[n, n + 1]], "left": case.inputs["left"][[n]]})
    return with_log_w(case, case.outputs["log_w"] - alone["log_w"])


@mistake("the temperatures are in equal steps, not those given", AIS)
def equal_steps(case):
    """t_k = k / steps."""
    return case.again({"t": np.linspace(0, 1, len(case.inputs["t"]))})


# -- population annealing ----------------------------------------------------------------------------------------------


@mistake("the weights are exp(+step E)", POPULATION)
def opposite_step(case):
    """Where exp(-step E) is due."""
    return case.again({"step": -case.inputs["step"]})


@mistake("tau is a share of the whole: it sums to 1", POPULATION)
def shares(case):
    """w / sum w, where w / mean w is due: copies by such a tau are one in all, on average."""
    return scaled(case.outputs, 1 / len(case.inputs["u"]), "tau")


@mistake("the log of the sum of the weights in place of that of their mean", POPULATION)
def log_of_sum(case):
    """log sum exp(-step E)."""
    return {"log_mean_weight": case.outputs["log_mean_weight"] + np.log(len(case.inputs["u"]))}


@mistake("the mean of the logs of the weights in place of the log of their mean", POPULATION)
def mean_of_log_weights(case):
    """-step mean E: a step of thermodynamic integration, which is below the log of the mean weight (Jensen)."""
    return {"log_mean_weight": -case.inputs["step"] * case.inputs["energies"].mean()}


@mistake("tau is rounded to copies, without u", POPULATION)
def rounded(case):
    """To the nearest number, up or down: the mean number of copies is not tau then, and the resampling is biased."""
    tau = case.outputs["tau"]
    return closest(case, [{"copies": np.round(tau)}, {"copies": np.ceil(tau)}, {"copies": np.floor(tau)}])


@mistake("one copy more where u > tau - floor(tau)", POPULATION)
def above_the_fraction(case):
    """floor(tau) + [u > tau - floor(tau)]."""
    tau = case.outputs["tau"]
    return {"copies": np.floor(tau) + (case.inputs["u"] > tau % 1)}


@mistake("the step of the inverse temperature is another", POPULATION, read_off=True)
def other_step(case):
    """As the slope of log tau in E says; as copies alone do, to the thousandth."""
    if "tau" not in case.theirs:
        factors = np.append(0.97, np.arange(0.5, 2, 0.002))
        return closest(case, [case.again({"step": factor * case.inputs["step"]}) for factor in factors])
    with np.errstate(all="ignore"):
        slope, _ = np.polyfit(case.inputs["energies"], np.log(case.theirs["tau"]), 1)
    return case.again({"step": -slope}) if slope < 0 else {}


@mistake("something is added to the probability of one copy more", POPULATION, read_off=True)
def added(case):
    """floor(tau) + [u < tau - floor(tau) + constant]."""
    tau, u, by = case.outputs["tau"], case.inputs["u"], 0.002
    if "copies" in case.theirs:
        by = between(case.theirs["copies"] > np.floor(tau) + 0.5, u - tau % 1, np.ones_like(u))
    return {"copies": np.floor(tau) + (u < tau % 1 + by)} if np.isfinite(by) else {}
