"""The Gaussian integral trick: log p(zeta) in closed form, Eq. 7 (Sec. 3.2).

With J = [[0, W], [W', 0]] and r(zeta|z) = N(zeta | z, (J + lam I)^-1), z can be summed out of p(z) r(zeta|z) unit by
unit. The squares are completed around the nearer vertex [zeta > 1/2]: what is left are terms of a few nats each.
Derived in docs/derivations/06-gaussian-integral.md.
"""

import math
from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, in_floats
from dvae_ref.theory.boltzmann import RBM, couple, field, split
from dvae_ref.theory.elementary import logaddexp, per_row, sigmoid

MARGIN = 5.0  # by which lam stays above the largest singular value of W


@in_floats
def precision(rbm: RBM, beta: float) -> float:
    """lam = max(beta, ||W|| + 5): J + lam I is positive definite, its eigenvalues being lam +- singular values of W.

    A constant of the update: no gradient flows to W through it. The norm is computed only where the cheap bound
    ||W||^2 <= ||W||_1 ||W||_inf does not settle the matter.

    >>> precision(RBM(np.zeros(4), 30 * np.eye(2)), 20.0)
    35.0
    """
    size = np.abs(rbm.W)
    if math.sqrt(size.sum(0).max() * size.sum(1).max()) + MARGIN <= beta:
        return float(beta)
    return max(float(beta), float(np.linalg.norm(rbm.W, 2)) + MARGIN)


class LogP(NamedTuple):
    """What the backward of log_p reads."""

    rbm: RBM
    lam: float
    zeta: np.ndarray
    mean_z: np.ndarray  # E[z|zeta]
    d_log_det: np.ndarray  # d/dW of log det((J + lam I) / 2 pi) / 2


@in_floats
def log_p(rbm: RBM, zeta: Array, lam: float) -> tuple[Array, LogP]:
    """log p(zeta) + log Z of Eq. 7 in nats, (N, D) -> (N,), with its cache.  lam > ||W||, else ValueError.

    = log det((J + lam I) / 2 pi) / 2 - zeta·(J + lam I) zeta / 2 + sum_i softplus(((J + lam I) zeta + a - lam/2)_i)

    zeta: any real numbers. Error 1e-12 of the terms in float64; in float32 within 3e-4 nats at D = 400, lam = 40
    (tests/theory/test_gaussian_integral.py).
    """
    left, right = split(zeta, rbm)
    h = field(rbm, zeta)
    b = lam * (zeta - 0.5)
    near = zeta - (zeta > 0.5)
    unit = logaddexp(-np.maximum(b, 0), h - np.maximum(-b, 0)) - lam / 2 * near * near
    log_det, d_log_det = _log_det(rbm, lam)
    value = unit.sum(-1) - np.sum((left @ rbm.W) * right, -1) + log_det
    return value, LogP(rbm, lam, zeta, sigmoid(b + h), d_log_det)


def _log_det(rbm, lam):
    """log det((J + lam I) / 2 pi) / 2 = D log(lam / 2 pi) / 2 + log det(I - W'W / lam^2) / 2, and its gradient in W,
    -W (lam^2 I - W'W)^-1."""
    W = rbm.W.astype(np.float64)
    try:
        if not lam > 0:
            raise np.linalg.LinAlgError
        scaled = np.eye(W.shape[1]) - W.T @ W / lam**2
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        norm = np.linalg.norm(W, 2)
        raise ValueError(f"J + lam I is positive definite for lam > ||W|| = {norm:g} only, got lam = {lam:g}") from None
    value = len(rbm.a) / 2 * math.log(lam / (2 * math.pi)) + np.log(np.diag(factor)).sum()
    return float(value), (-np.linalg.solve(scaled, W.T).T / lam**2).astype(rbm.W.dtype)


@in_floats
def log_p_backward(d_log_p: Array, cache: LogP) -> tuple[RBM, Array]:
    """Gradients (RBM, d_zeta), without the negative phase of log Z.  d/dzeta = (J + lam I)(E[z|zeta] - zeta).

    d_log_p: (N,), or ValueError; d_zeta: (N, D). lam is held fixed.
    """
    rbm, lam, zeta, mean_z, d_log_det = cache
    d = per_row(d_log_p, zeta)
    left, right = split(zeta, rbm)
    mean_left, mean_right = split(d * mean_z, rbm)
    d_W = mean_left.T @ right + left.T @ mean_right - (d * left).T @ right + d_log_p.sum() * d_log_det
    d_zeta = lam * (mean_z - zeta) + couple(rbm, mean_z - zeta)
    return RBM(d_log_p @ mean_z, d_W), d * d_zeta
