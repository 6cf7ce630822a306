"""A lower bound of log Z from the modes of an RBM, without sampling: what an estimate that has missed one lies below.

Annealing from the base sees the modes that its chains come to. A mode that none has found is in neither its standard
error nor its effective sample size; but a lower bound that holds whatever was sampled can contradict it.

**One mode.** For any m in (0, 1)^D, log Z >= F(m) = H(m) + a·m + m_left W m_right (Gibbs' inequality, for Q_m, the
law of independent units). Given one side the other's best m is sigmoid(field), so sweeps from side to side only rise.

**Several.** The entropy of a mixture sum_k w_k Q_k is at least sum_k w_k (H(Q_k) - log sum_j w_j BC(Q_k, Q_j)), where
BC = prod_i (sqrt(q_ki q_ji) + sqrt((1 - q_ki) (1 - q_ji))), the Bhattacharyya coefficient (Kolchinsky & Tracey 2017).
So with w_k in proportion to e^F_k

    log Z >= sum_k w_k (F_k - log sum_j w_j BC_kj),

which for modes apart (BC_kj = [k = j]) is log sum_k e^F_k, and for one mode found twice is F.

**Where it starts.** From all units 1, all 0, all 1/2, and the signs of the first four singular vectors of W, both ways.
A mode that none of these leads to stays unseen: that the bound is silent shows nothing.
"""

import math
import warnings

import numpy as np
from scipy.special import logsumexp, ndtri, stdtrit

from dvae_ref.arrays import Array
from dvae_ref.theory import boltzmann
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import sigmoid, softplus

SWEEPS = 100  # at most
SETTLED = 1e-4  # of m, between sweeps: F is right to its square
VECTORS = 4  # singular vectors of W
ERRORS, BY_CHANCE = 4.0, 3.2e-5  # standard errors below the bound that are worth a warning, and how often by chance
MACHINES = 100  # of a batch at a time
ROUNDING = 1e-3  # nats, which no warning is worth


def lower_bound(rbm: RBM, starts: Array | None = None) -> float:
    """A lower bound of log Z, nats: the best mixture of the mean fields from `starts(W)`.

    Exact where W = 0. ValueError for an RBM that is none.
    """
    boltzmann.check(rbm)
    W = np.asarray(rbm.W, np.float64)
    starts = _starts(W) if starts is None else starts
    return float(_bounds(W, np.asarray(rbm.a, np.float64)[None], starts)[0])


def warn_if_missed(log_z: float, error: float, chains: int, rbm: RBM) -> None:
    """Warn where an estimate of log Z, with its standard error from so many chains, lies below `lower_bound`."""
    _warn(np.array([log_z]), np.array([error]), chains, np.array([lower_bound(rbm)]))


def warn_if_missed_by_any(log_z: Array, error: Array, chains: int, W: Array, a: Array) -> None:
    """`warn_if_missed` for N machines that share W, with biases a (N, D): one warning, of the worst."""
    W, a = np.asarray(W, np.float64), np.asarray(a, np.float64)
    starts = _starts(W)
    pieces = np.array_split(a, math.ceil(len(a) / MACHINES))
    _warn(log_z, error, chains, np.concatenate([_bounds(W, piece, starts) for piece in pieces]))


def _warn(log_z, error, chains, bound):
    """Errors are those of a few chains: Student's t law in place of the normal one."""
    short, worth = bound - log_z, stdtrit(chains - 1, BY_CHANCE) / ndtri(BY_CHANCE)
    missed = short > ERRORS * worth * error + ROUNDING
    if np.any(missed):
        worst = int(np.argmax(np.where(missed, short, -np.inf)))
        which = f" ({np.sum(missed)} of {len(missed)} machines; this is the worst)" if len(missed) > 1 else ""
        warnings.warn(
            f"log Z = {log_z[worst]:.2f} +- {error[worst]:.2g} is too low: it is at least {bound[worst]:.2f}, by "
            f"a mean field (sampling.modes){which}. Annealing has missed a mode, and its error bar does not show it: "
            "take another base, or more temperatures",
            stacklevel=4,
        )


def _starts(W):
    """States of the left side from which mean fields start: (K, D_left)."""
    n = len(W)
    vectors, _, _ = np.linalg.svd(W, full_matrices=False)
    up = vectors[:, :VECTORS].T > 0
    return np.concatenate([np.ones((1, n)), np.zeros((1, n)), np.full((1, n), 0.5), up, ~up])


def _bounds(W, a, starts):
    """The lower bound of log Z for each of the biases a (N, D), by mean fields from these states: (N,), nats."""
    machines = len(a)
    a = np.repeat(a, len(starts), axis=0)
    a_left, a_right = np.split(a, [len(W)], 1)
    right = _settled(W, a_left, a_right, np.tile(starts, (machines, 1)))
    logit_left = a_left + right @ W.T
    logit_right = a_right + sigmoid(logit_left) @ W
    logits = np.concatenate([logit_left, logit_right], 1)
    free = _free_energies(W, a, logits).reshape(machines, -1)
    return np.array(list(map(_mixture, free, logits.reshape(machines, len(starts), -1))))


def _settled(W, a_left, a_right, left):
    """The right side of mean fields from these left sides, a machine and a start a row, once they move no more."""
    for _ in range(SWEEPS):
        right = sigmoid(a_right + left @ W)
        before, left = left, sigmoid(a_left + right @ W.T)
        if np.max(np.abs(left - before)) < SETTLED:
            break
    return right


def _free_energies(W, a, logits):
    """F(m), nats, of every row of logit m: H(m) = sum softplus(l) - m l, unit by unit."""
    m = sigmoid(logits)
    left, right = np.split(m, [len(W)], 1)
    couplings = np.sum((left @ W) * right, 1)
    return np.sum(softplus(logits) + m * (a - logits), 1) + couplings


def _mixture(free, logits):
    """sum_k w_k (F_k - log sum_j w_j BC_kj) with w_k in proportion to e^F_k: modes found twice count once."""
    log_w = free - logsumexp(free)
    up, down = -softplus(-logits) / 2, -softplus(logits) / 2  # log sqrt m, log sqrt(1 - m)
    log_bc = [np.logaddexp(u + up, v + down).sum(1) for u, v in zip(up, down, strict=True)]
    return np.exp(log_w) @ (free - logsumexp(log_w + np.minimum(log_bc, 0), axis=1))
