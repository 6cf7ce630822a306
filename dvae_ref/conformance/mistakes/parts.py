"""Mistakes in what one has without a model: KL terms alone, free energy, Ising form; terms of E that are left out."""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.machines import BIPARTITE, GENERAL, coupled
from dvae_ref.conformance.mistakes.registry import mistake, negated, scaled
from dvae_ref.conformance.quantities.machines import machine
from dvae_ref.conformance.quantities.smoothings import smoothing_of
from dvae_ref.theory.boltzmann import couple, split
from dvae_ref.theory.elementary import bernoulli_entropy, sigmoid

KL, PLUS, SPIKE, FREE, ISING = "kl_*", "kl_dvaepp_*", "kl_dvae", "free_energy", "ising"
ON_E = (*(name for name in BIPARTITE if not name.startswith(("own", "log_p", "kl", "ais"))), GENERAL)


@mistake("the biases are left out", *ON_E)
def without_biases(case):
    found = case.again({"a": 0 * case.inputs["a"]})
    return found | scaled(found, 0, "d_a")


@mistake("the couplings are left out", *ON_E)
def without_couplings(case):
    return coupled(case, 0)


# -- the KL of DVAE++ and DVAE -----------------------------------------------------------------------------------------


def with_entropy(factor, case):
    """`factor` times H(q); d H / d logit q = -logit q q (1 - q)."""
    logit = case.inputs["logit_q"]
    slope = -logit * sigmoid(logit) * sigmoid(-logit)
    return case.outputs | {
        "minus_kl": case.outputs["minus_kl"] + (factor - 1) * bernoulli_entropy(logit).sum(-1),
        "d_logit_q": case.outputs["d_logit_q"] + (factor - 1) * case.inputs["cotangent"][:, None] * slope,
    }


ENTROPIES = {"H(q) is left out": 0.0, "H(q) has the opposite sign": -1.0, "H(q) is in bits": 1 / np.log(2)}
for _name, _factor in ENTROPIES.items():
    mistake(_name, KL)(functools.partial(with_entropy, _factor))


@mistake("the mean over units of H(q)", KL)
def mean_entropy(case):
    return with_entropy(1 / case.inputs["logit_q"].shape[1], case)


def with_probabilities(case, left, right, linear):
    """H(q) + a·linear + left W right of DVAE++, each of them "mu", or "nu", which zeta has a say in."""
    logit, rbm = case.inputs["logit_q"], machine(case.inputs)
    smoothing = smoothing_of(case.inputs, case.quantity.name.rpartition("_")[2])
    t, d = smoothing.t(case.inputs["zeta"]), case.inputs["cotangent"][:, None]
    logits = {"mu": logit, "nu": logit + smoothing.log_ratio(t)}
    p_left, p_right = split(sigmoid(logits[left]), rbm)[0], split(sigmoid(logits[right]), rbm)[1]
    d_left, d_right = split(couple(rbm, np.concatenate([p_left, p_right], -1)), rbm)
    parts = [(linear, np.broadcast_to(rbm.a, logit.shape)), (left, half(d_left, 0)), (right, half(d_right, 1))]
    moved = {kind: sum(slope for which, slope in parts if which == kind) for kind in ("mu", "nu")}
    by = {kind: d * moved[kind] * sigmoid(logits[kind]) * sigmoid(-logits[kind]) for kind in moved}
    entropy = -d * logit * sigmoid(logit) * sigmoid(-logit)
    value = bernoulli_entropy(logit).sum(-1) + sigmoid(logits[linear]) @ rbm.a + np.sum((p_left @ rbm.W) * p_right, -1)
    return {
        "minus_kl": value,
        "d_logit_q": entropy + by["mu"] + by["nu"],
        "d_zeta": by["nu"] * smoothing.d_log_ratio(t) / smoothing.d_zeta(t),
        "d_a": np.sum(d * sigmoid(logits[linear]), 0),
        "d_W": (d * p_left).T @ p_right,
    }


def half(slope, side):
    """Of one side, with zeros for the other: both sides are as large."""
    return np.concatenate([slope, 0 * slope] if side == 0 else [0 * slope, slope], -1)


@mistake("nu = q(z = 1 | x, zeta) on both sides, which the last group does not have", PLUS)
def nu_on_both_sides(case):
    return with_probabilities(case, "nu", "nu", "mu")


@mistake("nu = q(z = 1 | x, zeta) in all of E, in a·q as well", PLUS)
def nu_everywhere(case):
    return with_probabilities(case, "nu", "nu", "nu")


@mistake("b has the opposite sign in nu", PLUS)
def opposite_ratio(case):
    """As at 1 - zeta."""
    return negated(case.again({"zeta": 1 - case.inputs["zeta"]}), "d_zeta")


@mistake("nu is held fixed in the gradient", PLUS)
def fixed_nu(case):
    rbm, logit, d = machine(case.inputs), case.inputs["logit_q"], case.inputs["cotangent"][:, None]
    smoothing = smoothing_of(case.inputs, case.quantity.name.rpartition("_")[2])
    nu = sigmoid(logit + smoothing.log_ratio(smoothing.t(case.inputs["zeta"])))
    slope = sigmoid(logit) * sigmoid(-logit)
    right = half(split(nu, rbm)[0] @ rbm.W, 1)
    return {"d_logit_q": d * slope * (rbm.a - logit + right), "d_zeta": 0 * case.outputs["d_zeta"]}


@mistake("E at zeta itself: a·zeta + zeta_left W zeta_right", PLUS)
def energy_of_zeta(case):
    rbm, zeta, d = machine(case.inputs), case.inputs["zeta"], case.inputs["cotangent"]
    logit, (left, right) = case.inputs["logit_q"], split(zeta, rbm)
    return {
        "minus_kl": bernoulli_entropy(logit).sum(-1) + zeta @ rbm.a + np.sum((left @ rbm.W) * right, -1),
        "d_logit_q": -d[:, None] * logit * sigmoid(logit) * sigmoid(-logit),
        "d_zeta": d[:, None] * (rbm.a + couple(rbm, zeta)),
        "d_a": d @ zeta,
        "d_W": (d[:, None] * left).T @ right,
    }


def of_left_logits(case, slope):
    """d_logit_q of DVAE with another estimate for the left units: slope(a - logit q, J z, z, q), times q."""
    rbm, logit = machine(case.inputs), case.inputs["logit_q"]
    n, up = len(rbm.W), (case.inputs["zeta"] > 0).astype(float)
    z = np.concatenate([up[:, :n], sigmoid(logit[:, n:])], -1)
    found = slope(rbm.a - logit, couple(rbm, z), z, sigmoid(logit)) * sigmoid(logit)
    left = case.inputs["cotangent"][:, None] * found
    return {"d_logit_q": np.concatenate([left[:, :n], case.outputs["d_logit_q"][:, n:]], -1)}


@mistake("the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does", SPIKE)
def without_jumps(case):
    return of_left_logits(case, lambda own, pull, z, q: own * (1 - q))


@mistake("q(z = 1 | x) on both sides: z = [zeta > 0] of the left side is not taken", SPIKE)
def without_z(case):
    rbm, logit, d = machine(case.inputs), case.inputs["logit_q"], case.inputs["cotangent"]
    q, (left, right) = sigmoid(logit), split(sigmoid(logit), rbm)
    return {
        "minus_kl": bernoulli_entropy(logit).sum(-1) + q @ rbm.a + np.sum((left @ rbm.W) * right, -1),
        "d_logit_q": d[:, None] * (rbm.a - logit + couple(rbm, q)) * q * sigmoid(-logit),
        "d_a": d @ q,
        "d_W": (d[:, None] * left).T @ right,
    }


@mistake("straight through: z = [zeta > 0] moves as q does", SPIKE)
def straight_through(case):
    return of_left_logits(case, lambda own, pull, z, q: (own + pull) * (1 - q))


@mistake("z = [zeta > 1/2] in place of [zeta > 0]", SPIKE)
def other_threshold(case):
    zeta = case.inputs["zeta"]
    return case.again({"zeta": np.where(zeta > 0.5, zeta, 0)})


# -- free energy, Ising form -------------------------------------------------------------------------------------------


@mistake("the left side's biases are left out", FREE)
def without_left_biases(case):
    n = len(case.inputs["W"])
    return {"free_energy": case.outputs["free_energy"] + case.inputs["z"][:, :n] @ case.inputs["a"][:n]}


@mistake("p(z_right = 0 | left) in place of p(z_right = 1 | left)", FREE)
def of_zero(case):
    return {"p_right": 1 - case.outputs["p_right"]}


@mistake("E with the right side's means in place of the free energy: -sum field p, its entropy left out", FREE)
def without_right_entropy(case):
    p = case.outputs["p_right"]
    entropy = -np.sum(p * np.log(p) + (1 - p) * np.log1p(-p), -1)
    return {"free_energy": case.outputs["free_energy"] + entropy}


@mistake("h lacks the couplings: a / 2 alone", ISING)
def bare_h(case):
    return {"h": -case.inputs["a"] / 2}


@mistake("s = 1 - 2 z: h has the opposite sign", ISING)
def opposite_spins(case):
    return {"h": -case.outputs["h"]}


@mistake("the offset is left out", ISING)
def without_offset(case):
    return {"offset": 0 * case.outputs["offset"]}


@mistake("E(z) is that in spins, without the offset", ISING)
def energy_without_offset(case):
    return {"energy": case.outputs["energy"] - case.outputs["offset"]}


@mistake("the signs are those of -h·s - s J s", ISING)
def negative_ising(case):
    return {name: -case.outputs[name] for name in ("h", "J")}
