"""Mistakes in one smoothing transformation and in log q(zeta|x)."""

import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake, negated, scaled
from dvae_ref.conformance.quantities.smoothings import smoothing_of
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mirror import Smoothing
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential, named

GUARD = 1e-7
OVERLAPPING = tuple(f"smoothing_{kind}" for kind in SMOOTHINGS)
WEIGHTED = ("log_q_*", "log_p_*", "kl_*")


def quantities_of(smoothing):
    """The names of those of a class of smoothings: alone, in log q and in log p."""
    return tuple(f"{what}_{kind}" for what in ("smoothing", "log_q", "log_p_overlapping") for kind in named(smoothing))


def with_density(case, found):
    """Of a quantity smoothing_*: the density alone is wrong, by which Eq. 9 divides, or the CDF as well; as somebody's
    numbers say."""
    if "log_r0" not in found or "log_r0" not in case.outputs:
        return found
    q = case.inputs["q"]
    names = [name for name in ("log_r0", "log_r1", "b", "c") if name in found]
    wrong, right = (
        (1 - q) * np.exp(one["log_r0"]) + q * np.exp(one["log_r1"]) for one in (case.outputs | found, case.outputs)
    )
    alone = {name: found[name] for name in names}
    slopes = {name: case.outputs[name] * right / wrong for name in ("d_zeta_d_q", "d_zeta_d_beta")}
    return closest(case, [found, case.outputs | alone, case.outputs | alone | slopes])


class GuardedPower(Power):
    """r(zeta|0) = (zeta + 1e-7)^(1/beta - 1) / beta, R(zeta|0) = (zeta + 1e-7)^(1/beta)."""

    def log_r0(self, t):
        return (1 / self.beta - 1) * np.log(sigmoid(t) + GUARD) - math.log(self.beta)

    def d_log_r0(self, t):
        return (1 / self.beta - 1) * self.d_zeta(t) / (sigmoid(t) + GUARD)

    def cdf0(self, t):
        return (sigmoid(t) + GUARD) ** (1 / self.beta)

    def survival0(self, t):
        return 1 - self.cdf0(t)

    def cdf_gap(self, t):
        return self.cdf0(t) - self.cdf1(t)

    def d_beta_cdf0(self, t):
        return -self.cdf0(t) * np.log(sigmoid(t) + GUARD) / self.beta**2

    log_f0, log_ratio, d_log_ratio = Smoothing.log_f0, Smoothing.log_ratio, Smoothing.d_log_ratio


@mistake("1e-7 is added to zeta in the power function", *quantities_of(Power))
def guarded_power(case):
    # the guarded CDF starts above 0 and has no inverse everywhere: quantile stays as it is
    options = {"invert": False} if case.quantity.name in OVERLAPPING else {}
    return with_density(case, case.again(smoothing=GuardedPower(float(case.inputs["beta"])), **options))


@mistake("1e-7 is added to q(zeta) inside the logarithm", "log_q_*")
def guarded_mixture(case):
    smoothing = smoothing_of(case.inputs, case.quantity.name.removeprefix("log_q_"))
    t, q = smoothing.t(case.inputs["zeta"]), case.inputs["q"]
    density = (1 - q) * np.exp(smoothing.log_r0(t)) + q * np.exp(smoothing.log_r1(t))
    share = density / (density + GUARD)
    log_q = np.log(density + GUARD).sum(-1)
    return {"log_q": log_q, **{name: share * case.outputs[name] for name in ("d_q", "d_zeta")}}


@mistake("the uniform part is left out", *quantities_of(UniformExponential))
def without_uniform(case):
    return with_density(case, case.again(smoothing=Exponential(float(case.inputs["beta"]))))


@mistake("b and c are those of the exponential alone", *quantities_of(UniformExponential)[:1])
def unmixed_ratio(case):
    found = without_uniform(case)
    return {name: found[name] for name in ("b", "c")}


@mistake("beta is the variance, not its inverse", *quantities_of(Gaussian))
def inverse_beta(case):
    return inverted(case)


def inverted(case):
    """With 1/beta for beta, and derivatives in beta itself."""
    found = case.again({"beta": 1 / case.inputs["beta"]})
    return with_density(case, found | scaled(found, -1 / case.inputs["beta"] ** 2, "d_zeta_d_beta"))


@mistake("beta is the inverse of the standard deviation", *quantities_of(Gaussian))
def squared_beta(case):
    found = case.again({"beta": case.inputs["beta"] ** 2})
    return with_density(case, found | scaled(found, 2 * case.inputs["beta"], "d_zeta_d_beta"))


@mistake("beta is the standard deviation", *quantities_of(Gaussian))
def beta_as_deviation(case):
    found = case.again({"beta": case.inputs["beta"] ** -2})
    return with_density(case, found | scaled(found, -2 / case.inputs["beta"] ** 3, "d_zeta_d_beta"))


@mistake("beta is a scale: 1/beta in the place of beta", "smoothing_exp", "log_q_exp", "log_p_overlapping_exp")
def beta_as_scale(case):
    return inverted(case)


class AnyPower(Power):
    """With a beta below 1: the larger of r(zeta|0) and r(zeta|1) is that of the farther vertex."""

    def __post_init__(self):
        pass

    def log_r_max(self, t):
        return self.log_r0(np.abs(t))

    def d_log_r_max(self, t):
        return np.sign(t) * self.d_log_r0(np.abs(t))


@mistake("r(zeta|0) = beta zeta^(beta - 1): beta in the place of 1/beta", *quantities_of(Power), "kl_dvaepp_power")
def exponent_beta(case):
    options = {"invert": False} if case.quantity.name in OVERLAPPING else {}
    return with_density(case, case.again(smoothing=AnyPower(1 / float(case.inputs["beta"])), **options))


@mistake("r(zeta|z) is not normalised", *OVERLAPPING, "smoothing_spike")
def not_normalised(case):
    log_norm = log_normaliser(case)
    found = {name: case.outputs[name] - log_norm for name in ("log_r0", "log_r1", "c") if name in case.outputs}
    return with_density(case, found)


def log_normaliser(case):
    """What stands in front of the function of zeta in r(zeta|0), logarithm; of the exponential in uniform+exp."""
    kind = case.quantity.name.rpartition("_")[2]
    if kind in SMOOTHINGS:
        return -smoothing_of(case.inputs, kind).log_z
    return -Exponential(float(case.inputs["beta"])).log_z


@mistake("z = 0 and z = 1 are exchanged", *OVERLAPPING)
def exchanged_ends(case):
    swaps = {"log_r0": "log_r1", "log_r1": "log_r0", "c": "log_r1", "cdf0": "cdf1", "cdf1": "cdf0"}
    other = case.again({"q": 1 - case.inputs["q"]})
    mixed = {name: other[name] for name in ("cdf", "quantile", "d_zeta_d_beta") if name in other}
    mixed |= {"d_zeta_d_q": -other["d_zeta_d_q"]}
    found = {name: case.outputs[source] for name, source in swaps.items()} | mixed | {"b": -case.outputs["b"]}
    return with_density(case, found)


@mistake("z = 0 and z = 1 are exchanged", "log_q_*")
def exchanged_q(case):
    return negated(case.again({"q": 1 - case.inputs["q"]}), "d_q")


@mistake("dzeta/dq has the opposite sign: R(zeta|1) - R(zeta|0)", "smoothing_*")
def opposite_gap(case):
    return {"d_zeta_d_q": -case.outputs["d_zeta_d_q"]}


@mistake("dzeta/dbeta lacks its minus sign", "smoothing_*")
def opposite_beta(case):
    return {"d_zeta_d_beta": -case.outputs["d_zeta_d_beta"]}


@mistake("dzeta/dlogit(q) in place of dzeta/dq", "smoothing_*")
def by_logit(case):
    q = case.inputs["q"]
    return {"d_zeta_d_q": case.outputs["d_zeta_d_q"] * q * (1 - q)}


@mistake("the gradient in logit(q) in place of that in q", "log_q_*")
def log_q_by_logit(case):
    q = case.inputs["q"]
    return {"d_q": case.outputs["d_q"] * q * (1 - q)}


@mistake("1 - CDF in place of the CDF", "smoothing_*")
def survival(case):
    return {name: 1 - case.outputs[name] for name in ("cdf0", "cdf1", "cdf") if name in case.outputs}


@mistake("the inverse CDF takes 1 - q for q", "smoothing_*")
def inverse_of_the_other(case):
    with np.errstate(divide="ignore"):  # 1 - q = 0, by which dzeta/dq is divided
        return {"quantile": case.again({"q": 1 - case.inputs["q"]})["quantile"]}


@mistake("zeta on the spike moves with q", "smoothing_spike")
def moving_spike(case):
    with np.errstate(divide="ignore"):  # q = 0
        return {"d_zeta_d_q": (1 - case.outputs["cdf1"]) / (case.inputs["q"] * np.exp(case.outputs["log_r1"]))}


@mistake("rho counts from the other end of the CDF", "smoothing_*")
def from_above(case):
    return {"quantile": case.again({"rho": 1 - case.inputs["rho"]})["quantile"]}


@mistake("the mean over units in place of the sum", *WEIGHTED)
def mean_over_units(case):
    return scaled(case.outputs, 1 / case.inputs["zeta"].shape[1])


@mistake("the rows' weights (cotangent) are left out: the gradient of the sum over rows", *WEIGHTED)
def unweighted_sum(case):
    return case.again({"cotangent": np.ones_like(case.inputs["cotangent"])})


@mistake("the rows' weights (cotangent) are left out: the gradient of the mean over rows", *WEIGHTED)
def unweighted_mean(case):
    return case.again({"cotangent": np.full_like(case.inputs["cotangent"], 1 / len(case.inputs["cotangent"]))})
