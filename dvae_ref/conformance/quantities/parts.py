"""Quantities that one has without a model: KL terms, free energy, Ising form, and what follows from chains.

They are what other packages compute: a free energy (scikit-learn, rbms), an Ising model (dimod, thrml), statistics of
chains for a gradient, AIS, population annealing. What is random in them is an input.

Where implementations part: DVAE's and DVAE++'s E[z_left z_right] (below); log(1 + e^x), which some cut at x = 10 and
others at 20; spins s = 2 z - 1, whose h, J and offset each have a factor 1/2 or 1/4; means and covariances; which log Z
the base of AIS has; tau that has the mean 1 or the sum 1.
"""

import functools

import numpy as np

from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantities.machines import ROWS, SIDE, draw_machine, draw_near, machine
from dvae_ref.conformance.quantities.smoothings import draw_sharpness, draw_zeta, smoothing_of
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model.baselines import BASELINES, LAWS
from dvae_ref.theory import joint
from dvae_ref.theory.boltzmann import conditional_left, conditional_right, energy, moments, split
from dvae_ref.theory.elementary import sigmoid, softplus

D = 2 * SIDE
STEP = 0.3  # of the inverse temperature
GROUPS = 2  # the left side is the first
PLUS_PLUS = tuple(b.law.name for b in BASELINES.values() if b.prior == "overlapping_joint")


def draw_logits(rng):
    """Ordinary rows of logit q, (rows, D), and two of known trouble: 12, -40, 40, -12 in turn, and the opposite."""
    logit_q = rng.normal(-0.3, 2, (ROWS, D))
    logit_q[-2:] = np.resize(trouble.LOGITS, (2, D)) * [[1], [-1]]
    return logit_q


def draw_kl(rng, kind):
    """A machine, logit q and zeta (rows, D), and the rows' weights; zeta of the last three rows at the vertices."""
    found = {**draw_machine(rng, SIDE, SIDE), "logit_q": draw_logits(rng), "cotangent": rng.normal(0.5, 1, ROWS)}
    if kind == "spike":
        zeta = np.where(rng.random((ROWS, D)) < 0.4, 0, rng.uniform(0.03, 1, (ROWS, D)))
        return found | {"zeta": zeta}
    found |= draw_sharpness(rng, kind)
    zeta = draw_zeta(rng, kind, found["beta"], (ROWS, D))
    zeta[-3:] = rng.choice(trouble.ENDS, (3, D))
    return found | {"zeta": zeta}


def compute_kl(inputs, kind, smoothing=None):
    """Minus the KL without log Z (Eq. 2), (rows,), nats: H(q) + a·q + nu_left W q_right, or z_left for nu_left;
    gradients.

    q on the right side depends on zeta of the left, so E[z_left z_right'] is no product of means. DVAE++ (overlapping
    kinds) puts nu = sigmoid(logit q + b(zeta)), the mean of z given zeta, for the left z; DVAE (kind "spike") knows
    z = [zeta > 0] itself, and its gradient in logit q is an unbiased estimate and not the derivative of the value,
    since z jumps where zeta leaves 0: automatic differentiation misses that. zeta and logit q are taken as independent.
    """
    rbm, logit_q, d = machine(inputs), inputs["logit_q"], inputs["cotangent"]
    if kind == "spike":
        value, cache = joint.spike_term(rbm, logit_q, inputs["zeta"], GROUPS)
        d_rbm, d_logit_q = joint.spike_term_backward(d, cache)
        return {"minus_kl": value, "d_logit_q": d_logit_q, "d_a": d_rbm.a, "d_W": d_rbm.W}
    smoothing = smoothing or smoothing_of(inputs, kind)
    t = smoothing.t(inputs["zeta"])
    b = smoothing.log_ratio(t)
    value, cache = joint.overlapping_term(rbm, logit_q, b, GROUPS)
    d_rbm, d_logit_q, _ = joint.overlapping_term_backward(d, cache, GROUPS)
    d_zeta = d[:, None] * slope_in_b(rbm, logit_q, b) * smoothing.d_log_ratio(t) / smoothing.d_zeta(t)
    return {"minus_kl": value, "d_logit_q": d_logit_q, "d_zeta": d_zeta, "d_a": d_rbm.a, "d_W": d_rbm.W}


def slope_in_b(rbm, logit_q, b):
    """d/db of nu_left W q_right: nu (1 - nu) would lose the digits of 1 - nu, which 1/(1 - zeta) brings back."""
    left, right = split(logit_q + b, rbm)
    d_left = sigmoid(left) * sigmoid(-left) * (sigmoid(split(logit_q, rbm)[1]) @ rbm.W.T)
    return np.concatenate([d_left, np.zeros_like(right)], -1)


def draw_states(rng, rows=ROWS):
    """A machine and states (rows, D), all 0 first."""
    z = (rng.random((rows, D)) < 0.4).astype(float)
    z[0] = 0
    return {**draw_machine(rng, SIDE, SIDE), "z": z}


def draw_free_energy(rng):
    """Two fields where log(1 + e^x) is cut in some libraries."""
    found = draw_states(rng)
    found["a"][-2:] = trouble.CUT
    return found


def compute_free_energy(inputs, log_sum=softplus):
    """Of the left side of z: what is on its right does not matter.

    F(left) = -log sum_right exp(-E) = -a_left·left - sum_j log(1 + e^field_j), (rows,), nats, and
    p_right = sigmoid(field), (rows, right). Fields of 12 and 22: who has x for log(1 + e^x) there is off by 6e-6 or
    3e-10, far above a rounding in float64.
    """
    rbm = machine(inputs)
    left, _ = split(inputs["z"], rbm)
    field = rbm.a_right + left @ rbm.W
    return {"free_energy": -(left @ rbm.a_left) - log_sum(field).sum(-1), "p_right": sigmoid(field)}


def compute_ising(inputs):
    """h = -a/2 - J 1/4 (D,), J = [[0, W], [W', 0]]; couplings -W/4; offset -sum(a)/2 - sum(W)/4; E(z) (rows,), nats.

    What z = (1 + s) / 2 makes of E: h·s + s_left J s_right + offset, the couplings (left, right), each pair once.
    """
    rbm = machine(inputs)
    a, W = rbm
    h = -a / 2 - np.concatenate([W.sum(1), W.sum(0)]) / 4
    return {"h": h, "J": -W / 4, "offset": -a.sum() / 2 - W.sum() / 4, "energy": energy(rbm, inputs["z"])}


def ising_terms(inputs):
    """Biases and couplings, which are added."""
    size = np.abs(inputs["a"]).sum() + np.abs(inputs["W"]).sum()
    return dict.fromkeys(("offset", "energy"), size)


def compute_negative_phase(inputs):
    """Means over chains of z and of z_left z_right', and of the latter what is not E[z_left] E[z_right]'.

    (D,), (left, right) and (left, right): the negative phase as it stands and as it is centred. The covariance is over
    chains, not over chains - 1.
    """
    rbm = machine(inputs)
    found = moments(rbm, inputs["z"])
    left, right = split(found.z, rbm)
    return {"mean_z": found.z, "mean_zz": found.zz, "covariance": found.zz - np.outer(left, right)}


def draw_ais(rng, temperatures=6, chains=5):
    """Given states of the left side before each step, as if they had been sampled: (steps, chains, left), and inverse
    temperatures t from 0 to 1.

    t_k = (k / steps)^2 is not even: who takes equal steps is seen.
    """
    found = draw_machine(rng, SIDE, SIDE)
    rbm, states = machine(found), [(rng.random((chains, SIDE)) < 0.5).astype(float)]
    for _ in range(temperatures - 2):
        right = rng.random((chains, SIDE)) < conditional_right(rbm, states[-1])
        left = rng.random((chains, SIDE)) < conditional_left(rbm, right)
        states.append(left.astype(float))
    return {**found, "left": np.stack(states), "t": np.linspace(0, 1, temperatures) ** 2}


def compute_ais(inputs):
    """log w = sum_k log f_{t_k}(left_k) - log f_{t_{k-1}}(left_k), (chains,); log Z = D log 2 + log mean w. Nats.

    log f_t(left) = t a_left·left + sum_j log(1 + e^(t field_j)): the right side is summed out, left_k is the state
    before step k, and both f of a step are taken at it. At t = 0 all 2^D states count alike, which is the D log 2.
    """
    rbm, left = machine(inputs), inputs["left"]
    linear, field = left @ rbm.a_left, rbm.a_right + left @ rbm.W

    def log_f(t):
        """Of the states before each step, at its own temperature t."""
        return t[:, None] * linear + softplus(t[:, None, None] * field).sum(-1)

    log_w = (log_f(inputs["t"][1:]) - log_f(inputs["t"][:-1])).sum(0)
    log_z = D * np.log(2) + np.logaddexp.reduce(log_w) - np.log(len(log_w))
    return {"log_w": log_w, "log_z": log_z}


def draw_population(rng, chains=400):
    """u is close to the fraction that it is compared with, in half of the chains."""
    energies = rng.normal(0, 2, chains)
    _, u = draw_near(rng, relative_weights(energies, STEP) % 1)
    return {"energies": energies, "step": STEP, "u": u}


def relative_weights(energies, step):
    """tau = exp(-step E) over its mean, (chains,)."""
    log_w = -step * energies
    return np.exp(log_w - np.logaddexp.reduce(log_w)) * len(log_w)


def compute_population(inputs):
    """log mean exp(-step E), nats, tau (chains,), and floor(tau) + [u < tau - floor(tau)] copies of each.

    tau has the mean 1, so the population keeps its size on average. Copies have to agree exactly; u is chosen as in
    `machines.draw_near`.
    """
    tau = relative_weights(inputs["energies"], inputs["step"])
    log_mean = np.logaddexp.reduce(-inputs["step"] * inputs["energies"]) - np.log(len(tau))
    copies = np.floor(tau) + (inputs["u"] < tau % 1)
    return {"log_mean_weight": log_mean, "tau": tau, "copies": copies.astype(np.uint8)}


WITHOUT_LOG_Z = "log Z is not in it. Left units are the first group, right units the last"
QUANTITIES = (
    *(
        Quantity(
            f"kl_dvaepp_{kind}",
            "Eq. 2",
            f"DVAE++, {LAWS[kind].adjective}: minus the KL of two groups as H(q) + a·q + nu_left W q_right, "
            f"nu = sigmoid(logit q + b(zeta)). {WITHOUT_LOG_Z}; zeta and logit q are taken as independent",
            functools.partial(draw_kl, kind=kind),
            functools.partial(compute_kl, kind=kind),
            "sum(cotangent * minus_kl)",
        )
        for kind in PLUS_PLUS
    ),
    Quantity(
        "kl_dvae",
        "Eq. 2",
        "DVAE: minus the KL of two groups as H(q) + a·q + z_left W q_right, z = [zeta > 0]. The gradient is the "
        "unbiased estimate: of a left logit q_i, whose z jumps, ((a_i - logit q_i) (1 - q_i) + (J z)_i (1 - z_i)) q_i "
        f"with z = q on the right; of a right one that of the value. {WITHOUT_LOG_Z}",
        functools.partial(draw_kl, kind="spike"),
        functools.partial(compute_kl, kind="spike"),
        "sum(cotangent * minus_kl), the left units' jumps as the meaning says",
    ),
    Quantity(
        "free_energy",
        "Sec. 2",
        "-log sum over the right side of exp(-E(z)), given the left side of z, and p(z_right = 1 | left)",
        draw_free_energy,
        compute_free_energy,
    ),
    Quantity(
        "ising",
        "Sec. 2",
        "the machine in spins s = 2 z - 1: E(z) = h·s + s_left J s_right + offset, and E(z) itself",
        draw_states,
        compute_ising,
        terms=ising_terms,
    ),
    Quantity(
        "negative_phase",
        "Sec. 2",
        "d log Z / d(a, W) from given chains z: means of z and of z_left z_right', and their covariance (centred)",
        functools.partial(draw_states, rows=20),
        compute_negative_phase,
    ),
    Quantity(
        "ais_weights",
        "Sec. 4",
        "annealed importance sampling from the uniform distribution, the right side summed out: log w = sum_k "
        "log f_{t_k}(left_k) - log f_{t_{k-1}}(left_k), log f_t(left) = t a_left·left + sum_j log(1 + exp(t field_j)), "
        "and log Z = units x log 2 + log mean w",
        draw_ais,
        compute_ais,
    ),
    Quantity(
        "population_annealing",
        "Sec. 4",
        "a step of the inverse temperature: the log of the mean weight exp(-step E), tau = weight over mean weight, "
        "and copies = floor(tau) + [u < tau - floor(tau)] of each member",
        draw_population,
        compute_population,
    ),
)
