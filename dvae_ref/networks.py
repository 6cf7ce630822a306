"""The hierarchical encoder q(zeta|x) = prod_g q(zeta_g|x, zeta_<g) and the decoder p(x|zeta) (Sec. 4).

Each conditional is a network of its own: linear, or hidden layers of dense, batch norm, tanh, and a linear output.
The B rows of x serve K consecutive samples each, N = B K rows in all.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref import layers, mixture
from dvae_ref.elementary import sigmoid, softplus
from dvae_ref.layers import Averages, BatchNorm, Dense


class Hidden(NamedTuple):
    dense: Dense
    norm: BatchNorm


class Network(NamedTuple):
    hidden: tuple  # of Hidden
    out: Dense


class HiddenCache(NamedTuple):
    dense: layers.DenseCache
    norm: layers.BatchNormCache
    tanh: np.ndarray


class NetworkCache(NamedTuple):
    hidden: tuple  # of HiddenCache
    out: layers.DenseCache


def network(params, x, zeta=None):
    """Outputs for the inputs [x, zeta], batch norm by the batch's own statistics.  Shapes as layers.dense."""
    caches = []
    for layer in params.hidden:
        y, dense_cache = layers.dense(layer.dense, x, zeta)
        y, norm_cache = layers.batch_norm(layer.norm, y)
        y, tanh_cache = layers.tanh(y)
        caches.append(HiddenCache(dense_cache, norm_cache, tanh_cache))
        x, zeta = y, None
    y, out_cache = layers.dense(params.out, x, zeta)
    return y, NetworkCache(tuple(caches), out_cache)


def network_backward(d_y, cache, *, need_x=False):
    """Gradients (Network, d_x, d_zeta); the gradient in the network's own x only if needed."""
    d_out, d_x, d_zeta = layers.dense_backward(d_y, cache.out, need_x=need_x or bool(cache.hidden))
    d_hidden = []
    for i, layer in reversed(list(enumerate(cache.hidden))):
        d_y = layers.tanh_backward(d_x, layer.tanh)
        d_norm, d_y = layers.batch_norm_backward(d_y, layer.norm)
        d_dense, d_x, d_zeta = layers.dense_backward(d_y, layer.dense, need_x=need_x or i > 0)
        d_hidden.insert(0, Hidden(d_dense, d_norm))
    return Network(tuple(d_hidden), d_out), d_x, d_zeta


def network_evaluate(params, moving, x, zeta=None):
    """Outputs by the moving averages, a tuple of Averages, one a hidden layer."""
    for layer, averages in zip(params.hidden, moving, strict=True):
        y, _ = layers.dense(layer.dense, x, zeta)
        x, zeta = np.tanh(layers.batch_norm_evaluate(layer.norm, averages, y)), None
    return layers.dense(params.out, x, zeta)[0]


def batch_averages(cache):
    """The batch statistics of every hidden layer, in the structure of the moving averages."""
    return tuple(layer.norm.batch for layer in cache.hidden)


class Noise(NamedTuple):
    """Uniform numbers on (0, 1), (N, D) each. With u = None, zeta is the inverse CDF of q at rho (Eq. 8)."""

    u: np.ndarray | None
    rho: np.ndarray


class Posterior(NamedTuple):
    """A sample of q(zeta|x): logit q(z=1|x, zeta_<g), the coordinate t, and zeta; (N, D) each."""

    logit_q: np.ndarray
    t: np.ndarray
    zeta: np.ndarray


class EncoderCache(NamedTuple):
    posterior: Posterior
    networks: tuple  # of NetworkCache
    k: int


def encode(params, x, noise, *, smoothing):
    """Draw zeta group by group.  params: a Network a group; x: (B, V) -> Posterior of N = B K rows, cache."""
    n, d = noise.rho.shape
    width, k = d // len(params), n // len(x)
    posterior, caches = Posterior(*(np.empty((n, d), x.dtype) for _ in Posterior._fields)), []
    for g, group in enumerate(params):
        own = slice(g * width, (g + 1) * width)
        logit_q, cache = network(group, x, posterior.zeta[:, : own.start] if g else None)
        logit_q = logit_q if g else np.repeat(logit_q, k, axis=0)
        t = _reparameterise(logit_q, Noise(*(a if a is None else a[:, own] for a in noise)), smoothing)
        for whole, part in zip(posterior, (logit_q, t, smoothing.zeta(t)), strict=True):
            whole[:, own] = part
        caches.append(cache)
    return posterior, EncoderCache(posterior, tuple(caches), k)


def _reparameterise(logit_q, noise, smoothing):
    if noise.u is None:
        return mixture.inverse_cdf(logit_q, noise.rho, smoothing)
    return mixture.sample(logit_q, noise.u, noise.rho, smoothing)


def encode_backward(d_logit_q, d_t, cache, *, smoothing):
    """Gradients of the Networks, from cotangents of logit q and t that leave out what zeta_g does to the later
    groups: that is added here, last group first, before Eq. 9 carries d_t over to logit q."""
    (logit_q, t, _), networks, k = cache
    width = t.shape[1] // len(networks)
    d_zeta_d_t, d_t_d_logit_q = smoothing.d_zeta(t), mixture.d_t_d_logit_q(t, logit_q, smoothing)
    d_t, d_networks = d_t.copy(), []
    for g in reversed(range(len(networks))):
        own = slice(g * width, (g + 1) * width)
        d_out = d_logit_q[:, own] + d_t[:, own] * d_t_d_logit_q[:, own]
        d_out = d_out if g else d_out.reshape(-1, k, width).sum(1)
        d_network, _, d_zeta = network_backward(d_out, networks[g])
        if g:
            d_t[:, : own.start] += d_zeta * d_zeta_d_t[:, : own.start]
        d_networks.insert(0, d_network)
    return tuple(d_networks)


def encode_discrete(params, moving, x, u):
    """Draw binary z group by group, z_g ~ Bernoulli(q(z_g|x, z_<g)), batch norm by the moving averages.

    x: (B, V); u: (B K, D) uniform on (0, 1) -> z (B K, D) and log q(z|x) (B K,), nats.
    """
    width, k = u.shape[1] // len(params), len(u) // len(x)
    z, log_q = np.empty_like(u), np.zeros(len(u), u.dtype)
    for g, group in enumerate(params):
        own = slice(g * width, (g + 1) * width)
        logit_q = network_evaluate(group, moving[g], x, z[:, : own.start] if g else None)
        logit_q = logit_q if g else np.repeat(logit_q, k, axis=0)
        z[:, own] = u[:, own] < sigmoid(logit_q)
        log_q -= softplus(np.where(z[:, own] > 0, -logit_q, logit_q)).sum(1)
    return z, log_q


def truncated_normal(rng, shape, std):
    """Normal(0, std) restricted to two standard deviations by redrawing."""
    x = rng.standard_normal(shape)
    while np.any(outside := np.abs(x) > 2):
        x[outside] = rng.standard_normal(np.sum(outside))
    return std * x


def init_dense(rng, n_in, n_out, dtype):
    """Truncated normal with std sqrt(1.3 * 2 / fan_in); zero biases."""
    kernel = truncated_normal(rng, (n_in, n_out), np.sqrt(1.3 * 2 / n_in))
    return Dense(kernel.astype(dtype), np.zeros(n_out, dtype))


def init_network(rng, n_in, n_out, hidden, dtype):
    """A fresh Network with hidden layers of these widths, and its moving averages (0, 1)."""
    blocks, moving = [], []
    for width in hidden:
        norm = BatchNorm(np.ones(width, dtype), np.zeros(width, dtype))
        blocks.append(Hidden(init_dense(rng, n_in, width, dtype), norm))
        moving.append(Averages(np.zeros(width, dtype), np.ones(width, dtype)))
        n_in = width
    return Network(tuple(blocks), init_dense(rng, n_in, n_out, dtype)), tuple(moving)
