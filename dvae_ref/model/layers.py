"""Dense layers, batch normalisation and tanh, and the Bernoulli likelihood: forward above, backward below.

Rows are samples. A forward returns (value, cache); its backward takes the cotangent and the cache and returns fresh
gradients in the order of the forward's arguments. Derived in docs/derivations/08-backpropagation.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, shapes_named, short
from dvae_ref.fast import team
from dvae_ref.theory.elementary import per_row, sigmoid, softplus
from dvae_ref.twins import twinned


class Dense(NamedTuple):
    """x kernel + bias."""

    kernel: np.ndarray  # (inputs, outputs)
    bias: np.ndarray  # (outputs,)

    def __repr__(self) -> str:
        return short(self)


class DenseCache(NamedTuple):
    """What dense_backward reads."""

    kernel: np.ndarray
    x: np.ndarray
    zeta: np.ndarray | None


@shapes_named
def dense_of_x(params: Dense, x: Array) -> Array:
    """What x and the bias contribute to dense: x kernel[:V] + bias, (B, V) -> (B, outputs)."""
    kernel_x, _ = _by_input(params.kernel, x)
    y = x @ kernel_x
    y += params.bias
    return y


def _by_input(kernel, x):
    """The kernel's rows of x and those of zeta: views, (V, outputs) and (P, outputs)."""
    n_x = x.shape[1]
    return kernel[:n_x], kernel[n_x:]


def dense(params: Dense, x: Array, zeta: Array | None = None, of_x: Array | None = None) -> tuple[Array, DenseCache]:
    """[x, zeta] kernel + bias, each of the B rows of x serving K consecutive rows of zeta.

    x: (B, V), zeta: (B K, P) or None -> (B K, outputs), or (B, outputs) without zeta. What depends on x alone is
    computed once, not K times; of_x: dense_of_x, if the caller has it already. ValueError for inputs of other units
    than the kernel's rows, and for a zeta that has no K rows an image.
    """
    _check_inputs(params, x, zeta)
    y = dense_of_x(params, x) if of_x is None else of_x
    if zeta is not None:
        _, kernel_zeta = _by_input(params.kernel, x)
        shared, y = y, zeta @ kernel_zeta
        y.reshape(len(x), -1, y.shape[1])[:] += shared[:, None]
    return y, DenseCache(params.kernel, x, zeta)


def _check_inputs(params, x, zeta):
    """Raise ValueError unless the kernel has a row for each unit of x and zeta, and zeta K rows for each of x."""
    inputs = x.shape[-1] + (0 if zeta is None else zeta.shape[-1])
    if inputs != len(params.kernel) or (zeta is not None and (len(x) == 0 or len(zeta) % len(x))):
        beside = "" if zeta is None else f" and zeta {zeta.shape}, K rows to one of x"
        raise ValueError(f"a dense layer with the kernel {params.kernel.shape} cannot take x {x.shape}{beside}")


@shapes_named
def dense_backward(d_y: Array, cache: DenseCache, *, need_x: bool = True) -> tuple[Array | None, Array | None]:
    """Gradients (d_x, d_zeta) = d_y kernel', summed over the K samples in d_x: (B, V) and (B K, P).

    d_x is None unless needed, d_zeta where there is no zeta.
    """
    kernel_x, kernel_zeta = _by_input(cache.kernel, cache.x)
    d_x = _over_samples(d_y, cache) @ kernel_x.T if need_x else None
    return d_x, None if cache.zeta is None else d_y @ kernel_zeta.T


@shapes_named
def dense_gradient(d_y: Array, cache: DenseCache) -> Dense:
    """Gradient in the parameters, a Dense: [x, zeta]' d_y of shape (V + P, outputs), and the sum of d_y, (outputs,)."""
    kernel, x, zeta = cache
    d_kernel, d_shared = np.empty_like(kernel), _over_samples(d_y, cache)
    d_kernel_x, d_kernel_zeta = _by_input(d_kernel, x)
    np.matmul(x.T, d_shared, out=d_kernel_x)
    if zeta is not None:
        np.matmul(zeta.T, d_y, out=d_kernel_zeta)
    return Dense(d_kernel, d_shared.sum(0))


def _over_samples(d_y, cache):
    """The cotangents of what the K samples of an image share: their sums, (B, outputs)."""
    return d_y if cache.zeta is None else d_y.reshape(len(cache.x), -1, d_y.shape[1]).sum(1)


class BatchNorm(NamedTuple):
    """Parameters of batch norm, (H,) each."""

    scale: np.ndarray
    offset: np.ndarray


class Averages(NamedTuple):
    """Mean and biased variance of a layer's inputs: of one batch, or their moving averages."""

    mean: np.ndarray
    variance: np.ndarray


class BatchNormCache(NamedTuple):
    """What batch_norm_backward reads."""

    normed: np.ndarray
    scale: np.ndarray
    inverse_std: np.ndarray
    batch: Averages


BATCH_NORM_EPSILON = 1e-2
BATCH_NORM_MOMENTUM = 0.8


@shapes_named
def batch_norm(params: BatchNorm, x: Array) -> tuple[Array, BatchNormCache]:
    """scale (x - mean) / sqrt(variance + 1e-2) + offset with the batch's mean and biased variance.  (N, H).

    Where x is a share of the batch, mean and variance are those of all of it. ValueError for no rows.
    """
    if len(x) == 0:
        raise ValueError(f"batch norm takes at least one row; got x of shape {x.shape}")
    mean = team.mean(x.mean(0))
    centred = x - mean
    variance = team.mean(np.mean(centred * centred, 0))
    inverse_std = 1 / np.sqrt(variance + BATCH_NORM_EPSILON)
    normed = centred * inverse_std
    cache = BatchNormCache(normed, params.scale, inverse_std, Averages(mean, variance))
    return normed * params.scale + params.offset, cache


def batch_norm_backward(d_y: Array, cache: BatchNormCache) -> tuple[BatchNorm, Array]:
    """Gradients (BatchNorm, d_x), d_x (N, H): what moves the batch's mean or variance is projected out of d_x.

    d_x = (d_y - mean(d_y) - normed mean(d_y normed)) scale / std. ValueError for a d_y of another shape.
    """
    normed, scale, inverse_std, _ = cache
    if d_y.shape != normed.shape:
        raise ValueError(f"batch norm of {normed.shape} takes cotangents of that shape; got {d_y.shape}")
    d_scale, d_offset = np.sum(d_y * normed, 0), d_y.sum(0)
    mean_scale, mean_offset = team.mean(np.stack([d_scale, d_offset]) / len(d_y))
    d_x = (d_y - mean_offset - normed * mean_scale) * (scale * inverse_std)
    return BatchNorm(d_scale, d_offset), d_x


@twinned
def batch_norm_tanh(params: BatchNorm, x: Array) -> tuple[Array, tuple[BatchNormCache, Array]]:
    """tanh of batch_norm: (N, H), and the caches of both. ValueError for no rows."""
    y, norm_cache = batch_norm(params, x)
    y, tanh_cache = tanh(y)
    return y, (norm_cache, tanh_cache)


@twinned
def batch_norm_tanh_backward(d_y: Array, cache: tuple[BatchNormCache, Array]) -> tuple[BatchNorm, Array]:
    """Gradients (BatchNorm, d_x), d_x (N, H): of tanh, then of batch_norm. ValueError for a d_y of another shape."""
    norm, y = cache
    return batch_norm_backward(tanh_backward(d_y, y), norm)


@shapes_named
def folded(dense: Dense, norm: BatchNorm, averages: Averages) -> Dense:
    """The Dense that does what `dense` and then batch norm by given averages do, for evaluation.

    scale (x kernel + bias - mean) / std + offset = x (kernel f) + (bias - mean) f + offset with f = scale / std.
    """
    f = norm.scale / np.sqrt(averages.variance + BATCH_NORM_EPSILON)
    return Dense(dense.kernel * f, (dense.bias - averages.mean) * f + norm.offset)


@shapes_named
def update_averages(moving: Averages, batch: Averages) -> Averages:
    """moving <- 0.8 moving + 0.2 batch, (H,) each."""
    old, new = BATCH_NORM_MOMENTUM, 1 - BATCH_NORM_MOMENTUM
    return Averages(old * moving.mean + new * batch.mean, old * moving.variance + new * batch.variance)


def tanh(x: Array) -> tuple[Array, Array]:
    """(tanh x, cache), of any shape."""
    y = np.tanh(x)
    return y, y


@shapes_named
def tanh_backward(d_y: Array, y: Array) -> Array:
    """Gradient in x: d_y (1 - tanh(x)^2), of the shape of d_y."""
    return d_y * (1 - y * y)


@twinned
def bernoulli(x: Array, logits: Array) -> tuple[Array, tuple[Array, Array]]:
    """log p(x|logits) = sum_v x_v logits_v - softplus(logits_v), nats.  x: (B, V), logits: (B K, V) -> (B K,).

    x: in [0, 1]; any finite logits. Raises ValueError for logits of other pixels, or that are no K rows an image.

    >>> value, _ = bernoulli(np.array([[1.0, 0.0]]), np.array([[0.0, 100.0]]))  # log(1/2) - 100
    >>> value.round(4).tolist()
    [-100.6931]
    """
    l = _by_image(x, logits)
    value = (l @ x[:, :, None])[..., 0] - softplus(l).sum(-1)
    return value.reshape(-1), (x, logits)


@twinned
def bernoulli_backward(d_value: Array, cache: tuple[Array, Array]) -> Array:
    """Gradient in logits: d_value times the residual x - sigmoid(logits), pixel minus its prediction.  (B K, V).

    ValueError unless d_value is (B K,).
    """
    x, logits = cache
    residual = x[:, None] - sigmoid(_by_image(x, logits))
    return per_row(d_value, logits) * residual.reshape(logits.shape)


def _by_image(x, logits):
    """The logits as (B, K, V)."""
    if x.ndim != 2 or logits.ndim != 2 or len(x) == 0 or x.shape[1] != logits.shape[1] or len(logits) % len(x):
        raise ValueError(f"the likelihood takes x (B, V) and logits (B K, V); got {x.shape} and {logits.shape}")
    return logits.reshape(len(x), -1, x.shape[1])


@twinned
def dense_bernoulli(params: Dense, y: Array, x: Array) -> Array:
    """log p(x|logits), nats, of the logits y kernel + bias, for evaluation.  y: (B K, H), x: (B, V) -> (B K,).

    ValueError for logits of other pixels, or that are no K rows an image.
    """
    logits, _ = dense(params, y)
    return bernoulli(x, logits)[0]


@twinned
def draw_binary(logit_q: Array, u: Array) -> tuple[Array, Array]:
    """z = [u < q] and log q(z), nats, of independent units.  logit_q: (B, W), u: (B K, W) -> (B K, W), (B K,).

    u: uniform on (0, 1). ValueError for a u of other units, or that has no K rows an image.
    """
    if len(logit_q) == 0 or u.shape[1:] != logit_q.shape[1:] or len(u) % len(logit_q):
        raise ValueError(f"binary units take logit_q (B, W) and u (B K, W); got {logit_q.shape} and {u.shape}")
    l = logit_q[:, None]
    z = u.reshape(len(l), -1, u.shape[1]) < sigmoid(l)
    log_q = -softplus(np.where(z, -l, l)).sum(-1)
    return z.reshape(u.shape).astype(u.dtype), log_q.reshape(-1)
