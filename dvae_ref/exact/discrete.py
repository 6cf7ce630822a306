"""log p(x) and the variational bound of a whole small model on the discrete level, every z enumerated.

p(x) = sum_z p(z) p(x|z), all networks with the moving averages of batch norm, parameters read as float64. Memory does
not grow with the number of states, but for one number an image and block of 1,024.
"""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, limits, machines, states
from dvae_ref.model import networks
from dvae_ref.model.autoencoder import Params, Statistics, decode_discrete
from dvae_ref.theory.boltzmann import energy
from dvae_ref.theory.elementary import softplus

MAX_STATES = 2**20
STATES = 1024  # of a block
ROWS = 4096  # of (image, state), in the encoder


def log_px(params: Params, statistics: Statistics, x: Array, *, force: bool = False) -> Array:
    """log p(x) = log sum_z exp(-E(z) - log Z + log p(x|z)) of each image, (B, V) -> (B,), nats, float64.

    2^D states, at most 2^20 unless forced; ValueError beyond that, with the time it would take, and for an x of other
    pixels. Relative error 1e-12 (tests/exact/test_discrete.py).
    """
    params, statistics, x = _checked(params, statistics, x, force, log_px)
    log_z = machines.log_z(params.rbm)
    blocks = [accumulate.logsumexp(log_joint) for _, log_joint in _joint(params, statistics, x, log_z)]
    return accumulate.logsumexp(np.stack(blocks, 1))


def elbo(params: Params, statistics: Statistics, x: Array, *, force: bool = False) -> Array:
    """E_q[log p(x, z) - log q(z|x)] of each image by enumeration, (B, V) -> (B,), nats.

    That is log p(x) - KL(q(z|x) || p(z|x)), the bound that the continuous one tends to as beta grows. Limits, errors
    (ValueError) and accuracy as of log_px; every image takes its own pass through the encoder, too.
    """
    params, statistics, x = _checked(params, statistics, x, force, elbo)
    total, log_z = 0.0, machines.log_z(params.rbm)
    for z, log_joint in _joint(params, statistics, x, log_z):
        log_q, reached = _log_q(params, statistics, x, z)
        total = total + np.sum(np.where(reached, np.exp(log_q) * (log_joint - log_q), 0), 1)
    return total


def _checked(params, statistics, x, force, function):
    """The arguments in float64. ValueError for an x of other pixels, and if `function` of them would take too long."""
    params, statistics = machines.in_double(params), machines.in_double(statistics)
    if x.ndim != 2 or x.shape[1:] != statistics.mean_x.shape:
        raise ValueError(f"x must hold images of {statistics.mean_x.size} pixels in rows, got shape {x.shape}")
    d = params.rbm.a.size
    what = f"the enumeration of {d} latent units"
    limits.check(2**d, MAX_STATES, force, what, _sample, params, statistics, x, function)
    return params, statistics, x.astype(np.float64)


def _joint(params, statistics, x, log_z):
    """Blocks of states z (S, D) with log p(x, z), (B, S)."""
    d = params.rbm.a.size
    for start in range(0, 2**d, STATES):
        z = states.vectors(np.arange(start, min(start + STATES, 2**d)), d)
        yield z, _log_joint(params, statistics, x, z) - log_z


def _log_joint(params, statistics, x, z):
    """-E(z) + log p(x|z) of every image and state, (B, S): what log p(x, z) is but for log Z."""
    logits = decode_discrete(params, statistics, z)
    return x @ logits.T - softplus(logits).sum(1) - energy(params.rbm, z)


def _log_q(params, statistics, x, z):
    """log q(z|x) of every image and state, (B, S), and whether it is above the smallest float.

    The sampler, given the uniform numbers 1 - z, returns z itself: u = 0 is below every q, u = 1 below none. Where q
    underflows to 0 it returns another state.
    """
    images = max(1, ROWS // len(z))
    log_q, reached = [], []
    for start in range(0, len(x), images):
        part = x[start : start + images]
        asked = np.tile(z, (len(part), 1))
        got, value = networks.encode_discrete(params.encoder, statistics.encoder, part - statistics.mean_x, 1 - asked)
        log_q.append(value.reshape(len(part), -1))
        reached.append(np.all(got == asked, 1).reshape(len(part), -1))
    return np.concatenate(log_q), np.concatenate(reached)


def _sample(params, statistics, x, function):
    """Enumerate one block, for the rate."""
    z = states.vectors(np.arange(STATES), params.rbm.a.size)
    _log_joint(params, statistics, x, z)
    if function is elbo:
        _log_q(params, statistics, x, z)
    return STATES
