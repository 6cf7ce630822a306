"""Persistent contrastive divergence: the negative phase from chains that are never restarted (Sec. 4;
Tieleman, ICML 2008).

The chains of the last update, a few sweeps of block Gibbs later, stand for samples of the RBM as it is now.
Derived in docs/derivations/09-sampling.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.sampling import counts, gibbs, philox
from dvae_ref.theory import domains
from dvae_ref.theory.boltzmann import RBM, Moments

State = gibbs.Chains


class Info(NamedTuple):
    """What an update estimates: E[z] and E[z_left z_right'] over the chains."""

    moments: Moments


def init(key: philox.Key, shape: gibbs.Shape, chains: int = 1000) -> State:
    """Chains in independent uniform states; shape is (D_left, D_right) or an RBM.

    Raises ValueError for a side without units and for chains < 1, TypeError for a key that is none.

    >>> state = init(philox.key(0), (3, 4), chains=10)
    >>> samples(state).shape, int(state.sweeps)
    ((10, 7), 0)
    """
    n_left, n_right = gibbs.units(shape)
    chains = domains.whole("chains", chains, 1)
    z = philox.uniform(key, (chains, n_left + n_right)) < 0.5
    return gibbs.chains_from(z, (n_left, n_right))


def step(key: philox.Key, state: State, rbm: RBM, sweeps: int = 40, backend: str = "cpu") -> tuple[State, Info]:
    """(state after `sweeps` sweeps at these parameters, Info).

    Random numbers are functions of (key, state.sweeps, ...): one key serves a whole run, and a state that was
    stored and read back continues with the same bytes. ValueError and TypeError as of `gibbs.sweep`.

    >>> rbm = gibbs.RBM(np.array([20.0, -20.0]), np.zeros((1, 1)))  # one unit on, one off
    >>> state, info = step(philox.key(0), init(philox.key(1), rbm, chains=8), rbm, sweeps=2)
    >>> info.moments.z.tolist()
    [1.0, 0.0]
    """
    state = gibbs.sweep(key, state, rbm, sweeps, backend)
    return state, Info(_moments(state))


def samples(state: State) -> Array:
    """The chains' states z: (R, D), float32. TypeError for what are no chains, ValueError for no states."""
    gibbs.check(state)
    return state.z


def moments(state: State) -> Moments:
    """Moments over the chains: counts, exact in float32 below 2**24 chains, divided by their number.

    TypeError for what are no chains, ValueError for no states.
    """
    gibbs.check(state)
    return _moments(state)


def _moments(state):
    found = counts.counts(state.left, state.right, *state.shape.tolist())
    return Moments(*(count.astype(np.float32) / np.float32(len(state.left)) for count in found))
