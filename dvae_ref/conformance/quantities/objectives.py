"""Quantities of whole models: the bound of a small network and its gradient, a baseline and a structure at a time.

The structures are Table 1's, small: with one group and with four DVAE and DVAE++ have other formulas than with two.

zeta is given, as drawn: no sampler has to be shared. How zeta moves with q at fixed rho = CDF(zeta) (Eq. 9) is part
of the gradient; rho itself is an output.
"""

import functools
import itertools

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantities.given import given
from dvae_ref.conformance.quantities.smoothings import LAWS, LEAST, MOST, log_q_terms
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import STRUCTURES, Structure
from dvae_ref.theory.elementary import sigmoid

WIDTH, HIDDEN = 4, 3  # units a group and units a hidden layer
SMALL = {name: Structure(s.groups, WIDTH, (HIDDEN,) * len(s.hidden)) for name, s in STRUCTURES.items()}
IMAGES, PIXELS, SAMPLES = 4, 5, (1, 3)
BETAS = {"exp": 7.0, "unexp": 9.0, "power": 5.0, "gauss": 9.0, "gi": 10.0, "spike_exp": 5.0}


def method_of(inputs, baseline, structure):
    options = {"epsilon": float(inputs["epsilon"])} if "epsilon" in inputs else {}
    return methods.method(baseline, float(inputs["beta"]), structure.groups, **options)


def draw(rng, baseline, structure, k):
    hyper = draw_hyper(rng, baseline, k)
    mean_x = rng.uniform(0.1, 0.7, PIXELS)
    x = (rng.random((IMAGES, PIXELS)) < mean_x).astype(float)
    config = autoencoder.Config(structure, method_of(hyper, baseline, structure), k)
    params, statistics = autoencoder.init(rng, config, mean_x, np.float64)
    params = {name: skewed(rng, name, leaf) for name, leaf in tree.items(params)}
    params["rbm.W"] *= (0.8 if baseline == "dvaes_gi" else 2.0) * 2 / structure.groups  # with gi lam has to be beta
    params = trouble.in_networks(params, structure.groups)
    noise = Noise(*rng.uniform(0.02, 0.98, (2, IMAGES * k, structure.latents)))
    _, cache = autoencoder.objective(params_of(params, statistics, config), statistics, x, noise, config=config)
    zeta = at_hard_places(rng, cache.encoder.sample.zeta, baseline.split("_", 1)[1], k)
    return {"x": x, "mean_x": mean_x, "zeta": zeta, **hyper, **params}


def draw_hyper(rng, baseline, k):
    kind = baseline.split("_", 1)[1]
    hyper = {"beta": BETAS[kind] * rng.uniform(0.8, 1.2), "kappa": rng.uniform(0.3, 0.8), "k": k}
    hyper |= {"epsilon": 0.05} if kind == "unexp" else {}
    return hyper | ({"sweeps": 5} if baseline.startswith("dvaes") and kind != "gi" else {})


def at_hard_places(rng, zeta, kind, k):
    """Of two images the first sample in the middle, where the mean field converges slowly, and at the vertices."""
    zeta = _inside(zeta, kind)
    if kind != "spike_exp":
        zeta[0] = rng.uniform(0.3, 0.7, zeta[0].shape)
        zeta[k::k] = np.where(rng.random(zeta[k::k].shape) < 0.2, rng.uniform(0.3, 0.7, zeta[k::k].shape), zeta[k::k])
    zeta[2 * k] = rng.choice(trouble.ENDS, zeta[2 * k].shape)
    return zeta


def skewed(rng, name, leaf):
    if name == "rbm.W":
        return np.tanh(0.3 + rng.standard_normal(leaf.shape))
    if name == "posterior.s":
        return rng.uniform(0.7, 1.5, leaf.shape)
    scale = name.endswith("norm.scale")
    return rng.normal(1.0, 0.3, leaf.shape) if scale else rng.normal(0.1, 0.7, leaf.shape)


def _inside(zeta, kind):
    """Away from the ends of the interval, so that float32 holds zeta and 1 - zeta."""
    if kind == "spike_exp":
        return np.where(zeta > 0, zeta.clip(0.03, 0.97), 0)
    return zeta if kind in ("gauss", "gi") else zeta.clip(sigmoid(LEAST), sigmoid(MOST))


def params_of(named, statistics, config):
    like, _ = autoencoder.init(np.random.default_rng(0), config, statistics.mean_x)
    return tree.unflatten(like, [named[name] for name, _ in tree.items(like)])


def compute(inputs, baseline, structure, change=lambda method: method):
    """change(method) -> method: what a mistake does to posterior, prior or bound."""
    method = method_of(inputs, baseline, structure)
    method = change(method._replace(posterior=given(method.posterior)))
    config = autoencoder.Config(structure, method, int(inputs["k"]))
    x, dtype, kappa = inputs["x"], inputs["x"].dtype, float(inputs["kappa"])
    _, statistics = autoencoder.init(np.random.default_rng(0), config, inputs["mean_x"], dtype)
    params = params_of(inputs, statistics, config)
    noise = Noise(None, inputs["zeta"])
    bound, cache = autoencoder.objective(params, statistics, x, noise, config=config, kappa=kappa)
    negative = tree.map(lambda leaf: leaf.astype(dtype), exact.moments(params.rbm))
    mean = np.full(len(x), 1 / len(x), dtype)
    gradient = autoencoder.objective_backward(mean, cache, negative, config=config)
    sample = cache.encoder.sample
    return {
        "bound": bound - kappa * exact.log_z(params.rbm),
        "q": sigmoid(sample.logit_q),
        "rho": method.posterior.rho(sample, params.posterior),
        **{f"d_{name}": leaf for name, leaf in tree.items(gradient)},
    }


def about_networks(latent, statistics, structure):
    layers = {0: "", 1: f"dense, batch norm with {statistics} and 0.01 added to the variance, tanh, "}
    hidden = layers[min(len(structure.hidden), 1)] * len(structure.hidden)
    return (
        f"encoder.g is the network of group g: [x - mean_x, {latent} of earlier groups] -> {hidden}dense -> logit q; "
        f"decoder: {latent} -> logits of p(x|{latent}), to which logit(mean_x) is added. Row n = i K + k is "
        "sample k of image i. Left side of the machine: the first half of the units. "
    )


SPIKE = {
    False: "H(q) + a·q + q_left W q_right - log Z stands for minus the KL (one group: z does not depend on zeta)",
    True: "H(q) + a·q + z_left W z_right - log Z stands for minus the KL, with z = [zeta > 0] in all groups but the "
    "last and z = q in the last. d_rbm and what passes through q take these values as they are; for the left units, "
    "whose z jumps, it is the unbiased estimate d/dlogit q_i = ((a_i - logit q_i) (1 - q_i) + (J z)_i (1 - z_i)) q_i, "
    "for the right ones d/dlogit q_i = (a_i - logit q_i + (J z)_i) q_i (1 - q_i)",
}
PLUS = {
    False: "H(q) + a·q + q_left W q_right - log Z stands for minus the KL (one group: z does not depend on zeta)",
    True: "H(q) + a·q + nu_left W q_right - log Z stands for minus the KL, nu = q(z=1|x, zeta) = sigmoid(logit q + "
    "b(zeta))",
}


def terms_of(family, kind, several):
    if family != "dvaes":
        return {"dvae": SPIKE, "dvaepp": PLUS}[family][several]
    if kind != "gi":
        return "log p(zeta) as in log_p_overlapping (m held fixed), log q(zeta|x) as in log_q"
    return (
        "log p(zeta) as in log_p_gaussian_integral with lam = beta; q(zeta|x) is the mixture of N(shift, std^2) and "
        "N(1 + shift, std^2), the network's outputs being logit q of all units of the group, then raw of all, "
        "shift = (sigmoid(raw) - 1/2) / 2, std = |posterior.s| / 5 + 0.05"
    )


def of(baseline, structure_name, k):
    family, kind = baseline.split("_", 1)
    law = {**LAWS, "gi": "Gaussian integral", "spike_exp": "spike-and-exponential"}[kind]
    name = {"dvae": "DVAE", "dvaepp": "DVAE++", "dvaes": "DVAE#"}[family]
    bound = "importance-weighted bound of Eq. 3" if family == "dvaes" else "variational bound of Eq. 2, mean over K"
    structure = SMALL[structure_name]
    networks = about_networks("zeta", "the batch's mean and biased variance", structure)
    return Quantity(
        f"objective_{baseline}_{structure_name.replace('-layer-', '')}_k{k}",
        "Eq. 3" if family == "dvaes" else "Eq. 2",
        f"{name}, {law}, {structure_name}, K = {k}: the {bound}, log w = kappa (log p(zeta) - log q(zeta|x)) + "
        "log p(x|zeta) or with minus the KL, -kappa log Z included, of each image. "
        f"{terms_of(family, kind, structure.groups > 1)}. {networks}",
        functools.partial(draw, baseline=baseline, structure=structure, k=k),
        functools.partial(compute, baseline=baseline, structure=structure),
        "the mean of bound over the images (negative phase exact), zeta moving at fixed rho = CDF(zeta)",
        functools.partial(terms, baseline=baseline),
    )


def terms(inputs, baseline):
    """Of the bound: the likelihood, about a nat a pixel, and the densities of zeta, where they are in it."""
    family, kind = baseline.split("_", 1)
    densities = 0.0
    if kind == "gi":
        densities = 2 * float(inputs["beta"]) * np.sum(inputs["zeta"] ** 2, -1).max()
    elif family == "dvaes":
        densities = log_q_terms(inputs, kind)["log_q"].max()
    return {"bound": np.full(len(inputs["x"]), PIXELS + densities)}


QUANTITIES = tuple(of(*case) for case in itertools.product(methods.BASELINES, SMALL, SAMPLES))
