"""Smoothing transformations r(zeta|z), Eqs. 1 and 10 and Sec. 3.3: one class each, `beta` their sharpness.

A class states r(zeta|0); what follows from it by r(zeta|1) = r(1 - zeta|0), and the coordinate t that stands for zeta,
are in `mirror`. Functions keep the shape and dtype of t; logarithms in nats. Domain: any finite t; rho in (0, 1), where
an end point is read as the nearest number inside. ValueError where a class is made with a beta outside its domain.

Accuracy, against 50 digits (tests/theory/test_smoothing.py), eps = 2.2e-16 in float64, 1.2e-7 in float32: densities,
R, 1 - R and R0 - R1 to 4 (4 + |log value|) eps of the value, where it is tiny as well; logarithms and derivatives to
8 eps of max(1, |value|). That is for beta >= 1, of the power function 1.01: of a law that is blunter, derivatives in
beta lose digits, and R0 - R1 with them. Derived in docs/derivations/02-smoothing-and-mixtures.md.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from dvae_ref.arrays import Array
from dvae_ref.theory.domains import inside
from dvae_ref.theory.elementary import sigmoid, softplus
from dvae_ref.theory.logistic import Logistic
from dvae_ref.theory.mirror import RealLine, UnitInterval


class Exponential(UnitInterval):
    """r(zeta|0) = exp(-beta zeta) / Z, Z = (1 - exp(-beta)) / beta on [0, 1] (Eq. 1, right); beta > 0."""

    @property
    def log_z(self) -> float:
        """log of the integral of e^(-beta zeta) over (0, 1), nats."""
        return math.log(-math.expm1(-self.beta) / self.beta)

    def log_r0(self, t: Array) -> Array:
        """The paper's c."""
        return -self.beta * sigmoid(t) - self.log_z

    def d_log_r0(self, t: Array) -> Array:
        """d log r0/dt = -beta dzeta/dt."""
        return -self.beta * self.d_zeta(t)

    def d_beta_log_r0(self, t: Array) -> Array:
        """-zeta - d log Z/dbeta, where -d log Z/dbeta = 1/beta - 1/(e^beta - 1) is the mean of zeta."""
        return -sigmoid(t) + 1 / self.beta - 1 / math.expm1(min(self.beta, 700.0))  # e^709 is the last of float64

    def log_ratio(self, t: Array) -> Array:
        """b = beta (2 zeta - 1)."""
        return self.beta * np.tanh(t / 2)

    def cdf0(self, t: Array) -> Array:
        """(1 - e^(-beta zeta)) / (1 - e^-beta)."""
        return np.expm1(-self.beta * sigmoid(t)) / math.expm1(-self.beta)

    def survival0(self, t: Array) -> Array:
        """e^(-beta zeta) (1 - e^(-beta (1 - zeta))) / (1 - e^-beta)."""
        return np.exp(-self.beta * sigmoid(t)) * self.cdf0(-t)

    def cdf_gap(self, t: Array) -> Array:
        """R(zeta|0) - R(zeta|1) = (1 - e^(-beta zeta)) (1 - e^(-beta (1 - zeta))) / (1 - e^-beta)."""
        return -math.expm1(-self.beta) * self.cdf0(t) * self.cdf0(-t)

    def d_beta_cdf0(self, t: Array) -> Array:
        """dR(zeta|0)/dbeta, written around the nearer end of the interval so that nothing cancels there."""
        beta, zeta, one_minus = self.beta, sigmoid(t), sigmoid(-t)
        near0 = np.exp(-beta * zeta) * zeta * -math.expm1(-beta) + math.exp(-beta) * np.expm1(-beta * zeta)
        near1 = np.exp(-beta * zeta) * (-np.expm1(-beta * one_minus) + one_minus * math.expm1(-beta))
        return np.where(t < 0, near0, near1) / math.expm1(-beta) ** 2

    def sample0(self, rho: Array) -> Array:
        """t at which R(zeta|0) = rho: zeta and 1 - zeta each by a formula that does not cancel.

        beta zeta = -log(1 - rho (1 - e^-beta)) = -log(1 - rho) - log(1 + rho / (1 - rho) e^-beta).
        """
        rho = inside(rho)
        log_survival = np.log1p(-rho)
        if self.beta < 1:  # the two logarithms would nearly cancel
            zeta = -np.log1p(rho * math.expm1(-self.beta)) / self.beta
        else:
            zeta = -(log_survival + np.log1p(rho / (1 - rho) * math.exp(-self.beta))) / self.beta
        one_minus = softplus(log_survival + (self.beta + math.log(-math.expm1(-self.beta)))) / self.beta
        return np.log(zeta) - np.log(one_minus)


@dataclass(frozen=True)
class UniformExponential(UnitInterval):
    """r'(zeta|z) = (1 - epsilon) r(zeta|z) + epsilon with the exponential r (Sec. 3.3); beta > 0."""

    epsilon: float = 0.05

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.epsilon, float | int | np.generic):
            raise TypeError(f"UniformExponential's epsilon must be a number; got {self.epsilon!r}")
        if not 0 < self.epsilon < 1:
            raise ValueError(f"UniformExponential takes 0 < epsilon < 1, got {self.epsilon}")
        object.__setattr__(self, "epsilon", float(self.epsilon))  # as beta

    @property
    def exponential(self) -> Exponential:
        """The exponential that is mixed with the uniform."""
        return Exponential(self.beta)

    @property
    def log_z(self) -> float:
        """Of the exponential alone."""
        return self.exponential.log_z

    def log_odds_exponential(self, t: Array) -> Array:
        """log odds that a zeta drawn from r'(.|0) came from the exponential."""
        return self.exponential.log_r0(t) + math.log1p(-self.epsilon) - math.log(self.epsilon)

    def log_r0(self, t: Array) -> Array:
        """The paper's c, with the mixed density."""
        return math.log(self.epsilon) + softplus(self.log_odds_exponential(t))

    def d_log_r0(self, t: Array) -> Array:
        """d log r(zeta|0) / dt."""
        return sigmoid(self.log_odds_exponential(t)) * self.exponential.d_log_r0(t)

    def d_beta_log_r0(self, t: Array) -> Array:
        """d log r(zeta|0) / dbeta at fixed zeta."""
        return sigmoid(self.log_odds_exponential(t)) * self.exponential.d_beta_log_r0(t)

    def cdf0(self, t: Array) -> Array:
        """R(zeta|0)."""
        return (1 - self.epsilon) * self.exponential.cdf0(t) + self.epsilon * sigmoid(t)

    def survival0(self, t: Array) -> Array:
        """1 - R(zeta|0)."""
        return (1 - self.epsilon) * self.exponential.survival0(t) + self.epsilon * sigmoid(-t)

    def cdf_gap(self, t: Array) -> Array:
        """R(zeta|0) - R(zeta|1): the uniform parts cancel."""
        return (1 - self.epsilon) * self.exponential.cdf_gap(t)

    def d_beta_cdf0(self, t: Array) -> Array:
        """dR(zeta|0)/dbeta at fixed zeta."""
        return (1 - self.epsilon) * self.exponential.d_beta_cdf0(t)

    def sample0(self, rho: Array) -> Array:
        """A draw from r'(.|0), not its quantile: the epsilon part of (0, 1) draws the uniform, the rest the
        exponential, each from what is left of rho, stretched to (0, 1)."""
        uniform = inside(rho / self.epsilon)
        rest = inside((rho - self.epsilon) / (1 - self.epsilon))
        return np.where(rho < self.epsilon, self.t(uniform), self.exponential.sample0(rest))

    def quantile0_bounds(self, rho: Array) -> tuple[Array, Array]:
        ends = self.t(inside(rho)), self.exponential.sample0(rho)
        return np.minimum(*ends), np.maximum(*ends)


class Power(UnitInterval):
    """r(zeta|0) = zeta^(lam - 1) lam with lam = 1 / beta, the Beta(1/beta, 1) density (Eq. 10); beta > 1."""

    minimum_beta = 1.0

    @property
    def log_z(self) -> float:
        """log beta: what the density is divided by, nats."""
        return math.log(self.beta)

    def log_r0(self, t: Array) -> Array:
        """The paper's c."""
        return (1 - 1 / self.beta) * softplus(-t) - self.log_z

    def d_log_r0(self, t: Array) -> Array:
        """d log r(zeta|0) / dt."""
        return -(1 - 1 / self.beta) * sigmoid(-t)

    def d_beta_log_r0(self, t: Array) -> Array:
        """-log(zeta) / beta^2 - 1 / beta."""
        return softplus(-t) / self.beta**2 - 1 / self.beta

    def log_ratio(self, t: Array) -> Array:
        """b = (1 - 1/beta) logit(zeta)."""
        return (1 - 1 / self.beta) * t

    def d_log_ratio(self, t: Array) -> Array:
        return 1 - 1 / self.beta + np.zeros_like(t)

    def d_beta_log_ratio(self, t: Array) -> Array:
        return t / self.beta**2

    def log_f0(self, t: Array) -> Array:
        """log(lam zeta^lam (1 - zeta)): the large terms of log r0 and log dzeta/dt cancel on paper."""
        return -softplus(-t) / self.beta - softplus(t) - self.log_z

    def cdf0(self, t: Array) -> Array:
        """zeta^lam."""
        return np.exp(-softplus(-t) / self.beta)

    def survival0(self, t: Array) -> Array:
        """1 - zeta^lam."""
        return -np.expm1(-softplus(-t) / self.beta)

    def cdf_gap(self, t: Array) -> Array:
        """R(zeta|0) - R(zeta|1) = zeta^lam (1 - zeta^(1-lam)) + (1-zeta)^lam (1 - (1-zeta)^(1-lam)), which is
        zeta^lam + (1-zeta)^lam - 1 as a sum of positive terms."""
        mu = 1 - 1 / self.beta
        return sum(self.cdf0(s) * -np.expm1(-mu * softplus(-s)) for s in (t, -t))

    def d_beta_cdf0(self, t: Array) -> Array:
        """-zeta^lam log(zeta) / beta^2."""
        return self.cdf0(t) * softplus(-t) / self.beta**2

    def sample0(self, rho: Array) -> Array:
        """t at which zeta = rho^beta."""
        log_zeta = self.beta * np.log(inside(rho))
        return log_zeta - np.log(-np.expm1(log_zeta))


class Gaussian(RealLine):
    """r(zeta|z) = N(zeta | z, 1/beta) on the real line (Sec. 3.3); beta > 0, for all or one a unit."""

    @property
    def deviation(self) -> float | Array:
        """Standard deviation, beta^(-1/2)."""
        return self.beta**-0.5

    @property
    def log_z(self) -> float | Array:
        """log of the normaliser, -log(beta / 2 pi) / 2, nats."""
        return -0.5 * _log(self.beta / (2 * math.pi))

    def log_r0(self, t: Array) -> Array:
        """The paper's c = -beta zeta^2 / 2 + log(beta / 2 pi) / 2."""
        return -self.beta / 2 * (t + 0.5) ** 2 - self.log_z

    def d_log_r0(self, t: Array) -> Array:
        """d log r(zeta|0) / dt."""
        return -self.beta * (t + 0.5)

    def d_beta_log_r0(self, t: Array) -> Array:
        """d log r(zeta|0) / dbeta at fixed zeta."""
        return -((t + 0.5) ** 2) / 2 + 0.5 / self.beta

    def log_ratio(self, t: Array) -> Array:
        """b = beta (zeta - 1/2)."""
        return self.beta * t

    def d_log_ratio(self, t: Array) -> Array:
        return self.beta + np.zeros_like(t)

    def d_beta_log_ratio(self, t: Array) -> Array:
        return t

    def cdf0(self, t: Array) -> Array:
        """Phi(sqrt(beta) zeta)."""
        return ndtr(self.beta**0.5 * (t + 0.5))

    def survival0(self, t: Array) -> Array:
        """1 - R(zeta|0)."""
        return ndtr(-(self.beta**0.5) * (t + 0.5))

    def cdf_gap(self, t: Array) -> Array:
        """R(zeta|0) - R(zeta|1), even in t: taken in the lower tail, where both are small."""
        return self.cdf0(-np.abs(t)) - self.cdf1(-np.abs(t))

    def d_beta_cdf0(self, t: Array) -> Array:
        """zeta r(zeta|0) / (2 beta)."""
        return (t + 0.5) * np.exp(self.log_r0(t)) / (2 * self.beta)

    def sample0(self, rho: Array) -> Array:
        """t at which zeta = Phi^-1(rho) / sqrt(beta)."""
        return ndtri(inside(rho)) / self.beta**0.5 - 0.5


def _log(beta):
    """log of a Python number, which leaves the dtype of arrays alone, or of an array."""
    return math.log(beta) if np.ndim(beta) == 0 else np.log(beta)


SMOOTHINGS = {"exp": Exponential, "unexp": UniformExponential, "power": Power, "gauss": Gaussian, "logistic": Logistic}


def build(name: str, beta: float, **others: Any) -> Exponential | UniformExponential | Power | Gaussian | Logistic:
    """The smoothing of a name in SMOOTHINGS; of the other parameters (epsilon) it takes those that it has.

    KeyError for another name, ValueError for a beta outside its domain.

    >>> smoothing = build("power", 2.0, epsilon=0.05)
    >>> float(smoothing.cdf0(smoothing.t(np.array(0.25))))  # zeta^(1/beta)
    0.5
    """
    own = parameters(name)
    return SMOOTHINGS[name](beta, **{key: value for key, value in others.items() if key in own})


def parameters(name: str) -> tuple[str, ...]:
    """The names of its parameters, beta first. KeyError for a name that is not in SMOOTHINGS."""
    return tuple(f.name for f in fields(SMOOTHINGS[name]))


def named(*classes: type) -> tuple[str, ...]:
    """The names in SMOOTHINGS of these classes and of those derived from them."""
    return tuple(name for name, cls in SMOOTHINGS.items() if issubclass(cls, classes))
