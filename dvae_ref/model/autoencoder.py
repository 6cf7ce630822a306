"""One objective, the K-sample bound under an RBM prior, and its gradient by hand, for each of the eight methods.

Stations of the objective, each a forward/backward pair of its own module:

    x -> encoder -> zeta ~ q(zeta|x) -> log p(zeta) - log q(zeta|x), log p(x|zeta) -> log w -> bound

The bounds are derived in docs/derivations/07-bounds.md, the way back in 08-backpropagation.md.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dvae_ref import blas, tree
from dvae_ref.arrays import Array, shapes_named, short
from dvae_ref.fast import team
from dvae_ref.fast.threads import submit
from dvae_ref.model import layers, networks
from dvae_ref.model.methods import Method
from dvae_ref.model.networks import Network
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.theory import bounds, domains
from dvae_ref.theory.boltzmann import RBM, Moments, energy
from dvae_ref.theory.elementary import sigmoid


@dataclass(frozen=True)
class Config:
    """What the objective needs besides its parameters."""

    structure: Structure
    method: Method
    k: int = 1

    def __post_init__(self):
        domains.instance("the structure", self.structure, Structure)
        domains.instance("the method", self.method, Method)
        domains.whole("k, the number of samples of zeta,", self.k, 1)
        groups = getattr(self.method.prior, "groups", self.structure.groups)  # dvaes does not depend on them
        if groups != self.structure.groups:
            raise ValueError(f"the structure has {self.structure.groups} groups, the method was made for {groups}")


class Params(NamedTuple):
    """All that is trained, theta and phi; gradients have the same structure."""

    encoder: tuple  # of Network, one a group
    decoder: Network
    rbm: RBM
    posterior: tuple  # the posterior's own parameters, if it has any

    def __repr__(self) -> str:
        return short(self)


class Statistics(NamedTuple):
    """What is measured, not trained: the mean image, and the moving averages of batch norm."""

    mean_x: np.ndarray  # (V,)
    encoder: tuple
    decoder: tuple

    def __repr__(self) -> str:
        return short(self)


@shapes_named
def init(
    rng: np.random.Generator, config: Config, mean_x: Array, dtype: npt.DTypeLike = np.float32
) -> tuple[Params, Statistics]:
    """Fresh (Params, Statistics): networks as in networks.init_dense, an RBM of zeros.  mean_x: (V,) in [0, 1].

    ValueError for another mean_x.
    """
    mean_x = np.asarray(mean_x, dtype)
    if mean_x.ndim != 1 or not np.all((mean_x >= 0) & (mean_x <= 1)):
        raise ValueError(f"mean_x must be one image with pixels in [0, 1], got shape {mean_x.shape}")
    structure, posterior = config.structure, config.method.posterior
    n_pixels, d, n_out = len(mean_x), structure.latents, structure.width * posterior.outputs
    groups = [
        networks.init_network(rng, n_pixels + g * structure.width, n_out, structure.hidden, dtype)
        for g in range(structure.groups)
    ]
    decoder, decoder_moving = networks.init_network(rng, d, n_pixels, structure.hidden, dtype)
    rbm = RBM(np.zeros(d, dtype), np.zeros((d // 2, d - d // 2), dtype))
    encoder, encoder_moving = zip(*groups, strict=True)
    params = Params(encoder, decoder, rbm, posterior.init(d, dtype))
    return params, Statistics(mean_x, encoder_moving, decoder_moving)


def output_bias(mean_x: Array) -> Array:
    """logit of the mean image (V,), clipped to [0.001, 0.999]: added to the decoder's logits, not trained."""
    p = np.clip(mean_x, 0.001, 0.999)
    return np.log(p) - np.log1p(-p)


def _biased(decoder, statistics):
    """The decoder with output_bias in the bias of its last layer."""
    bias = decoder.out.bias + output_bias(statistics.mean_x)
    return decoder._replace(out=decoder.out._replace(bias=bias))


Negative = Moments | Callable[[], Moments]  # of the RBM: E[z], E[z_left z_right'], or a function that returns them


class Cache(NamedTuple):
    """What objective_backward reads: a cache of each station."""

    encoder: networks.EncoderCache
    prior: tuple
    decoder: networks.NetworkCache
    likelihood: tuple
    weights: np.ndarray
    kappa: float


@shapes_named
def objective(
    params: Params, statistics: Statistics, x: Array, noise: Noise, *, config: Config, kappa: float = 1.0
) -> tuple[Array, Cache]:
    """The K-sample bound plus kappa log Z, nats, for each image: (B, V) -> (B,), with its cache.

    log w = kappa (log p(zeta) - log q(zeta|x)) + log p(x|zeta) for the importance-weighted bound of Eq. 3; for the
    variational bound, minus the KL of Eq. 2 in place of the log-ratio. x: pixels in [0, 1]; noise: N = B K rows, those
    of one image consecutive; kappa: the KL warm-up coefficient. Raises ValueError for x or noise that do not fit.
    """
    _check(statistics, x, noise, config)
    posterior, prior, importance_weighted = config.method
    centred, options = x - statistics.mean_x, {"posterior": posterior, "extra": params.posterior}
    sample, encoder_cache = networks.encode(params.encoder, centred, noise, **options)
    prior_term = submit(prior.term, params.rbm, sample, params.posterior)
    logits, decoder_cache = networks.network(_biased(params.decoder, statistics), sample.zeta)
    log_px, likelihood_cache = layers.bernoulli(x, logits)
    log_ratio, prior_cache = prior_term.result()
    log_w = bounds.log_weights(log_ratio, log_px, kappa=kappa).reshape(len(x), config.k)
    bound, weights = bounds.importance_weighted(log_w) if importance_weighted else bounds.variational(log_w)
    return bound, Cache(encoder_cache, prior_cache, decoder_cache, likelihood_cache, weights, kappa)


def _check_images(statistics, x):
    """Raise ValueError unless x is (B, V), V the pixels of the mean image."""
    if x.ndim != 2 or x.shape[1:] != statistics.mean_x.shape:
        raise ValueError(f"x must hold images of {statistics.mean_x.size} pixels in rows, got shape {x.shape}")


def _check(statistics, x, noise, config):
    """Raise ValueError unless x is images with pixels in [0, 1], and noise N = B K rows of D numbers."""
    _check_images(statistics, x)
    if not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"pixels must lie in [0, 1], got {x.min()} to {x.max()}")
    shape = (len(x) * config.k, config.structure.latents)
    for name, value in zip(noise._fields, noise, strict=True):
        if value is not None and value.shape != shape:
            raise ValueError(f"noise.{name} must have the shape (B K, D) = {shape}, got {value.shape}")


@shapes_named
def objective_backward(d_bound: Array, cache: Cache, negative: Negative, *, config: Config) -> Params:
    """Gradient in Params of sum(d_bound * bound), the bound's -kappa log Z included.  d_bound: (B,).

    Proved by differences of the bound and by enumeration (tests/model/test_autoencoder.py). negative: the Moments of
    the RBM, exact or sampled, since d log Z = E[z] da + E[z_left z_right'] dW; or a function that returns them, called
    when all else is done. ValueError for a d_bound or moments of other shapes.
    """
    posterior, prior, _ = config.method
    d_log_w = bounds.backward(d_bound, cache.weights).reshape(-1)
    d_log_ratio, d_log_px = bounds.log_weights_backward(d_log_w, kappa=cache.kappa)
    d_prior = submit(prior.term_backward, d_log_ratio, cache.prior, cache.encoder.extra)
    d_logits = layers.bernoulli_backward(d_log_px, cache.likelihood)
    d_decoder, d_zeta, _ = networks.network_backward(d_logits, cache.decoder, need_x=True)
    positive, d_sample, d_extra = d_prior.result()
    d_sample = d_sample._replace(zeta=_add(d_zeta, d_sample.zeta))
    d_encoder, d_extra_drawn = networks.encode_backward(d_sample, cache.encoder, posterior=posterior)
    moments = negative() if callable(negative) else negative
    if (moments.z.shape, moments.zz.shape) != (positive.a.shape, positive.W.shape):
        raise ValueError(
            f"the RBM {positive.W.shape} takes moments of its units; got {moments.z.shape}, {moments.zz.shape}"
        )
    total = d_log_ratio.sum()
    d_a = (positive.a - total * moments.z).astype(positive.a.dtype, copy=False)
    d_W = (positive.W - total * moments.zz).astype(positive.W.dtype, copy=False)
    return Params(d_encoder, d_decoder, RBM(d_a, d_W), tree.map(np.add, d_extra, d_extra_drawn))


PAIR, ROWS = 500, 1000  # samples of zeta that make a team of two, and shares of a larger team: each costs Python's time


@blas.one_thread()
@shapes_named
def objective_and_gradient(
    params: Params,
    statistics: Statistics,
    x: Array,
    noise: Noise,
    d_bound: Array,
    negative: Negative,
    *,
    config: Config,
    kappa: float = 1.0,
    threads: int = 1,
) -> tuple[Array, Params, Statistics]:
    """(bound, gradient, statistics after the batch) of objective, its backward and update_statistics, in shares.

    The images are dealt out to a team of threads, `threads` of them at work; the size of the team is a matter of the
    shapes alone, and so are the results. BLAS has one thread meanwhile. Shapes and
    errors (ValueError) as of `objective`; d_bound: (B,).
    """
    size = _team_size(len(x), config.k)
    xs, d_bounds, us, rhos = (_split(a, size) for a in (x, d_bound, noise.u, noise.rho))

    def work(rank):
        own = Noise(us[rank], rhos[rank])
        bound, cache = objective(params, statistics, xs[rank], own, config=config, kappa=kappa)
        return bound, cache, objective_backward(d_bounds[rank], cache, negative, config=config)

    bound, caches, gradients = zip(*team.run(work, size, threads), strict=True)
    gradient = functools.reduce(_add_trees, gradients)
    return np.concatenate(bound), gradient, update_statistics(statistics, caches[0])


def _team_size(images, k):
    """In how many equal shares so many images with K samples each are dealt out: a number that divides the images."""
    rows = images * k
    most = max(rows // ROWS, 2 if rows >= PAIR else 1)
    return max(n for n in range(1, images + 1) if images % n == 0 and n <= most)


def _split(a, size):
    """The members' shares of an array's rows; of None, which noise may be, None."""
    return [a] * size if a is None or size == 1 else np.split(a, size)


def _add(total, other):
    """Their sum, in the memory of the first."""
    total += other
    return total


def _add_trees(total, other):
    """Their sum, likewise: gradients are added in the order of the shares."""
    return tree.map(_add, total, other)


@shapes_named
def update_statistics(statistics: Statistics, cache: Cache) -> Statistics:
    """The moving averages after the batch that made this cache: 0.8 of the old ones and 0.2 of the batch's."""

    def update(moving, network_cache):
        batch = networks.batch_averages(network_cache)
        return tuple(layers.update_averages(*pair) for pair in zip(moving, batch, strict=True))

    encoder = tuple(update(*pair) for pair in zip(statistics.encoder, cache.encoder.networks, strict=True))
    return statistics._replace(encoder=encoder, decoder=update(statistics.decoder, cache.decoder))


def _centred(params, statistics, x, u):
    """x - mean_x; ValueError unless x (B, V) and u (B K, D) are of this model."""
    _check_images(statistics, x)
    d = len(params.rbm.a)
    if u.ndim != 2 or u.shape[1] != d or len(x) == 0 or len(u) % len(x):
        raise ValueError(f"u must have the shape (B K, {d}), K rows to each of {len(x)} images; got {u.shape}")
    return x - statistics.mean_x


@shapes_named
def discrete_log_weights(params: Params, statistics: Statistics, x: Array, u: Array, *, log_z: float) -> Array:
    """log w = -E(z) - log Z - log q(z|x) + log p(x|z) on the discrete model, z ~ q(z|x): the limit beta -> infinity.

    x: (B, V); u: (B K, D) uniform on (0, 1) -> (B, K), nats. The mean of w is an unbiased estimate of p(x) if log_z is
    exact. By AIS, log Z is low by half its variance in the mean, and log p(x) too high by as much.
    ValueError for an x of other pixels, and for a u of other units or that has no K rows an image.
    """
    z, log_q = networks.encode_discrete(params.encoder, statistics.encoder, _centred(params, statistics, x, u), u)
    decoder = _biased(params.decoder, statistics)
    y, _ = networks.hidden_evaluate(decoder, statistics.decoder, z)
    log_px = layers.dense_bernoulli(decoder.out, y, x)
    return (log_px - energy(params.rbm, z) - log_q - log_z).reshape(len(x), -1)


@shapes_named
def decode_discrete(params: Params, statistics: Statistics, z: Array) -> Array:
    """Logits of p(x|z), (N, D) -> (N, V), batch norm by the moving averages."""
    return networks.network_evaluate(_biased(params.decoder, statistics), statistics.decoder, z)


@shapes_named
def reconstruct(params: Params, statistics: Statistics, x: Array, u: Array) -> Array:
    """E[x|z] for z ~ q(z|x): (B, V), u (B, D) -> (B, V).  ValueError for an x or a u of another model."""
    z, _ = networks.encode_discrete(params.encoder, statistics.encoder, _centred(params, statistics, x, u), u)
    return sigmoid(decode_discrete(params, statistics, z))
