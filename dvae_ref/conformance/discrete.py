"""The quantity that Table 1 reports: log-weights of the discrete model, batch norm by its moving averages."""

import numpy as np

from dvae_ref import exact, methods, model, networks, tree
from dvae_ref.conformance import objectives
from dvae_ref.conformance.objectives import IMAGES, PIXELS, STRUCTURE, K
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.elementary import sigmoid
from dvae_ref.networks import group_slices
from dvae_ref.smoothing import Power

MARGIN = 0.1  # of u from its threshold q, in parts of q or of 1 - q


def draw(rng):
    config = model.Config(STRUCTURE, methods.relaxed(Power(2.0)))  # neither r(zeta|z) nor zeta is in it
    mean_x = rng.uniform(0.1, 0.7, PIXELS)
    x = (rng.random((IMAGES, PIXELS)) < mean_x).astype(float)
    params, statistics = model.init(rng, config, mean_x, np.float64)
    named = {name: objectives.skewed(rng, name, leaf) for name, leaf in tree.items(params)}
    named |= {_averages_name(name): _averages(rng, name, leaf) for name, leaf in _moving(statistics)}
    params, statistics = _model(named, mean_x)
    log_z = exact.log_z(params.rbm) + rng.normal(0, 0.01)  # an estimate
    return {"x": x, "mean_x": mean_x, "u": _uniform(rng, params, statistics, x), "k": K, "log_z": log_z, **named}


def _averages(rng, name, leaf):
    return rng.uniform(0.3, 2, leaf.shape) if name.endswith("variance") else rng.normal(0, 0.5, leaf.shape)


def _moving(statistics):
    """(path, leaf) of the moving averages."""
    return [(name, leaf) for name, leaf in tree.items(statistics) if name != "mean_x"]


def _averages_name(path):
    """encoder.0.0.mean and decoder.0.mean -> encoder.0.hidden.0.norm.mean and decoder.hidden.0.norm.mean."""
    network, layer, which = path.rsplit(".", 2)
    return f"{network}.hidden.{layer}.norm.{which}"


def _model(named, mean_x):
    """(Params, Statistics) of named arrays."""
    config = model.Config(STRUCTURE, methods.relaxed(Power(2.0)))
    params, statistics = model.init(np.random.default_rng(0), config, mean_x, mean_x.dtype)
    params = tree.unflatten(params, [named[name] for name, _ in tree.items(params)])
    moving = [named[_averages_name(name)] for name, _ in _moving(statistics)]
    return params, tree.unflatten(statistics, [statistics.mean_x, *moving])


def _uniform(rng, params, statistics, x):
    """Uniform numbers that stay away from the q to which they are compared, group by group."""
    u = rng.random((IMAGES * K, STRUCTURE.latents))
    for own in group_slices(STRUCTURE.groups, STRUCTURE.latents):
        z, _ = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
        q = _q(params, statistics, x, z)[:, own]
        within = rng.uniform(MARGIN, 1 - MARGIN, q.shape)
        u[:, own] = np.where(z[:, own] > 0, q * within, q + (1 - q) * within)
    return u


def _q(params, statistics, x, z):
    """q(z_g = 1|x, z_<g) for given z."""
    logits = []
    for g, own in enumerate(group_slices(STRUCTURE.groups, STRUCTURE.latents)):
        inputs = np.concatenate([np.repeat(x - statistics.mean_x, K, axis=0), z[:, : own.start]], 1)
        logits.append(networks.network_evaluate(params.encoder[g], statistics.encoder[g], inputs))
    return sigmoid(np.concatenate(logits, 1))


def compute(inputs):
    params, statistics = _model(inputs, inputs["mean_x"])
    x, u = inputs["x"], inputs["u"]
    z, log_q = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
    log_w = model.discrete_log_weights(params, statistics, x, u, log_z=inputs["log_z"])
    log_p_x = np.logaddexp.reduce(log_w, 1) - np.log(float(inputs["k"]))
    return {"z_drawn": z.astype(np.uint8), "log_q_z": log_q, "log_w": log_w, "log_p_x": log_p_x}


def terms(inputs):
    """Of the log-weights: about a nat a pixel and a unit, and what stands against log Z."""
    size = PIXELS + STRUCTURE.latents + 2 * abs(float(inputs["log_z"]))
    return dict.fromkeys(("log_w", "log_p_x"), size)


QUANTITIES = (
    Quantity(
        "log_w_discrete",
        "Sec. 4, Table 1",
        "log w = -E(z) - log Z - log q(z|x) + log p(x|z) of each image and sample, z = [u < q(z_g = 1|x, z_<g)] drawn "
        "group by group, and log (1/K) sum_k w_k: the discrete model, whose NLL Table 1 reports. No r(zeta|z), kappa "
        "or mean field is in it: binary z goes into the decoder and into later groups. log Z is the input log_z. "
        + objectives.about_networks("z", "norm.mean and norm.variance, the moving averages"),
        draw,
        compute,
        terms=terms,
    ),
)
