"""A training step's objective as plain float64 formulas: autograd's gradient of it is what the float32 twins' is held
against.

Networks with hidden layers, batch norm over the whole batch, and at fixed noise. What moves zeta is its own CDF F: at
given numbers, zeta = zeta_0 - (F(zeta_0; parameters) - F_0) / f(zeta_0), whose value is zeta_0 and whose derivative is
that of the inverse CDF; Eq. 9 is not used. Of dvae_ref only the containers of parameters.
"""

from typing import NamedTuple

import autograd.numpy as np
import numpy
from autograd import value_and_grad
from autograd.scipy.special import logsumexp
from autograd.scipy.stats import norm

from dvae_ref import tree
from dvae_ref.theory.smoothing import Exponential, Gaussian, Power
from validation import expectation
from validation.expectation import Grid, Setting

EPSILON = 1e-2  # of batch norm


class Point(NamedTuple):
    """Where the gradient is taken: what does not move with the parameters."""

    x: numpy.ndarray  # (B, V)
    zeta: numpy.ndarray  # (B K, D), as drawn
    one_less: numpy.ndarray  # 1 - zeta, which near 1 is known better than by zeta
    lam: float | None  # of the Gaussian integral


def bound_and_gradient(params, point, weights, setting):
    """(bounds (B,), the batch's averages layer by layer, gradient of weights·bounds), -kappa log Z included."""
    seen = {}

    def total(leaves):
        bounds, seen["averages"] = bound(tree.unflatten(params, leaves), point, setting)
        seen["bounds"] = numpy.array([getattr(b, "_value", b) for b in bounds])
        return np.dot(weights, bounds)

    _, gradient = value_and_grad(total)(tree.leaves(params))
    averages = [(_constant(mean), _constant(variance)) for mean, variance in seen["averages"]]
    return seen["bounds"], averages, tree.unflatten(params, gradient)


def bound(params, point, setting):
    """Eq. 3 (or its one-sample form) for each image, and the batch averages of every hidden layer."""
    width = params.rbm.a.size // len(params.encoder)
    averages, log_q, zetas, sides = [], 0.0, [], []
    rows = np.repeat(point.x - setting.mean_x, setting.k, axis=0)
    for g, net in enumerate(params.encoder):
        own = slice(g * width, (g + 1) * width)
        out = network(net, np.concatenate([rows, *zetas], 1), averages)
        here, there = point.zeta[:, own], point.one_less[:, own]
        q, f0, f1, cdf = unit_laws(params, out, own, width, setting)
        still = (1 - _constant(q)) * _constant(f0(here, there)) + _constant(q) * _constant(f1(here, there))
        moving = cdf(here, there)
        step = (_constant(moving) - moving) / still  # 0, but it has a derivative
        zetas.append(here + step)
        w0, w1 = f0(here + step, there - step), f1(here + step, there - step)
        log_q = log_q + np.sum(np.log((1 - q) * w0 + q * w1), 1)
        sides.append((w0, w1))
    zeta = np.concatenate(zetas, 1)
    log_w = setting.kappa * (log_prior(params.rbm, zeta, sides, point, setting) - log_q)
    log_w = log_w + log_likelihood(params, zeta, point, averages, setting)
    log_w = np.reshape(log_w, (len(point.x), setting.k))
    value = logsumexp(log_w, 1) - np.log(setting.k)
    return value - setting.kappa * expectation.log_partition(params.rbm), averages


def _constant(value):
    """The number, which does not move."""
    while hasattr(value, "_value"):
        value = value._value
    return value


def unit_laws(params, out, own, width, setting):
    """(q, density given 0, density given 1, CDF of the mixture) of a group's units."""
    q = 1 / (1 + np.exp(-out[:, :width]))
    if setting.integral:
        shift, std = expectation.shifted_normal(out[:, width:], params.posterior.s[own])
        return normal_laws(q, shift, std)
    if setting.smoothing is Gaussian:
        return normal_laws(q, 0.0, setting.beta**-0.5)
    density, distribution = ON_THE_UNIT_INTERVAL[setting.smoothing]
    return mirrored_laws(q, density, distribution, setting.beta)


def normal_laws(q, shift, std):
    """Of zeta alone: the Gaussians have no end near which 1 - zeta would be needed."""

    def density0(zeta, _):
        return expectation.normal(zeta - shift, std)

    def density1(zeta, _):
        return expectation.normal(zeta - 1 - shift, std)

    def cdf(zeta, _):
        return (1 - q) * norm.cdf((zeta - shift) / std) + q * norm.cdf((zeta - 1 - shift) / std)

    return q, density0, density1, cdf


def mirrored_laws(q, density, distribution, beta):
    """Of (zeta, 1 - zeta), the law given 1 being the mirror image of that given 0."""

    def density0(zeta, _):
        return density(zeta, beta)

    def density1(_, one_less):
        return density(one_less, beta)

    def cdf(zeta, one_less):
        return (1 - q) * distribution(zeta, beta) + q * (1 - distribution(one_less, beta))

    return q, density0, density1, cdf


def power_density(x, beta):
    return x ** (1 / beta - 1) / beta


def power_distribution(x, beta):
    return x ** (1 / beta)


def exponential_density(x, beta):
    return beta * np.exp(-beta * x) / (1 - np.exp(-beta))


def exponential_distribution(x, beta):
    return (1 - np.exp(-beta * x)) / (1 - np.exp(-beta))


ON_THE_UNIT_INTERVAL = {
    Power: (power_density, power_distribution),
    Exponential: (exponential_density, exponential_distribution),
}


def network(net, x, averages):
    """Dense, batch norm over all rows, tanh; then dense."""
    for layer in net.hidden:
        y = np.dot(x, layer.dense.kernel) + layer.dense.bias
        mean = np.mean(y, 0)
        variance = np.mean((y - mean) ** 2, 0)
        averages.append((mean, variance))
        x = np.tanh(layer.norm.scale * (y - mean) / np.sqrt(variance + EPSILON) + layer.norm.offset)
    return np.dot(x, net.out.kernel) + net.out.bias


def log_prior(rbm, zeta, sides, point, setting):
    """log p(zeta) + log Z (N,), nats: Eq. 7's Gaussians, or the mean field with r(zeta|0), r(zeta|1) of each unit."""
    if setting.integral:
        return expectation.log_gaussians(rbm, Grid(zeta, np.ones_like(_constant(zeta)), None), point.lam)
    w0, w1 = zip(*sides, strict=True)
    return expectation.log_prior(rbm, Grid(zeta, np.concatenate(w0, 1), np.concatenate(w1, 1)), setting)


def log_likelihood(params, zeta, point, averages, setting):
    """log p(x|zeta) (N,), nats: x l - log(1 + e^l), l the logits, to which those of the mean image are added."""
    mean = numpy.clip(setting.mean_x, 0.001, 0.999)
    logits = network(params.decoder, zeta, averages) + numpy.log(mean / (1 - mean))
    x = numpy.repeat(point.x, setting.k, axis=0)
    return np.sum(x * logits - np.logaddexp(0, logits), 1)


def setting(baseline, beta, k, kappa, mean_x):
    """The Setting that `expectation` shares."""
    return Setting(baseline, beta, k, kappa, mean_x, 0)
