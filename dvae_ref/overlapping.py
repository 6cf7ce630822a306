"""log p(zeta) of the overlapping relaxation p(zeta) = sum_z p(z) r(zeta|z), Eqs. 4 to 6."""

from typing import NamedTuple

import numpy as np

from dvae_ref import kernels_latent
from dvae_ref.boltzmann import RBM, split
from dvae_ref.elementary import sigmoid
from dvae_ref.mean_field import log_partition_bound, mean_field


class LogP(NamedTuple):
    rbm: RBM
    b: np.ndarray
    logit_m: np.ndarray


def log_p(rbm, b, sweeps=5):
    """log p(zeta) + log Z - log r_max(zeta) in nats, by mean field: (N, D) -> (N,), with its cache.

    b = log r(zeta|1) - log r(zeta|0); r_max as in dvae_ref.mixture. A lower bound, short by KL(m || p^).
    """
    if sweeps and kernels_latent.takes(b, b):
        value, logit_m = kernels_latent.log_p(rbm, b, sweeps)
        return value, LogP(rbm, b, logit_m)
    logit_m = mean_field(rbm, b, sweeps)
    return log_partition_bound(rbm, b, logit_m), LogP(rbm, b, logit_m)


def log_p_backward(d_log_p, cache):
    """Gradients (RBM, d_b) by Eq. 5: those of -E^(m) at fixed m, without the negative phase of log Z.

    The gradient does not act on m: at the fixed point of the mean field that is exact for H(m) - E^(m), whose
    derivative in m is zero there. In b: m - [b > 0].
    """
    rbm, b, logit_m = cache
    if kernels_latent.takes(b, logit_m):
        return kernels_latent.log_p_backward(d_log_p, *cache)
    m, one_minus_m = sigmoid(logit_m), sigmoid(-logit_m)
    d = d_log_p[:, None]
    left, right = split(m, rbm)
    return RBM(d_log_p @ m, (d * left).T @ right), d * np.where(b > 0, -one_minus_m, m)
