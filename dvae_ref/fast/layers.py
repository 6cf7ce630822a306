"""Fused kernels: the same work as a readable form in model/layers.py, in one pass.

B images of V pixels, K samples, N = B K rows with those of an image consecutive; layers of H units.
"""

import math

import numpy as np

from dvae_ref.fast import team
from dvae_ref.fast.elementary import OPTIONS, REDUCE, decay, exp_minus, flipped, mean_decay, numerator, positive
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import agree
from dvae_ref.fast.smoothing import sigmoid
from dvae_ref.fast.sums import plain_sum, sum_with_logs
from dvae_ref.model.layers import BATCH_NORM_EPSILON, Averages, BatchNorm, BatchNormCache

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_FACTORS = 112  # of at most 2 each: their product stays below 2**112


@compiled(**OPTIONS)
def _bernoulli(x, raw, bias, out):
    """sum_v x_v l_v - max(l_v, 0) - log(1 + e^-|l_v|), l = raw + bias.  One log serves a product of 112 factors."""
    n, n_pixels = raw.shape
    k = n // len(x)
    e, logit = np.empty(n_pixels, np.float32), np.empty(n_pixels, np.float32)
    for row in range(n):
        image = x[row // k]
        for v in range(n_pixels):
            logit[v] = raw[row, v] + bias[v]
            e[v] = exp_minus(abs(logit[v]))
        total = np.float64(_linear(image, logit))
        for first in range(0, n_pixels, _FACTORS):
            total -= math.log(_product(e[first : first + _FACTORS]))
        out[row] = total


@compiled(**REDUCE)
def _linear(image, logit):
    """sum_v x_v l_v - max(l_v, 0) of an image's pixels."""
    total = _ZERO
    for v in range(len(logit)):
        total += image[v] * logit[v] - positive(logit[v])
    return total


@compiled(**REDUCE)
def _product(e):
    """prod_v (1 + e_v)."""
    total = _ONE
    for v in range(len(e)):
        total *= _ONE + e[v]
    return total


def _of_images(x, logits, *layout):
    """Whether these are B images and N = B K rows of logits."""
    return agree((x, "BV"), (logits, "NV"), *layout) and len(x) > 0 and len(logits) % len(x) == 0


def bernoulli(x, logits):
    """log p(x|logits) of layers.bernoulli: (B, V), (B K, V) -> (B K,), in float32 only.

    Releases the interpreter lock, so chunks can run in threads. Agrees with the readable form in float64 to 2e-7
    relative to sum (|l| + log 2) (tests/test_kernels.py).
    """
    if not _of_images(x, logits):
        return NotImplemented
    out, no_bias = np.empty(len(logits), np.float32), np.zeros(x.shape[1], np.float32)
    _bernoulli(x, logits, no_bias, out)
    return out, (x, logits)


def dense_bernoulli(params, y, x):
    """log p(x|logits), nats, of logits = y kernel + bias: (N, H), (B, V) -> (N,).

    The logits are not written: the bias is added where the likelihood reads y kernel.
    """
    kernel, bias = params
    if not agree((y, "NH"), (kernel, "HV"), (bias, "V"), (x, "BV")) or len(x) == 0 or len(y) % len(x):
        return NotImplemented
    out = np.empty(len(y), np.float32)
    _bernoulli(x, y @ kernel, bias, out)
    return out


@compiled(**OPTIONS)
def _draw_binary(logit_q, u, z, log_q):
    """z = [u < q], and log q(z) = - sum_j max(s_j, 0) + log(1 + e^-|l_j|), s = -l where z is 1 and l where it is 0.

    logit_q: (B, D); u, z: (N, D), rows of an image consecutive; log_q: (N,).
    """
    k, shape = len(u) // len(logit_q), logit_q.shape[1]
    q, factors, terms = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.float32)
    for b in range(len(logit_q)):
        l = logit_q[b]
        for j in range(shape):
            e = exp_minus(abs(l[j]))
            q[j] = numerator(l[j], e) / (_ONE + e)
            factors[j], terms[j] = _ONE + e, _ZERO
        logs = sum_with_logs(terms, factors)
        for row in range(b * k, b * k + k):
            for j in range(shape):
                up = u[row, j] < q[j]
                z[row, j] = _ONE if up else _ZERO
                terms[j] = positive(flipped(l[j], up))
            log_q[row] = -(logs + plain_sum(terms))


def draw_binary(logit_q, u):
    logit_q, u = np.ascontiguousarray(logit_q), np.ascontiguousarray(u)  # columns of a group, as they come
    if not agree((logit_q, "BW"), (u, "NW")) or len(logit_q) == 0 or len(u) % len(logit_q):
        return NotImplemented
    z, log_q = np.empty_like(u), np.empty(len(u), np.float32)
    _draw_binary(logit_q, u, z, log_q)
    return z, log_q


@compiled(**OPTIONS)
def _bernoulli_backward(d_value, x, logits, d_logits):
    """d_logits = d_value (x - sigmoid(logits)).  d_value: (N,), x: (B, V), the others (N, V)."""
    k = len(logits) // len(x)
    for row in range(len(logits)):
        image, logit, d = x[row // k], logits[row], d_logits[row]
        for v in range(len(logit)):
            d[v] = d_value[row] * (image[v] - sigmoid(logit[v]))


def bernoulli_backward(d_value, cache):
    x, logits = cache
    if not _of_images(x, logits, (d_value, "N")):
        return NotImplemented
    d_logits = np.empty_like(logits)
    _bernoulli_backward(d_value, x, logits, d_logits)
    return d_logits


@compiled(**OPTIONS)
def _moments(x, mean, square):
    """Column means of x and of x^2, the latter by way of the variance about the mean."""
    n, total = x.shape[0], np.zeros(x.shape[1], np.float32)
    for i in range(n):
        for j in range(total.size):
            total[j] += x[i, j]
    centre = total / np.float32(n)
    total[:] = _ZERO
    for i in range(n):
        for j in range(total.size):
            total[j] += (x[i, j] - centre[j]) * (x[i, j] - centre[j])
    for j in range(total.size):
        mean[j] = centre[j]
        square[j] = np.float64(total[j]) / n + mean[j] * mean[j]


def moments(x):
    """Column means of x and x^2 of a float32 (N, H), in float64: means over shares then still give the variance."""
    out = np.empty((2, x.shape[1]))
    _moments(x, out[0], out[1])
    return out


@compiled(**OPTIONS)
def _norm_tanh(x, mean, inverse_std, scale, offset, normed, y):
    """tanh(s) = s (1 - e^-2|s|) / |s| / (1 + e^-2|s|), where nothing cancels."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            normed[i, j] = (x[i, j] - mean[j]) * inverse_std[j]
            inner = normed[i, j] * scale[j] + offset[j]
            size = _TWO * abs(inner)
            y[i, j] = _TWO * inner * mean_decay(size) / (_ONE + decay(size))


def norm_tanh(x, mean, inverse_std, scale, offset):
    """normed = (x - mean) inverse_std, and tanh(normed scale + offset): layers.batch_norm and layers.tanh, (N, H)."""
    normed, y = np.empty_like(x), np.empty_like(x)
    _norm_tanh(x, mean, inverse_std, scale, offset, normed, y)
    return normed, y


@compiled(**OPTIONS)
def _tanh_backward(d_y, y, normed, d, d_scale, d_offset):
    """d = d_y (1 - y^2), and its sums over rows, with normed and alone, added to d_scale and d_offset."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            d[i, j] = d_y[i, j] * (_ONE - y[i, j] * y[i, j])
            d_scale[j] += d[i, j] * normed[i, j]
            d_offset[j] += d[i, j]


def tanh_backward(d_y, y, normed):
    """layers.tanh_backward, and batch norm's gradients (d_scale, d_offset) stacked: d (N, H), (2, H)."""
    d, sums = np.empty_like(y), np.zeros((2, y.shape[1]), np.float32)
    _tanh_backward(d_y, y, normed, d, sums[0], sums[1])
    return d, sums


@compiled(**OPTIONS)
def norm_backward(d, normed, mean_scale, mean_offset, factor):
    """d <- (d - mean_offset - normed mean_scale) factor, the rest of layers.batch_norm_backward: (N, H) and (H,)."""
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            d[i, j] = (d[i, j] - mean_offset[j] - normed[i, j] * mean_scale[j]) * factor[j]


def batch_norm_tanh(params, x):
    """The moments are the whole batch's: where it is dealt out to a team, its members meet here."""
    if not agree((x, "NH"), (params.scale, "H"), (params.offset, "H")) or len(x) == 0:
        return NotImplemented
    mean, square = team.mean(moments(x))
    batch = Averages(mean.astype(np.float32), (square - mean * mean).astype(np.float32))
    inverse_std = 1 / np.sqrt(batch.variance + np.float32(BATCH_NORM_EPSILON))
    normed, y = norm_tanh(x, batch.mean, inverse_std, params.scale, params.offset)
    return y, (BatchNormCache(normed, params.scale, inverse_std, batch), y)


def batch_norm_tanh_backward(d_y, cache):
    """With d the cotangent of normed scale + offset, and means over the whole batch:

    d_x = (d - mean(d) - normed mean(d normed)) scale / std, d_scale = sum(d normed), d_offset = sum(d).
    """
    norm, y = cache
    if not agree((d_y, "NH"), (y, "NH"), (norm.normed, "NH"), (norm.scale, "H"), (norm.inverse_std, "H")):
        return NotImplemented
    if len(y) == 0:
        return NotImplemented
    d_x, sums = tanh_backward(d_y, y, norm.normed)
    mean_scale, mean_offset = team.mean(sums / np.float32(len(y)))
    norm_backward(d_x, norm.normed, mean_scale, mean_offset, norm.scale * norm.inverse_std)
    d_scale, d_offset = sums
    return BatchNorm(d_scale, d_offset), d_x
