"""What the tests compare with: the paper's formulas, plainly.

Everything is written in zeta, with probabilities rather than logits, every state of the Boltzmann machine enumerated
and every input repeated K times; gradients come from autograd. Of dvae_ref only the containers of parameters are read.
Plain formulas cancel: 1 - zeta has the relative error eps / (1 - zeta), log(1 - m) that of eps / (1 - m). The tests
therefore use the witness where rho is in [0.1, 0.9], beta <= 6 and |b| <= 15, so that eps times these is below 1e-11.
"""

from typing import NamedTuple

import autograd.numpy as np
import numpy
from autograd.scipy.special import logsumexp
from autograd.scipy.stats import norm
from autograd.tracer import getval
from scipy import stats

from validation.boltzmann import couplings, log_z, minus_energy, states
from validation.boltzmann import probabilities as probabilities

UNIFORM_SHARE = 0.05  # the paper's epsilon


def relative_error(value, expected, floor=0.0):
    """|value - expected| / max(|expected|, floor), Euclidean norms."""
    value, expected = numpy.asarray(value), numpy.asarray(expected)
    assert value.shape == expected.shape, f"shapes {value.shape} and {expected.shape}"
    return numpy.linalg.norm(value - expected) / max(numpy.linalg.norm(expected), floor)


class Derivative(NamedTuple):
    value: float
    error: float


def derivative(f, step=1e-3):
    """f'(0) by the five-point formula, with a bound of its error.

    Truncation: the formula is of fourth order, so its error is 1/15 of its change on doubling the step; the whole
    change is charged. Rounding: 1.5 |error of f| / step, where f is trusted to 16 eps of its largest value.
    """
    f1, f_1, f2, f_2, f4, f_4 = (f(sign * n * step) for n in (1, 2, 4) for sign in (1, -1))
    fine = (8 * (f1 - f_1) - (f2 - f_2)) / (12 * step)
    coarse = (8 * (f2 - f_2) - (f4 - f_4)) / (24 * step)
    rounding = 1.5 * 16 * 2.2e-16 * max(abs(f1), abs(f2), abs(f4)) / step
    return Derivative(fine, abs(fine - coarse) + rounding)


def check_backward(rng, forward, gradients, arguments, sharpness=1e-6):
    """Hold gradients(cotangent), those of sum(cotangent * forward(*arguments)), to central differences.

    Each argument is moved along a random direction. The tolerance is the estimated error of the difference, which must
    itself be below `sharpness` of the derivative that a random direction would see.
    """
    cotangent = rng.standard_normal(forward(*arguments).shape)
    found = gradients(cotangent)
    assert len(found) == len(arguments)
    for i, (argument, gradient) in enumerate(zip(arguments, found, strict=True)):
        assert gradient.shape == argument.shape, f"argument {i}: gradient {gradient.shape}, argument {argument.shape}"
        direction = rng.standard_normal(argument.shape)

        def along(h, i=i, direction=direction):
            moved = [a + h * direction if j == i else a for j, a in enumerate(arguments)]
            return numpy.sum(cotangent * forward(*moved))

        difference = derivative(along)
        scale = numpy.linalg.norm(gradient)
        assert difference.error < sharpness * max(scale, 1e-3), f"argument {i}: the difference is too rough to judge"
        assert abs(numpy.sum(gradient * direction) - difference.value) <= difference.error, f"argument {i}"


# -- Boltzmann machine ---------------------------------------------------------------------------------------------


def energy(a, W, z):
    """E(z) = -a·z - z W z / 2 with the symmetric W."""
    return -minus_energy(a, W, z)


def mean_field(a, W, b, sweeps):
    """m (N, D) after alternating sweeps from 1/2, the right side first."""
    left = W.shape[0]
    m = 0.5 * np.ones_like(b)
    m_left, m_right = m[:, :left], m[:, left:]
    for _ in range(sweeps):
        m_right = sigmoid(a[left:] + b[:, left:] + np.dot(m_left, W))
        m_left = sigmoid(a[:left] + b[:, :left] + np.dot(m_right, W.T))
    return np.concatenate([m_left, m_right], 1)


def entropy(m):
    """H(m) of each row, m strictly inside (0, 1)."""
    return -np.sum(m * np.log(m) + (1 - m) * np.log(1 - m), -1)


# -- smoothing -----------------------------------------------------------------------------------------------------


def density(name, beta, zeta, z):
    """r(zeta|z)."""
    if name == "gauss":
        return np.sqrt(beta / (2 * np.pi)) * np.exp(-beta * (zeta - z) ** 2 / 2)
    if name == "logistic":
        return beta / (4 * np.cosh(beta * (zeta - z) / 2) ** 2)
    if name == "power":
        return (1 - zeta if z else zeta) ** (1 / beta - 1) / beta
    exponential = np.exp(beta * (zeta - 1) if z else -beta * zeta) * beta / (1 - np.exp(-beta))
    return exponential if name == "exp" else (1 - UNIFORM_SHARE) * exponential + UNIFORM_SHARE


def law0(name, beta):
    """The law of zeta given z = 0 as a scipy.stats distribution (without the uniform share)."""
    if name == "gauss":
        return stats.norm(0, beta**-0.5)
    if name == "logistic":
        return stats.logistic(0, 1 / beta)
    return stats.beta(1 / beta, 1) if name == "power" else stats.truncexpon(beta, scale=1 / beta)


def distribution(name, beta, zeta, z):
    """R(zeta|z), for numbers."""
    law = law0(name, beta)
    r = law.sf(1 - zeta) if z else law.cdf(zeta)
    return (1 - UNIFORM_SHARE) * r + UNIFORM_SHARE * zeta if name == "unexp" else r


def draw(name, beta, q, u, rho):
    """zeta of the ancestral sample that u and rho make: z = [u < q], zeta or 1 - zeta the quantile of r(.|0) at rho."""
    law = law0(name, beta)
    zeta = law.ppf(rho)
    if name == "unexp":
        stretched = law.ppf(numpy.maximum(rho - UNIFORM_SHARE, 0) / (1 - UNIFORM_SHARE))
        zeta = numpy.where(rho < UNIFORM_SHARE, rho / UNIFORM_SHARE, stretched)
    return numpy.where(u < q, 1 - zeta, zeta)


def d_zeta_d_q(name, beta, q, zeta):
    """Eq. 9, for numbers."""
    gap = distribution(name, beta, zeta, 0) - distribution(name, beta, zeta, 1)
    return gap / ((1 - q) * density(name, beta, zeta, 0) + q * density(name, beta, zeta, 1))


# -- networks and the objective ------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def batch_norm(scale, offset, x):
    mean = np.mean(x, 0)
    variance = np.mean((x - mean) ** 2, 0)
    return scale * (x - mean) / np.sqrt(variance + 0.01) + offset


def network(params, x):
    """A network of dense, batch norm and tanh layers, and a linear output, on whole inputs."""
    for (kernel, bias), (scale, offset) in params.hidden:
        x = np.tanh(batch_norm(scale, offset, np.dot(x, kernel) + bias))
    kernel, bias = params.out
    return np.dot(x, kernel) + bias


def encode(encoder, x, width, draw):
    """zeta and q (N, D), group by group; draw(outputs, columns of the group) -> (zeta_g, q_g, whatever else)."""
    parts, zeta = [], np.zeros((len(x), 0))
    for g, group in enumerate(encoder):
        own = slice(g * width, (g + 1) * width)
        parts.append(draw(network(group, np.concatenate([x, zeta], 1)), own))
        zeta = np.concatenate([zeta, parts[-1][0]], 1)
    return [np.concatenate(columns, 1) for columns in zip(*parts, strict=True)]


def encode_overlapping(params, x, u, rho, name, beta):
    """zeta and q of overlapping smoothing; zeta is the draw, with the derivative of Eq. 9."""

    def draw_group(out, own):
        q, q0 = sigmoid(out), getval(sigmoid(out))
        drawn = draw(name, beta, q0, u[:, own], rho[:, own])
        return drawn + d_zeta_d_q(name, beta, q0, drawn) * (q - q0), q

    return encode(params.encoder, x, rho.shape[1] // len(params.encoder), draw_group)


def log_likelihood(params, mean_x, x, zeta):
    """log p(x|zeta), the decoder's logits with the constant logit of the clipped mean."""
    clipped = np.clip(mean_x, 0.001, 0.999)
    p = sigmoid(network(params.decoder, zeta) + np.log(clipped / (1 - clipped)))
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), 1)


def importance_weighted(log_w, k):
    """Eq. 3."""
    return logsumexp(log_w.reshape((-1, k)), 1) - np.log(k)


def objective(params, mean_x, x, u, rho, *, name, beta, k, sweeps, kappa, stop=getval):
    """The K-sample bound of each image, -kappa log Z included, as a function that autograd differentiates.

    `stop` marks what is not differentiated: the draw, dzeta/dq (Eq. 9) and m (Eq. 5).
    """
    x = numpy.repeat(x, k, axis=0)
    zeta, q = encode_overlapping(params, x - mean_x, u, rho, name, beta)
    r0, r1 = density(name, beta, zeta, 0), density(name, beta, zeta, 1)
    log_q = np.sum(np.log((1 - q) * r0 + q * r1), 1)
    log_p = log_p_mean_field(*params.rbm, np.log(r1 / r0), np.log(r0), sweeps, stop) - log_z(*params.rbm)
    log_w = kappa * (log_p - log_q) + log_likelihood(params, mean_x, x, zeta)
    return importance_weighted(log_w, k)


def log_p_mean_field(a, W, b, c, sweeps, stop=getval):
    """H(m) - E^(m) with the augmented energy E^(z) = E(z) - b·z - sum(c) (below Eq. 4), m not differentiated."""
    m = mean_field(stop(a), stop(W), stop(b), sweeps)
    return entropy(m) - (energy(a, W, m) - np.sum(b * m + c, 1))


# -- the objective of the other baselines --------------------------------------------------------------------------


def gaussian_components(a, W, lam, zeta):
    """log p(z) + log N(zeta | z, (J + lam I)^-1) of every state z, (N, 2^D): the mixture below Eq. 7."""
    z, precision = states(len(a)), couplings(W) + lam * np.eye(len(a))
    gap = zeta[:, None, :] - z
    log_density = 0.5 * np.linalg.slogdet(precision / (2 * np.pi))[1] - 0.5 * np.sum(np.dot(gap, precision) * gap, -1)
    return -energy(a, W, z) - log_z(a, W) + log_density


def objective_gi(params, mean_x, x, u, rho, *, beta, k, kappa):
    """DVAE# with the Gaussian integral, as a sum over z, and shifted Gaussians (Sec. 4): Eq. 3.

    zeta moves with q, shift and std so that its CDF stays where it is (Eq. 8): d zeta = -d CDF / density.
    """
    x = numpy.repeat(x, k, axis=0)
    width = rho.shape[1] // len(params.encoder)
    std = np.abs(0.2 * params.posterior.s) + 0.05

    def draw_group(out, own):
        q, shift = sigmoid(out[:, :width]), 0.5 * (sigmoid(out[:, width:]) - 0.5)
        zeta = draw("gauss", getval(std[own]) ** -2.0, getval(q), u[:, own], rho[:, own]) + getval(shift)
        cdf = (1 - q) * norm.cdf(zeta, shift, std[own]) + q * norm.cdf(zeta, 1 + shift, std[own])
        pdf = getval((1 - q) * norm.pdf(zeta, shift, std[own]) + q * norm.pdf(zeta, 1 + shift, std[own]))
        return zeta - (cdf - getval(cdf)) / pdf, q, shift

    zeta, q, shift = encode(params.encoder, x - mean_x, width, draw_group)
    log_q = np.sum(np.log((1 - q) * norm.pdf(zeta, shift, std) + q * norm.pdf(zeta, 1 + shift, std)), 1)
    lam = max(beta, 5 - numpy.linalg.eigvalsh(couplings(getval(params.rbm.W))).min())
    log_p = logsumexp(gaussian_components(*params.rbm, lam, zeta), 1)
    return importance_weighted(kappa * (log_p - log_q) + log_likelihood(params, mean_x, x, zeta), k)


def minus_kl(a, W, q, z_left, z_right):
    """The last two terms of Eq. 2, H(q) + E[log p(z)], where z stands for what the couplings act upon."""
    return entropy(q) + np.dot(q, a) + np.sum(np.dot(z_left, W) * z_right, 1) - log_z(a, W)


def objective_plus_plus(params, mean_x, x, u, rho, *, name, beta, k, kappa):
    """DVAE++: Eq. 2 with q(z|x, zeta) by Bayes' rule on the left side, averaged over K samples."""
    x, left = numpy.repeat(x, k, axis=0), params.rbm.W.shape[0]
    zeta, q = encode_overlapping(params, x - mean_x, u, rho, name, beta)
    joint0, joint1 = (1 - q) * density(name, beta, zeta, 0), q * density(name, beta, zeta, 1)
    nu = q if len(params.encoder) == 1 else joint1 / (joint0 + joint1)
    term = minus_kl(*params.rbm, q, nu[:, :left], q[:, left:])
    return np.mean((kappa * term + log_likelihood(params, mean_x, x, zeta)).reshape((-1, k)), 1)


def objective_spike(params, mean_x, x, u, rho, *, beta, k, kappa):
    """DVAE: Eq. 2 with z = [zeta > 0], but q in the last group, averaged over K samples.

    zeta is differentiated as it stands; z_i of the left by the move of its threshold, which adds dq_i (z_i = 1 in
    place of 0 given zeta_i = 0): over the samples with z_i = 0, that is dz_i = dq_i (1 - z_i) / (1 - q_i). For z_j of
    the right, on whose zeta no z_i depends, dz_j = dq_j.
    """
    x, left, groups = numpy.repeat(x, k, axis=0), params.rbm.W.shape[0], len(params.encoder)

    def draw_group(out, own):
        q = sigmoid(out)
        above = np.maximum(rho[:, own] - (1 - q), 0) / q
        zeta = np.log((np.exp(beta) - 1) * above + 1) / beta
        z, q0 = 1.0 * (getval(zeta) > 0), getval(q)
        share = (1 - z) / (1 - q0) * (numpy.arange(own.start, own.stop) < left)
        share = share + (numpy.arange(own.start, own.stop) >= left)
        return zeta, q, q if own.stop == rho.shape[1] else z + share * (q - q0)

    zeta, q, z = encode(params.encoder, x - mean_x, rho.shape[1] // groups, draw_group)
    term = minus_kl(*params.rbm, q, z[:, :left], z[:, left:])
    return np.mean((kappa * term + log_likelihood(params, mean_x, x, zeta)).reshape((-1, k)), 1)
