"""Mistakes in what one has without a model: KL terms alone, free energy, Ising form; terms of E that are left out.

Right are, of two groups, minus the KL + log Z = H(q) + a·q + nu_left W q_right (DVAE++), with z_left for nu_left
(DVAE); F(left) = -a_left·left - sum_j log(1 + e^field_j); and, with s = 2 z - 1, h = -a/2 - J 1/4, couplings -W/4 and
an offset (`quantities.parts`).

nu = sigmoid(logit q + b) is q(z = 1 | x, zeta). It stands where zeta is known and z is not: on the left, which the
right depends on. With q there the bound ignores that dependence; with nu on both sides, or in a·q, it is still unbiased
where zeta is drawn from q, but noisier, and not the paper's.
"""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.machines import GENERAL, with_parameters
from dvae_ref.conformance.mistakes.registry import mistake, negated
from dvae_ref.theory.boltzmann import couple, energy, split
from dvae_ref.theory.elementary import bernoulli_entropy, sigmoid

KL, PLUS, SPIKE, FREE, ISING = "kl_*", "kl_dvaepp_*", "kl_dvae", "free_energy", "ising"
ON_E = ("energy", "log_z", "mean_field", "gibbs", FREE, ISING, GENERAL)


@mistake("the biases are left out", ON_E)
def without_biases(case):
    """E(z) = -z_left W z_right."""
    return with_parameters(case, 0, 1)


@mistake("the couplings are left out", ON_E)
def without_couplings(case):
    """E(z) = -a·z."""
    return with_parameters(case, 1, 0)


# -- the KL of DVAE++ and DVAE: minus it is H(q) + a·q + nu_left W q_right, with z_left for nu_left --------------------


def slope(logit):
    """dq/dlogit q = q (1 - q)."""
    return sigmoid(logit) * sigmoid(-logit)


def with_entropy(factor, case):
    """`factor` times H(q); dH/dlogit q = -logit q q (1 - q)."""
    logit_q = case.inputs["logit_q"]
    return {
        "minus_kl": case.outputs["minus_kl"] + (factor - 1) * bernoulli_entropy(logit_q).sum(-1),
        "d_logit_q": case.outputs["d_logit_q"] - (factor - 1) * case.d * logit_q * slope(logit_q),
    }


ENTROPIES = {"H(q) is left out": 0.0, "H(q) has the opposite sign": -1.0, "H(q) is in bits": 1 / np.log(2)}
for _name, _factor in ENTROPIES.items():
    mistake(_name, KL)(functools.partial(with_entropy, _factor))


@mistake("the mean over units of H(q)", KL)
def mean_entropy(case):
    """H(q) over the number of units."""
    return with_entropy(1 / case.inputs["logit_q"].shape[1], case)


def of_units(case, x):
    """H(q) - E(x), x (rows, units), with the gradients in a and W, and its own in logit q."""
    logit_q, (left, right) = case.inputs["logit_q"], split(x, case.machine)
    return {
        "minus_kl": bernoulli_entropy(logit_q).sum(-1) - energy(case.machine, x),
        "d_logit_q": -case.d * logit_q * slope(logit_q),
        "d_a": np.sum(case.d * x, 0),
        "d_W": (case.d * left).T @ right,
    }


def with_nu(case, in_linear, in_pairs):
    """H(q) + a·p + p'_left W p'_right of DVAE++: p and p' are nu in the parts that are told by 1, q where by 0.

    nu = sigmoid(logit q + b): what moves it moves logit q, and zeta by db/dzeta.
    """
    (a, _), smoothing, t = case.machine, case.smoothing, case.t
    logit_q, b = case.inputs["logit_q"], smoothing.log_ratio(t)
    linear, pairs = logit_q + in_linear * b, logit_q + in_pairs * b
    by_linear = case.d * a * slope(linear)
    by_pairs = case.d * couple(case.machine, sigmoid(pairs)) * slope(pairs)
    d_b = in_linear * by_linear + in_pairs * by_pairs
    found = of_units(case, sigmoid(pairs))
    return {
        "minus_kl": found["minus_kl"] + (sigmoid(linear) - sigmoid(pairs)) @ a,
        "d_logit_q": found["d_logit_q"] + by_linear + by_pairs,
        "d_zeta": d_b * smoothing.d_log_ratio(t) / smoothing.d_zeta(t),
        "d_a": np.sum(case.d * sigmoid(linear), 0),
        "d_W": found["d_W"],
    }


@mistake("nu = q(z = 1 | x, zeta) on both sides, which the last group does not have", PLUS)
def nu_on_both_sides(case):
    """H(q) + a·q + nu_left W nu_right."""
    return with_nu(case, 0, 1)


@mistake("nu = q(z = 1 | x, zeta) in all of E, in a·q as well", PLUS)
def nu_everywhere(case):
    """H(q) + a·nu + nu_left W nu_right."""
    return with_nu(case, 1, 1)


@mistake("b has the opposite sign in nu", PLUS)
def opposite_ratio(case):
    """nu = sigmoid(logit q - b): as at 1 - zeta, as if zeta near 0 spoke for z = 1."""
    return negated(case.again({"zeta": 1 - case.inputs["zeta"]}), "d_zeta")


@mistake("nu is held fixed in the gradient", PLUS)
def fixed_nu(case):
    """d/dlogit q = (a - logit q + nu_left W on the right) q (1 - q).

    As if nu were a sample: nothing goes back through it, to logit q or to zeta, and of the left units' logits this term
    has the derivative of a·q and of their entropy alone.
    """
    (a, W), logit_q = case.machine, case.inputs["logit_q"]
    nu = sigmoid(logit_q + case.smoothing.log_ratio(case.t))
    of_pairs = couple(case.machine, nu) * (np.arange(len(a)) >= len(W))
    return {
        "d_logit_q": case.d * slope(logit_q) * (a - logit_q + of_pairs),
        "d_zeta": 0 * case.outputs["d_zeta"],
    }


@mistake("E at zeta itself: a·zeta + zeta_left W zeta_right", PLUS)
def energy_of_zeta(case):
    """H(q) - E(zeta): zeta as if it were z, as in GumBolt. Its mean is not E[E(z)], as zeta is not binary."""
    (a, _), zeta = case.machine, case.inputs["zeta"]
    return of_units(case, zeta) | {"d_zeta": case.d * (a + couple(case.machine, zeta))}


def of_left_logits(case, estimate):
    """d_logit_q of DVAE with another estimate for the left units: estimate(a - logit q, J z, q), times q."""
    (a, W), logit_q = case.machine, case.inputs["logit_q"]
    on_left, q = np.arange(len(a)) < len(W), sigmoid(logit_q)
    z = np.where(on_left, case.inputs["zeta"] > 0, q)
    found = case.d * estimate(a - logit_q, couple(case.machine, z), q) * q
    return {"d_logit_q": np.where(on_left, found, case.outputs["d_logit_q"])}


@mistake("the jumps of z = [zeta > 0] are left out of the gradient, as automatic differentiation does", SPIKE)
def without_jumps(case):
    """d/dlogit q_i = (a_i - logit q_i) q_i (1 - q_i) on the left: for automatic differentiation [zeta > 0] is a
    constant.

    W then reaches the left units through zeta in the networks alone, and couplings to the right do not pull at them.
    """
    return of_left_logits(case, lambda own, pull, q: own * (1 - q))


@mistake("straight through: z = [zeta > 0] moves as q does", SPIKE)
def straight_through(case):
    """d/dlogit q_i = (a_i - logit q_i + (J z)_i) q_i (1 - q_i) on the left, too: biased, as q on the right depends on
    zeta."""
    return of_left_logits(case, lambda own, pull, q: (own + pull) * (1 - q))


@mistake("q(z = 1 | x) on both sides: z = [zeta > 0] of the left side is not taken", SPIKE)
def without_z(case):
    """H(q) - E(q)."""
    (a, _), logit_q = case.machine, case.inputs["logit_q"]
    pull = a - logit_q + couple(case.machine, sigmoid(logit_q))
    return of_units(case, sigmoid(logit_q)) | {"d_logit_q": case.d * pull * slope(logit_q)}


@mistake("z = [zeta > 1/2] in place of [zeta > 0]", SPIKE)
def other_threshold(case):
    """zeta below 1/2 is taken for 0."""
    zeta = case.inputs["zeta"]
    return case.again({"zeta": np.where(zeta > 0.5, zeta, 0)})


# -- free energy, Ising form -------------------------------------------------------------------------------------------


@mistake("the left side's biases are left out", FREE)
def without_left_biases(case):
    """-sum_j log(1 + e^field_j) alone."""
    left, _ = split(case.inputs["z"], case.machine)
    return {"free_energy": case.outputs["free_energy"] + left @ case.machine.a_left}


@mistake("p(z_right = 0 | left) in place of p(z_right = 1 | left)", FREE)
def of_zero(case):
    """sigmoid(-field)."""
    return {"p_right": 1 - case.outputs["p_right"]}


@mistake("E with the right side's means in place of the free energy: -sum field p, its entropy left out", FREE)
def without_right_entropy(case):
    """-a_left·left - sum_j field_j p_j: the mean energy, which is above the free energy."""
    p = case.outputs["p_right"]
    entropy = -np.sum(p * np.log(p) + (1 - p) * np.log1p(-p), -1)
    return {"free_energy": case.outputs["free_energy"] + entropy}


@mistake("h lacks the couplings: a / 2 alone", ISING)
def bare_h(case):
    """h = -a / 2, where -a / 2 - J 1 / 4 is due: spins 1/2 (1 + s) bring a linear term out of the couplings."""
    return {"h": -case.inputs["a"] / 2}


@mistake("s = 1 - 2 z: h has the opposite sign", ISING)
def opposite_spins(case):
    """h = a / 2 + J 1 / 4."""
    return {"h": -case.outputs["h"]}


@mistake("the offset is left out", ISING)
def without_offset(case):
    """0."""
    return {"offset": 0 * case.outputs["offset"]}


@mistake("E(z) is that in spins, without the offset", ISING)
def energy_without_offset(case):
    """h·s + s_left J s_right."""
    return {"energy": case.outputs["energy"] - case.outputs["offset"]}


@mistake("the signs are those of -h·s - s J s", ISING)
def negative_ising(case):
    """E(z) = -h·s - s_left J s_right + offset."""
    return {"h": -case.outputs["h"], "J": -case.outputs["J"]}
