"""Breaks of the formulas of Secs. 2 and 3, of their oracle, and of their precision."""

import functools

import numpy as np

from dvae_ref import gaussian_integral, mean_field, mixture, overlapping, spike
from dvae_ref.conformance.mistakes.formulas import MEAN_FIELD
from dvae_ref.conformance.mistakes.smoothings import GuardedPower
from dvae_ref.exact import accumulate, general
from dvae_ref.theory.boltzmann import RBM, couple, split
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.smoothing import Exponential, Gaussian, Power, UniformExponential, named
from validation.sabotage import Break, around, breaks, instead, known


def without_a_state(original, first, rest):
    """The first of two terms of a log-sum-exp left out."""
    return rest


def twice_the_energy(original, machine):
    """E(z) = -a·z - z J z."""
    return original(machine._replace(J=2 * machine.J))


def flipped_couplings(original, rbm, b, *rest):
    """-W for W in the sweeps."""
    return original(RBM(rbm.a, -rbm.W), b, *rest)


def doubled_couplings(original, rbm, b, *rest):
    """2 W for W in H(m) - E^(m)."""
    return original(RBM(rbm.a, 2 * rbm.W), b, *rest)


def without_entropy(original, rbm, b, logit_m):
    """-E^(m) alone."""
    entropy = np.logaddexp(0, logit_m) - logit_m * sigmoid(logit_m)
    return original(rbm, b, logit_m) - np.sum(entropy, 1)


def off_the_wrong_vertex(original, rbm, b, logit_m):
    """b's sign mistaken: b m where b > 0, b (1 - m) elsewhere."""
    sign = np.where(b > 0, -1, 1)
    return original(rbm, b, logit_m) + np.sum(np.abs(b) * sign, 1) * 1e-3


def without_c(original, d_log_p, cache):
    """overlapping.log_p_backward with d_b = m, the term of r(zeta|0) left out."""
    rbm, _ = original(d_log_p, cache)
    return rbm, d_log_p[:, None] * sigmoid(cache.logit_m)


def one_minus_m(original, d_log_p, cache):
    """overlapping.log_p_backward with 1 - m for m in W."""
    rbm, d_b = original(d_log_p, cache)
    left, right = split(sigmoid(-cache.logit_m), cache.rbm)
    return RBM(rbm.a, (d_log_p[:, None] * left).T @ (1 - right)), d_b


def stale_m(original, d_log_p, cache):
    """The gradient at the m of one sweep."""
    return original(d_log_p, cache._replace(logit_m=mean_field.mean_field(cache.rbm, cache.b, 1)))


def negative(original, *args):
    return -original(*args)


def scaled(factor):
    """A way to return so many times the original's value."""
    return lambda original, *args: factor * original(*args)


def log_det_doubled(original, rbm, lam):
    value, gradient = original(rbm, lam)
    return 2 * value, 2 * gradient


def log_det_held(original, rbm, lam):
    """log det without a gradient in W: a constant."""
    value, gradient = original(rbm, lam)
    return value, 0 * gradient


def without_half_lam(original, rbm, zeta, lam):
    """c_i + a_i in the exponent where c_i + a_i - lam/2 belongs."""
    return original(RBM(rbm.a + lam / 2, rbm.W), zeta, lam)


def couplings_twice(original, rbm, zeta, lam):
    """zeta·J zeta without its 1/2."""
    value, cache = original(rbm, zeta, lam)
    left, right = split(zeta, rbm)
    return value - np.sum((left @ rbm.W) * right, 1), cache


def without_quadratic(original, d_log_p, cache):
    """d/dzeta without that of zeta·(J + lam I) zeta / 2."""
    rbm, d_zeta = original(d_log_p, cache)
    quadratic = cache.lam * cache.zeta + couple(cache.rbm, cache.zeta)
    return rbm, d_zeta + d_log_p[:, None] * quadratic


def swapped_q(original, t, logit_q, smoothing):
    """Eq. 9's denominator with q and 1 - q exchanged."""
    return original(t, -logit_q, smoothing)


def beta_for_its_inverse(original, self, t):
    """R(zeta|0) = zeta^(1 - 1/beta)."""
    return np.exp(-np.logaddexp(0, -t) * (1 - 1 / self.beta))


def without_share(original, self, t):
    """R0 - R1 without 1 - epsilon: as if all of the density were the exponential's."""
    return original(self, t) / (1 - self.epsilon)


def without_normaliser(original, self, t):
    """d/dbeta of an exponential that is not normalised."""
    return sigmoid(t) * np.exp(-self.beta * sigmoid(t))


def without_half(original, self, t):
    """-beta zeta^2, where -beta zeta^2 / 2 is due, with the right normaliser."""
    return original(self, t) - self.beta / 2 * (t + 0.5) ** 2


def without_one_minus_rho(original, logit_q, rho, beta):
    """The slope of the spike's zeta over 1 - rho."""
    return original(logit_q, rho, beta) / (1 - rho)


def beta_times_zeta(original, logit_q, rho, beta):
    return original(logit_q, rho, beta) * beta


def with_the_factors(original, *args, **options):
    """log p and log q each with 14,000 nats that cancel in their difference."""
    value, cache = original(*args, **options)
    return (value + value.dtype.type(14_000)), cache


def guarded(claim, name, **part):
    """The densities of the library's power function with a guard."""
    log_r0 = (Power, "log_r0", instead(GuardedPower.log_r0))
    log_f0 = (Power, "log_f0", instead(GuardedPower.log_f0))
    return Break(name, claim, (log_r0, log_f0), part)


power = functools.partial(breaks, "reparameterisation", names=("power",))
reparameterisation = functools.partial(breaks, "reparameterisation")
eq5 = functools.partial(breaks, "gradient_of_log_p", names=("power",))
eq6 = functools.partial(breaks, "mean_field")
eq7 = functools.partial(breaks, "gaussian_integral")
BREAKS = [
    breaks("enumeration", "a state left out of log Z", accumulate, "combine", without_a_state),
    breaks("enumeration", "z·J z without its 1/2", general, "problem", twice_the_energy),
    eq6("mean field: sign of W", mean_field, "mean_field", flipped_couplings),
    eq6("Eq. 6 without the entropy", mean_field, "log_partition_bound", without_entropy),
    eq6("Eq. 6: couplings counted twice", mean_field, "log_partition_bound", doubled_couplings),
    eq6("Eq. 6: a thousandth of b at the wrong vertex", mean_field, "log_partition_bound", off_the_wrong_vertex),
    eq5("Eq. 5 without the gradient of c(zeta)", overlapping, "log_p_backward", without_c),
    eq5("Eq. 5: 1 - m for m in W", overlapping, "log_p_backward", one_minus_m),
    eq5("Eq. 5 at a stale m", overlapping, "log_p_backward", stale_m),
    eq5("db/dzeta: sign", Power, "d_log_ratio", negative),
    eq7("Eq. 7: determinant without its 1/2", gaussian_integral, "_log_det", log_det_doubled),
    eq7("Eq. 7: determinant's gradient in W left out", gaussian_integral, "_log_det", log_det_held),
    eq7("Eq. 7 without -lam/2", gaussian_integral, "log_p", without_half_lam),
    eq7("Eq. 7: zeta·W zeta without its 1/2", gaussian_integral, "log_p", couplings_twice),
    eq7("Eq. 7: d/dzeta without -zeta", gaussian_integral, "log_p_backward", without_quadratic),
    power("Eq. 9: sign", mixture, "d_t_d_logit_q", negative),
    power("Eq. 9: q and 1 - q swapped", mixture, "d_t_d_logit_q", swapped_q),
    power("dzeta/dbeta: sign", mixture, "d_t_d_beta", negative),
    guarded("reparameterisation", "1e-7 is added to zeta in the power function", names=named(Power)),
    power("Eq. 10: 1 - 1/beta for 1/beta", Power, "cdf0", beta_for_its_inverse),
    power("spike: slope without 1 - rho", spike, "d_zeta_d_logit_q", without_one_minus_rho),
    power("spike: zeta without 1/beta", spike, "sample", beta_times_zeta),
    reparameterisation(
        "epsilon left out of R0 - R1",
        UniformExponential,
        "cdf_gap",
        without_share,
        names=named(UniformExponential),
    ),
    reparameterisation(
        "dR/dbeta without the normaliser's", Exponential, "d_beta_cdf0", without_normaliser, names=("exp",)
    ),
    reparameterisation("Gaussian without its 1/2", Gaussian, "log_r0", without_half, names=("gauss",)),
    Break(
        "densities with the factors that cancel",
        "float32",
        ((mixture, "log_q", around(with_the_factors)), (overlapping, "log_p", around(with_the_factors))),
    ),
    breaks("released_code", "dzeta/dsigma: off by a percent", mixture, "d_t_d_beta", scaled(1.01)),
    guarded("released_code", "1e-7 is added to zeta in the density's integral"),
]
BREAKS += known("mean_field", mean_field, "mean_field", MEAN_FIELD)
