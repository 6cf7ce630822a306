"""Quantities of whole models: the bound of a small network and its gradient, a baseline and a structure at a time.

The structures are Table 1's, small: with one group and with four DVAE and DVAE++ have other formulas than with two.

zeta is given, as drawn: no sampler has to be shared. How zeta moves with q at fixed rho = CDF(zeta) (Eq. 9) is part of
the gradient; rho itself is an output.

The outputs say how far a model is right, in the order in which it is computed: q (rows, D) is the encoder's alone, rho
the posterior's, bound (images,), in nats with -kappa log Z, all that is forward, and the gradients the way back. A
verdict says where to begin.

Where implementations part: batch norm's 0.01 and its biased variance; x - mean_x at the encoder and logit(mean_x) at
the decoder; samples repeated or tiled; zeta of earlier groups beside x; kappa and where it stands; Eq. 9 left out, or
in q for logit q; m differentiated; the negative phase.
"""

import functools
import itertools

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.quantities import cancelling, trouble
from dvae_ref.conformance.quantities.given import given
from dvae_ref.conformance.quantities.smoothings import LEAST, MOST, log_q_terms, share_of_uniform
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model import autoencoder, methods, posteriors, priors
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import STRUCTURES, Structure
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mirror import UnitInterval

WIDTH, HIDDEN = 4, 3  # units a group and units a hidden layer
SMALL = {name: Structure(s.groups, WIDTH, (HIDDEN,) * len(s.hidden)) for name, s in STRUCTURES.items()}
IMAGES, PIXELS, SAMPLES = 4, 5, (1, 3)


def method_of(inputs, baseline, structure):
    """The method of a column of Table 1, with the inputs' beta and epsilon."""
    options = {"epsilon": float(inputs["epsilon"])} if "epsilon" in inputs else {}
    return methods.method(baseline, float(inputs["beta"]), structure.groups, **options)


def draw(rng, baseline, structure, k):
    """Images, the mean image, zeta (images K, D) as drawn and at hard places, and all parameters by name.

    Every parameter is random, since a fresh model hides mistakes: scales of 1, offsets of 0 and an s of 1 are right
    whether they are used or not. Logits of q of about 12, -40, 40 and -12 (of one group the last two) and of pixels of
    about ±25 come from the last layers' biases.
    """
    hyper = draw_hyper(rng, baseline, k)
    method = method_of(hyper, baseline, structure)
    mean_x = rng.uniform(0.1, 0.7, PIXELS)
    x = draw_images(rng, IMAGES)
    config = autoencoder.Config(structure, method, k)
    params, statistics = autoencoder.init(rng, config, mean_x, np.float64)
    params = {name: skewed(rng, name, leaf) for name, leaf in tree.items(params)}
    integral = isinstance(method.prior, priors.GaussianIntegral)  # whose lam has to be beta
    params["rbm.W"] *= (0.8 if integral else 2.0) * 2 / structure.groups
    params = trouble.in_decoder(trouble.in_networks(params, structure.groups), x)
    noise = Noise(*rng.uniform(0.02, 0.98, (2, IMAGES * k, structure.latents)))
    _, cache = autoencoder.objective(params_of(params, statistics, config), statistics, x, noise, config=config)
    zeta = at_hard_places(rng, cache.encoder.sample.zeta, method.posterior, k)
    return {"x": x, "mean_x": mean_x, "zeta": zeta, **hyper, **params}


def draw_images(rng, number):
    """No two alike: batch norm takes away what all images share, and layers behind it would get no gradient."""
    codes = rng.choice(2**PIXELS, number, replace=False)
    return (codes[:, None] >> np.arange(PIXELS) & 1).astype(float)


def draw_hyper(rng, baseline, k):
    """beta, kappa, K, epsilon and the number of sweeps."""
    record = BASELINES[baseline]
    hyper = {"beta": record.law.tried_in_models * rng.uniform(0.8, 1.2), "kappa": rng.uniform(0.3, 0.8), "k": k}
    hyper |= share_of_uniform(record.law.name)
    if record.prior == "relaxed":
        hyper["sweeps"] = 5
    return hyper


def at_hard_places(rng, zeta, posterior, k):
    """Of two images the first sample in the middle, where the mean field converges slowly, and at the vertices.

    Image 0's is 0.3 to 0.7 in all units, where b is small; so is a fifth of the units of every other image's first
    sample. Image 2's is 2^-21 from the vertices; where zeta does not end there, from the nearer one, since in the tail
    of the other component no digit is left. Of the spike's, image 2's alone is moved.
    """
    zeta = _inside(zeta, posterior)
    if not isinstance(posterior, posteriors.SpikeExponential):
        zeta[0] = rng.uniform(0.3, 0.7, zeta[0].shape)
        first = zeta[k::k]
        moved = rng.random(first.shape) < 0.2
        zeta[k::k] = np.where(moved, rng.uniform(0.3, 0.7, first.shape), first)
    far, (near_0, near_1) = rng.choice(trouble.ENDS, zeta[2 * k].shape), trouble.ENDS
    if not _ends(posterior):
        far = np.where(zeta[2 * k] < 0.5, near_0, near_1)  # in the tail of the other no digit is left
    zeta[2 * k] = far
    return zeta


def skewed(rng, name, leaf):
    """Random numbers for a parameter of this name, nowhere 0 or 1 as a fresh model has them.

    Couplings are below 1 in size: as `draw` scales them, ||W|| + 5 stays below the beta of the Gaussian integral, whose
    lam is beta then.
    """
    if name == "rbm.W":
        return np.tanh(0.3 + rng.standard_normal(leaf.shape))
    if name == "posterior.s":
        return rng.uniform(0.7, 1.5, leaf.shape)
    if name.endswith("norm.scale"):
        return rng.normal(1.0, 0.3, leaf.shape)
    return rng.normal(0.1, 0.7, leaf.shape)


def _inside(zeta, posterior):
    """Away from the ends of the interval, where there is one, so that float32 holds zeta and 1 - zeta."""
    if isinstance(posterior, posteriors.SpikeExponential):
        return np.where(zeta > 0, zeta.clip(0.03, 0.97), 0)
    return zeta.clip(sigmoid(LEAST), sigmoid(MOST)) if _ends(posterior) else zeta


def _ends(posterior):
    """Does zeta end at 0 and 1?"""
    return isinstance(posterior, posteriors.Mixture) and isinstance(posterior.smoothing, UnitInterval)


def params_of(named, statistics, config):
    """Params of named arrays."""
    like, _ = autoencoder.init(np.random.default_rng(0), config, statistics.mean_x)
    return tree.unflatten(like, [named[name] for name, _ in tree.items(like)])


def compute(inputs, baseline, structure, change=cancelling.unchanged):
    """The bound (images,) with -kappa log Z, q and rho = CDF(zeta) (rows, D), and the gradient of the mean bound.

    zeta is the noise that the posterior takes. The negative phase and log Z are exact, by enumeration. change(method)
    -> method: what a mistake does to posterior, prior or bound.
    """
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
    """What an implementer has to know of them."""
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


RELAXED = "log p(zeta) as in log_p_overlapping (m held fixed), log q(zeta|x) as in log_q"
INTEGRAL = (
    "log p(zeta) as in log_p_gaussian_integral with lam = beta; q(zeta|x) is the mixture of N(shift, std^2) and "
    "N(1 + shift, std^2), the network's outputs being logit q of all units of the group, then raw of all, "
    "shift = (sigmoid(raw) - 1/2) / 2, std = |posterior.s| / 5 + 0.05"
)
TERMS = {  # by the prior; of one group, and of several
    "spike_joint": SPIKE,
    "overlapping_joint": PLUS,
    "relaxed": {False: RELAXED, True: RELAXED},
    "gaussian_integral": {False: INTEGRAL, True: INTEGRAL},
}
BOUNDS = {  # by whether they are importance-weighted
    False: ("Eq. 2", "variational bound of Eq. 2, mean over K"),
    True: ("Eq. 3", "importance-weighted bound of Eq. 3"),
}


def of(baseline, structure_name, k):
    """The Quantity of a column and a row of Table 1, with K samples."""
    record, structure = BASELINES[baseline], SMALL[structure_name]
    method = methods.method(baseline, record.law.tried_in_models, structure.groups)
    equation, bound = BOUNDS[method.importance_weighted]
    networks = about_networks("zeta", "the batch's mean and biased variance", structure)
    return Quantity(
        f"objective_{baseline}_{structure_name.replace('-layer-', '')}_k{k}",
        equation,
        f"{record.family}, {record.law.adjective}, {structure_name}, K = {k}: the {bound}, "
        "log w = kappa (log p(zeta) - log q(zeta|x)) + "
        "log p(x|zeta) or with minus the KL, -kappa log Z included, of each image. "
        f"{TERMS[record.prior][structure.groups > 1]}. {networks}",
        functools.partial(draw, baseline=baseline, structure=structure, k=k),
        functools.partial(compute, baseline=baseline, structure=structure),
        "the mean of bound over the images (negative phase exact), zeta moving at fixed rho = CDF(zeta)",
        functools.partial(terms, baseline=baseline),
        functools.partial(subtracted, baseline=baseline, structure=structure),
    )


def terms(inputs, baseline):
    """Of the bound: the likelihood, about a nat a pixel, and the densities of zeta, where they are in it."""
    record, densities = BASELINES[baseline], 0.0
    if record.prior == "gaussian_integral":
        densities = 2 * float(inputs["beta"]) * np.sum(inputs["zeta"] ** 2, -1).max()
    elif record.prior == "relaxed":
        densities = log_q_terms(inputs, record.law.name)["log_q"].max()
    return {"bound": np.full(len(inputs["x"]), PIXELS + densities)}


def subtracted(inputs, baseline, structure):
    """What backpropagation through a sigmoid, and log p and log q apart, subtract."""
    again = functools.partial(compute, inputs, baseline, structure)
    return cancelling.sizes(again, BASELINES[baseline].prior)


QUANTITIES = tuple(of(*case) for case in itertools.product(BASELINES, SMALL, SAMPLES))
