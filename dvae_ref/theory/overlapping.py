"""log p(zeta) of the overlapping relaxation p(zeta) = sum_z p(z) r(zeta|z), Eqs. 4 to 6.

Derived in docs/derivations/05-overlapping-relaxation.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.theory.boltzmann import RBM, split
from dvae_ref.theory.elementary import per_row, sigmoid
from dvae_ref.theory.mean_field import log_partition_bound, mean_field
from dvae_ref.twins import twinned


class LogP(NamedTuple):
    """What the backward of log_p reads: (N, D) arrays."""

    rbm: RBM
    b: np.ndarray
    logit_m: np.ndarray


@twinned
def log_p(rbm: RBM, b: Array, sweeps: int = 5) -> tuple[Array, LogP]:
    """log p(zeta) + log Z - log r_max(zeta) in nats, by mean field: (N, D) -> (N,), with its cache.

    b = log r(zeta|1) - log r(zeta|0); r_max as in dvae_ref.theory.mixture. A lower bound, short by KL(m || p^).
    ValueError for b of other units than the RBM's, and for sweeps < 0. Error 1e-12 of the terms in float64
    (tests/theory/test_overlapping.py); by how much the mean field falls short, `exact.kl` says.

    >>> rbm = RBM(np.array([1.0, 0.0]), np.array([[0.0]]))  # without couplings it is exact
    >>> value, _ = log_p(rbm, np.zeros((1, 2)))
    >>> bool(np.allclose(value, np.log(1 + np.e) + np.log(2)))
    True
    """
    logit_m = mean_field(rbm, b, sweeps)
    return log_partition_bound(rbm, b, logit_m), LogP(rbm, b, logit_m)


@twinned
def log_p_backward(d_log_p: Array, cache: LogP) -> tuple[RBM, Array]:
    """Gradients (RBM, d_b) by Eq. 5: those of -E^(m) at fixed m, without the negative phase of log Z.

    The gradient does not act on m: at the fixed point of the mean field that is exact for H(m) - E^(m), whose
    derivative in m is zero there. In b: m - [b > 0]. ValueError unless d_log_p is (N,).
    """
    rbm, b, logit_m = cache
    m, one_minus_m = sigmoid(logit_m), sigmoid(-logit_m)
    d = per_row(d_log_p, logit_m)
    left, right = split(m, rbm)
    return RBM(d_log_p @ m, (d * left).T @ right), d * np.where(b > 0, -one_minus_m, m)
