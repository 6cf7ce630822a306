"""Mistakes in r(zeta|z), alone and in log q and log p: factors of the density, exponents, clips.

Right are beta e^(-beta zeta) / (1 - e^-beta) (Eq. 1), 1 - epsilon times that and epsilon (Sec. 3.3),
zeta^(1/beta - 1) / beta (Eq. 10) and sqrt(beta / 2 pi) e^(-beta (zeta - z)^2 / 2).

Factors drop out of log w, where the same density is in p and in q, and are left in Eq. 9. Exponents do not:
zeta^(1/beta) is nearly flat, and rises, so that zeta near 1 speaks for z = 0. Clips are right inside and constant
outside: units near a vertex get no gradient.
"""

import functools
import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake
from dvae_ref.conformance.mistakes.smoothings import (
    in_densities,
    inverted,
    log_normaliser,
    quantities_of,
    with_density,
    with_smoothing,
)
from dvae_ref.theory.elementary import sigmoid, softplus
from dvae_ref.theory.logistic import Logistic
from dvae_ref.theory.mirror import Smoothing, UnitInterval
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential, named

ON_INTERVAL = tuple(f"smoothing_{kind}" for kind, law in SMOOTHINGS.items() if issubclass(law, UnitInterval))
UNIFORM_LOG_Q = tuple(f"log_q_{kind}" for kind in named(UniformExponential))
PLAIN_LOG_Q = tuple(f"log_q_{kind}" for law in (Exponential, Power, Gaussian, Logistic) for kind in named(law))


def times(log_factor, case):
    """With the density r(zeta|z) times e^log_factor(beta), whatever z: b stays as it is."""
    more, units = log_factor(float(case.inputs["beta"])), case.inputs["zeta"].shape[-1]
    found = {name: case.outputs[name] + more for name in ("log_r0", "log_r1", "c") if name in case.outputs}
    found |= {name: case.outputs[name] + units * more for name in ("log_q", "log_p") if name in case.outputs}
    return with_density(case, found)


def lacks_beta(beta):
    """1 / (1 - e^-beta) for beta / (1 - e^-beta)."""
    return -math.log(beta)


def uncut(beta):
    """beta for beta / (1 - e^-beta)."""
    return math.log(-math.expm1(-beta))


def lacks_two_pi(beta):
    """1 for 1 / sqrt(2 pi)."""
    return math.log(2 * math.pi) / 2


def root_of_pi(beta):
    """1 / sqrt(pi) for 1 / sqrt(2 pi)."""
    return math.log(2) / 2


FACTORS = {  # name: (class of smoothings, log factor of beta)
    "Z_beta = 1 - e^-beta lacks its 1/beta": (Exponential, lacks_beta),
    "the exponential is not cut at 1: Z_beta = 1/beta": (Exponential, uncut),
    "1 / sqrt(2 pi) is left out": (Gaussian, lacks_two_pi),
    "sqrt(pi) in the place of sqrt(2 pi)": (Gaussian, root_of_pi),
}
for _name, (_kind, _factor) in FACTORS.items():
    mistake(_name, quantities_of(_kind))(functools.partial(times, _factor))


@mistake("r(zeta|z) is not normalised", PLAIN_LOG_Q)
def not_normalised(case):
    """The function of zeta alone, without the constant in front of it."""
    log_norm = log_normaliser(case)
    return times(lambda beta: -log_norm, case)


class Whole(Power):
    """r(zeta|0) = zeta^(1/beta) / beta, whose ratio is logit(zeta) / beta, of the wrong sign."""

    def log_r0(self, t):
        return -softplus(-t) / self.beta - self.log_z

    def d_log_r0(self, t):
        return sigmoid(-t) / self.beta

    def log_r_max(self, t):
        return self.log_r0(np.abs(t))

    def d_log_r_max(self, t):
        return np.sign(t) * self.d_log_r0(np.abs(t))

    log_f0, log_ratio, d_log_ratio = Smoothing.log_f0, Smoothing.log_ratio, Smoothing.d_log_ratio


@mistake("zeta^(1/beta) in the density, in place of zeta^(1/beta - 1)", quantities_of(Power), "kl_dvaepp_power")
def whole_exponent(case):
    """r(zeta|0) = zeta^(1/beta) / beta."""
    return with_smoothing(case, Whole(float(case.inputs["beta"])))


@mistake("epsilon and 1 - epsilon are exchanged", quantities_of(UniformExponential))
def exchanged_epsilon(case):
    """epsilon r(zeta|z) + 1 - epsilon."""
    return with_density(case, case.again({"epsilon": 1 - case.inputs["epsilon"]}))


class Added(UniformExponential):
    """r(zeta|z) + epsilon: the exponential keeps its whole weight."""

    def log_odds_exponential(self, t):
        return self.exponential.log_r0(t) - math.log(self.epsilon)


@mistake("epsilon is added, without 1 - epsilon for the exponential", quantities_of(UniformExponential))
def added_epsilon(case):
    """r(zeta|z) + epsilon."""
    return with_smoothing(case, Added(float(case.inputs["beta"]), float(case.inputs["epsilon"])))


@mistake("the 1/2 of -beta (zeta - z)^2 / 2 is missing", quantities_of(Gaussian))
def whole_square(case):
    """As with twice the beta, but for its root in front."""
    found = case.again({"beta": 2 * case.inputs["beta"]})
    of_root, units = math.log(2) / 2, case.inputs["zeta"].shape[-1]
    found |= {name: found[name] - of_root for name in ("log_r0", "log_r1", "c") if name in found}
    found |= {name: found[name] - units * of_root for name in ("log_q", "log_p") if name in found}
    return with_density(case, found)


@mistake("beta is a scale: 1/beta in the place of beta", quantities_of(Logistic))
def beta_as_scale(case):
    """sigmoid(zeta / beta) in the place of sigmoid(beta zeta)."""
    return inverted(case)


@mistake("the numerator of Eq. 9 alone: dzeta/dq is not divided by the density", "smoothing_*")
def undivided(case):
    """R(zeta|0) - R(zeta|1); of the spike 1 - R(zeta|1) above it."""
    cdf1 = case.outputs["cdf1"]
    if "cdf0" in case.outputs:
        return {"d_zeta_d_q": case.outputs["cdf0"] - cdf1}
    return {"d_zeta_d_q": (case.inputs["zeta"] > 0) * (1 - cdf1)}


# -- log q -------------------------------------------------------------------------------------------------------------


@mistake("the mean of log r(zeta|z) in place of the log of its mean", PLAIN_LOG_Q, UNIFORM_LOG_Q)
def mean_of_logs(case):
    """sum_i (1 - q_i) log r(zeta_i|0) + q_i log r(zeta_i|1)."""
    law, q, t = case.smoothing, case.inputs["q"], case.t
    d_t = (1 - q) * law.d_log_r0(t) - q * law.d_log_r0(-t)
    return {
        "log_q": np.sum((1 - q) * law.log_r0(t) + q * law.log_r1(t), -1),
        "d_q": case.d * law.log_ratio(t),
        "d_zeta": case.d * d_t / law.d_zeta(t),
    }


# -- clips, as far as somebody's numbers say ---------------------------------------------------------------------------

USUAL = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)  # what people take, and some take more


@mistake("zeta = quantile is clipped away from 0 and 1", ON_INTERVAL, "smoothing_spike", read_off=True)
def clipped_quantile(case):
    """By as much as the smallest of somebody's says."""
    least = 1e-3
    if "quantile" in case.theirs:
        least = float(case.theirs["quantile"].min())
    if not 0 < least < 0.5:
        return {}
    return {"quantile": case.outputs["quantile"].clip(least, 1 - least)}


@mistake("q is clipped away from 0 and 1", "log_q_*", read_off=True)
def clipped_q(case):
    """max(least, min(q, 1 - least)), beyond which nothing moves with q."""
    return closest(case, [at_ends(case, "q", least) for least in (1e-3, *USUAL, 1e-2)])


CLIPPED = in_densities(Power) + in_densities(Exponential) + in_densities(UniformExponential)


@mistake("zeta is clipped away from 0 and 1", CLIPPED, read_off=True)
def clipped_zeta(case):
    """max(least, min(zeta, 1 - least)), beyond which nothing moves with zeta."""
    return closest(case, [at_ends(case, "zeta", least) for least in (*USUAL, 1e-3, 1e-2)])


def at_ends(case, name, least):
    """With an input clipped, beyond which nothing moves with it: as clip, clamp and minimum are differentiated."""
    value = case.inputs[name]
    found = case.again({name: value.clip(least, 1 - least)})
    return found | {f"d_{name}": np.where((value < least) | (value > 1 - least), 0, found[f"d_{name}"])}
