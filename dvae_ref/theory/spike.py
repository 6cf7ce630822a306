"""Spike-and-exponential smoothing of DVAE (Eq. 1, left): zeta = 0 if z = 0, else r(zeta|1) ~ e^(beta zeta) on [0, 1].

Not overlapping, and not its own mirror image: q(zeta|x) has an atom at 0 and an inverse CDF in closed form.
Derived in docs/derivations/03-implicit-reparameterisation.md.
"""

import math

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.theory.domains import check_uniform
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.twins import twinned


@twinned
def sample(logit_q: Array, rho: Array, beta: float) -> Array:
    """zeta at which CDF(zeta) = rho: 0 for rho <= 1 - q, else log((e^beta - 1) s + 1) / beta with
    s = (rho - (1 - q)) / q in (0, 1].  rho in (0, 1); any logit, 0 < beta < 88: float32 holds e^88.

    Shapes that broadcast. Raises ValueError for another beta, for rho outside [0, 1], and for NaN. Accuracy: s to
    4 eps, absolutely, so that a zeta of less may count as the spike (tests/theory/test_spike.py).

    >>> sample(np.zeros(3), np.array([0.2, 0.75, 1.0]), 2.0).round(4).tolist()
    [0.0, 0.7169, 1.0]
    """
    _check(rho, beta)
    return np.log1p(math.expm1(beta) * _above_spike(logit_q, rho)[0]) / beta


@twinned
def d_zeta_d_logit_q(logit_q: Array, rho: Array, beta: float) -> Array:
    """dzeta/dlogit(q) at fixed rho: (e^beta - 1) (1 - rho) (1 - q) / (q beta ((e^beta - 1) s + 1)) where zeta > 0.

    0 on the spike. Any shapes that broadcast. Domain and errors as of `sample`: ValueError for another beta or rho.
    """
    _check(rho, beta)
    s, one_minus_s = _above_spike(logit_q, rho)
    slope = math.expm1(beta) / beta / (math.expm1(beta) * s + 1)
    return np.where(s <= 0, 0, slope * one_minus_s * sigmoid(-logit_q))


def _check(rho, beta):
    if not 0 < beta < 88:
        raise ValueError(f"the spike-and-exponential takes 0 < beta < 88; got {beta}")
    check_uniform(rho=rho)


def _above_spike(logit_q, rho):
    """(s, 1 - s), or (0, 1) on the spike. 1 - s = (1 - rho) / q never cancels, s = (rho - (1 - q)) / q not at q > 1/2.

    A q below the least normal float counts as that.
    """
    one_minus_q = sigmoid(-logit_q)
    q = np.maximum(sigmoid(logit_q), np.finfo(one_minus_q.dtype).tiny)
    one_minus_s = np.minimum((1 - rho) / q, 1)
    return np.where(one_minus_q < q, np.maximum(rho - one_minus_q, 0) / q, 1 - one_minus_s), one_minus_s
