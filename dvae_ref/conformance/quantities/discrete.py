"""What Table 1 reports: log-weights of the discrete model, batch norm by its moving averages; their NLL.

The paper's numbers are those of binary z: no r(zeta|z), kappa or mean field is left. With z_k drawn from q(z|x) group
by group

    log w_k = -E(z_k) - log Z - log q(z_k|x) + log p(x|z_k),    log p(x) ~ log (1/K) sum_k w_k,

NLL the mean over images of minus that, all in nats. Where implementations part: zeta in the decoder as in training; the
batch's statistics for the moving averages; an NLL that is the mean of log w, or lacks log K; log Z with the wrong sign
or not at all.
"""

import numpy as np

from dvae_ref import exact, tree
from dvae_ref.conformance.quantities import objectives, trouble
from dvae_ref.conformance.quantities.objectives import IMAGES, PIXELS, SMALL
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model import autoencoder, methods, networks
from dvae_ref.model.networks import group_slices
from dvae_ref.theory import bounds
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.smoothing import Power

MARGIN = 0.1  # of u from its threshold q, in parts of q or of 1 - q


STRUCTURE, K = SMALL["2-layer-nonlin"], 3
CONFIG = autoencoder.Config(STRUCTURE, methods.relaxed(Power(2.0)))  # neither r(zeta|z) nor zeta is in it


def draw(rng):
    """Images, uniform numbers u (images K, D) away from their thresholds, parameters, moving averages, log Z.

    z = [u < q] has to agree exactly, and z of a group decides q of the next: u is drawn along with z, a tenth of q or
    of 1 - q away from q at least. log Z is off the exact one by 0.01 nats or so: it has to be used as it is given.
    """
    mean_x = rng.uniform(0.1, 0.7, PIXELS)
    x = objectives.draw_images(rng, IMAGES)
    params, statistics = autoencoder.init(rng, CONFIG, mean_x, np.float64)
    named = {name: objectives.skewed(rng, name, leaf) for name, leaf in tree.items(params)}
    named |= {name: _skewed_average(rng, name, leaf) for name, leaf in _averages(statistics)}
    named = trouble.in_decoder(trouble.in_networks(named, STRUCTURE.groups), x)
    params, statistics = _model(named, mean_x)
    log_z = exact.log_z(params.rbm) + rng.normal(0, 0.01)  # an estimate
    return {"x": x, "mean_x": mean_x, "u": _uniform(rng, params, statistics, x), "k": K, "log_z": log_z, **named}


def _skewed_average(rng, name, leaf):
    """A mean, or a variance."""
    return rng.uniform(0.3, 2, leaf.shape) if name.endswith("variance") else rng.normal(0, 0.5, leaf.shape)


def _averages(statistics):
    """(name, leaf) of the moving averages: encoder.0.0.mean is called encoder.0.hidden.0.norm.mean."""
    named = []
    for path, leaf in tree.items(statistics._replace(mean_x=())):
        network, layer, which = path.rsplit(".", 2)
        named.append((f"{network}.hidden.{layer}.norm.{which}", leaf))
    return named


def _model(named, mean_x):
    """(Params, Statistics) of named arrays."""
    _, statistics = autoencoder.init(np.random.default_rng(0), CONFIG, mean_x, mean_x.dtype)
    moving = [named[name] for name, _ in _averages(statistics)]
    params = objectives.params_of(named, statistics, CONFIG)
    return params, tree.unflatten(statistics, [statistics.mean_x, *moving])


def _uniform(rng, params, statistics, x):
    """Uniform numbers that stay away from the q to which they are compared; z is drawn from them group by group."""
    shape = IMAGES * K, STRUCTURE.latents
    z, u, inputs = np.zeros(shape), np.zeros(shape), np.repeat(x - statistics.mean_x, K, axis=0)
    for g, own in enumerate(group_slices(STRUCTURE.groups, STRUCTURE.latents)):
        given = np.concatenate([inputs, z[:, : own.start]], 1)
        q = sigmoid(networks.network_evaluate(params.encoder[g], statistics.encoder[g], given))
        within = rng.uniform(MARGIN, 1 - MARGIN, q.shape)
        z[:, own] = rng.random(q.shape) < q
        u[:, own] = np.where(z[:, own] > 0, q * within, q + (1 - q) * within)
    return u


def compute(inputs):
    """z and log q(z|x) by row, log w = -E(z) - log Z - log q(z|x) + log p(x|z) (images, K), log (1/K) sum_k w_k.

    z_drawn (images K, D), log_q_z (images K,), log_p_x (images,), nats. Row i K + k is sample k of image i.
    """
    params, statistics = _model(inputs, inputs["mean_x"])
    x, u = inputs["x"], inputs["u"]
    z, log_q = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
    log_w = autoencoder.discrete_log_weights(params, statistics, x, u, log_z=inputs["log_z"])
    log_p_x = np.logaddexp.reduce(log_w, 1) - np.log(float(inputs["k"]))
    return {"z_drawn": z.astype(np.uint8), "log_q_z": log_q, "log_w": log_w, "log_p_x": log_p_x}


def terms(inputs):
    """Of the log-weights: about a nat a pixel and a unit, and what stands against log Z."""
    size = PIXELS + STRUCTURE.latents + 2 * abs(float(inputs["log_z"]))
    return dict.fromkeys(("log_w", "log_p_x"), size)


ROWS, SAMPLES = 6, (1, 3, 8)


def draw_bound(rng):
    """Three ordinary images; one whose weights are 700 apart, one with one weight above all others, one with equal."""
    log_z = rng.normal(150, 5)
    log_w = rng.normal(log_z - 90, 3, (ROWS, SAMPLES[-1]))
    log_w[-3, ::2] -= trouble.APART
    log_w[-2, -1] += trouble.APART
    log_w[-1] = log_w[-1, 0]
    return {"log_w": log_w, "log_z": log_z, "samples": np.array(SAMPLES)}


def compute_bound(inputs, bound=bounds.importance_weighted):
    """log (1/K) sum_k w_k - log Z of the first K samples, (numbers of samples, images); minus its mean, the NLL,
    (numbers,).

    log_w, log Z not taken off, is about 60 nats, and once 760, of which the exponential is infinite in float64: log Z
    has to be taken off before, or the largest.
    """
    log_w = inputs["log_w"] - inputs["log_z"]
    log_p_x = np.stack([bound(log_w[:, : int(k)])[0] for k in inputs["samples"]])
    return {"log_p_x": log_p_x, "nll": -log_p_x.mean(1)}


def bound_terms(inputs):
    """Log-weights and log Z, which are subtracted."""
    return dict.fromkeys(("log_p_x", "nll"), np.abs(inputs["log_w"]).max() + np.abs(inputs["log_z"]))


QUANTITIES = (
    Quantity(
        "log_w_discrete",
        "Sec. 4, Table 1",
        "log w = -E(z) - log Z - log q(z|x) + log p(x|z) of each image and sample, z = [u < q(z_g = 1|x, z_<g)] drawn "
        "group by group, and log (1/K) sum_k w_k: the discrete model, whose NLL Table 1 reports. No r(zeta|z), kappa "
        "or mean field is in it: binary z goes into the decoder and into later groups. log Z is the input log_z. "
        + objectives.about_networks("z", "norm.mean and norm.variance, the moving averages", STRUCTURE),
        draw,
        compute,
        terms=terms,
    ),
    Quantity(
        "bound_discrete",
        "Sec. 4, Table 1",
        "log (1/K) sum_k w_k - log Z of each image, of its first K samples for each K of samples, and the NLL, minus "
        "the mean over images. log_w = -E(z) - log q(z|x) + log p(x|z) is given, without log Z",
        draw_bound,
        compute_bound,
        terms=bound_terms,
        row_axis=1,
    ),
)
