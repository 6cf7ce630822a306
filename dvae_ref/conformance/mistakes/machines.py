"""Mistakes in energy, log Z, mean field and Gibbs sampling; those in E(z) also where log p(zeta) rests on it."""

import functools
import itertools

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake, negated, scaled
from dvae_ref.conformance.quantities.machines import machine
from dvae_ref.theory.boltzmann import couple, energy
from dvae_ref.theory.elementary import bernoulli_entropy, softplus

GENERAL = "general_machine"
BIPARTITE = (
    "energy",
    "log_z",
    "mean_field",
    "gibbs",
    "log_p_*",
    "kl_*",
    "free_energy",
    "ising",
    "ais_weights",
    "own_networks_*",
)
ON_E = (*BIPARTITE, GENERAL)
GUARD = 1e-7


def coupled(case, factor, **changes):
    """The outputs with the couplings, W or J, times a factor, and their gradient with it."""
    name = "J" if "J" in case.inputs else "W"
    found = case.again({name: factor * case.inputs[name], **changes})
    return found | scaled(found, factor, "d_W")


@mistake("E(z) has the opposite sign", *ON_E)
def opposite_energy(case):
    return negated(coupled(case, -1, a=-case.inputs["a"]), "d_a")


@mistake("the biases have the opposite sign", *ON_E)
def opposite_biases(case):
    return negated(case.again({"a": -case.inputs["a"]}), "d_a")


@mistake("the couplings have the opposite sign", *ON_E)
def opposite_couplings(case):
    return coupled(case, -1)


@mistake("the couplings count twice: z·J·z without its 1/2", *ON_E)
def coupled_twice(case):
    return coupled(case, 2)


@mistake("left and right are swapped: W is used as (right, left)", *BIPARTITE)
def swapped_sides(case):
    """What is shaped as W is right side first as well, or not."""
    found = case.again({"W": case.inputs["W"].T})
    return closest(case, [untransposed(found), found])


def untransposed(found):
    return found | {name: found[name].T for name in ("d_W", "mean_zz", "d_rbm.W") if name in found}


@mistake("the couplings count half", *ON_E)
def coupled_half(case):
    """Of the general machine: one triangle of J, with the 1/2 that is meant for both."""
    return coupled(case, 0.5)


@mistake("units are -1 and 1 in place of 0 and 1", "gibbs")
def spins_in_gibbs(case):
    """The field a + W s with s = 2 z - 1."""
    a, W = case.inputs["a"], case.inputs["W"]
    return case.again({"a": a - couple(machine(case.inputs), np.ones_like(a)), "W": 2 * W})


@mistake("units are -1 and 1 in place of 0 and 1", "energy")
def spins_in_energy(case):
    found = case.again({"z": 2 * case.inputs["z"] - 1})
    return found | scaled(found, 2, "d_z")


@mistake("units are -1 and 1 in place of 0 and 1", "log_z")
def spins_in_log_z(case):
    a, W = case.inputs["a"], case.inputs["W"]
    ones = np.ones_like(a)
    found = case.again({"a": 2 * (a - couple(machine(case.inputs), ones)), "W": 4 * W})
    z, (n, _) = found["mean_z"], W.shape
    zz = 4 * found["mean_zz"] - 2 * z[:n, None] - 2 * z[n:] + 1
    return {"log_z": found["log_z"] - a.sum() + W.sum(), "mean_z": 2 * z - 1, "mean_zz": zz}


@mistake("units are -1 and 1 in place of 0 and 1", GENERAL)
def spins_in_general(case):
    """-a·s - s J s / 2 with s = 2 z - 1."""
    a, J = case.inputs["a"], case.inputs["J"]
    found, constant = case.again({"a": 2 * (a - J.sum(1)), "J": 4 * J}), a.sum() - J.sum() / 2
    return {"energy": found["energy"] + constant, "log_z": found["log_z"] - constant, "mean_z": 2 * found["mean_z"] - 1}


@mistake("covariances in place of E[z_left z_right']", "log_z")
def covariances(case):
    z, n = case.outputs["mean_z"], len(case.inputs["W"])
    return {"mean_zz": case.outputs["mean_zz"] - np.outer(z[:n], z[n:])}


@mistake("the left side is updated before the right", "gibbs")
def left_first(case):
    """As right first in the machine whose sides have changed places."""
    n, names = len(case.inputs["W"]), ("a", "z", "u")
    moved = {name: swap(value, n) for name, value in case.inputs.items() if name in names}
    found = case.again({**moved, "W": case.inputs["W"].T})
    back = {name: swap(found[name], -n) for name in ("p", "z_after")}
    return found | back


def swap(z, n):
    """The first n units, or all but the last -n, behind the others."""
    return np.roll(z, -n, -1)


@mistake("z = 1 where u > p", "gibbs")
def above_threshold(case):
    return case.again(up=np.greater)


@mistake("both sides are updated at once, from the old state", "gibbs")
def gibbs_at_once(case):
    return case.again(at_once=True)


def cut(largest, case):
    return case.again(log_sum=lambda x: np.where(x > largest, x, softplus(x)))


mistake("softplus(x) is cut: x above 10", "free_energy")(functools.partial(cut, 10))
mistake("softplus(x) is cut: x above 20, as in PyTorch", "free_energy")(functools.partial(cut, 20))


@mistake("c is left out", "mean_field")
def without_c(case):
    """In all, or in the bound alone, which the log partition function then is not compared with."""
    by = -np.broadcast_to(case.inputs["c"].sum(-1), case.outputs["lower_bound"].shape)
    return closest(case, [case.again({"c": 0 * case.inputs["c"]}), shifted(case, by)])


def with_entropy(case, change):
    """lower_bound and kl with the entropy changed by change(m, H(m))."""
    m = case.outputs["m"]
    with np.errstate(divide="ignore"):
        entropy = bernoulli_entropy((np.log(m) - np.log1p(-m)).clip(-700, 700)).sum(-1)
    return shifted(case, change(m, entropy) - entropy)


def shifted(case, by):
    return {"lower_bound": case.outputs["lower_bound"] + by, "kl": case.outputs["kl"] - by}


@mistake("H(m) is left out", "mean_field")
def without_entropy(case):
    return with_entropy(case, lambda m, entropy: 0 * entropy)


@mistake("H(m) has the opposite sign", "mean_field")
def opposite_entropy(case):
    return with_entropy(case, lambda m, entropy: -entropy)


@mistake("1e-7 is added inside the logarithms of H(m)", "mean_field")
def guarded_entropy(case):
    return with_entropy(case, lambda m, entropy: guarded(m))


@mistake("H(m) is in bits", "mean_field")
def bits(case):
    return with_entropy(case, lambda m, entropy: entropy / np.log(2))


@mistake("the mean over units of H(m)", "mean_field")
def mean_entropy(case):
    return with_entropy(case, lambda m, entropy: entropy / m.shape[-1])


@mistake("H(m) lacks (1 - m) log(1 - m)", "mean_field")
def half_entropy(case):
    return with_entropy(case, lambda m, entropy: on_alone(m))


def on_alone(m):
    return -np.sum(m * np.log(m + (m == 0)), -1)


@mistake("c counts where z = 0 alone: c (1 - m)", "mean_field")
def c_where_off(case):
    return shifted(case, -np.sum(case.inputs["c"] * case.outputs["m"], -1))


@mistake("the mean over units in place of the sum", "mean_field")
def mean_divergence(case):
    return scaled(case.outputs, 1 / len(case.inputs["a"]), "kl")


@mistake("KL(p^ || m) in place of KL(m || p^)", "mean_field")
def reverse_divergence(case):
    """-entropy of p^ - sum_i E[z_i] log m_i + E[1 - z_i] log(1 - m_i), over all states."""
    rbm, b = machine(case.inputs), case.inputs["b"]
    states = np.array(list(itertools.product([0.0, 1.0], repeat=len(rbm.a))))
    log_p = b @ states.T + case.inputs["c"].sum(1)[:, None] - energy(rbm, states)
    log_p -= np.logaddexp.reduce(log_p, -1)[:, None]
    p, m = np.exp(log_p), np.maximum(case.outputs["m"], 1e-300)
    rest = np.maximum(1 - case.outputs["m"], 1e-300)
    cross = np.log(m) @ states.T + np.log(rest) @ (1 - states).T
    return {"kl": np.sum(p * (log_p - cross), -1)}


def guarded(m):
    return -np.sum(m * np.log(m + GUARD) + (1 - m) * np.log(1 - m + GUARD), -1)
