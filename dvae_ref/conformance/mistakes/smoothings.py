"""Mistakes in one smoothing transformation and in log q(zeta|x).

Right are r(zeta|0) of Eqs. 1 and 10 and Sec. 3.3, r(zeta|1) = r(1 - zeta|0), the mixture with the weights 1 - q and q,
and Eq. 9, dzeta/dq = (R(zeta|0) - R(zeta|1)) / density.

A density that lacks its normaliser shifts log p(zeta) and log q(zeta|x) alike: it drops out of log w and of b. Only
Eq. 9 still has it, and all that reaches the encoder through zeta is too large or too small by one factor. What beta is,
people take from the library at hand: a Gaussian has the standard deviation in SciPy, PyTorch and JAX, where the paper's
beta is the precision; an exponential has a scale, 1/beta, in SciPy and JAX, and a rate, beta, in PyTorch. The wrong one
trains as well, at another sharpness than is reported.
"""

import math

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake, negated, scaled
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mirror import Smoothing
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential, named

GUARD = 1e-7
OVERLAPPING = tuple(f"smoothing_{kind}" for kind in SMOOTHINGS)
WEIGHTED = ("log_q_*", "log_p_*", "kl_*")


def alone(smoothing):
    """The names of the quantities of a class of smoothings: densities, CDFs, Eq. 9."""
    return tuple(f"smoothing_{kind}" for kind in named(smoothing))


def in_densities(smoothing):
    """And of log q(zeta|x) and log p(zeta) with it."""
    of_q = tuple(f"log_q_{kind}" for kind in named(smoothing))
    of_p = tuple(f"log_p_overlapping_{kind}" for kind in named(smoothing))
    return of_q + of_p


def quantities_of(smoothing):
    """All of them."""
    return alone(smoothing) + in_densities(smoothing)


def mixed(case, found):
    """(1 - q) r(zeta|0) + q r(zeta|1) of these outputs."""
    q = case.inputs["q"]
    return (1 - q) * np.exp(found["log_r0"]) + q * np.exp(found["log_r1"])


def with_density(case, found):
    """Of a quantity smoothing_*: the density alone is wrong, by which Eq. 9 divides, or the CDF as well; as somebody's
    numbers say.

    Who takes densities from one place and CDFs from another has a wrong density beside right CDFs: then log r, b and c
    are wrong alone, or with the slopes.
    """
    if "log_r0" not in found or "log_r0" not in case.outputs:
        return found
    alone = {name: found[name] for name in ("log_r0", "log_r1", "b", "c") if name in found}
    factor = mixed(case, case.outputs) / mixed(case, case.outputs | found)
    slopes = {name: case.outputs[name] * factor for name in ("d_zeta_d_q", "d_zeta_d_beta")}
    return closest(case, [found, case.outputs | alone, case.outputs | alone | slopes])


def with_smoothing(case, smoothing):
    """The outputs with another smoothing, whose inverse CDF may not be one: quantile stays as it is."""
    if case.quantity.name in OVERLAPPING:
        return with_density(case, case.again(smoothing=smoothing, invert=False))
    return case.again(smoothing=smoothing)


class GuardedPower(Power):
    """r(zeta|0) = (zeta + 1e-7)^(1/beta - 1) / beta, R(zeta|0) = (zeta + 1e-7)^(1/beta).

    The authors' release has it (docs/errata.md). It is not small where the density is steep: at beta = 30 more than
    half of the draws of r(zeta|0) are below 1e-7, and the guarded density integrates to 0.42.
    """

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


@mistake("1e-7 is added to zeta in the power function", quantities_of(Power))
def guarded_power(case):
    """The guarded CDF starts above 0."""
    return with_smoothing(case, GuardedPower(float(case.inputs["beta"])))


@mistake("1e-7 is added to q(zeta) inside the logarithm", "log_q_*")
def guarded_mixture(case):
    """sum_i log(q(zeta_i|x) + 1e-7): a guard against log 0, off by 1e-7 / density."""
    q, law, t = case.inputs["q"], case.smoothing, case.t
    density = (1 - q) * np.exp(law.log_r0(t)) + q * np.exp(law.log_r1(t))
    share = density / (density + GUARD)
    return {
        "log_q": np.log(density + GUARD).sum(-1),
        "d_q": share * case.outputs["d_q"],
        "d_zeta": share * case.outputs["d_zeta"],
    }


@mistake("the uniform part is left out", quantities_of(UniformExponential))
def without_uniform(case):
    """r(zeta|z) in the place of (1 - epsilon) r(zeta|z) + epsilon, which holds |b| to about log(beta / epsilon)."""
    return with_density(case, case.again(smoothing=Exponential(float(case.inputs["beta"]))))


@mistake("b and c are those of the exponential alone", alone(UniformExponential))
def unmixed_ratio(case):
    """b = beta (2 zeta - 1)."""
    found = without_uniform(case)
    return {"b": found["b"], "c": found["c"]}


# -- what beta is ------------------------------------------------------------------------------------------------------


def inverted(case):
    """With 1/beta for beta, and derivatives in beta itself."""
    found = case.again({"beta": 1 / case.inputs["beta"]})
    return with_density(case, found | scaled(found, -1 / case.inputs["beta"] ** 2, "d_zeta_d_beta"))


@mistake("beta is the variance, not its inverse", quantities_of(Gaussian))
def inverse_beta(case):
    """N(zeta | z, beta)."""
    return inverted(case)


@mistake("beta is the inverse of the standard deviation", quantities_of(Gaussian))
def squared_beta(case):
    """N(zeta | z, 1 / beta^2)."""
    found = case.again({"beta": case.inputs["beta"] ** 2})
    return with_density(case, found | scaled(found, 2 * case.inputs["beta"], "d_zeta_d_beta"))


@mistake("beta is the standard deviation", quantities_of(Gaussian))
def beta_as_deviation(case):
    """N(zeta | z, beta^2)."""
    found = case.again({"beta": case.inputs["beta"] ** -2})
    return with_density(case, found | scaled(found, -2 / case.inputs["beta"] ** 3, "d_zeta_d_beta"))


@mistake("beta is a scale: 1/beta in the place of beta", "smoothing_exp", "log_q_exp", "log_p_overlapping_exp")
def beta_as_scale(case):
    """exp(-zeta / beta) in the place of exp(-beta zeta)."""
    return inverted(case)


class AnyPower(Power):
    """With a beta below 1: the larger of r(zeta|0) and r(zeta|1) is that of the farther vertex."""

    def __post_init__(self):
        pass

    def log_r_max(self, t):
        return self.log_r0(np.abs(t))

    def d_log_r_max(self, t):
        return np.sign(t) * self.d_log_r0(np.abs(t))


@mistake("r(zeta|0) = beta zeta^(beta - 1): beta in the place of 1/beta", quantities_of(Power), "kl_dvaepp_power")
def exponent_beta(case):
    """The power function of 1/beta."""
    return with_smoothing(case, AnyPower(1 / float(case.inputs["beta"])))


# -- densities, ends and slopes ----------------------------------------------------------------------------------------


@mistake("r(zeta|z) is not normalised", OVERLAPPING, "smoothing_spike")
def not_normalised(case):
    """The function of zeta alone, without the constant in front of it."""
    log_norm = log_normaliser(case)
    found = {name: case.outputs[name] - log_norm for name in ("log_r0", "log_r1", "c") if name in case.outputs}
    return with_density(case, found)


def log_normaliser(case):
    """What stands in front of the function of zeta in r(zeta|0), logarithm; of the exponential in uniform+exp."""
    if case.kind in SMOOTHINGS:
        return -case.smoothing.log_z
    return -Exponential(float(case.inputs["beta"])).log_z


@mistake("z = 0 and z = 1 are exchanged", OVERLAPPING)
def exchanged_ends(case):
    """r(zeta|1) in the place of r(zeta|0), and the other way round: q is 1 - q."""
    ours, other = case.outputs, case.again({"q": 1 - case.inputs["q"]})
    ends = {"log_r0": "log_r1", "log_r1": "log_r0", "c": "log_r1", "cdf0": "cdf1", "cdf1": "cdf0"}
    found = {name: ours[source] for name, source in ends.items()} | {"b": -ours["b"]}
    mixed = {name: other[name] for name in ("cdf", "quantile", "d_zeta_d_beta") if name in other}
    return with_density(case, found | mixed | {"d_zeta_d_q": -other["d_zeta_d_q"]})


@mistake("z = 0 and z = 1 are exchanged", "log_q_*")
def exchanged_q(case):
    """log(q r(zeta|0) + (1 - q) r(zeta|1))."""
    return negated(case.again({"q": 1 - case.inputs["q"]}), "d_q")


@mistake("dzeta/dq has the opposite sign: R(zeta|1) - R(zeta|0)", "smoothing_*")
def opposite_gap(case):
    """(R1 - R0) / r in Eq. 9."""
    return {"d_zeta_d_q": -case.outputs["d_zeta_d_q"]}


@mistake("dzeta/dbeta lacks its minus sign", "smoothing_*")
def opposite_beta(case):
    """(dCDF/dbeta) / r, where -(dCDF/dbeta) / r is due."""
    return {"d_zeta_d_beta": -case.outputs["d_zeta_d_beta"]}


@mistake("dzeta/dlogit(q) in place of dzeta/dq", "smoothing_*")
def by_logit(case):
    """q (1 - q) dzeta/dq: the network's output is logit q, and code has that derivative at hand."""
    q = case.inputs["q"]
    return {"d_zeta_d_q": case.outputs["d_zeta_d_q"] * q * (1 - q)}


@mistake("the gradient in logit(q) in place of that in q", "log_q_*")
def log_q_by_logit(case):
    """q (1 - q) d log q/dq."""
    q = case.inputs["q"]
    return {"d_q": case.outputs["d_q"] * q * (1 - q)}


@mistake("1 - CDF in place of the CDF", "smoothing_*")
def survival(case):
    """1 - R(zeta|z), and of the mixture."""
    return {name: 1 - case.outputs[name] for name in ("cdf0", "cdf1", "cdf") if name in case.outputs}


@mistake("the inverse CDF takes 1 - q for q", "smoothing_*")
def inverse_of_the_other(case):
    """zeta at which q R(zeta|0) + (1 - q) R(zeta|1) = rho."""
    with np.errstate(divide="ignore"):  # 1 - q = 0, by which dzeta/dq is divided
        return quantile_of(case.again({"q": 1 - case.inputs["q"]}))


def quantile_of(found):
    """That alone, if there is one: none where another mistake leaves the CDF without an inverse."""
    return {name: value for name, value in found.items() if name == "quantile"}


@mistake("zeta on the spike moves with q", "smoothing_spike")
def moving_spike(case):
    """Eq. 9 at zeta = 0, too: (1 - R(zeta|1)) / (q r(zeta|1)).

    Below rho = 1 - q zeta is 0 whatever q is, so its derivative is 0 there; a formula that is not masked gives a
    gradient to units that are off.
    """
    with np.errstate(divide="ignore"):  # q = 0
        return {"d_zeta_d_q": (1 - case.outputs["cdf1"]) / (case.inputs["q"] * np.exp(case.outputs["log_r1"]))}


@mistake("rho counts from the other end of the CDF", "smoothing_*")
def from_above(case):
    """zeta at which the CDF is 1 - rho."""
    return quantile_of(case.again({"rho": 1 - case.inputs["rho"]}))


# -- sums over units and rows ------------------------------------------------------------------------------------------


@mistake("the mean over units in place of the sum", WEIGHTED)
def mean_over_units(case):
    """All outputs over the number of units: a loss whose reduction is a mean, while q(zeta|x) is a product of units."""
    return scaled(case.outputs, 1 / case.inputs["zeta"].shape[1])


@mistake("the rows' weights (cotangent) are left out: the gradient of the sum over rows", WEIGHTED)
def unweighted_sum(case):
    """Each weight is 1."""
    return case.again({"cotangent": np.ones_like(case.inputs["cotangent"])})


@mistake("the rows' weights (cotangent) are left out: the gradient of the mean over rows", WEIGHTED)
def unweighted_mean(case):
    """Each weight is 1 / rows."""
    return case.again({"cotangent": np.full_like(case.inputs["cotangent"], 1 / len(case.inputs["cotangent"]))})
