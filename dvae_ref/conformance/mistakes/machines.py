"""Mistakes in energy, log Z, mean field and Gibbs sampling; those in E(z) also where log p(zeta) rests on it.

Right are E(z) = -a·z - z_left W z_right and p(z) ~ exp(-E(z)) with units 0 and 1. Annealers and their packages minimise
E = +h·s + s·J·s with s = -1 and 1; J of all units, symmetric, has each pair twice, a list of edges or a triangle has it
once.

A sign or a factor that is wrong throughout is hardly seen in training: a and W are learnt, and come out with the other
sign, or half as large, at the same likelihood. It is seen as soon as somebody else's weights are loaded, moments come
from another program, or one place of several is wrong.
"""

import functools
import itertools

import numpy as np

from dvae_ref.conformance.mistakes.entropies import shifted
from dvae_ref.conformance.mistakes.registry import closest, mistake, scaled
from dvae_ref.theory.boltzmann import couple, energy, split
from dvae_ref.theory.elementary import softplus

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
MODELS = ("objective_*", "log_w_discrete")
ON_E = (*BIPARTITE, GENERAL)


def with_parameters(case, of_a, of_W):
    """The outputs with the biases and the couplings of the machine times a factor each, and gradients with them."""
    factors = {"a": of_a, "W": of_W, "J": of_W, "rbm.a": of_a, "rbm.W": of_W}
    here = {name: factor for name, factor in factors.items() if name in case.inputs}
    found = case.again({name: factor * case.inputs[name] for name, factor in here.items()})
    for name, factor in here.items():
        found |= scaled(found, factor, f"d_{name}")
    return found


@mistake("E(z) has the opposite sign", ON_E, MODELS)
def opposite_energy(case):
    """E(z) = a·z + z_left W z_right: the signs of annealers."""
    return with_parameters(case, -1, -1)


@mistake("the biases have the opposite sign", ON_E)
def opposite_biases(case):
    """E(z) = a·z - z_left W z_right."""
    return with_parameters(case, -1, 1)


@mistake("the couplings have the opposite sign", ON_E)
def opposite_couplings(case):
    """E(z) = -a·z + z_left W z_right."""
    return with_parameters(case, 1, -1)


@mistake("the couplings count twice: z·J·z without its 1/2", ON_E, MODELS)
def coupled_twice(case):
    """E(z) = -a·z - z J z: J has each pair twice, and both count."""
    return with_parameters(case, 1, 2)


@mistake("left and right are swapped: W is used as (right, left)", BIPARTITE, MODELS)
def swapped_sides(case):
    """What is shaped as W is right side first as well, or not.

    A kernel of shape (inputs, outputs) in one library is (outputs, inputs) in another; with as many units on either
    side both multiply.
    """
    name = "rbm.W" if "rbm.W" in case.inputs else "W"
    found = case.again({name: case.inputs[name].T})
    return closest(case, [untransposed(found), found])


def untransposed(found):
    """What has the shape of W as it is meant, (left, right)."""
    return found | {name: found[name].T for name in ("d_W", "mean_zz", "d_rbm.W") if name in found}


@mistake("the couplings count half", ON_E, MODELS)
def coupled_half(case):
    """Of the general machine: one triangle of J, with the 1/2 that is meant for both."""
    return with_parameters(case, 1, 0.5)


@mistake("units are -1 and 1 in place of 0 and 1", "gibbs")
def spins_in_gibbs(case):
    """The field a + W s with s = 2 z - 1."""
    a, W = case.inputs["a"], case.inputs["W"]
    return case.again({"a": a - couple(case.machine, np.ones_like(a)), "W": 2 * W})


@mistake("units are -1 and 1 in place of 0 and 1", "energy")
def spins_in_energy(case):
    """-a·s - s_left W s_right with s = 2 z - 1."""
    found = case.again({"z": 2 * case.inputs["z"] - 1})
    return found | scaled(found, 2, "d_z")


@mistake("units are -1 and 1 in place of 0 and 1", "log_z")
def spins_in_log_z(case):
    """exp(a·s + s_left W s_right) with s = 2 z - 1: the machine of 2 (a - J 1) and 4 W, and a constant."""
    a, W = case.machine
    found = case.again({"a": 2 * (a - couple(case.machine, np.ones_like(a))), "W": 4 * W})
    z_left, z_right = split(found["mean_z"], case.machine)
    return {
        "log_z": found["log_z"] - a.sum() + W.sum(),
        "mean_z": 2 * found["mean_z"] - 1,
        "mean_zz": 4 * found["mean_zz"] - np.add.outer(2 * z_left, 2 * z_right) + 1,
    }


@mistake("units are -1 and 1 in place of 0 and 1", GENERAL)
def spins_in_general(case):
    """-a·s - s J s / 2 with s = 2 z - 1."""
    a, J = case.inputs["a"], case.inputs["J"]
    found, constant = case.again({"a": 2 * (a - J.sum(1)), "J": 4 * J}), a.sum() - J.sum() / 2
    return {
        "energy": found["energy"] + constant,
        "log_z": found["log_z"] - constant,
        "mean_z": 2 * found["mean_z"] - 1,
    }


@mistake("covariances in place of E[z_left z_right']", "log_z")
def covariances(case):
    """E[z_left z_right'] - E[z_left] E[z_right]': the statistics of a centred gradient."""
    left, right = split(case.outputs["mean_z"], case.machine)
    return {"mean_zz": case.outputs["mean_zz"] - np.outer(left, right)}


@mistake("the left side is updated before the right", "gibbs")
def left_first(case):
    """As right first in the machine whose sides have changed places: as good a sampler, but not the same spins."""
    n = len(case.inputs["W"])
    moved = {name: swap(case.inputs[name], n) for name in ("a", "z", "u")}
    found = case.again(moved | {"W": case.inputs["W"].T})
    return {"p": swap(found["p"], -n), "z_after": swap(found["z_after"], -n)}


def swap(z, n):
    """The first n units, or all but the last -n, behind the others."""
    return np.roll(z, -n, -1)


@mistake("z = 1 where u > p", "gibbs")
def above_threshold(case):
    """z = [u > p]."""
    return case.again(up=np.greater)


@mistake("both sides are updated at once, from the old state", "gibbs")
def gibbs_at_once(case):
    """The left side given the old right side, in the same sweep as the right given the old left.

    Two chains are then woven into one: the left side of a sweep belongs to the right of the one before. E[z] comes out
    right in the long run, and E[z_left z_right'] as the product of the means.
    """
    return case.again(at_once=True)


def cut(largest, case):
    """log(1 + e^x) as x from there on, against overflow: e^-x is missing, 4.5e-5 at 10 and 2e-9 at 20."""

    def log_sum(x):
        return np.where(x > largest, x, softplus(x))

    return case.again(log_sum=log_sum)


mistake("softplus(x) is cut: x above 10", "free_energy")(functools.partial(cut, 10))
mistake("softplus(x) is cut: x above 20, as in PyTorch", "free_energy")(functools.partial(cut, 20))


@mistake("c is left out", "mean_field")
def without_c(case):
    """In all, or in the bound alone, which the log partition function then is not compared with."""
    by = -np.broadcast_to(case.inputs["c"].sum(-1), case.outputs["lower_bound"].shape)
    return closest(case, [case.again({"c": 0 * case.inputs["c"]}), shifted(case, by)])


@mistake("c counts where z = 0 alone: c (1 - m)", "mean_field")
def c_where_off(case):
    """sum_i c_i (1 - m_i), where sum_i c_i is due."""
    return shifted(case, -np.sum(case.inputs["c"] * case.outputs["m"], -1))


@mistake("the mean over units in place of the sum", "mean_field")
def mean_divergence(case):
    """KL(m || p^) over the number of units."""
    return scaled(case.outputs, 1 / len(case.inputs["a"]), "kl")


@mistake("KL(p^ || m) in place of KL(m || p^)", "mean_field")
def reverse_divergence(case):
    """-entropy of p^ - sum_i E[z_i] log m_i + E[1 - z_i] log(1 - m_i), over all states.

    Its minimum is at m = E[z]. What stands between H(m) - E^(m) and the log partition function (Eq. 6), and what the
    mean field minimises, is KL(m || p^).
    """
    rbm, b = case.machine, case.inputs["b"]
    states = np.array(list(itertools.product([0.0, 1.0], repeat=len(rbm.a))))
    log_p = b @ states.T - energy(rbm, states)
    log_p -= np.logaddexp.reduce(log_p, -1, keepdims=True)
    m, rest = np.maximum(case.outputs["m"], 1e-300), np.maximum(1 - case.outputs["m"], 1e-300)
    cross = np.log(m) @ states.T + np.log(rest) @ (1 - states).T
    return {"kl": np.sum(np.exp(log_p) * (log_p - cross), -1)}
