"""Exact samples of an RBM: the smaller side from the table of its probabilities, the other one given it."""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import bipartite, machines, states
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.theory import domains
from dvae_ref.theory.boltzmann import RBM, check, conditional_left, conditional_right

MOST_UNITS = 24  # of the smaller side: a table of 128 MB


def sample(u: Array, rbm: RBM) -> Array:
    """Independent samples z ~ p(z) of the RBM, as many as u has rows: (n, D), float64, 0 or 1.

    u: (n, 1 + units of the larger side), float64, independent and uniform in (0, 1), as of `philox.uniform`. The first
    number of a row chooses the state of the smaller side, by the cumulative probabilities of all its states; the others
    choose the units of the larger side, z_j = [u_j < sigmoid(field_j)]. Probabilities are good to about 2^-52,
    absolutely: a state of less is never drawn. ValueError for malformed parameters or u, and for more than 24 units in
    the smaller side.

    >>> rbm = RBM(np.array([-50.0, 50.0]), np.zeros((1, 1)))
    >>> sample(np.full((2, 2), 0.5), rbm).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    check(rbm)
    _check(u, rbm)
    rbm = RBM(*(np.asarray(value, np.float64) for value in rbm))
    listed = _draw_listed(u[:, 0], rbm)
    if bipartite.lists_left(rbm.W):
        return np.concatenate([listed, u[:, 1:] < conditional_right(rbm, listed)], 1)
    return np.concatenate([u[:, 1:] < conditional_left(rbm, listed), listed], 1)


def _check(u, rbm):
    smaller, larger = sorted(rbm.W.shape)
    if smaller > MOST_UNITS:
        raise ValueError(f"exact samples take at most {MOST_UNITS} units in the smaller side; W is {rbm.W.shape}")
    domains.real("u", u)
    if u.ndim != 2 or u.shape[1] != 1 + larger or u.dtype != np.float64:
        raise ValueError(f"u must be float64 of shape (n, {1 + larger}) for this RBM; got {u.dtype} {u.shape}")
    if not np.all((u > 0) & (u < 1)):
        raise ValueError("u must lie in 0 < u < 1")


def _draw_listed(u, rbm):
    """States of the smaller side, (n, units): the inverse of their cumulative distribution at u (n,)."""
    log_p = _log_weights(machines.rbm_problem(rbm, np.zeros((1, rbm.a.size))))
    cumulative = np.cumsum(np.exp(log_p - np.max(log_p)))
    number = np.searchsorted(cumulative, u * cumulative[-1], side="right")
    last = len(cumulative) - 1  # u times the sum may be rounded up to the sum
    return (np.minimum(number, last)[:, None] >> np.arange(min(rbm.W.shape)) & 1).astype(np.float64)


def _log_weights(p):
    """Log-weights of all states of the listed side, by number, of the first machine of a bipartite.Problem."""
    out = np.empty((2 ** len(p.W) // p.table.shape[1], p.table.shape[1]))
    share_out(_fill, len(out), 1, p, out)
    return out.reshape(-1)


@compiled(nogil=True)
def _fill(counter, width, p, out):
    """A task is a state of the high bits, with all of the low ones: width is 1."""
    n_low = states.bits(out.shape[1])
    low = states.log_weights(p.on_listed[0, :n_low], p.off_listed[0, :n_low])
    u, v, product = np.empty(len(p.peak)), np.empty(len(p.peak)), np.empty_like(low)
    high = width * take(counter)
    while high < len(out):
        bipartite.log_weights(p, 0, high, low, u, v, product, out[high])
        high = width * take(counter)
