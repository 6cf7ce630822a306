"""The logistic smoothing, which DVAE++ has beside the exponential (Sec. 3.3): its mixture's CDF has a plain inverse.

With x0 = beta zeta and x1 = beta (zeta - 1), R(zeta|0) = sigmoid(x0) and R(zeta|1) = sigmoid(x1): the log odds of the
two differ by beta at every zeta, and all that follows is simple. Functions keep the shape and dtype of t; logarithms in
nats. Derived in docs/derivations/03-implicit-reparameterisation.md, "Two logistics".
"""

import math

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.theory.domains import inside
from dvae_ref.theory.elementary import sigmoid, softplus
from dvae_ref.theory.mirror import RealLine


class Logistic(RealLine):
    """r(zeta|z) = beta sigmoid(x) sigmoid(-x), x = beta (zeta - z), on the real line; 0 < beta < 160.

    Beyond, float32 holds no reciprocal of the density between the vertices, beta e^(-beta/2). Functions have a relative
    error of a few eps (1 + |log value|); b and its slope in beta an absolute one of a few eps max(1, |value|).
    """

    maximum_beta = 160.0

    @property
    def deviation(self) -> float:
        """Standard deviation, pi / (sqrt(3) beta)."""
        return math.pi / (math.sqrt(3) * self.beta)

    @property
    def log_z(self) -> float:
        """-log beta: sigmoid(x) sigmoid(-x) has the integral 1/beta, nats."""
        return -math.log(self.beta)

    def x0(self, t: Array) -> Array:
        """beta zeta, the log odds of R(zeta|0); those of R(zeta|1) are x1 = -x0(-t)."""
        return self.beta * (t + 0.5)

    def log_r0(self, t: Array) -> Array:
        """The paper's c = log beta - log(1 + e^x0) - log(1 + e^-x0)."""
        x0 = self.x0(t)
        return -softplus(x0) - softplus(-x0) - self.log_z

    def d_log_r0(self, t: Array) -> Array:
        """-beta tanh(x0 / 2)."""
        return -self.beta * np.tanh(self.x0(t) / 2)

    def d_beta_log_r0(self, t: Array) -> Array:
        """1/beta - zeta tanh(x0 / 2)."""
        return 1 / self.beta - (t + 0.5) * np.tanh(self.x0(t) / 2)

    def log_ratio(self, t: Array) -> Array:
        """b = 2 log(cosh(x0 / 2) / cosh(x1 / 2)), between -beta and beta.

        With low and high the smaller and the larger of beta |t| and beta/2, its half is
        low + log(1 + e^-(low + high)) - log(1 + e^(low - high)), written as one logarithm that vanishes with low.
        """
        far = self.beta * np.abs(t)
        low, high = np.minimum(far, self.beta / 2), np.maximum(far, self.beta / 2)
        apart = np.exp(low - high)
        share = (apart + np.exp(-high)) / (1 + apart)
        return np.sign(t) * 2 * (low + np.log1p(share * np.expm1(-low)))

    def d_log_ratio(self, t: Array) -> Array:
        """2 beta (R0 - R1), as tanh(x / 2) = 2 sigmoid(x) - 1."""
        return 2 * self.beta * self.cdf_gap(t)

    def d_beta_log_ratio(self, t: Array) -> Array:
        """zeta tanh(x0 / 2) - (zeta - 1) tanh(x1 / 2) = 2 t (R0 - R1) + (tanh(x0 / 2) + tanh(x1 / 2)) / 2."""
        both = np.tanh(self.x0(t) / 2) - np.tanh(self.x0(-t) / 2)
        return 2 * t * self.cdf_gap(t) + both / 2

    def cdf0(self, t: Array) -> Array:
        """sigmoid(x0)."""
        return sigmoid(self.x0(t))

    def survival0(self, t: Array) -> Array:
        """sigmoid(-x0)."""
        return sigmoid(-self.x0(t))

    def cdf_gap(self, t: Array) -> Array:
        """R0 - R1 = R0 (1 - R1) (1 - e^-beta), as the odds of R0 are e^beta times those of R1."""
        return -math.expm1(-self.beta) * self.cdf0(t) * self.cdf0(-t)

    def d_beta_cdf0(self, t: Array) -> Array:
        """zeta sigmoid(x0) sigmoid(-x0)."""
        return (t + 0.5) * self.cdf0(t) * self.survival0(t)

    def sample0(self, rho: Array) -> Array:
        """t at which zeta = logit(rho) / beta."""
        rho = inside(rho)
        return (np.log(rho) - np.log1p(-rho)) / self.beta - 0.5

    def mixture_quantile(self, logit_q: Array, rho: Array) -> Array:
        """The positive root y = e^(beta t) of (1 - rho) y^2 + e^(beta/2) B y - rho = 0, where
        B = (1 - q - rho) + (q - rho) e^-beta, in that of its two forms which does not cancel."""
        B = sigmoid(-logit_q) - rho + (sigmoid(logit_q) - rho) * math.exp(-self.beta)
        root = np.hypot(B, 2 * np.sqrt(rho * (1 - rho)) * math.exp(-self.beta / 2))
        larger = np.log(np.abs(B) + root)
        low = (np.log(2 * rho) - larger) / self.beta - 0.5
        return np.where(B > 0, low, (larger - np.log(2 * (1 - rho))) / self.beta + 0.5)
