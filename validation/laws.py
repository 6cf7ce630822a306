"""The smoothing transformations once more, as the paper states them, in mpmath, for tests and claims.

A law is a class with r(zeta|0) and its distribution; what follows from it is differentiated numerically. Numbers are
mpmath's, t is the coordinate of theory/mirror.py. Callers choose the digits.

Names are those of the functions under test, so that a test asks for both by one name. Shared with them are the names
and the classes in LAWS, and no formula: what the library writes so that nothing cancels stands here as it is, with
digits to spare.
"""

import math

import mpmath

from dvae_ref.theory import smoothing


class Exact:
    """What follows from a law by mirror symmetry, r(zeta|1) = r(1 - zeta|0), as a function of t and beta.

    A law has zeta(t), its slope, log_r0 and tails0, (R, 1 - R) of z = 0, each without a subtraction. f is the density
    of t, r dzeta/dt.
    """

    def nats_of_tail(self, t, beta):
        """-log of the smallest probability at t, about: the digits that 1 - R loses there."""
        return abs(t)

    def cdf0(self, t, beta):
        return self.tails0(t, beta)[0]

    def survival0(self, t, beta):
        return self.tails0(t, beta)[1]

    def cdf1(self, t, beta):
        return self.survival0(-t, beta)

    def survival1(self, t, beta):
        return self.cdf0(-t, beta)

    def cdf_gap(self, t, beta):
        """R(zeta|0) - R(zeta|1), which is even in t, at -|t|: in that tail both go to 0, in the other both to 1."""
        return self.cdf0(-abs(t), beta) - self.cdf1(-abs(t), beta)

    def log_ratio(self, t, beta):
        return self.log_r0(-t, beta) - self.log_r0(t, beta)

    def log_f0(self, t, beta):
        return self.log_r0(t, beta) + mpmath.log(self.d_zeta(t, beta))

    def log_r1(self, t, beta):
        return self.log_r0(-t, beta)

    def log_f1(self, t, beta):
        return self.log_f0(-t, beta)

    def log_r_max(self, t, beta):
        return max(self.log_r0(t, beta), self.log_r1(t, beta))

    def d_log_r0(self, t, beta):
        return mpmath.diff(lambda t: self.log_r0(t, beta), t)

    def d_log_ratio(self, t, beta):
        return mpmath.diff(lambda t: self.log_ratio(t, beta), t)

    def d_beta_log_r0(self, t, beta):
        return mpmath.diff(lambda beta: self.log_r0(t, beta), beta)

    def d_beta_log_ratio(self, t, beta):
        return mpmath.diff(lambda beta: self.log_ratio(t, beta), beta)

    def d_beta_cdf0(self, t, beta):
        return mpmath.diff(lambda beta: self.cdf0(t, beta), beta)

    def d_beta_cdf1(self, t, beta):
        return mpmath.diff(lambda beta: self.cdf1(t, beta), beta)


class UnitInterval(Exact):
    """zeta = sigmoid(t) in (0, 1)."""

    def zeta(self, t):
        return 1 / (1 + mpmath.exp(-t))

    def d_zeta(self, t, beta):
        return self.zeta(t) * self.zeta(-t)


class RealLine(Exact):
    """zeta = t + 1/2."""

    def zeta(self, t):
        return t + mpmath.mpf(1) / 2

    def d_zeta(self, t, beta):
        return mpmath.mpf(1)


class Exponential(UnitInterval):
    """r(zeta|0) = beta e^(-beta zeta) / (1 - e^-beta), mixed with a uniform of weight `share`."""

    share = 0.0  # of the uniform

    def log_r0(self, t, beta):
        r = beta * mpmath.exp(-beta * self.zeta(t)) / (1 - mpmath.exp(-beta))
        return mpmath.log((1 - self.share) * r + self.share)

    def tails0(self, t, beta):
        """(R, 1 - R), neither by a subtraction."""
        zeta, one_minus, whole = self.zeta(t), self.zeta(-t), mpmath.expm1(-beta)
        below = mpmath.expm1(-beta * zeta) / whole
        above = mpmath.exp(-beta * zeta) * mpmath.expm1(-beta * one_minus) / whole
        return (1 - self.share) * below + self.share * zeta, (1 - self.share) * above + self.share * one_minus


class UniformExponential(Exponential):
    """r'(zeta|0) = 0.95 r(zeta|0) + 0.05."""

    share = mpmath.mpf(0.05)


class Power(UnitInterval):
    """R(zeta|0) = zeta^(1/beta)."""

    def log_r0(self, t, beta):
        return (1 / beta - 1) * mpmath.log(self.zeta(t)) - mpmath.log(beta)

    def tails0(self, t, beta):
        log_zeta = -mpmath.log1p(mpmath.exp(-t))
        return mpmath.exp(log_zeta / beta), -mpmath.expm1(log_zeta / beta)


class Gaussian(RealLine):
    """r(zeta|0) = N(zeta | 0, 1/beta)."""

    def nats_of_tail(self, t, beta):
        """Of the farther vertex's density: half the square of the distance in standard deviations."""
        return beta * (abs(t) + 0.5) ** 2 / 2

    def log_r0(self, t, beta):
        return -beta * self.zeta(t) ** 2 / 2 + mpmath.log(beta / (2 * mpmath.pi)) / 2

    def tails0(self, t, beta):
        """Phi and its complement by erfc, of the sign at which it is small."""
        x = mpmath.sqrt(beta / 2) * self.zeta(t)
        return mpmath.erfc(-x) / 2, mpmath.erfc(x) / 2


class Logistic(RealLine):
    """R(zeta|0) = 1 / (1 + e^(-beta zeta))."""

    def nats_of_tail(self, t, beta):
        return beta * (abs(t) + 0.5)

    def log_r0(self, t, beta):
        return mpmath.log(beta / 4) - 2 * mpmath.log(mpmath.cosh(beta * self.zeta(t) / 2))

    def tails0(self, t, beta):
        x = beta * self.zeta(t)
        return 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))


LAWS = {
    smoothing.Exponential: Exponential(),
    smoothing.UniformExponential: UniformExponential(),
    smoothing.Power: Power(),
    smoothing.Gaussian: Gaussian(),
    smoothing.Logistic: Logistic(),
}


def exact_law(name):
    """The law of a name in SMOOTHINGS; KeyError for one that is not stated here."""
    return LAWS[smoothing.SMOOTHINGS[name]]


def exact(name, function, t, beta):
    """The exact value, with 50 digits beyond those that 1 - R loses to a tail, twice that as a numerical derivative
    halves them."""
    law = exact_law(name)
    with mpmath.workdps(50 + int(2 * law.nats_of_tail(t, beta) / math.log(10))):
        return getattr(law, function)(mpmath.mpf(float(t)), mpmath.mpf(beta))
