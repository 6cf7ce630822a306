"""Breaks of the bounds and of the gradient estimators of the eight methods.

Most leave the value as it is and touch a gradient alone, so that training would go on, to somewhere else. Where a break
is none in the mean, as that of log q's gradient in q at K = 1, it is tried where it is one.
"""

import functools

import numpy as np

from dvae_ref import bounds, joint, mixture, overlapping
from dvae_ref.conformance.mistakes.formulas import IMPORTANCE_WEIGHTED, equal_weights, over_the_batch
from dvae_ref.model import autoencoder, layers
from dvae_ref.model.posteriors import ShiftedGaussian
from dvae_ref.theory.boltzmann import RBM, Moments, couple
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.smoothing import Exponential, named
from validation.breaks.theory import scaled
from validation.sabotage import breaks, known


def without_kappa(original, d_log_w, *, kappa):
    """d log_ratio = d log w: the prior's term with its whole gradient, whatever kappa is."""
    return d_log_w, d_log_w


def without_kappa_in_value(original, log_ratio, log_px, *, kappa=1.0):
    """log w = log_ratio + log p(x|zeta), in the value; the gradient has kappa."""
    return log_ratio + log_px


def negative_phase(factor):
    """A way to have `factor` times the negative phase: 0 leaves it out, -1 adds it."""

    def backward(original, d_bound, cache, negative, *, config):
        wrong = Moments(factor * negative.z, factor * negative.zz)
        return original(d_bound, cache, wrong, config=config)

    return backward


def without_path(original, d_y, cache, *, need_x=True):
    """Later groups do not tell earlier ones how they depend on their zeta."""
    d_x, d_zeta = original(d_y, cache, need_x=need_x)
    return d_x, None if d_zeta is None else 0 * d_zeta


def without_first(original, d, cache):
    """log q's gradient in q left out."""
    first, second = original(d, cache)
    return 0 * first, second


def without_second(original, d, cache):
    """The gradient in zeta of log q or log p left out."""
    first, second = original(d, cache)
    return first, 0 * second


def without_the_normaliser(original, logit_q, b):
    """log q(zeta|x) without the weight 1 - q and q of either component."""
    return original(0 * logit_q, b)


def without_shift(original, self, d, sample, noise, extra):
    """dzeta/dsigma with zeta and zeta - 1 where zeta - shift and zeta - 1 - shift belong: off by shift / sigma."""
    d_out, d_extra = original(self, d, sample, noise, extra)
    sigma = np.abs(extra.s) / 5 + 0.05
    shift = (sigmoid(sample.raw) - 0.5) / 2
    d_sigma = np.sum((d.t + d.zeta) * shift / sigma, 0)
    return d_out, type(d_extra)(d_extra.s + d_sigma * np.sign(extra.s) / 5)


def one_minus_q(original, d_term, cache):
    """joint.spike_term_backward with 1 - q for the left side's 1 - z."""
    rbm, logit_q, z, _ = cache
    q, keep = sigmoid(logit_q), sigmoid(-logit_q)
    return original(d_term, cache)[0], d_term[:, None] * q * keep * (rbm.a - logit_q + couple(rbm, z))


def without_entropy(original, d_term, cache):
    """joint.spike_term_backward without the entropy's gradient."""
    q, one_minus_q = sigmoid(cache.logit_q), sigmoid(-cache.logit_q)
    d_rbm, d_logit_q = original(d_term, cache)
    return d_rbm, d_logit_q + d_term[:, None] * cache.logit_q * q * one_minus_q


def one_group(original, *args):
    """mu for nu: as if zeta told nothing about the left side."""
    return original(*args[:-1], 1)


def without_nu(original, d_term, cache, groups):
    """The gradient of mu through nu left out."""
    rbm, d_logit_q, d_b = original(d_term, cache, groups)
    return rbm, d_logit_q - d_b, 0 * d_b


def from_zeta_on(original, d_value, cache):
    """The likelihood's gradient in zeta left out: backward of the decoder."""
    return 0 * original(d_value, cache)


def swapped_sides(original, d_log_p, cache):
    """W's gradient from right units to left ones."""
    rbm, d_b = original(d_log_p, cache)
    return RBM(rbm.a, rbm.W.T.copy()), d_b


def other_side_of_u(original, logit_q, u, rho, smoothing):
    """z = 1 for u > q."""
    return original(-logit_q, u, rho, smoothing)


def without_mean_field(original, rbm, b, sweeps=5):
    """m = 1/2, before any sweep."""
    return original(rbm, b, 0)


def cell(baseline, groups, k=1):
    """Breaks of one cell of the claim `gradients`: the one that is broken, not all of them."""
    return functools.partial(breaks, "gradients", cells=((baseline, groups, k),))


power, power_iw = cell("dvaes_power", 2), cell("dvaes_power", 2, 2)
integral = cell("dvaes_gi", 2, 2)
plus, spike = cell("dvaepp_exp", 2), cell("dvae_spike_exp", 2)
tighter = functools.partial(breaks, "iw_bounds", names=named(Exponential))
limit = functools.partial(breaks, "beta_limit", baselines=("dvaes_power",))
GRADIENTS = {name: f for name, f in IMPORTANCE_WEIGHTED.items() if f is equal_weights}
VALUES = {name: f for name, f in IMPORTANCE_WEIGHTED.items() if f not in (equal_weights, over_the_batch)}
BREAKS = known("iw_bounds", bounds, "importance_weighted", VALUES, names=named(Exponential))
BREAKS += known("gradients", bounds, "importance_weighted", GRADIENTS, cells=(("dvaes_power", 2, 2),))
BREAKS += [
    tighter("log q(zeta|x) at q = 1/2", mixture, "log_q", without_the_normaliser),
    power_iw("log q: no gradient in q", mixture, "log_q_backward", without_first),  # with K = 1 its mean is 0
    power("kappa not applied to the gradient", bounds, "log_weights_backward", without_kappa),
    power("kappa not applied to the value", bounds, "log_weights", without_kappa_in_value),
    power("negative phase left out", autoencoder, "objective_backward", negative_phase(0)),
    power("negative phase added", autoencoder, "objective_backward", negative_phase(-1)),
    power("no gradient through zeta to earlier groups", layers, "dense_backward", without_path),
    power("no gradient from the likelihood", layers, "bernoulli_backward", from_zeta_on),
    power("log q: no gradient in zeta", mixture, "log_q_backward", without_second),
    power("log p: no gradient in zeta", overlapping, "log_p_backward", without_second),
    power("log p: W transposed", overlapping, "log_p_backward", swapped_sides),
    power("Eq. 9: a tenth too large", mixture, "d_t_d_logit_q", scaled(1.1)),
    integral("dzeta/dsigma without the shift, as released", ShiftedGaussian, "draw_backward", without_shift),
    spike("DVAE: 1 - q for the left side's 1 - z", joint, "spike_term_backward", one_minus_q),
    spike("DVAE: no gradient of the entropy", joint, "spike_term_backward", without_entropy),
    plus("DVAE++: mu for nu", joint, "overlapping_term", one_group),
    plus("DVAE++: no gradient through nu", joint, "overlapping_term_backward", without_nu),
    plus("DVAE++: nu's gradient as if it were mu's", joint, "overlapping_term_backward", one_group),
    limit("z = 1 for u > q", mixture, "draw", other_side_of_u),
    limit("no mean field at all", overlapping, "log_p", without_mean_field),
]
