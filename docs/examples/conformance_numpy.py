"""An implementation of the paper to be checked, in plain NumPy: python conformance_numpy.py KIT THEIRS

It reads the inputs of a kit (`python -m dvae_ref conformance export KIT`), computes every quantity by the paper's
formulas, as they stand, with zeta and probabilities, and writes its outputs to THEIRS, for `conformance check KIT
THEIRS` to judge. Nothing of dvae_ref is used. Replace the formulas by calls of your own code.

Gradients are complex steps: f(x + ih) = f(x) + ih f'(x) with h = 1e-30 is exact to the last digit, and every formula
below is analytic. What is not to be differentiated is taken by its real part.
"""

import itertools
import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np

STEP = 1e-30


def gradients(f, arrays):
    """{"d_name": gradient} of the number f(arrays) in each of the named arrays."""
    found = {}
    for name, array in arrays.items():
        found[f"d_{name}"] = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[index] += STEP * 1j
            found[f"d_{name}"][index] = f(arrays | {name: moved}).imag / STEP
    return found


def fixed(x):
    """What the gradient does not act on."""
    return np.real(x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logsumexp(x, axis=-1):
    peak = fixed(x).max(axis, keepdims=True)
    return np.squeeze(peak, axis) + np.log(np.sum(np.exp(x - peak), axis))


def normal_cdf(x):
    """Phi(x); along the imaginary axis its tangent, which is all that a complex step sees."""
    value = np.vectorize(math.erfc)(-fixed(x) / math.sqrt(2)) / 2
    return value + 1j * np.imag(x) * np.exp(-(fixed(x) ** 2) / 2) / math.sqrt(2 * math.pi)


# -- the Boltzmann machine -----------------------------------------------------------------------------------------


def energy(a, W, z):
    """E(z) = -a·z - z_left W z_right."""
    left, right = z[..., : len(W)], z[..., len(W) :]
    return -(z @ a) - np.sum((left @ W) * right, -1)


def states(d):
    return np.array(list(itertools.product([0.0, 1.0], repeat=d)))


def log_z(a, W):
    """The right side summed by hand: of a right unit there remains 1 + exp(its field)."""
    left, n = states(len(W)), len(W)
    return logsumexp(left @ a[:n] + np.sum(np.log(1 + np.exp(a[n:] + left @ W)), -1))


def times_log(p):
    return p * np.log(p + (p == 0))


def entropy(p, rest):
    """Of probabilities p and 1 - p, given both: near 1 it is not to be had from p alone."""
    return -np.sum(times_log(p) + times_log(rest), -1)


def mean_field(a, W, b, sweeps):
    """m after alternating sweeps from 1/2, the right side first."""
    n = len(W)
    left, right = np.full_like(b[:, :n], 0.5), np.full_like(b[:, n:], 0.5)
    for _ in range(sweeps):
        right = sigmoid(a[n:] + b[:, n:] + left @ W)
        left = sigmoid(a[:n] + b[:, :n] + right @ W.T)
    return np.concatenate([left, right], 1)


def lower_bound(a, W, b, c, m):
    """H(m) - E^(m) (Eq. 6)."""
    return entropy(m, 1 - m) - energy(a, W, m) + np.sum(b * m + c, -1)


def answer_energy(i):
    found = gradients(lambda v: np.sum(i["cotangent"] * energy(v["a"], v["W"], v["z"])), take(i, "a", "W", "z"))
    return {"energy": energy(i["a"], i["W"], i["z"]), **found}


def answer_log_z(i):
    z, n = states(len(i["a"])), len(i["W"])
    log_weights = -energy(i["a"], i["W"], z)
    total = logsumexp(log_weights)
    p = np.exp(log_weights - total)
    return {"log_z": total, "mean_z": p @ z, "mean_zz": (z[:, :n] * p[:, None]).T @ z[:, n:]}


def answer_general_machine(i):
    def value(z):
        return -(z @ i["a"]) - np.sum((z @ i["J"]) * z, -1) / 2

    z = states(len(i["a"]))
    total = logsumexp(-value(z))
    return {"energy": value(i["z"]), "log_z": total, "mean_z": np.exp(-value(z) - total) @ z}


def answer_mean_field(i):
    a, W, b, c = (i[name] for name in "aWbc")
    z = states(len(a))
    log_partition = logsumexp(-energy(a, W, z) + b @ z.T + c.sum(1)[:, None])
    m = np.stack([mean_field(a, W, b, n) for n in i["sweeps"]])
    bound = lower_bound(a, W, b, c, m)
    return {"m": m, "lower_bound": bound, "log_partition": log_partition, "kl": log_partition - bound}


def answer_gibbs(i):
    a, W, n = i["a"], i["W"], len(i["W"])
    left, chances, after = i["z"][:, :n], [], []
    for u in i["u"]:
        p_right = sigmoid(a[n:] + left @ W)
        right = 1.0 * (u[:, n:] < p_right)
        p_left = sigmoid(a[:n] + right @ W.T)
        left = 1.0 * (u[:, :n] < p_left)
        chances.append(np.concatenate([p_left, p_right], 1))
        after.append(np.concatenate([left, right], 1))
    return {"p": np.stack(chances), "z_after": np.stack(after)}


# -- smoothing -----------------------------------------------------------------------------------------------------


def density(kind, zeta, z, beta, epsilon=0.0):
    """r(zeta|z), Eqs. 1 and 10 and Sec. 3.3."""
    if kind == "gauss":
        return np.sqrt(beta / (2 * np.pi)) * np.exp(-beta * (zeta - z) ** 2 / 2)
    if kind == "logistic":
        return beta * sigmoid(beta * (zeta - z)) * sigmoid(-beta * (zeta - z))
    distance = 1 - zeta if z else zeta
    if kind == "power":
        return distance ** (1 / beta - 1) / beta
    return (1 - epsilon) * beta * np.exp(-beta * distance) / (1 - np.exp(-beta)) + epsilon


def distribution(kind, zeta, z, beta, epsilon=0.0):
    """R(zeta|z)."""
    if kind == "gauss":
        return normal_cdf(np.sqrt(beta) * (zeta - z))
    if kind == "logistic":
        return sigmoid(beta * (zeta - z))
    if z:
        return 1 - distribution(kind, 1 - zeta, 0, beta, epsilon)
    if kind == "power":
        return zeta ** (1 / beta)
    return (1 - epsilon) * (1 - np.exp(-beta * zeta)) / (1 - np.exp(-beta)) + epsilon * zeta


def mixture(kind, zeta, weights, *law):
    """Density and CDF of (1 - q) r(zeta|0) + q r(zeta|1), weights (1 - q, q); of spike-and-exponential, above the
    spike."""
    if kind == "spike":
        rest, q = weights
        return q * density("exp", zeta, 1, *law), rest + q * distribution("exp", zeta, 1, *law)
    return tuple(sum(w * f(kind, zeta, z, *law) for z, w in enumerate(weights)) for f in (density, distribution))


def quantile(kind, q, rho, *law):
    """zeta at which the CDF is rho (Eq. 8), by bisection; 0 where rho is on the spike."""
    low, high = (np.full(q.shape, end) for end in ((-9.0, 10.0) if kind in ("gauss", "logistic") else (0.0, 1.0)))
    for _ in range(80):
        middle = (low + high) / 2
        below = fixed(mixture(kind, middle, (1 - q, q), *law)[1]) < rho
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def law_of(i):
    return tuple(float(i[name]) for name in ("beta", "epsilon") if name in i)


def answer_smoothing(kind, i):
    zeta, q, law = i["zeta"], i["q"], law_of(i)
    off_spike = (zeta > 0) | (kind != "spike")
    slope, cdf = (fixed(part) for part in mixture(kind, zeta, (1 - q, q), *law))
    moved = mixture(kind, zeta, (1 - q, q), law[0] + STEP * 1j, *law[1:])[1].imag / STEP
    R0, R1 = (fixed(distribution("exp" if kind == "spike" else kind, zeta, z, *law)) for z in (0, 1))
    R0 = np.ones_like(zeta) if kind == "spike" else R0
    log_r0, log_r1 = (np.log(density("exp" if kind == "spike" else kind, zeta, z, *law)) for z in (0, 1))
    found = {"log_r1": log_r1, "cdf1": R1, "cdf": cdf, "quantile": quantile(kind, q, i["rho"], *law)}
    found |= {"d_zeta_d_q": off_spike * (R0 - R1) / slope, "d_zeta_d_beta": off_spike * -moved / slope}
    return found if kind == "spike" else {"log_r0": log_r0, "cdf0": R0, "b": log_r1 - log_r0, "c": log_r0, **found}


def answer_log_q(kind, i):
    def log_q(v):
        weights = (1 - v["q"], v["q"])
        return np.sum(np.log(mixture(kind, v["zeta"], weights, *law_of(i))[0]), -1)

    inputs = take(i, "q", "zeta")
    return {"log_q": log_q(inputs), **gradients(lambda v: np.sum(i["cotangent"] * log_q(v)), inputs)}


# -- the relaxed priors --------------------------------------------------------------------------------------------


def log_p_overlapping(kind, a, W, zeta, law, sweeps):
    """log p(zeta) + log Z by mean field, m held fixed (Eqs. 4 to 6)."""
    c = np.log(density(kind, zeta, 0, *law))
    b = np.log(density(kind, zeta, 1, *law)) - c
    return lower_bound(a, W, b, c, mean_field(fixed(a), fixed(W), fixed(b), sweeps))


def log_p_gaussian_integral(a, W, zeta, lam):
    """log p(zeta) + log Z, Eq. 7."""
    J = np.block([[np.zeros((len(W), len(W))), W], [W.T, np.zeros((W.shape[1], W.shape[1]))]])
    precision = J + lam * np.eye(len(a))
    sign, log_abs = np.linalg.slogdet(precision / (2 * np.pi))
    log_det = np.log(sign) + log_abs
    field = zeta @ precision
    return 0.5 * log_det - 0.5 * np.sum(field * zeta, -1) + np.sum(np.log(1 + np.exp(field + a - 0.5 * lam)), -1)


def answer_log_p(log_p, i):
    def value(v):
        return log_p(v["a"], v["W"], v["zeta"])

    inputs = take(i, "zeta", "a", "W")
    return {"log_p": value(inputs), **gradients(lambda v: np.sum(i["cotangent"] * value(v)), inputs)}


def answer_overlapping(kind, i):
    return answer_log_p(lambda *v: log_p_overlapping(kind, *v, law_of(i), i["sweeps"]), i)


def answer_gaussian_integral(i):
    return answer_log_p(lambda *v: log_p_gaussian_integral(*v, i["lam"]), i)


# -- bounds --------------------------------------------------------------------------------------------------------


def importance_weighted(log_w):
    """Eq. 3."""
    return logsumexp(log_w) - np.log(log_w.shape[-1])


def variational(log_w):
    """Eq. 2, averaged over the samples."""
    return np.mean(log_w, -1)


def answer_bound(bound, i):
    def value(v):
        log_ratio = v["log_p"] - v["log_q"] if "log_p" in v else v["minus_kl"]
        return bound(i["kappa"] * log_ratio + v["log_px"])

    inputs = {name: array for name, array in i.items() if name != "kappa"}
    return {"bound": value(inputs), **gradients(lambda v: np.mean(value(v)), inputs)}


# -- whole models --------------------------------------------------------------------------------------------------


def network(v, name, x, averages=False):
    """Dense, batch norm, tanh for each hidden layer, dense; batch norm by the statistics of the batch, or by the moving
    averages."""
    for layer in itertools.takewhile(lambda layer: f"{layer}.dense.kernel" in v, hidden_layers(name)):
        x = x @ v[f"{layer}.dense.kernel"] + v[f"{layer}.dense.bias"]
        mean = v[f"{layer}.norm.mean"] if averages else np.mean(x, 0)
        variance = v[f"{layer}.norm.variance"] if averages else np.mean((x - mean) ** 2, 0)
        x = (x - mean) / np.sqrt(variance + 0.01)
        x = np.tanh(x * v[f"{layer}.norm.scale"] + v[f"{layer}.norm.offset"])
    return x @ v[f"{name}.out.kernel"] + v[f"{name}.out.bias"]


def hidden_layers(name):
    return (f"{name}.hidden.{n}" for n in itertools.count())


def groups_of(v, d):
    """The units of each group, as slices."""
    number = sum(f"encoder.{g}.out.kernel" in v for g in range(d))
    return [slice(g * d // number, (g + 1) * d // number) for g in range(number)]


def posterior(kind, out, zeta, beta, epsilon, s):
    """q and 1 - q, density and CDF of q(zeta|x); of the shifted Gaussians by their own mean and precision."""
    logit, raw = out[:, : zeta.shape[1]], out[:, zeta.shape[1] :]
    q, rest = sigmoid(logit), sigmoid(-logit)
    if kind == "gi":
        return q, rest, *mixture("gauss", zeta - (sigmoid(raw) - 0.5) / 2, (rest, q), (np.sqrt(s * s) / 5 + 0.05) ** -2)
    return q, rest, *mixture({"spike_exp": "spike"}.get(kind, kind), zeta, (rest, q), beta, *epsilon)


def encode(kind, v, x, zeta, law):
    """zeta as it moves at fixed CDF (Eqs. 8, 9), q, 1 - q, CDF and density, group by group."""
    moved, parts = np.zeros((len(x), 0)), []
    for g, own in enumerate(groups_of(v, zeta.shape[1])):
        out = network(v, f"encoder.{g}", np.concatenate([x, moved], 1))
        s = v["posterior.s"][own] if kind == "gi" else None
        q, rest, slope, cdf = posterior(kind, out, zeta[:, own], law[0], law[1:], s)
        slide = 1j * np.imag(cdf) / fixed(slope) * ((zeta[:, own] > 0) | (kind != "spike_exp"))
        here = zeta[:, own] - slide
        parts.append((here, q, rest, cdf, posterior(kind, out, here, law[0], law[1:], s)[2]))
        moved = np.concatenate([moved, here], 1)
    return [np.concatenate(part, 1) for part in zip(*parts, strict=True)]


def prior_term(family, kind, v, zeta, q, rest, slope, law):
    """log p(zeta) - log q(zeta|x), or minus the KL term, without log Z."""
    a, W = v["rbm.a"], v["rbm.W"]
    n, groups = len(W), groups_of(v, len(a))
    if family == "dvaes":
        overlapping = partial(log_p_overlapping, kind, law=law, sweeps=5)
        log_p = partial(log_p_gaussian_integral, lam=law[0]) if kind == "gi" else overlapping
        return log_p(a, W, zeta) - np.sum(np.log(slope), -1)
    left, right = q[:, :n], q[:, n:]
    if family == "dvaepp" and len(groups) > 1:
        left = (q * density(kind, zeta, 1, *law) / slope)[:, :n]
    if family == "dvae":  # z jumps with q, but for the last group's: the unbiased estimate of the manifest
        z = np.where(np.arange(len(a)) < groups[-1].start, fixed(zeta) > 0, fixed(q))
        left = z[:, :n] + ((1 - z) / fixed(rest) * (q - fixed(q)))[:, :n]
        right = (z + q - fixed(q))[:, n:]
    return entropy(q, rest) + q @ a + np.sum((left @ W) * right, -1)


def log_likelihood(x, out, mean_x):
    """log p(x|zeta) of the decoder's outputs."""
    logits = out + np.log(mean_x / (1 - mean_x))
    return np.sum(x * logits - np.log(1 + np.exp(logits)), 1)


def model(baseline, i, v):
    """The bound of each image, q, and CDF(zeta)."""
    family, kind = BASELINES[baseline]
    law, k = law_of(i), int(i["k"])
    x = np.repeat(i["x"], k, axis=0)
    zeta, q, rest, cdf, slope = encode(kind, v, x - i["mean_x"], i["zeta"], law)
    term = prior_term(family, kind, v, zeta, q, rest, slope, law) - log_z(v["rbm.a"], v["rbm.W"])
    log_px = log_likelihood(x, network(v, "decoder", zeta), i["mean_x"])
    log_w = (i["kappa"] * term + log_px).reshape(-1, k)
    return importance_weighted(log_w) if family == "dvaes" else variational(log_w), q, cdf


def answer_objective(baseline, i):
    parameters = {name: array for name, array in i.items() if "." in name}
    bound, q, rho = (fixed(part) for part in model(baseline, i, parameters))
    return {"bound": bound, "q": q, "rho": rho, **gradients(lambda v: np.mean(model(baseline, i, v)[0]), parameters)}


def answer_log_w_discrete(i):
    """The model of binary z that Table 1 measures: drawn group by group."""
    k = int(i["k"])
    x, z, log_q = np.repeat(i["x"], k, axis=0), np.zeros((len(i["u"]), 0)), 0.0
    for g, own in enumerate(groups_of(i, i["u"].shape[1])):
        logit = network(i, f"encoder.{g}", np.concatenate([x - i["mean_x"], z], 1), averages=True)
        drawn = 1.0 * (i["u"][:, own] < sigmoid(logit))
        log_q = log_q + np.sum(drawn * np.log(sigmoid(logit)) + (1 - drawn) * np.log(sigmoid(-logit)), 1)
        z = np.concatenate([z, drawn], 1)
    log_px = log_likelihood(x, network(i, "decoder", z, averages=True), i["mean_x"])
    log_w = (-energy(i["rbm.a"], i["rbm.W"], z) - i["log_z"] - log_q + log_px).reshape(-1, k)
    return {"z_drawn": z, "log_q_z": log_q, "log_w": log_w, "log_p_x": importance_weighted(log_w)}


def answer_bound_discrete(i):
    log_w = i["log_w"] - i["log_z"]
    log_p_x = np.stack([importance_weighted(log_w[:, :k]) for k in i["samples"]])
    return {"log_p_x": log_p_x, "nll": -log_p_x.mean(1)}


def minus_kl(kind, i, v):
    """DVAE++ and DVAE in two groups, without log Z."""
    n, q, rest = len(v["W"]), sigmoid(v["logit_q"]), sigmoid(-v["logit_q"])
    if kind == "spike":
        up = 1.0 * (i["zeta"] > 0)
        left = (up + (1 - up) / fixed(rest) * (q - fixed(q)))[:, :n]
    else:
        r0, r1 = (density(kind, v["zeta"], z, *law_of(i)) for z in (0, 1))
        left = (q / (q + rest * r0 / r1))[:, :n]
    return entropy(q, rest) + q @ v["a"] + np.sum((left @ v["W"]) * q[:, n:], -1)


def answer_kl(kind, i):
    moving = ("logit_q", "a", "W") if kind == "spike" else ("logit_q", "zeta", "a", "W")
    found = gradients(lambda v: np.sum(i["cotangent"] * minus_kl(kind, i, v)), take(i, *moving))
    return {"minus_kl": fixed(minus_kl(kind, i, i)), **found}


def answer_own_networks(baseline, i):
    """The bound of given logits and zeta, log Z a number."""
    family, kind = BASELINES[baseline]

    def prior(v):
        if family != "dvaes":
            return minus_kl("spike" if family == "dvae" else kind, i, v)
        weights = sigmoid(-v["logit_q"]), sigmoid(v["logit_q"])
        log_q = np.sum(np.log(mixture(kind, v["zeta"], weights, *law_of(i))[0]), -1)
        return log_p_overlapping(kind, v["a"], v["W"], v["zeta"], law_of(i), int(i["sweeps"])) - log_q

    def bound(v):
        x, k = np.repeat(i["x"], int(i["k"]), axis=0), int(i["k"])
        log_px = np.sum(x * v["logits"] - np.log(1 + np.exp(v["logits"])), 1)
        log_w = (i["kappa"] * (prior(v) - i["log_z"]) + log_px).reshape(-1, k)
        return importance_weighted(log_w) if family == "dvaes" else variational(log_w)

    moving = ("logit_q", "logits", "a", "W") if family == "dvae" else ("logit_q", "zeta", "logits", "a", "W")
    return {"bound": fixed(bound(i)), **gradients(lambda v: np.mean(bound(v)), take(i, *moving))}


def answer_free_energy(i):
    a, W, n = i["a"], i["W"], len(i["W"])
    left, right = i["z"][:, :n], states(W.shape[1])
    every = np.stack([energy(a, W, np.concatenate([np.tile(row, (len(right), 1)), right], 1)) for row in left])
    p = np.exp(-every - logsumexp(-every)[:, None])
    return {"free_energy": -logsumexp(-every), "p_right": p @ right}


def answer_ising(i):
    """h, J and offset from the energies of states: all spins down, one turned, two turned."""
    a, W, n, d = i["a"], i["W"], len(i["W"]), len(i["a"])
    one = np.eye(d)
    e0, e1 = energy(a, W, np.zeros(d)), energy(a, W, one)
    J = (
        np.array([[energy(a, W, one[k] + one[n + j]) - e1[k] - e1[n + j] + e0 for j in range(d - n)] for k in range(n)])
        / 4
    )
    h = (e1 - e0) / 2 + np.concatenate([J.sum(1), J.sum(0)])
    return {"h": h, "J": J, "offset": e0 + h.sum() - J.sum(), "energy": energy(a, W, i["z"])}


def answer_negative_phase(i):
    n, z = len(i["W"]), i["z"]
    mean, products = z.mean(0), np.mean(z[:, :n, None] * z[:, None, n:], 0)
    centred = z - mean
    return {"mean_z": mean, "mean_zz": products, "covariance": np.mean(centred[:, :n, None] * centred[:, None, n:], 0)}


def answer_ais_weights(i):
    a, W, n, log_w = i["a"], i["W"], len(i["W"]), 0.0
    for left, before, now in zip(i["left"], i["t"][:-1], i["t"][1:], strict=True):
        log_f = [t * left @ a[:n] + np.sum(np.log(1 + np.exp(t * (a[n:] + left @ W))), 1) for t in (before, now)]
        log_w = log_w + log_f[1] - log_f[0]
    return {"log_w": log_w, "log_z": len(a) * np.log(2) + np.log(np.mean(np.exp(log_w)))}


def answer_population_annealing(i):
    w = np.exp(-i["step"] * i["energies"])
    tau = w / w.mean()
    return {"log_mean_weight": np.log(w.mean()), "tau": tau, "copies": np.floor(tau) + (i["u"] < tau - np.floor(tau))}


def answer_adam(i):
    m = i["beta1"] * i["m"] + (1 - i["beta1"]) * i["g"]
    v = i["beta2"] * i["v"] + (1 - i["beta2"]) * i["g"] ** 2
    rate = i["learning_rate"] * np.sqrt(1 - i["beta2"] ** i["iteration"]) / (1 - i["beta1"] ** i["iteration"])
    return {"p_after": i["p"] - rate * m / (np.sqrt(v) + i["adam_epsilon"]), "m_after": m, "v_after": v}


# -- the kit -------------------------------------------------------------------------------------------------------

BASELINES = {  # name: family, smoothing
    "dvae_spike_exp": ("dvae", "spike_exp"),
    "dvaepp_exp": ("dvaepp", "exp"),
    "dvaepp_power": ("dvaepp", "power"),
    "dvaes_gi": ("dvaes", "gi"),
    "dvaes_gauss": ("dvaes", "gauss"),
    "dvaes_exp": ("dvaes", "exp"),
    "dvaes_unexp": ("dvaes", "unexp"),
    "dvaes_power": ("dvaes", "power"),
}
STRUCTURES = ("1lin", "1nonlin", "2nonlin", "4nonlin")
KINDS = ("exp", "unexp", "power", "gauss", "logistic")
ANSWERS = {
    **{"energy": answer_energy, "log_z": answer_log_z, "mean_field": answer_mean_field, "gibbs": answer_gibbs},
    **{f"smoothing_{kind}": partial(answer_smoothing, kind) for kind in (*KINDS, "spike")},
    **{f"log_q_{kind}": partial(answer_log_q, kind) for kind in KINDS},
    **{f"log_p_overlapping_{kind}": partial(answer_overlapping, kind) for kind in KINDS},
    "general_machine": answer_general_machine,
    "log_p_gaussian_integral": answer_gaussian_integral,
    "bound_importance_weighted": partial(answer_bound, importance_weighted),
    "bound_variational": partial(answer_bound, variational),
    **{
        f"objective_{baseline}_{structure}_k{k}": partial(answer_objective, baseline)
        for baseline, structure, k in itertools.product(BASELINES, STRUCTURES, (1, 3))
    },
    **{"kl_dvae": partial(answer_kl, "spike"), "kl_dvaepp_exp": partial(answer_kl, "exp")},
    **{"kl_dvaepp_power": partial(answer_kl, "power"), "free_energy": answer_free_energy, "ising": answer_ising},
    **{"negative_phase": answer_negative_phase, "ais_weights": answer_ais_weights},
    "population_annealing": answer_population_annealing,
    **{
        f"own_networks_{baseline}": partial(answer_own_networks, baseline)
        for baseline in ("dvaes_power", "dvaepp_power", "dvae_spike_exp")
    },
    "log_w_discrete": answer_log_w_discrete,
    "bound_discrete": answer_bound_discrete,
    "adam": answer_adam,
}


def take(arrays, *names):
    return {name: arrays[name] for name in names}


def answer(kit, name):
    """The outputs for the inputs in the kit's file."""
    manifest = json.loads((Path(kit) / "manifest.json").read_text())
    (entry,) = (entry for entry in manifest["quantities"] if entry["name"] == name)
    with np.load(Path(kit) / entry["file"]) as file:
        inputs = {array["name"]: file[array["name"]] for array in entry["arrays"] if array["role"] == "input"}
    return {name: fixed(value) for name, value in ANSWERS[name](inputs).items()}


def main(kit, theirs):
    Path(theirs).mkdir(parents=True, exist_ok=True)
    for name in ANSWERS:
        np.savez(Path(theirs) / f"{name}.npz", **answer(kit, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
