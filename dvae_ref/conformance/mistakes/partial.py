"""Mixtures that lack one of their two terms: q(zeta|x) = (1 - q) r(zeta|0) + q r(zeta|1) with one component alone.

So it is where q(zeta|x) is written for units that are on, or as for a spike, of which zeta > 0 says that z = 1. The
density is too small, hence log w too large: hardly near the component's own vertex, at q = 1/2 by about |b| near the
other one. And log q(zeta|x) has the derivative 1/q or -1/(1 - q) in q, of one sign at every zeta, so that q is pushed
to an end.
"""

import numpy as np

from dvae_ref.conformance.mistakes.registry import closest, mistake, replaced
from dvae_ref.conformance.mistakes.smoothings import OVERLAPPING
from dvae_ref.conformance.quantities.smoothings import logit
from dvae_ref.theory import mixture
from dvae_ref.theory.elementary import sigmoid, softplus

ONE, ZERO = "q r(zeta|1) alone: (1 - q) r(zeta|0) is left out", "(1 - q) r(zeta|0) alone: q r(zeta|1) is left out"
LOG_Q, MODELS = "log_q_*", ("objective_dvaes_*", "own_networks_dvaes_*")


# -- q(zeta|x) of one smoothing ----------------------------------------------------------------------------------------


@mistake(ONE, LOG_Q)
def log_q_of_one(case):
    """log q(zeta|x) = sum_i log q_i + log r(zeta_i|1); where q is 0, as for a logit of -80."""
    smoothing, t, logit_q = case.smoothing, case.t, logit(case.inputs["q"])
    return {
        "log_q": np.sum(smoothing.log_r1(t) - softplus(-logit_q), -1),
        "d_q": case.d / sigmoid(logit_q),
        "d_zeta": -case.d * smoothing.d_log_r0(-t) / smoothing.d_zeta(t),
    }


@mistake(ZERO, LOG_Q)
def log_q_of_zero(case):
    """log q(zeta|x) = sum_i log(1 - q_i) + log r(zeta_i|0); where q is 1, as for a logit of 80."""
    smoothing, t, logit_q = case.smoothing, case.t, logit(case.inputs["q"])
    return {
        "log_q": np.sum(smoothing.log_r0(t) - softplus(logit_q), -1),
        "d_q": -case.d / sigmoid(-logit_q),
        "d_zeta": case.d * smoothing.d_log_r0(t) / smoothing.d_zeta(t),
    }


# -- its CDF, and Eq. 9, which divides by its density ------------------------------------------------------------------


@mistake(ONE, OVERLAPPING)
def mixture_of_one(case):
    """CDF = q R(zeta|1)."""
    smoothing, t, q = case.smoothing, case.t, sigmoid(logit(case.inputs["q"]))
    return of_component(case, q, smoothing.log_r1(t), smoothing.cdf1(t), smoothing.d_beta_cdf1(t))


@mistake(ZERO, OVERLAPPING)
def mixture_of_zero(case):
    """CDF = (1 - q) R(zeta|0)."""
    smoothing, t, rest = case.smoothing, case.t, sigmoid(-logit(case.inputs["q"]))
    return of_component(case, rest, smoothing.log_r0(t), smoothing.cdf0(t), smoothing.d_beta_cdf0(t))


def of_component(case, weight, log_r, cdf, d_beta_cdf):
    """The CDF alone is of one component, or the density in Eq. 9 as well."""
    gap, alone = case.outputs["cdf0"] - case.outputs["cdf1"], {"cdf": weight * cdf}
    slopes = {"d_zeta_d_q": gap / (weight * np.exp(log_r)), "d_zeta_d_beta": -d_beta_cdf / np.exp(log_r)}
    return closest(case, [alone | slopes, alone])


@mistake(ONE, "smoothing_spike")
def spike_left_out(case):
    """CDF = q R(zeta|1), without the spike's 1 - q."""
    return {"cdf": case.inputs["q"] * case.outputs["cdf1"]}


# -- in whole models ---------------------------------------------------------------------------------------------------


@mistake(ONE, MODELS)
def model_of_one(case):
    """log q(zeta|x) - log r_max = sum_i log q_i - max(-b_i, 0)."""

    def log_q(logit_q, b):
        return np.sum(-softplus(-logit_q) - np.maximum(-b, 0), -1), mixture.LogQ(logit_q, b)

    def backward(d_log_q, cache):
        d = d_log_q[:, None]
        return d * sigmoid(-cache.logit_q), d * (cache.b < 0)

    return with_log_q(case, log_q, backward)


@mistake(ZERO, MODELS)
def model_of_zero(case):
    """log q(zeta|x) - log r_max = sum_i log(1 - q_i) - max(b_i, 0)."""

    def log_q(logit_q, b):
        return np.sum(-softplus(logit_q) - np.maximum(b, 0), -1), mixture.LogQ(logit_q, b)

    def backward(d_log_q, cache):
        d = d_log_q[:, None]
        return -d * sigmoid(cache.logit_q), -d * (cache.b > 0)

    return with_log_q(case, log_q, backward)


def with_log_q(case, log_q, backward):
    """With these in the place of mixture.log_q and its backward."""
    with replaced(mixture, log_q=log_q, log_q_backward=backward):
        return case.again()
