"""The exact expectation of the bound of a small linear model, and its exact gradient, for each of the eight methods.

E over q(zeta|x) is a sum over the nodes of a quadrature in every zeta_i, the same nodes whatever the parameters: only
the nodes' probabilities q(zeta|x) move, so nothing is reparameterised, no sample is drawn, and the gradient is that of
a finite sum (autograd's). Plain formulas of the paper throughout; of dvae_ref only the containers of parameters.

A node of a unit has the weights w0 = r(zeta|0) dzeta and w1 = r(zeta|1) dzeta. Quadratures:
- exponentials, with the uniform or without: Gauss-Legendre in zeta; everything is analytic there.
- power function: Gauss-Legendre in theta, zeta = I_theta(beta, beta) (incomplete beta function): zeta^(1/beta) and
  (1 - zeta)^(1/beta) are analytic in theta at both ends.
- Gaussians, Gaussian integral: the trapezoidal rule, which converges geometrically.
- spike: the node 0, and Gauss-Legendre on (0, 1].
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
import numpy
from autograd import value_and_grad
from autograd.scipy.special import logsumexp
from scipy.special import beta as beta_function
from scipy.special import betainc

from dvae_ref import tree
from dvae_ref.model.baselines import BASELINES
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential
from validation.boltzmann import couplings, entropy, log_z, mean_field, minus_energy, states

CHUNK = 20_000  # nodes differentiated at a time
SWEEPS = 30  # of the mean field, at which it has converged for the couplings used here
UNIFORM = 0.05


class Grid(NamedTuple):
    """The nodes of one unit."""

    zeta: numpy.ndarray
    w0: numpy.ndarray  # for the Gaussian integral: dzeta, its r depending on parameters
    w1: numpy.ndarray


def legendre(n):
    """(nodes, weights) of Gauss-Legendre on [0, 1]."""
    x, w = numpy.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


def exponential(beta, n, share=0.0):
    """r(zeta|0) = (1 - share) beta e^(-beta zeta) / (1 - e^-beta) + share."""
    zeta, weight = legendre(n)

    def density(x):
        r0 = beta * numpy.exp(-beta * x) / (1 - numpy.exp(-beta))
        return (1 - share) * r0 + share

    return Grid(zeta, density(zeta) * weight, density(1 - zeta) * weight)


def uniform_exponential(beta, n):
    return exponential(beta, n, UNIFORM)


def power(beta, n):
    """r(zeta|0) = zeta^(1/beta - 1) / beta, in theta: dzeta = (theta (1 - theta))^(beta - 1) / B(beta, beta) dtheta."""
    theta, weight = legendre(n)
    zeta, one_minus = betainc(beta, beta, theta), betainc(beta, beta, 1 - theta)
    d_zeta = (theta * (1 - theta)) ** (beta - 1) / beta_function(beta, beta) * weight
    exponent = 1 / beta - 1
    return Grid(zeta, zeta**exponent / beta * d_zeta, one_minus**exponent / beta * d_zeta)


def line(reach, n):
    """(zeta, dzeta) of the trapezoidal rule from -reach to 1 + reach."""
    zeta = numpy.linspace(-reach, 1 + reach, n)
    return zeta, numpy.full(n, zeta[1] - zeta[0])


def gaussian(beta, n):
    """r(zeta|z) = N(zeta | z, 1/beta), to 5.2 standard deviations beyond both vertices."""
    std = beta**-0.5
    zeta, step = line(5.2 * std, n)
    return Grid(zeta, step * normal(zeta, std), step * normal(zeta - 1, std))


def gaussian_integral(beta, n):
    """Nodes alone: r depends on parameters, and `posterior` puts it in; wider by the most that it is shifted."""
    zeta, step = line(5.2 * beta**-0.5 + 0.3, n)
    return Grid(zeta, step, step)


def spike(beta, n):
    """r(zeta|0) all at the node 0, r(zeta|1) on (0, 1] that of the exponential's mirror image: e^(beta (zeta - 1))."""
    zeta, w0, w1 = exponential(beta, n)
    return Grid(numpy.append(0.0, zeta), numpy.append(1.0, 0 * w0), numpy.append(0.0, w1))


class Rule(NamedTuple):
    """A quadrature for a law of zeta, and with which beta and how many nodes a unit it is exact enough."""

    grid: Callable
    beta: float
    nodes: int


OF_SMOOTHING = {
    Exponential: Rule(exponential, 4.0, 9),
    UniformExponential: Rule(uniform_exponential, 5.0, 9),
    Power: Rule(power, 3.0, 9),
    Gaussian: Rule(gaussian, 4.0, 16),
}
OF_PRIOR = {"gaussian_integral": Rule(gaussian_integral, 7.0, 19), "spike_joint": Rule(spike, 3.0, 7)}


def rule(baseline):
    """The Rule of a baseline; KeyError for one that has none."""
    record = BASELINES[baseline]
    if record.prior in OF_PRIOR:
        return OF_PRIOR[record.prior]
    return OF_SMOOTHING[SMOOTHINGS[record.law.name]]


class Setting(NamedTuple):
    """What the expectation depends on besides the parameters."""

    baseline: str
    beta: float
    k: int
    kappa: float
    mean_x: numpy.ndarray
    nodes: int

    @property
    def family(self):
        return BASELINES[self.baseline].family

    @property
    def smoothing(self):
        """Its class in theory/smoothing.py; KeyError for a law that is not there."""
        return SMOOTHINGS[BASELINES[self.baseline].law.name]

    @property
    def integral(self):
        """Is the prior that of the Gaussian integral?"""
        return BASELINES[self.baseline].prior == "gaussian_integral"


def bound(params, x, setting):
    """(the expected K-sample bound, averaged over the images x, -kappa log Z included; its gradient in params)."""
    nodes = product_grid(rule(setting.baseline).grid(setting.beta, setting.nodes), params.rbm.a.size)
    if setting.k > 1:
        objective, parts = importance_weighted, [nodes]
    else:
        objective, parts = variational, chunks(nodes)
    value, gradient = 0.0, [numpy.zeros_like(leaf) for leaf in tree.leaves(params)]
    for image, part in itertools.product(x, parts):

        def total(leaves, part=part, image=image):
            return objective(tree.unflatten(params, leaves), image, part, setting)

        part_value, part_gradient = value_and_grad(total)(tree.leaves(params))
        value += part_value / len(x)
        gradient = [g + p / len(x) for g, p in zip(gradient, part_gradient, strict=True)]
    return value, gradient


def product_grid(axis, d):
    """The nodes (n^d, d) of d units, from those of one."""
    index = numpy.array(list(itertools.product(range(len(axis.zeta)), repeat=d)))
    return Grid(axis.zeta[index], axis.w0[index], axis.w1[index])


def chunks(nodes):
    """The nodes in parts of about CHUNK rows."""
    count = math.ceil(len(nodes.zeta) / CHUNK)
    parts = numpy.array_split(numpy.arange(len(nodes.zeta)), count)
    return [Grid(nodes.zeta[rows], nodes.w0[rows], nodes.w1[rows]) for rows in parts]


def variational(params, image, nodes, setting):
    """Part of the expectation for K = 1: sum over nodes of q(zeta|x) times the term of the bound."""
    log_q, logit_q = posterior(params, image, nodes, setting)
    q = np.exp(log_q)
    log_z = log_partition(params.rbm)
    term = log_likelihood(params, image, nodes, setting) * q
    if setting.family == "DVAE#":
        term = term + setting.kappa * q * (log_prior(params.rbm, nodes, setting) - log_z - log_q)
        return np.sum(term)
    return np.sum(term) + setting.kappa * minus_kl(params.rbm, logit_q, nodes, log_z)


def importance_weighted(params, image, nodes, setting):
    """K = 2: the sum over pairs of nodes, independent draws."""
    log_q, _ = posterior(params, image, nodes, setting)
    log_ratio = log_prior(params.rbm, nodes, setting) - log_partition(params.rbm) - log_q
    log_w = setting.kappa * log_ratio + log_likelihood(params, image, nodes, setting)
    q = np.exp(log_q)
    pairs = np.logaddexp(log_w[:, None], log_w[None, :]) - np.log(2)
    return np.dot(q, np.dot(pairs, q))


def posterior(params, image, nodes, setting):
    """(log q(zeta|x) dzeta, logit q) of every node, group by group."""
    zeta, width = nodes.zeta, nodes.zeta.shape[1] // len(params.encoder)
    log_q, logits = 0.0, []
    for g, network in enumerate(params.encoder):
        own = slice(g * width, (g + 1) * width)
        shared = np.dot(image - setting.mean_x, network.out.kernel[: len(image)]) + network.out.bias
        out = shared + np.dot(zeta[:, : own.start], network.out.kernel[len(image) :])
        logit_q = out[:, :width]
        w0, w1 = nodes.w0[:, own], nodes.w1[:, own]
        if setting.integral:
            shift, std = shifted_normal(out[:, width:], params.posterior.s[own])
            w0 = w0 * normal(zeta[:, own] - shift, std)
            w1 = w1 * normal(zeta[:, own] - 1 - shift, std)
        q = 1 / (1 + np.exp(-logit_q))
        log_q = log_q + np.sum(np.log((1 - q) * w0 + q * w1), 1)
        logits.append(logit_q)
    return log_q, np.concatenate(logits, 1)


def shifted_normal(raw, s):
    """(shift, standard deviation) of the Gaussian integral's posterior."""
    return (1 / (1 + np.exp(-raw)) - 0.5) / 2, np.abs(s) / 5 + 0.05


def normal(x, std):
    """N(x | 0, std^2)."""
    return np.exp(-((x / std) ** 2) / 2) / (np.sqrt(2 * np.pi) * std)


def log_likelihood(params, image, nodes, setting):
    """log p(x|zeta), the clipped mean image added to the logits."""
    mean = numpy.clip(setting.mean_x, 0.001, 0.999)
    logits = np.dot(nodes.zeta, params.decoder.out.kernel) + params.decoder.out.bias + numpy.log(mean / (1 - mean))
    p = 1 / (1 + np.exp(-logits))
    return np.sum(image * np.log(p) + (1 - image) * np.log(1 - p), 1)


def log_prior(rbm, nodes, setting):
    """log p(zeta) dzeta + log Z: by mean field, H(m) - E^(m), or by the sum over z of Gaussians."""
    if setting.integral:
        return log_gaussians(rbm, nodes, setting.beta)
    return log_mean_field(rbm, nodes, SWEEPS)


def log_mean_field(rbm, nodes, sweeps):
    """H(m) - E^(m), with the c(zeta)."""
    b, c = np.log(nodes.w1 / nodes.w0), np.sum(np.log(nodes.w0), 1)
    m = mean_field(rbm.a, rbm.W, b, sweeps)
    return entropy(m) + minus_energy(rbm.a, rbm.W, m) + np.sum(b * m, 1) + c


def log_gaussians(rbm, nodes, lam):
    """log sum_z e^-E(z) N(zeta | z, (J + lam I)^-1) dzeta."""
    z = states(rbm.a.size)
    P = couplings(rbm.W) + lam * np.eye(rbm.a.size)
    away = nodes.zeta[:, None, :] - z
    log_normal = np.linalg.slogdet(P / (2 * np.pi))[1] / 2 - np.sum(np.dot(away, P) * away, 2) / 2
    return logsumexp(minus_energy(rbm.a, rbm.W, z) + log_normal, 1) + np.sum(np.log(nodes.w0), 1)


def minus_kl(rbm, logit_q, nodes, log_z):
    """-KL(q(z, zeta|x) || p(z) r(zeta|z)) of DVAE and DVAE++: the sum over every z and node of q(z, zeta|x) times
    log p(z) - log q(z|x, zeta)."""
    q, total = 1 / (1 + np.exp(-logit_q)), 0.0
    for z in states(rbm.a.size):
        joint = product(np.where(z == 1, q * nodes.w1, (1 - q) * nodes.w0))
        log_ratio = minus_energy(rbm.a, rbm.W, z[None])[0] - log_z - np.sum(np.log(np.where(z == 1, q, 1 - q)), 1)
        total = total + np.sum(joint * log_ratio)
    return total


def product(x):
    """Over the last axis; unlike np.prod's, its derivative allows for zeros."""
    total = x[:, 0]
    for i in range(1, x.shape[1]):
        total = total * x[:, i]
    return total


def log_partition(rbm):
    """log Z by the sum over all states."""
    return log_z(rbm.a, rbm.W)
