"""Spike-and-exponential smoothing of DVAE (Eq. 1, left): zeta = 0 if z = 0, else r(zeta|1) ~ e^(beta zeta) on [0, 1].

Not overlapping, and not its own mirror image: q(zeta|x) has an atom at 0 and an inverse CDF in closed form.
"""

import math

import numpy as np

from dvae_ref.elementary import sigmoid


def sample(logit_q, rho, beta):
    """zeta at which CDF(zeta) = rho: 0 for rho <= 1 - q, else log((e^beta - 1) s + 1) / beta with
    s = (rho - (1 - q)) / q in (0, 1].  rho in (0, 1); any logit, 0 < beta < 88: float32 holds e^88."""
    return np.log1p(math.expm1(beta) * (1 - _one_minus_s(logit_q, rho))) / beta


def d_zeta_d_logit_q(logit_q, rho, beta):
    """dzeta/dlogit(q) at fixed rho: (e^beta - 1) (1 - rho) (1 - q) / (q beta ((e^beta - 1) s + 1)) where zeta > 0."""
    rest = _one_minus_s(logit_q, rho)
    slope = math.expm1(beta) / beta / (math.expm1(beta) * (1 - rest) + 1)
    return np.where(rest < 1, slope * rest * sigmoid(-logit_q), 0)


def _one_minus_s(logit_q, rho):
    """(1 - rho) / q, or 1 on the spike: 1 - rho does not cancel. A q below the least normal float counts as that."""
    q = sigmoid(logit_q)
    return np.minimum((1 - rho) / np.maximum(q, np.finfo(q.dtype).tiny), 1)
