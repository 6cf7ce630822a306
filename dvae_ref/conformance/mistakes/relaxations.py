"""Mistakes in log p(zeta) of the overlapping relaxation and of the Gaussian integral.

Right are H(m) - E(m) + b·m + sum c, with m held fixed in the gradient (Eqs. 4 to 6), and Eq. 7 with its three halves:
of log det, of the square, and of a - lam/2, which is what -lam (zeta - z)^2 / 2 leaves of z^2 = z. -log Z is apart: its
gradient is the negative phase of a sampler.

Each of the halves is lost without notice, since a and W are learnt to fit whatever stands there; but what is reported
as log p(zeta) is the logarithm of no density then, and the bound no bound.
"""

import math

import numpy as np

from dvae_ref import exact
from dvae_ref.conformance.mistakes.registry import mistake, negated
from dvae_ref.conformance.mistakes.smoothings import log_normaliser
from dvae_ref.theory import overlapping
from dvae_ref.theory.boltzmann import RBM, couple, field, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import mean_field
from dvae_ref.theory.overlapping import log_p_backward
from dvae_ref.theory.smoothing import SMOOTHINGS, UniformExponential, named

OVERLAPPING, GAUSSIAN = "log_p_overlapping_*", "log_p_gaussian_integral"
NORMALISED = tuple(f"log_p_overlapping_{kind}" for kind in SMOOTHINGS if kind not in named(UniformExponential))


def through_mean_field(sweeps):
    """log_p_backward with the derivative of the sweeps themselves, last one first, added."""

    def backward(d_log_p, cache):
        rbm, b, logit = cache
        d_rbm, d_b = log_p_backward(d_log_p, cache)
        m = sigmoid(logit)
        d_logit = d_log_p[:, None] * (field(rbm, m) + b - logit) * m * sigmoid(-logit)  # of H(m) - E^(m)
        d_left, d_right = split(d_logit, rbm)
        d_bias, d_W = np.zeros_like(b), np.zeros_like(rbm.W)
        for n in range(sweeps, 0, -1):
            right = split(sigmoid(mean_field(rbm, b, n)), rbm)[1]
            left_before = split(sigmoid(mean_field(rbm, b, n - 1)), rbm)[0]
            d_right = d_right + d_left @ rbm.W * right * (1 - right)
            d_W += d_left.T @ right + left_before.T @ d_right
            d_bias += np.concatenate([d_left, d_right], -1)
            d_left, d_right = d_right @ rbm.W.T * left_before * (1 - left_before), np.zeros_like(d_right)
        return RBM(d_rbm.a + d_bias.sum(0), d_rbm.W + d_W), d_b + d_bias

    return backward


@mistake("the gradient runs through the mean field, which Eq. 5 holds fixed", OVERLAPPING)
def differentiated_mean_field(case):
    """d/d(a, b, W) of H(m) - E^(m), dm/d(a, b, W) included: what automatic differentiation does unless m is detached.

    Where the sweeps have converged the derivative of H(m) - E^(m) in m is 0, and so is the difference; after two sweeps
    it is not.
    """
    return case.again(backward=through_mean_field(int(case.inputs["sweeps"])))


@mistake("-log Z is included", OVERLAPPING, GAUSSIAN)
def with_log_z(case):
    """log p(zeta), normalised; its gradient with the negative phase."""
    rbm, total = case.machine, case.inputs["cotangent"].sum()
    z, zz = exact.moments(rbm)
    less = {"log_p": exact.log_z(rbm), "d_a": total * z, "d_W": total * zz, "d_zeta": 0}
    return {name: value - less[name] for name, value in case.outputs.items()}


@mistake("c = log r(zeta|0) is left out", OVERLAPPING)
def without_c(case):
    """d_zeta = m db/dzeta; to take dc/dzeta away again would leave its rounding.

    There is no z in c, so that it is taken for a constant; but it moves with zeta.
    """
    smoothing, t = case.smoothing, case.t
    logit = overlapping.mean_field(case.machine, smoothing.log_ratio(t), int(case.inputs["sweeps"]))
    return {
        "log_p": case.outputs["log_p"] - smoothing.log_r0(t).sum(-1),
        "d_zeta": case.d * sigmoid(logit) * smoothing.d_log_ratio(t) / smoothing.d_zeta(t),
    }


@mistake("r(zeta|z) is not normalised", NORMALISED)
def not_normalised(case):
    """c without the constant in front of r(zeta|0)."""
    return {"log_p": case.outputs["log_p"] - log_normaliser(case) * case.inputs["zeta"].shape[1]}


@mistake("z = 0 and z = 1 are exchanged in r(zeta|z)", OVERLAPPING)
def exchanged_ends(case):
    """log p(1 - zeta)."""
    return negated(case.again({"zeta": 1 - case.inputs["zeta"]}), "d_zeta")


@mistake("b has the opposite sign", OVERLAPPING)
def opposite_b(case):
    """What is b's alone at 1 - zeta, where b is -b, and c as it should be."""
    zeta = case.inputs["zeta"]
    mirrored = case.again({"zeta": 1 - zeta})
    (there, d_there), (here, d_here) = of_c(case, 1 - zeta), of_c(case, zeta)
    return mirrored | {
        "log_p": mirrored["log_p"] - there + here,
        "d_zeta": d_there - mirrored["d_zeta"] + d_here,
    }


def of_c(case, zeta):
    """The sum over units of c = log r(zeta|0), and its weighted gradient in zeta."""
    smoothing, t = case.smoothing, case.smoothing.t(zeta)
    return smoothing.log_r0(t).sum(-1), case.d * smoothing.d_log_r0(t) / smoothing.d_zeta(t)


@mistake("log p(zeta) is summed over all states, exact, and not the mean field's", OVERLAPPING)
def exact_sum(case):
    """log sum_z exp(-E(z) + b·z + c): the better number, by KL(m || p^), but not Eq. 6, and for small machines only."""

    def log_p(rbm, b, sweeps):
        return exact.log_p(rbm, b)

    return case.again(log_p=log_p, backward=exact.log_p_backward)


@mistake("b does not move in the gradient", OVERLAPPING)
def fixed_b(case):
    """dc/dzeta alone: m and b as numbers, where m is to be held and b is not."""
    return {"d_zeta": of_c(case, case.inputs["zeta"])[1]}


@mistake("c = log r(zeta|1) in place of log r(zeta|0)", OVERLAPPING)
def c_of_one(case):
    """c + b in the place of c."""
    smoothing, t = case.smoothing, case.t
    return {
        "log_p": case.outputs["log_p"] + smoothing.log_ratio(t).sum(-1),
        "d_zeta": case.outputs["d_zeta"] + case.d * smoothing.d_log_ratio(t) / smoothing.d_zeta(t),
    }


# -- the Gaussian integral ---------------------------------------------------------------------------------------------


@mistake("the factor 1/2 of zeta·(J + lam I) zeta / 2 is missing", GAUSSIAN)
def whole_square(case):
    """-zeta·(J + lam I) zeta."""
    zeta = case.inputs["zeta"]
    left, right = split(zeta, case.machine)
    turned = case.inputs["lam"] * zeta + couple(case.machine, zeta)
    return {
        "log_p": case.outputs["log_p"] - np.sum(turned * zeta, -1) / 2,
        "d_zeta": case.outputs["d_zeta"] - case.d * turned,
        "d_W": case.outputs["d_W"] - (case.d * left).T @ right,
    }


def with_log_det(case, factor, constant=1.0):
    """log det((J + lam I) / 2 pi) / 2 taken `factor` times, its log 2 pi `constant` times."""
    (a, W), lam, weight = case.machine, float(case.inputs["lam"]), case.inputs["cotangent"].sum()
    scaled = np.eye(W.shape[1]) - W.T @ W / lam**2
    log_det = len(a) * math.log(lam) / 2 + np.linalg.slogdet(scaled)[1] / 2
    half_log_2_pi = len(a) * math.log(2 * math.pi) / 2
    d_log_det = -np.linalg.solve(scaled, W.T).T / lam**2
    return {
        "log_p": case.outputs["log_p"] + (factor - 1) * log_det - (constant - 1) * half_log_2_pi,
        "d_W": case.outputs["d_W"] + (factor - 1) * weight * d_log_det,
    }


@mistake("the factor 1/2 of log det(J + lam I) / 2 is missing", GAUSSIAN)
def whole_log_det(case):
    """log det((J + lam I) / 2 pi)."""
    return with_log_det(case, 2, 2)


@mistake("log det((J + lam I) / 2 pi) / 2 has the opposite sign", GAUSSIAN)
def opposite_log_det(case):
    """-log det((J + lam I) / 2 pi) / 2."""
    return with_log_det(case, -1, -1)


@mistake("the determinant of the covariance in place of that of J + lam I", GAUSSIAN)
def covariance_log_det(case):
    """log det((J + lam I)^-1 / 2 pi) / 2: J + lam I is the precision, whose determinant stands in the numerator."""
    return with_log_det(case, -1)


@mistake("log det(J + lam I) / 2 is left out", GAUSSIAN)
def without_log_det(case):
    """The density of the Gaussians is not normalised."""
    return with_log_det(case, 0, 0)


@mistake("the 2 pi of the determinant is left out", GAUSSIAN)
def without_two_pi(case):
    """log det(J + lam I) / 2."""
    return with_log_det(case, 1, 0)


@mistake("the determinant is taken for a constant: no gradient in W", GAUSSIAN)
def constant_log_det(case):
    """Without -W (lam^2 I - W'W)^-1, which holds ||W|| below lam."""
    return {"d_W": with_log_det(case, 0)["d_W"]}


@mistake("a - lam in place of a - lam / 2", GAUSSIAN)
def whole_lam(case):
    """As if a were a - lam / 2."""
    return case.again({"a": case.inputs["a"] - case.inputs["lam"] / 2})
