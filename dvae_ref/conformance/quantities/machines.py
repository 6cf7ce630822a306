"""Quantities of the Boltzmann machine: energy, log Z and moments, mean field, a sweep of Gibbs sampling.

E(z) = -a·z - z_left W z_right with units 0 and 1, in nats; p(z) = exp(-E(z)) / Z (Sec. 2). a (D,) has the left units
first, W is (left, right). With the field a + J z, J = [[0, W], [W', 0]], a unit is 1 with the probability
sigmoid(field) given all others.

Where implementations part: the sign of E, and of a and W in it; units of -1 and 1, as annealers have them; each pair of
units once or twice in J; W as (right, left), which is no error of shapes where both sides have as many units; which
side goes first in a sweep, and whether the second sees it. Fields of 30 and -30 (`trouble.in_machine`) make
probabilities that differ from 0 and 1 by 1e-13.
"""

import numpy as np

from dvae_ref import exact
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.theory.boltzmann import (
    RBM,
    BoltzmannMachine,
    conditional_left,
    conditional_right,
    energy,
    energy_backward,
    energy_general,
    split,
)
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import log_partition_bound, mean_field

SWEEPS = (0, 1, 2, 5, 50)
ROWS, SIDE = 6, 4
MARGIN = 1e-4  # between a uniform number and its threshold: rounding, below 1e-5 even in float32, decides nothing
CLOSE = 0.01  # to its threshold: half of the uniform numbers


def draw_machine(rng, left, right, scale=0.8):
    """A skewed RBM: signs and sides matter. Biases are about -0.4 ± 1, couplings scale (0.3 ± 1)."""
    return {"a": rng.normal(-0.4, 1, left + right), "W": scale * (0.3 + rng.standard_normal((left, right)))}


def machine(inputs):
    """The RBM of the inputs a (D,) and W (left, right)."""
    return RBM(inputs["a"], inputs["W"])


def draw_energy(rng):
    """States z (rows, D), all 0 first and two of means last; the rows' weights."""
    z = (rng.random((ROWS, 2 * SIDE)) < 0.4).astype(float)
    z[-2:] = rng.random((2, 2 * SIDE))  # the energy is multilinear: means will do, too
    z[0] = 0
    return {**draw_machine(rng, SIDE, SIDE), "z": z, "cotangent": rng.normal(0.5, 1, ROWS)}


def compute_energy(inputs):
    """E(z) = -a·z - z_left W z_right, (rows,), nats, and the gradient of sum(cotangent E).

    With d the cotangent: d_a = -sum d z, d_W = -sum d z_left z_right', d_z = -d (a + J z). E is linear in each unit, so
    states of means are as good as binary ones; that of all units 0 has E = 0 and tells who works with -1 and 1.
    """
    rbm = machine(inputs)
    d_rbm, d_z = energy_backward(inputs["cotangent"], rbm, inputs["z"])
    return {"energy": energy(rbm, inputs["z"]), "d_a": d_rbm.a, "d_W": d_rbm.W, "d_z": d_z}


def compute_log_z(inputs):
    """log Z = log sum_z exp(-E(z)), nats, E[z] (D,) and E[z_left z_right'] (left, right), by enumeration.

    The moments are the derivatives of log Z in a and W, the negative phase of a gradient. They are no covariances:
    nothing is subtracted.
    """
    z, zz = exact.moments(machine(inputs))
    return {"log_z": exact.log_z(machine(inputs)), "mean_z": z, "mean_zz": zz}


def draw_general(rng):
    """J in all of the matrix: no side, no zero but on the diagonal."""
    upper = np.triu(0.8 * (0.3 + rng.standard_normal((2 * SIDE, 2 * SIDE))), 1)
    z = (rng.random((ROWS, 2 * SIDE)) < 0.4).astype(float)
    z[0] = 0
    return trouble.in_machine({"a": rng.normal(-0.4, 1, 2 * SIDE), "J": upper + upper.T, "z": z})


def compute_general(inputs):
    """z J z knows the symmetric part of J alone: what changes single elements, as tolerances do, changes that.

    energy (rows,) and log_z in nats, mean_z (D,), by enumeration of all 2^D states: no side can be summed out.
    """
    found = BoltzmannMachine(inputs["a"], (inputs["J"] + inputs["J"].T) / 2)
    return {
        "energy": energy_general(found, inputs["z"]),
        "log_z": exact.log_z(found),
        "mean_z": exact.moments(found).z,
    }


def draw_mean_field(rng):
    """b and c (rows, D), b of the last two rows of hundreds; numbers of sweeps."""
    b, c = rng.normal(1, 5, (ROWS, 2 * SIDE)), rng.normal(-2, 2, (ROWS, 2 * SIDE))
    b[-2:, :: SIDE - 1] = trouble.B * np.array([[1, -1, 1], [-1, 1, -1]])
    return {**trouble.in_machine(draw_machine(rng, SIDE, SIDE)), "b": b, "c": c, "sweeps": np.array(SWEEPS)}


def compute_mean_field(inputs, iterate=mean_field):
    """m after each number of sweeps, (numbers, rows, D), and how good it is, nats; iterate(rbm, b, sweeps) -> logit m.

        log sum_z exp(-E^(z))  =  H(m) - E^(m)  +  KL(m || p^),    E^(z) = E(z) - b·z - sum(c)    (Eq. 6)

    are log_partition (rows,), which no sweep changes, lower_bound and kl (numbers, rows). They are computed apart here:
    as the difference of the other two a small KL has lost digits, and may come out negative.
    """
    rbm, b, c = machine(inputs), inputs["b"], inputs["c"]
    r_max = np.sum(c + np.maximum(b, 0), -1)  # relative to which the library states both
    logits = [iterate(rbm, b, int(n)) for n in inputs["sweeps"]]
    return {
        "m": sigmoid(np.stack(logits)),
        "lower_bound": np.stack([log_partition_bound(rbm, b, logit) for logit in logits]) + r_max,
        "log_partition": exact.log_p(rbm, b)[0] + r_max,
        "kl": np.stack([exact.kl(rbm, b, logit) for logit in logits]),
    }


def mean_field_terms(inputs):
    """What is added up in E^(z) = E(z) - b·z - sum(c)."""
    size = sum(np.abs(inputs[name]).sum(-1) for name in ("a", "b", "c")) + np.abs(inputs["W"]).sum()
    return dict.fromkeys(("lower_bound", "log_partition", "kl"), size)


def draw_gibbs(rng, chains=25, sweeps=2, side=6):
    """States (chains, D) and uniform numbers (sweeps, chains, D), close to the probabilities they are compared with.

    Spins have to agree exactly, so the random numbers are drawn for a purpose: half of them are so close to p that a
    temperature of 0.97 flips dozens of spins, and none so close that rounding does.
    """
    found = trouble.in_machine(draw_machine(rng, side, side))
    rbm, z = machine(found), (rng.random((chains, 2 * side)) < 0.5).astype(float)
    u = []
    left = split(z, rbm)[0]
    for _ in range(sweeps):
        right, u_right = draw_near(rng, conditional_right(rbm, left))
        left, u_left = draw_near(rng, conditional_left(rbm, right))
        u.append(np.concatenate([u_left, u_right], -1))
    return {**found, "z": z, "u": np.stack(u)}


def draw_near(rng, p):
    """Bernoulli(p) from uniform numbers, half of them within CLOSE of p, none within MARGIN; (z, u)."""
    apart = rng.choice([-1.0, 1.0], p.shape) * rng.uniform(2 * MARGIN, CLOSE, p.shape)
    apart = np.where((p + apart <= 0) | (p + apart >= 1), -apart, apart)
    u = rng.random(p.shape)
    u = np.where(np.abs(u - p) < 2 * MARGIN, (u + 0.5) % 1, u)
    u = np.where(rng.random(p.shape) < 0.5, p + apart, u)
    return (u < p).astype(float), u


def compute_gibbs(inputs, up=np.less, at_once=False, chance=sigmoid):
    """A unit is 1 if up(u, p), p = chance(field). at_once: the left side is drawn given the old right side.

    p (sweeps, chains, D) is that of each unit at its turn, z_after the states after each sweep; a sweep is the right
    side given the left, then the left given the new right. A single wrong spin changes the fields that follow it: look
    at p of the first sweep's right side first.
    """
    rbm, states, chances = machine(inputs), [], []
    left, right = split(inputs["z"], rbm)
    for u in inputs["u"]:
        (u_left, u_right), old_right = split(u, rbm), right
        p_right = chance(rbm.a_right + left @ rbm.W)
        right = up(u_right, p_right).astype(u.dtype)
        p_left = chance(rbm.a_left + (old_right if at_once else right) @ rbm.W.T)
        left = up(u_left, p_left).astype(u.dtype)
        chances.append(np.concatenate([p_left, p_right], -1))
        states.append(np.concatenate([left, right], -1).astype(np.uint8))
    return {"p": np.stack(chances), "z_after": np.stack(states)}


QUANTITIES = (
    Quantity(
        "energy",
        "Sec. 2",
        "E(z) = -a·z - z_left W z_right of a restricted Boltzmann machine",
        draw_energy,
        compute_energy,
        "sum(cotangent * energy)",
    ),
    Quantity(
        "log_z",
        "Sec. 2",
        "log Z = log sum_z exp(-E(z)), E[z] and E[z_left z_right'] by enumeration",
        lambda rng: trouble.in_machine(draw_machine(rng, 6, 6)),
        compute_log_z,
    ),
    Quantity(
        "general_machine",
        "Sec. 2",
        "E(z) = -a·z - z J z / 2 of a machine without sides, J symmetric with a zero diagonal, so that each pair of "
        "units stands in J twice and counts once; log Z and E[z] by enumeration of all states",
        draw_general,
        compute_general,
    ),
    Quantity(
        "mean_field",
        "Eq. 6, Sec. 3.1.1",
        "m after n sweeps (right side first: m_right <- sigmoid(a + b + m_left W), then left) from m = 1/2, "
        "H(m) - E^(m), log sum_z exp(-E^(z)) and KL(m || p^), with E^(z) = E(z) - b·z - sum(c)",
        draw_mean_field,
        compute_mean_field,
        terms=mean_field_terms,
        row_axis=1,
    ),
    Quantity(
        "gibbs",
        "Sec. 2",
        "sweeps of block Gibbs sampling from given uniform numbers: the right side given the left, then the left given "
        "the right, each unit 1 if u < p, p = p(z_i = 1 | other side) when its turn comes",
        draw_gibbs,
        compute_gibbs,
        row_axis=1,
    ),
)
