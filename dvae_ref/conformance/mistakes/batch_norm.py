"""Mistakes in batch norm: its variance, its gradient, whose mean and variance they are.

Right is scale (x - mean) / sqrt(variance + 0.01) + offset with the batch's mean and biased variance, through which the
gradient passes, and in evaluation with their moving averages. 0.01 is what the release has; Keras's default is 1e-3 and
PyTorch's 1e-5. With activations of order one that is a per cent or less of a layer's scale: hardly seen in training,
but weights that are carried over from one to the other give another likelihood.

What depends on x alone is normed over B rows here, before the samples are repeated; with most it is over B K rows, of
the same mean and biased variance. The unbiased variance tells them apart.
"""

import numpy as np

from dvae_ref.conformance.mistakes.objectives import DISCRETE, EVERY, NONLINEAR
from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.model import layers, networks
from dvae_ref.model.layers import Averages, BatchNorm, BatchNormCache


def with_variance(change):
    """batch_norm with change(variance, rows) for 1 / sqrt(variance + 0.01)."""

    def forward(params, x):
        mean, variance = x.mean(0), x.var(0)
        inverse_std = change(variance, len(x))
        normed = (x - mean) * inverse_std
        cache = BatchNormCache(normed, params.scale, inverse_std, Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    return forward


def rescaled(shrink):
    """A backward of another inverse std: what moves the variance counts shrink(cache, rows) times."""

    def backward(d_y, cache):
        rows, (normed, scale, inverse_std, _) = len(d_y), cache
        d_scale, d_offset = np.sum(d_y * normed, 0), d_y.sum(0)
        moved = d_y - d_offset / rows - normed * d_scale / rows * shrink(cache, rows)
        return BatchNorm(d_scale, d_offset), moved * (scale * inverse_std)

    return backward


def normed_by(case, change, shrink):
    """The outputs with another normalisation, forward and backward."""
    with replaced(layers, batch_norm=with_variance(change), batch_norm_backward=rescaled(shrink)):
        return case.again()


@mistake("batch norm divides by rows - 1: the unbiased variance", NONLINEAR)
def unbiased_variance(case):
    """What depends on x alone has a row an image, or, as with most, a row a sample."""
    samples = len(case.inputs["zeta"])
    return closest(case, [unbiased(case, lambda rows: samples), unbiased(case, lambda rows: rows)])


def unbiased(case, number):
    """sum (x - mean)^2 / (n - 1), n = number(rows)."""

    def factor(rows):
        return number(rows) / (number(rows) - 1)

    def inverse(variance, rows):
        return (variance * factor(rows) + layers.BATCH_NORM_EPSILON) ** -0.5

    return normed_by(case, inverse, lambda cache, rows: factor(rows))


@mistake("batch norm adds another number to the variance, not 0.01", EVERY, DISCRETE, read_off=True)
def other_epsilon(case):
    """1e-3 is Keras's."""
    found = []
    for epsilon in (1e-3, 1e-8, 1e-6, 1e-4, 0.1, 0.0):
        with replaced(layers, BATCH_NORM_EPSILON=epsilon):
            found.append(case.again())
    return closest(case, found)


@mistake("0.01 is added to the standard deviation, not to the variance", NONLINEAR)
def outside_the_root(case):
    """1 / (sqrt(variance) + 0.01): as against a division by 0, in layers written by hand."""

    def inverse(variance, rows):
        return 1 / (np.sqrt(variance) + layers.BATCH_NORM_EPSILON)

    def shrink(cache, rows):
        return 1 / (cache.inverse_std * np.sqrt(cache.batch.variance))

    return normed_by(case, inverse, shrink)


@mistake("batch norm's mean and variance are held fixed in the gradient", NONLINEAR)
def fixed_statistics(case):
    """d_x = d_y scale / std alone: mean and variance detached, as they are in evaluation."""

    def backward(d_y, cache):
        return BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * (cache.scale * cache.inverse_std)

    with replaced(layers, batch_norm_backward=backward):
        return case.again()


@mistake("there is no batch norm: scale x + offset alone", NONLINEAR)
def without_batch_norm(case):
    """The layer's own scale and offset, mean 0 and variance 1 for the batch's."""

    def forward(params, x):
        cache = BatchNormCache(x, params.scale, np.ones(x.shape[1]), Averages(x.mean(0), x.var(0)))
        return x * params.scale + params.offset, cache

    def backward(d_y, cache):
        return BatchNorm(np.sum(d_y * cache.normed, 0), d_y.sum(0)), d_y * cache.scale

    with replaced(layers, batch_norm=forward, batch_norm_backward=backward):
        return case.again()


@mistake("layer norm in place of batch norm: mean and variance over the units of a row", NONLINEAR, DISCRETE)
def layer_norm(case):
    """With 0.01 added to the variance, or PyTorch's 1e-5, or Keras's 1e-3."""
    return closest(case, [normed_by_row(case, epsilon) for epsilon in (layers.BATCH_NORM_EPSILON, 1e-5, 1e-3)])


def normed_by_row(case, epsilon):
    """scale (x - mean) / sqrt(variance + epsilon) + offset with a row's own mean and variance."""

    def forward(params, x):
        mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        inverse_std = 1 / np.sqrt(variance + epsilon)
        normed = (x - mean) * inverse_std
        cache = BatchNormCache(normed, params.scale, inverse_std, Averages(mean, variance))
        return normed * params.scale + params.offset, cache

    def backward(d_y, cache):
        normed, d = cache.normed, d_y * cache.scale
        moved = d - d.mean(1, keepdims=True) - normed * np.mean(d * normed, 1, keepdims=True)
        return BatchNorm(np.sum(d_y * normed, 0), d_y.sum(0)), moved * cache.inverse_std

    normed = replaced(layers, batch_norm=forward, batch_norm_backward=backward)
    with normed, replaced(networks, hidden_evaluate=trained):
        return case.again()


def trained(params, moving, x, zeta=None):
    """networks.hidden_evaluate as in training: by the mean and variance of the images that are measured together."""
    out = networks.network(params, x, zeta)[1].out
    return out.x, out.zeta
