"""The hierarchical encoder q(zeta|x) = prod_g q(zeta_g|x, zeta_<g) and the decoder p(x|zeta) (Sec. 4).

Each conditional is a network of its own: linear, or hidden layers of dense, batch norm, tanh, and a linear output.
The B rows of x serve K consecutive samples each, N = B K rows in all. Derived in
docs/derivations/08-backpropagation.md.
"""

import operator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dvae_ref import tree
from dvae_ref.arrays import Array, shapes_named, short
from dvae_ref.fast.threads import submit
from dvae_ref.model import layers
from dvae_ref.model.layers import Averages, BatchNorm, Dense
from dvae_ref.model.posteriors import Noise, Posterior


class Hidden(NamedTuple):
    """A hidden layer: dense, batch norm, tanh."""

    dense: Dense
    norm: BatchNorm


class Network(NamedTuple):
    """Hidden layers, then a dense one."""

    hidden: tuple  # of Hidden
    out: Dense

    def __repr__(self) -> str:
        return short(self)


class HiddenCache(NamedTuple):
    """What the backward of a hidden layer reads."""

    dense: layers.DenseCache
    norm: layers.BatchNormCache
    tanh: np.ndarray


class NetworkCache(NamedTuple):
    """What network_backward reads."""

    hidden: tuple  # of HiddenCache
    out: layers.DenseCache


def network(
    params: Network, x: Array, zeta: Array | None = None, *, of_x: Array | None = None
) -> tuple[Array, NetworkCache]:
    """Outputs (B, outputs) or (B K, outputs) for the inputs [x, zeta], batch norm by the statistics of the batch.

    Shapes and of_x as layers.dense.
    """
    caches = []
    for layer in params.hidden:
        y, dense_cache = layers.dense(layer.dense, x, zeta, of_x)
        y, norm_and_tanh = layers.batch_norm_tanh(layer.norm, y)
        caches.append(HiddenCache(dense_cache, *norm_and_tanh))
        x, zeta, of_x = y, None, None
    y, out_cache = layers.dense(params.out, x, zeta, of_x)
    return y, NetworkCache(tuple(caches), out_cache)


def network_backward(
    d_y: Array, cache: NetworkCache, *, need_x: bool = False
) -> tuple[Network, Array | None, Array | None]:
    """Gradients (Network, d_x (B, V), d_zeta (B K, P)); d_x only if needed, else None."""
    d_out = submit(layers.dense_gradient, d_y, cache.out)
    d_x, d_zeta = layers.dense_backward(d_y, cache.out, need_x=need_x or bool(cache.hidden))
    d_hidden = []
    for i, layer in reversed(list(enumerate(cache.hidden))):
        d_norm, d_y = layers.batch_norm_tanh_backward(d_x, layer[1:])
        d_dense = submit(layers.dense_gradient, d_y, layer.dense)
        d_x, d_zeta = layers.dense_backward(d_y, layer.dense, need_x=need_x or i > 0)
        d_hidden.insert(0, (d_dense, d_norm))
    hidden = tuple(Hidden(d_dense.result(), d_norm) for d_dense, d_norm in d_hidden)
    return Network(hidden, d_out.result()), d_x, d_zeta


def first_layer(params: Network) -> Dense:
    """Dense, of the network's own inputs."""
    return params.hidden[0].dense if params.hidden else params.out


def hidden_evaluate(
    params: Network, moving: tuple[Averages, ...], x: Array, zeta: Array | None = None
) -> tuple[Array, Array | None]:
    """(y, zeta), the inputs of the output layer, y (B K, H), by the moving averages, one a hidden layer.

    ValueError for another number of averages.
    """
    if len(moving) != len(params.hidden):
        raise ValueError(f"a network of {len(params.hidden)} hidden layers takes as many averages; got {len(moving)}")
    for layer, averages in zip(params.hidden, moving, strict=True):
        y, _ = layers.dense(layers.folded(*layer, averages), x, zeta)
        x, zeta = np.tanh(y, out=y), None
    return x, zeta


def network_evaluate(params: Network, moving: tuple[Averages, ...], x: Array, zeta: Array | None = None) -> Array:
    """Outputs by the moving averages, one a hidden layer. The shapes are those of layers.dense."""
    y, rest = hidden_evaluate(params, moving, x, zeta)
    return layers.dense(params.out, y, rest)[0]


def batch_averages(cache: NetworkCache) -> tuple[Averages, ...]:
    """The batch statistics of every hidden layer, in the structure of the moving averages."""
    return tuple(layer.norm.batch for layer in cache.hidden)


class EncoderCache(NamedTuple):
    """What encode_backward reads."""

    sample: tuple  # the posterior's Sample
    noise: Noise
    networks: tuple  # of NetworkCache
    extra: tuple
    k: int


@shapes_named
def encode(
    params: tuple[Network, ...], x: Array, noise: Noise, *, posterior: Posterior, extra: tuple[Array, ...] = ()
) -> tuple[Any, EncoderCache]:
    """Draw zeta group by group.  params: a Network a group; x: (B, V); noise: N = B K rows, (N, D).

    Returns the posterior's Sample of (N, D) arrays and the cache. `extra`: the posterior's own parameters.
    """
    n, d = noise.rho.shape
    of_x = [submit(layers.dense_of_x, first_layer(conditional), x) for conditional in params[1:]]
    parts, caches = [], []
    for g, own in enumerate(group_slices(len(params), d)):
        if g == 0:
            out, cache = network(params[0], x)
            out = np.repeat(out, n // len(x), axis=0)
        else:
            zeta = _side_by_side([part.zeta for part in parts])
            out, cache = network(params[g], x, zeta, of_x=of_x[g - 1].result())
        parts.append(posterior.draw(out, _columns(noise, own), _units(extra, own)))
        caches.append(cache)
    sample = posterior.Sample._make(map(_side_by_side, zip(*parts, strict=True)))
    return sample, EncoderCache(sample, noise, tuple(caches), extra, n // len(x))


def _side_by_side(groups):
    """The columns of all groups in one array."""
    return groups[0] if len(groups) == 1 else np.concatenate(groups, 1)


def encode_backward(
    d_sample: Any, cache: EncoderCache, *, posterior: Posterior
) -> tuple[tuple[Network, ...], tuple[Array, ...]]:
    """Gradients (Networks, extra).  d_sample: the cotangents of the Sample, less what zeta_g does to later groups:
    that is added here, last group first."""
    sample, noise, networks, extra, k = cache
    d_sample = sample._make(d_sample)
    if len(networks) > 1:
        d_sample = d_sample._replace(zeta=d_sample.zeta.copy())
    d_networks, d_extras = [], []
    for g, own in reversed(list(enumerate(group_slices(len(networks), sample.zeta.shape[1])))):
        d_part, part = _columns(d_sample, own), _columns(sample, own)
        d_out, d_extra = posterior.draw_backward(d_part, part, _columns(noise, own), _units(extra, own))
        if g == 0:
            d_out = d_out.reshape(-1, k, d_out.shape[1]).sum(1)
        d_network, _, d_zeta = network_backward(d_out, networks[g])
        if g > 0:
            d_sample.zeta[:, : own.start] += d_zeta
        d_networks.insert(0, d_network)
        d_extras.insert(0, d_extra)
    return tuple(d_networks), tree.map(_end_to_end, *d_extras)


def group_slices(groups: int, latents: int) -> list[slice]:
    """The columns of each group."""
    width = latents // groups
    return [slice(g * width, (g + 1) * width) for g in range(groups)]


def _columns(fields, own):
    """Of each field of a Noise or a Sample a group's columns, in contiguous rows, as the compiled functions want them.

    A field that is None, noise that is not used, stays None.
    """
    return fields._make(None if a is None else np.ascontiguousarray(a[:, own]) for a in fields)


def _units(extra, own):
    """The posterior's own parameters, (D,) each, of the units of a group."""
    return tree.map(operator.itemgetter(own), extra)


def _end_to_end(*groups):
    """Gradients in the posterior's own parameters, a group after the other: (D,)."""
    return np.concatenate(groups)


def encode_discrete(
    params: tuple[Network, ...], moving: tuple[tuple[Averages, ...], ...], x: Array, u: Array
) -> tuple[Array, Array]:
    """Draw binary z group by group, z_g ~ Bernoulli(q(z_g|x, z_<g)), batch norm by the moving averages.

    x: (B, V); u: (B K, D) uniform on (0, 1) -> z (B K, D) and log q(z|x) (B K,), nats. A network's first outputs are
    logit q; what else a posterior takes from it belongs to zeta. ValueError for x or u of other units.
    """
    if len(params[0].out.bias) % max(1, u.shape[-1] // len(params)):
        raise ValueError(f"u must have a number for each latent unit, (B K, D); got shape {u.shape}")
    z, log_q = np.empty_like(u), np.zeros(len(u), u.dtype)
    for g, own in enumerate(group_slices(len(params), u.shape[1])):
        earlier = z[:, : own.start] if g else None
        out = network_evaluate(params[g], moving[g], x, earlier)
        logit_q = out[:, : own.stop - own.start]
        z[:, own], log_q_g = layers.draw_binary(logit_q, u[:, own])
        log_q += log_q_g
    return z, log_q


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Array:
    """Normal(0, std) restricted to two standard deviations by redrawing, an array of this shape."""
    x = rng.standard_normal(shape)
    while np.any(outside := np.abs(x) > 2):
        x[outside] = rng.standard_normal(np.sum(outside))
    return std * x


def init_dense(rng: np.random.Generator, n_in: int, n_out: int, dtype: npt.DTypeLike) -> Dense:
    """Truncated normal with std sqrt(1.3 * 2 / fan_in); zero biases."""
    kernel = truncated_normal(rng, (n_in, n_out), np.sqrt(1.3 * 2 / n_in))
    return Dense(kernel.astype(dtype), np.zeros(n_out, dtype))


def init_network(
    rng: np.random.Generator, n_in: int, n_out: int, hidden: tuple[int, ...], dtype: npt.DTypeLike
) -> tuple[Network, tuple[Averages, ...]]:
    """A fresh Network with hidden layers of these widths, and its moving averages (0, 1)."""
    blocks, moving = [], []
    for width in hidden:
        norm = BatchNorm(np.ones(width, dtype), np.zeros(width, dtype))
        blocks.append(Hidden(init_dense(rng, n_in, width, dtype), norm))
        moving.append(Averages(np.zeros(width, dtype), np.ones(width, dtype)))
        n_in = width
    return Network(tuple(blocks), init_dense(rng, n_in, n_out, dtype)), tuple(moving)
