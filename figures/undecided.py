"""log Z of a machine of which nearly all units are settled, by enumeration of those that are not.

A unit whose field stays above `SETTLED` nats, whatever the undecided ones do, is 1; below -`SETTLED`, 0. With it the
fields of its neighbours are known better, so more units may follow. To leave out the states in which a unit with a
field of h nats or more is otherwise costs at most log(1 + e^-h) nats of log Z.
"""

import numpy as np

from dvae_ref import exact
from dvae_ref.theory.boltzmann import RBM

SETTLED = 25.0  # nats: 1.4e-11 of log Z a unit
MOST = 24  # undecided units of the smaller side that are enumerated


def states(rbm):
    """(D,) int8: 1 and 0 for units that are settled, -1 for undecided ones."""
    found = np.full(len(rbm.a), -1, np.int8)
    while True:
        low, high = fields(rbm, found)
        new = np.where(low > SETTLED, 1, np.where(high < -SETTLED, 0, -1)).astype(np.int8)
        new = np.where(found >= 0, found, new)
        if np.array_equal(new, found):
            return found
        found = new


def fields(rbm, states):
    """(least, largest) field of every unit, undecided neighbours being what they like."""
    n = len(rbm.W)
    up, undecided = (states == 1).astype(float), (states < 0).astype(float)
    least, most = np.minimum(rbm.W, 0), np.maximum(rbm.W, 0)

    known = np.concatenate([rbm.W @ up[n:], up[:n] @ rbm.W])
    low = np.concatenate([least @ undecided[n:], undecided[:n] @ least])
    high = np.concatenate([most @ undecided[n:], undecided[:n] @ most])
    return rbm.a + known + low, rbm.a + known + high


def log_z(rbm):
    """log Z in nats to 1e-8, or None if the smaller side has more than MOST undecided units."""
    n, found = len(rbm.W), states(rbm)
    left, right = (found[:n] < 0).nonzero()[0], n + (found[n:] < 0).nonzero()[0]
    if min(len(left), len(right)) > MOST:
        return None
    up = (found == 1).astype(float)
    settled = rbm.a @ up + up[:n] @ rbm.W @ up[n:]  # of the settled units among themselves
    field = rbm.a + np.concatenate([rbm.W @ up[n:], up[:n] @ rbm.W])
    rest = RBM(field[np.r_[left, right]], rbm.W[np.ix_(left, right - n)])
    return settled + (exact.log_z(rest, force=True) if rest.a.size else 0.0)
