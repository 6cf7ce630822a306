"""log p(zeta) of an overlapping relaxation (Eq. 4) and its gradient: theory.overlapping without the mean field."""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import bipartite, bipartite_moments
from dvae_ref.exact.machines import rbm_problem
from dvae_ref.theory import domains
from dvae_ref.theory.boltzmann import RBM, Moments

ROWS = 64  # whose E[z_left z_right'] are held at a time


class LogP(NamedTuple):
    """What the backward of log_p reads."""

    rbm: RBM
    b: np.ndarray
    log_p: np.ndarray


def log_p(rbm: RBM, b: Array, *, force: bool = False) -> tuple[Array, LogP]:
    """log p(zeta) + log Z - log r_max(zeta) = log sum_z exp(-E(z) + b·z - sum_i max(b_i, 0)), with its cache.

    b = log r(zeta|1) - log r(zeta|0) of any smoothing, (N, D) -> (N,), nats, float64. N 2^min(D_left, D_right) states,
    at most 2^28 unless forced; otherwise ValueError. Error 1e-13 max(1, |value|), for energies as of `log_z` (Eq. 4).

    >>> value, _ = log_p(RBM(np.zeros(2), np.zeros((1, 1))), np.array([[300.0, 0.0]]))
    >>> value.round(4).tolist()  # 0 + log 2
    [0.6931]
    """
    value = bipartite.log_sum(rbm_problem(rbm, b, force))
    return value, LogP(rbm, b, value)


def log_p_backward(d_log_p: Array, cache: LogP) -> tuple[RBM, Array]:
    """Gradients (RBM, d_b) of sum(d_log_p * log p), without the negative phase of log Z.

    With the augmented posterior p^(z|zeta): E[z] in a, E[z_left z_right'] in W, E[z] - [b > 0] in b, where 1 - E[z] is
    not formed by a subtraction. ValueError unless d_log_p is (N,).
    """
    domains.real("d_log_p", d_log_p)
    domains.finite("d_log_p", d_log_p)
    if d_log_p.shape != cache.log_p.shape:
        raise ValueError(f"d_log_p has a number for each of {len(cache.log_p)} rows; got shape {d_log_p.shape}")
    rbm, d_b = cache.rbm, np.empty(cache.b.shape)
    d_a, d_W = np.zeros(rbm.a.shape), np.zeros(rbm.W.shape)
    for start in range(0, len(d_log_p), ROWS):
        rows = slice(start, start + ROWS)
        d, b = d_log_p[rows], cache.b[rows]
        found = _marginals(rbm, b, cache.log_p[rows])
        d_a, d_W = d_a + d @ found.on, d_W + np.einsum("n,nij->ij", d, found.zz)
        d_b[rows] = d[:, None] * np.where(b > 0, -found.off, found.on)
    return RBM(d_a, d_W), d_b


def posterior_moments(rbm: RBM, b: Array, *, force: bool = False) -> Moments:
    """E[z] and E[z_left z_right'] under p^(z|zeta) of every row of b: Moments of (N, D) and (N, D_left, D_right).

    Limits and errors (ValueError) as of log_p; relative error as of `moments` (tests/exact/test_relaxation.py).
    """
    found = _marginals(rbm, b, log_p(rbm, b, force=force)[0])
    return Moments(found.on, found.zz)


def _marginals(rbm, b, log_p):
    p = rbm_problem(rbm, b, force=True)
    return bipartite_moments.marginals(p, log_p, bipartite.lists_left(rbm.W))
