"""Quantities of whole models: the bound of a small network and its gradient, for each of the eight baselines.

zeta is given, as drawn: no sampler has to be shared. How zeta moves with q at fixed rho = CDF(zeta) (Eq. 9) is part
of the gradient; rho itself is an output.
"""

import functools

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.quantities.smoothings import LAWS, LEAST, MOST, log_q_terms, spike_rho, spike_slope
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model import autoencoder, methods, posteriors
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.theory import mixture
from dvae_ref.theory.elementary import sigmoid

STRUCTURE = Structure(groups=2, width=3, hidden=(5,))
IMAGES, PIXELS, K = 4, 7, 3
BETAS = {"exp": 7.0, "unexp": 9.0, "power": 5.0, "gauss": 9.0, "gi": 10.0, "spike_exp": 5.0}


class GivenMixture(posteriors.Mixture):
    """The mixture at a given zeta, which stands in the place of rho."""

    def draw(self, out, noise, extra=()):
        return self.Sample(out, self.smoothing.t(noise.rho), noise.rho)

    def rho(self, sample, extra):
        return mixture.cdf(sample.t, sample.logit_q, self.smoothing)


class GivenShiftedGaussian(posteriors.ShiftedGaussian):
    def draw(self, out, noise, extra):
        logit_q, raw = np.split(out, 2, -1)
        return self.Sample(logit_q, raw, noise.rho - 0.5 - (sigmoid(raw) - 0.5) / 2, noise.rho)

    def rho(self, sample, extra):
        return mixture.cdf(sample.t, sample.logit_q, self.smoothing(extra))


class GivenSpike(posteriors.SpikeExponential):
    def draw(self, out, noise, extra=()):
        return self.Sample(out, noise.rho)

    def draw_backward(self, d, sample, noise, extra=()):
        return d.logit_q + d.zeta * spike_slope(sample.zeta, self.beta) * sigmoid(-sample.logit_q), ()

    def rho(self, sample, extra):
        return spike_rho(sample.zeta, sigmoid(sample.logit_q), self.beta)


def given(posterior):
    """The posterior that takes zeta for its noise."""
    if isinstance(posterior, posteriors.Mixture):
        return GivenMixture(posterior.smoothing)
    return GivenSpike(posterior.beta) if isinstance(posterior, posteriors.SpikeExponential) else GivenShiftedGaussian()


def method_of(inputs, baseline):
    options = {"epsilon": float(inputs["epsilon"])} if "epsilon" in inputs else {}
    return methods.method(baseline, float(inputs["beta"]), STRUCTURE.groups, **options)


def draw(rng, baseline):
    kind = baseline.split("_", 1)[1]
    hyper = {"beta": BETAS[kind] * rng.uniform(0.8, 1.2), "kappa": rng.uniform(0.3, 0.8), "k": K}
    hyper |= {"epsilon": 0.05} if kind == "unexp" else {}
    hyper |= {"sweeps": 5} if baseline.startswith("dvaes") and kind != "gi" else {}
    mean_x = rng.uniform(0.1, 0.7, PIXELS)
    x = (rng.random((IMAGES, PIXELS)) < mean_x).astype(float)
    config = autoencoder.Config(STRUCTURE, method_of(hyper, baseline), K)
    params, statistics = autoencoder.init(rng, config, mean_x, np.float64)
    params = {name: skewed(rng, name, leaf) for name, leaf in tree.items(params)}
    params["rbm.W"] *= 0.8 if kind == "gi" else 2.0  # ||W|| <= 3 with gi: then its lam is beta
    noise = Noise(*rng.uniform(0.02, 0.98, (2, IMAGES * K, STRUCTURE.latents)))
    _, cache = autoencoder.objective(params_of(params, statistics, config), statistics, x, noise, config=config)
    zeta = _inside(cache.encoder.sample.zeta, kind)
    if kind != "spike_exp":  # the first sample of each image in the middle: there the mean field converges slowly
        zeta[::K] = rng.uniform(0.3, 0.7, zeta[::K].shape)
    return {"x": x, "mean_x": mean_x, "zeta": zeta, **hyper, **params}


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


def compute(inputs, baseline, change=lambda method: method):
    """change(method) -> method: what a mistake does to posterior, prior or bound."""
    method = method_of(inputs, baseline)
    method = change(method._replace(posterior=given(method.posterior)))
    config = autoencoder.Config(STRUCTURE, method, int(inputs["k"]))
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


def about_networks(latent, statistics):
    return (
        f"encoder.g is the network of group g: [x - mean_x, {latent} of earlier groups] -> dense, batch norm with "
        f"{statistics} and 0.01 added to the variance, tanh, dense -> logit q; decoder: {latent} -> logits of "
        f"p(x|{latent}), to which logit(mean_x) is added. Row n = i K + k is sample k of image i. Left side of the "
        "machine: the first half of the units. "
    )


NETWORKS = about_networks("zeta", "the batch's mean and biased variance")
SPIKE = (
    "H(q) + a·q + z_left W z_right - log Z stands for minus the KL, with z = [zeta > 0] in the first group and z = q "
    "in the last. d_rbm and what passes through q take these values as they are; for the first group, whose z jumps, "
    "it is the unbiased estimate d/dlogit q_i = ((a_i - logit q_i) (1 - q_i) + (J z)_i (1 - z_i)) q_i"
)
TERMS = {
    "dvae_spike": SPIKE,
    "dvaepp": "H(q) + a·q + nu_left W q_right - log Z stands for minus the KL, nu = q(z=1|x, zeta) = sigmoid(logit q + "
    "b(zeta))",
    "dvaes": "log p(zeta) as in log_p_overlapping (m held fixed), log q(zeta|x) as in log_q",
    "dvaes_gi": "log p(zeta) as in log_p_gaussian_integral with lam = beta; q(zeta|x) is the mixture of N(shift, "
    "std^2) and N(1 + shift, std^2), the network's outputs being logit q of all units of the group, then raw of all, "
    "shift = (sigmoid(raw) - 1/2) / 2, std = |posterior.s| / 5 + 0.05",
}


def of_baseline(baseline):
    family, kind = baseline.split("_", 1)
    law = {**LAWS, "gi": "Gaussian integral", "spike_exp": "spike-and-exponential"}[kind]
    name = {"dvae": "DVAE", "dvaepp": "DVAE++", "dvaes": "DVAE#"}[family]
    how = {"gi": "dvaes_gi", "spike_exp": "dvae_spike"}.get(kind, family)
    bound = "importance-weighted bound of Eq. 3" if family == "dvaes" else "variational bound of Eq. 2, mean over K"
    return Quantity(
        f"objective_{baseline}",
        "Eq. 3" if family == "dvaes" else "Eq. 2",
        f"{name}, {law}: the {bound}, log w = kappa (log p(zeta) - log q(zeta|x)) + log p(x|zeta) or with minus the "
        f"KL, -kappa log Z included, of each image. {TERMS[how]}. {NETWORKS}",
        functools.partial(draw, baseline=baseline),
        functools.partial(compute, baseline=baseline),
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


QUANTITIES = tuple(of_baseline(baseline) for baseline in methods.BASELINES)
