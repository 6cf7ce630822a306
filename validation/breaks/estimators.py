"""Breaks of the bounds and of the gradient estimators of the eight methods."""

import functools

import numpy as np

from dvae_ref import bounds, joint, mixture, overlapping
from dvae_ref.conformance.mistakes.formulas import IMPORTANCE_WEIGHTED, equal_weights, over_the_batch
from dvae_ref.model import autoencoder, layers
from dvae_ref.model.posteriors import ShiftedGaussian
from dvae_ref.theory.boltzmann import RBM, Moments, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.smoothing import Exponential, named
from validation.breaks.theory import scaled
from validation.sabotage import breaks, known


def without_kappa(original):
    return lambda d_log_w, *, kappa: (d_log_w, d_log_w)


def without_kappa_in_value(original):
    return lambda log_ratio, log_px, *, kappa=1.0: log_ratio + log_px


def negative_phase(factor):
    def broken(original):
        def backward(d_bound, cache, negative, *, config):
            return original(d_bound, cache, Moments(*(factor * x for x in negative)), config=config)

        return backward

    return broken


def without_path(original):
    """Later groups do not tell earlier ones how they depend on their zeta."""

    def backward(d_y, cache, *, need_x=True):
        d_x, d_zeta = original(d_y, cache, need_x=need_x)
        return d_x, None if d_zeta is None else 0 * d_zeta

    return backward


def drop(which):
    """log_q_backward or log_p_backward without one of its two gradients."""

    def broken(original):
        def backward(d, cache):
            found = list(original(d, cache))
            found[which] = 0 * found[which]
            return tuple(found)

        return backward

    return broken


def without_the_normaliser(original):
    """log q(zeta|x) without the weight 1 - q and q of either component."""
    return lambda logit_q, b: original(0 * logit_q, b)


def without_shift(original):
    """dzeta/dsigma with zeta and zeta - 1 where zeta - shift and zeta - 1 - shift belong: off by shift / sigma."""

    def backward(self, d, sample, noise, extra):
        d_out, d_extra = original(self, d, sample, noise, extra)
        sigma, shift = np.abs(extra.s) / 5 + 0.05, (sigmoid(sample.raw) - 0.5) / 2
        return d_out, type(d_extra)(d_extra.s + np.sum((d.t + d.zeta) * shift / sigma, 0) * np.sign(extra.s) / 5)

    return backward


def spike_backward(one_minus_z=True, entropy=True):
    """joint.spike_term_backward with 1 - q for the left side's 1 - z, or without the entropy's gradient."""

    def broken(original):
        def backward(d_term, cache):
            rbm, logit_q, z, _ = cache
            q, one_minus_q = sigmoid(logit_q), sigmoid(-logit_q)
            left, right = split(z, rbm)
            keep = np.concatenate([1 - left, split(one_minus_q, rbm)[1]], 1) if one_minus_z else one_minus_q
            field = np.concatenate([right @ rbm.W.T, left @ rbm.W], 1)
            d_logit_q = q * ((rbm.a - entropy * logit_q) * one_minus_q + field * keep)
            return original(d_term, cache)[0], d_term[:, None] * d_logit_q

        return backward

    return broken


def one_group(original):
    """mu for nu: as if zeta told nothing about the left side."""
    return lambda *args: original(*args[:-1], 1)


def without_nu(original):
    """The gradient of mu through nu left out."""

    def backward(d_term, cache, groups):
        rbm, d_logit_q, d_b = original(d_term, cache, groups)
        return rbm, d_logit_q - d_b, 0 * d_b

    return backward


def from_zeta_on(original):
    """The likelihood's gradient in zeta left out: backward of the decoder."""
    return lambda d_value, cache: 0 * original(d_value, cache)


def swapped_sides(original):
    """W's gradient from right units to left ones."""

    def backward(d_log_p, cache):
        rbm, d_b = original(d_log_p, cache)
        return RBM(rbm.a, rbm.W.T.copy()), d_b

    return backward


def other_side_of_u(original):
    """z = 1 for u > q."""
    return lambda logit_q, u, rho, smoothing: original(-logit_q, u, rho, smoothing)


def cell(baseline, groups, k=1):
    return functools.partial(breaks, "gradients", cells=((baseline, groups, k),))


power, power_iw, plus, spike = (
    cell("dvaes_power", 2), cell("dvaes_power", 2, 2), cell("dvaepp_exp", 2), cell("dvae_spike_exp", 2)
)  # fmt: skip
GRADIENTS = {name: f for name, f in IMPORTANCE_WEIGHTED.items() if f is equal_weights}
VALUES = {name: f for name, f in IMPORTANCE_WEIGHTED.items() if f not in (equal_weights, over_the_batch)}
tighter = functools.partial(breaks, "iw_bounds", names=named(Exponential))
limit = functools.partial(breaks, "beta_limit", baselines=("dvaes_power",))
BREAKS = (
    *known("iw_bounds", bounds, "importance_weighted", VALUES, names=named(Exponential)),
    *tighter(mixture, "log_q", {"log q(zeta|x) at q = 1/2": without_the_normaliser}),
    *power_iw(mixture, "log_q_backward", {"log q: no gradient in q": drop(0)}),  # with K = 1 its mean is 0
    *known("gradients", bounds, "importance_weighted", GRADIENTS, cells=(("dvaes_power", 2, 2),)),
    *power(bounds, "log_weights_backward", {"kappa not applied to the gradient": without_kappa}),
    *power(bounds, "log_weights", {"kappa not applied to the value": without_kappa_in_value}),
    *power(
        autoencoder,
        "objective_backward",
        {"negative phase left out": negative_phase(0), "negative phase added": negative_phase(-1)},
    ),
    *power(layers, "dense_backward", {"no gradient through zeta to earlier groups": without_path}),
    *power(layers, "bernoulli_backward", {"no gradient from the likelihood": from_zeta_on}),
    *power(mixture, "log_q_backward", {"log q: no gradient in zeta": drop(1)}),
    *power(
        overlapping, "log_p_backward", {"log p: no gradient in zeta": drop(1), "log p: W transposed": swapped_sides}
    ),
    *power(mixture, "d_t_d_logit_q", {"Eq. 9: a tenth too large": scaled(1.1)}),
    *cell("dvaes_gi", 2, 2)(
        ShiftedGaussian, "draw_backward", {"dzeta/dsigma without the shift, as released": without_shift}
    ),
    *spike(
        joint,
        "spike_term_backward",
        {
            "DVAE: 1 - q for the left side's 1 - z": spike_backward(one_minus_z=False),
            "DVAE: no gradient of the entropy": spike_backward(entropy=False),
        },
    ),
    *plus(joint, "overlapping_term", {"DVAE++: mu for nu": one_group}),
    *plus(
        joint,
        "overlapping_term_backward",
        {"DVAE++: no gradient through nu": without_nu, "DVAE++: nu's gradient as if it were mu's": one_group},
    ),
    *limit(mixture, "draw", {"z = 1 for u > q": other_side_of_u}),
    *limit(overlapping, "log_p", {"no mean field at all": lambda f: lambda rbm, b, sweeps=5: f(rbm, b, 0)}),
)
