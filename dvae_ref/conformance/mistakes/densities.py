"""Mistakes in r(zeta|z), alone and in log q and log p: factors of the density, exponents, clips."""

import functools
import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake
from dvae_ref.conformance.mistakes.smoothings import inverted, log_normaliser, quantities_of, with_density
from dvae_ref.conformance.quantities.smoothings import smoothing_of
from dvae_ref.theory.elementary import sigmoid, softplus
from dvae_ref.theory.logistic import Logistic
from dvae_ref.theory.mirror import Smoothing, UnitInterval
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential, named

UNIFORM = quantities_of(UniformExponential)
ON_INTERVAL = (*(kind for kind, law in SMOOTHINGS.items() if issubclass(law, UnitInterval)), "spike")
CLIPS = 10.0 ** np.arange(-4, -9, -1)  # what people take, and some take more
ALL_Q = tuple(f"log_q_{kind}" for family in (Exponential, Power, Gaussian, Logistic) for kind in named(family))


def of_smoothing(case, law):
    """The outputs with another smoothing, whose inverse CDF may not be one."""
    options = {"invert": False} if case.quantity.name.startswith("smoothing") else {}
    return with_density(case, case.again(smoothing=law, **options))


def times(log_factor, case):
    """With the density r(zeta|z) times e^log_factor(beta), whatever z."""
    more, units = log_factor(float(case.inputs["beta"])), np.shape(case.inputs["zeta"])[-1]
    found = {name: case.outputs[name] + more for name in ("log_r0", "log_r1", "c") if name in case.outputs}
    found |= {name: case.outputs[name] + units * more for name in ("log_q", "log_p") if name in case.outputs}
    return with_density(case, found)


FACTORS = {  # name: (class of smoothings, log factor of beta)
    "Z_beta = 1 - e^-beta lacks its 1/beta": (Exponential, lambda beta: -math.log(beta)),
    "the exponential is not cut at 1: Z_beta = 1/beta": (Exponential, lambda beta: math.log(-math.expm1(-beta))),
    "1 / sqrt(2 pi) is left out": (Gaussian, lambda beta: math.log(2 * math.pi) / 2),
    "sqrt(pi) in the place of sqrt(2 pi)": (Gaussian, lambda beta: math.log(2) / 2),
}
for _name, (_kind, _factor) in FACTORS.items():
    mistake(_name, *quantities_of(_kind))(functools.partial(times, _factor))


@mistake("r(zeta|z) is not normalised", *ALL_Q)
def not_normalised(case):
    return times(lambda beta: -log_normaliser(case), case)


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


@mistake("zeta^(1/beta) in the density, in place of zeta^(1/beta - 1)", *quantities_of(Power), "kl_dvaepp_power")
def whole_exponent(case):
    return of_smoothing(case, Whole(float(case.inputs["beta"])))


@mistake("epsilon and 1 - epsilon are exchanged", *UNIFORM)
def exchanged_epsilon(case):
    return with_density(case, case.again({"epsilon": 1 - case.inputs["epsilon"]}))


class Added(UniformExponential):
    """r(zeta|z) + epsilon: the exponential keeps its whole weight."""

    def log_odds_exponential(self, t):
        return self.exponential.log_r0(t) - math.log(self.epsilon)


@mistake("epsilon is added, without 1 - epsilon for the exponential", *UNIFORM)
def added_epsilon(case):
    return of_smoothing(case, Added(*(float(case.inputs[name]) for name in ("beta", "epsilon"))))


@mistake("the 1/2 of -beta (zeta - z)^2 / 2 is missing", *quantities_of(Gaussian))
def whole_square(case):
    """As with twice the beta, but for its root in front."""
    found = case.again({"beta": 2 * case.inputs["beta"]})
    sums = dict.fromkeys(("log_q", "log_p"), np.shape(case.inputs["zeta"])[-1])
    for name, units in (dict.fromkeys(("log_r0", "log_r1", "c"), 1) | sums).items():
        if name in found:
            found[name] = found[name] - units * math.log(2) / 2
    return with_density(case, found)


@mistake("beta is a scale: 1/beta in the place of beta", *quantities_of(Logistic))
def beta_as_scale(case):
    return inverted(case)


@mistake("the numerator of Eq. 9 alone: dzeta/dq is not divided by the density", "smoothing_*")
def undivided(case):
    if "cdf0" in case.outputs:
        return {"d_zeta_d_q": case.outputs["cdf0"] - case.outputs["cdf1"]}
    return {"d_zeta_d_q": (case.inputs["zeta"] > 0) * (1 - case.outputs["cdf1"])}


@mistake("zeta = quantile is clipped away from 0 and 1", *(f"smoothing_{kind}" for kind in ON_INTERVAL), read_off=True)
def clipped_quantile(case):
    """By as much as the smallest of somebody's says."""
    least = float(case.theirs["quantile"].min()) if "quantile" in case.theirs else 1e-3
    return {"quantile": case.outputs["quantile"].clip(least, 1 - least)} if 0 < least < 0.5 else {}


# -- log q -------------------------------------------------------------------------------------------------------------


@mistake("the mean of log r(zeta|z) in place of the log of its mean", *ALL_Q, *UNIFORM[1:2])
def mean_of_logs(case):
    law = smoothing_of(case.inputs, case.quantity.name.removeprefix("log_q_"))
    q, d, t = case.inputs["q"], case.inputs["cotangent"][:, None], law.t(case.inputs["zeta"])
    d_t = (1 - q) * law.d_log_r0(t) - q * law.d_log_r0(-t)
    return {
        "log_q": np.sum((1 - q) * law.log_r0(t) + q * law.log_r1(t), -1),
        "d_q": d * law.log_ratio(t),
        "d_zeta": d * d_t / law.d_zeta(t),
    }


@mistake("q is clipped away from 0 and 1", "log_q_*", read_off=True)
def clipped_q(case):
    return closest(case, [at_ends(case, "q", least) for least in (1e-3, *CLIPS, 1e-2)])


@mistake(
    "zeta is clipped away from 0 and 1",
    *quantities_of(Power)[1:],
    *quantities_of(Exponential)[1:],
    *UNIFORM[1:],
    read_off=True,
)
def clipped_zeta(case):
    return closest(case, [at_ends(case, "zeta", least) for least in (1e-4, *CLIPS[1:], 1e-3, 1e-2)])


def at_ends(case, name, least):
    """With an input clipped, beyond which nothing moves with it."""
    value = case.inputs[name]
    found = case.again({name: value.clip(least, 1 - least)})
    return found | {f"d_{name}": np.where((value < least) | (value > 1 - least), 0, found[f"d_{name}"])}
