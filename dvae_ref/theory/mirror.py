"""What follows from r(zeta|0) by mirror symmetry, for every smoothing transformation, and the two domains of zeta.

Every r of `smoothing` is its own mirror image, r(zeta|1) = r(1 - zeta|0), so a class states r(zeta|0) and the rest
follows. Floating point cannot hold a zeta close to 1 (and at beta = 30, 58% of the power-function draws lie within 1e-7
of their vertex), so the argument is never zeta but the centred coordinate

    t = logit(zeta) on the unit interval,    t = zeta - 1/2 on the real line,

in which the mirror image is -t, the log-ratio b is odd, and everything is finite without a guard. t does not depend
on beta, so derivatives in beta at fixed t are those at fixed zeta. Functions take t of any shape and keep it.
Logarithms are in nats. r(zeta|z) is a density of zeta, R(zeta|z) its distribution function. Derived in
docs/derivations/02-smoothing-and-mixtures.md.
"""

import math
from dataclasses import dataclass

import numpy as np

from dvae_ref.arrays import Array, floats
from dvae_ref.theory.elementary import sigmoid, softplus


@dataclass(frozen=True)
class Smoothing:
    """What follows from r(zeta|0) by mirror symmetry. A class defines beta and the functions of r(zeta|0), of which
    log_z is the logarithm of the constant that it is divided by."""

    beta: float | Array  # one number; of a Gaussian, one a unit as well
    minimum_beta = 0.0
    maximum_beta = math.inf

    def __post_init__(self):
        least, most = self.minimum_beta, self.maximum_beta
        if not isinstance(self.beta, float | int | np.ndarray | np.generic):
            raise TypeError(f"{type(self).__name__}'s beta must be a number; got {self.beta!r}")
        if not np.all((self.beta > least) & (self.beta < most)):
            upper = f" and < {most:g}" if most < math.inf else ""
            raise ValueError(f"{type(self).__name__} takes a finite beta > {least:g}{upper}, got {self.beta}")
        # a float leaves the dtype of t as it is, NumPy's numbers do not; and those without a sign have no -beta
        object.__setattr__(self, "beta", floats(self.beta) if np.ndim(self.beta) else float(self.beta))

    def log_r1(self, t: Array) -> Array:
        """log r(zeta|1), nats."""
        return self.log_r0(-t)

    def cdf1(self, t: Array) -> Array:
        """R(zeta|1); relative accuracy also where it is tiny."""
        return self.survival0(-t)

    def survival1(self, t: Array) -> Array:
        """1 - R(zeta|1)."""
        return self.cdf0(-t)

    def log_ratio(self, t: Array) -> Array:
        """The paper's b = log r(zeta|1) - log r(zeta|0), an odd function of t."""
        return self.log_r0(-t) - self.log_r0(t)

    def d_log_ratio(self, t: Array) -> Array:
        """db/dt."""
        return -self.d_log_r0(-t) - self.d_log_r0(t)

    def d_beta_log_ratio(self, t: Array) -> Array:
        """db/dbeta at fixed zeta."""
        return self.d_beta_log_r0(-t) - self.d_beta_log_r0(t)

    def d_beta_cdf1(self, t: Array) -> Array:
        """dR(zeta|1)/dbeta at fixed zeta."""
        return -self.d_beta_cdf0(-t)

    def log_r_max(self, t: Array) -> Array:
        """log max(r(zeta|0), r(zeta|1)): the density of the nearer vertex."""
        return self.log_r0(-np.abs(t))

    def d_log_r_max(self, t: Array) -> Array:
        """d log r_max/dt; at the kink t = 0 that of r(zeta|0), the side on which mixture.log_q_backward puts b = 0."""
        slope = self.d_log_r0(-np.abs(t))
        return np.where(t > 0, -slope, slope)

    def log_f0(self, t: Array) -> Array:
        """log of the density of t given z = 0: r(zeta|0) dzeta/dt."""
        return self.log_r0(t) + self.log_d_zeta(t)

    def log_f1(self, t: Array) -> Array:
        """log of the density of t given z = 1."""
        return self.log_f0(-t)

    def mixture_quantile(self, logit_q: Array, rho: Array) -> Array | None:
        """t at which (1 - q) R(zeta|0) + q R(zeta|1) = rho, rho <= 1/2, or None where there is no closed form."""
        return None

    def quantile0_bounds(self, rho: Array) -> tuple[Array, Array]:
        """Two values of t that enclose the solution of R(zeta|0) = rho."""
        t = self.sample0(rho)
        return t, t


class UnitInterval(Smoothing):
    """zeta in (0, 1), t = logit(zeta)."""

    def zeta(self, t: Array) -> Array:
        """zeta(t) = sigmoid(t); 1 - zeta is zeta(-t)."""
        return sigmoid(t)

    def t(self, zeta: Array) -> Array:
        """The coordinate of a given zeta in (0, 1)."""
        return np.log(zeta) - np.log1p(-zeta)

    def d_zeta(self, t: Array) -> Array:
        """dzeta/dt = zeta (1 - zeta)."""
        return sigmoid(t) * sigmoid(-t)

    def log_d_zeta(self, t: Array) -> Array:
        """log dzeta/dt."""
        return -softplus(t) - softplus(-t)


class RealLine(Smoothing):
    """zeta on the real line, t = zeta - 1/2. A class defines `deviation`, the standard deviation of r(zeta|z)."""

    def zeta(self, t: Array) -> Array:
        """zeta = t + 1/2."""
        return t + 0.5

    def t(self, zeta: Array) -> Array:
        """The coordinate of a given zeta."""
        return zeta - 0.5

    def d_zeta(self, t: Array) -> Array:
        """dzeta/dt = 1."""
        return np.ones_like(t)

    def log_d_zeta(self, t: Array) -> Array:
        """log dzeta/dt = 0."""
        return np.zeros_like(t)
