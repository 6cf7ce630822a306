"""Exact samples of an RBM: the smaller side from the table of its probabilities, the other one given it."""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import bipartite, machines, states
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, taken
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
    rbm = machines.in_double(rbm)
    u_listed, u_summed = u[:, 0], u[:, 1:]
    listed = _draw_listed(u_listed, rbm)
    lists_left = bipartite.lists_left(rbm.W)
    probability = conditional_right(rbm, listed) if lists_left else conditional_left(rbm, listed)
    return bipartite.joined(listed, u_summed < probability, lists_left)


def _check(u, rbm):
    """Raise ValueError for a u or an RBM that sample does not take, TypeError for a u that is no real array."""
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
    numbers = np.searchsorted(cumulative, u * cumulative[-1], side="right")
    last = len(cumulative) - 1  # u times the sum may be rounded up to the sum
    return states.vectors(np.minimum(numbers, last), min(rbm.W.shape))


def _log_weights(p):
    """Log-weights of all states of the listed side, by number, of the first machine of a bipartite.Problem."""
    out = np.empty((bipartite.high_states(p), p.table.shape[1]))
    share_out(_fill, len(out), 1, p, out)
    return out.reshape(-1)


@compiled(nogil=True)
def _fill(counter, width, p, out):
    """A task is a state of the high bits, with all of the low ones."""
    low = bipartite.low_log_weights(p, 0)
    u, v, product = np.empty(len(p.peak)), np.empty(len(p.peak)), np.empty_like(low)
    for high in taken(counter, len(out)):
        bipartite.log_weights(p, 0, high, low, u, v, product, out[high])
