"""Block Gibbs sampling of an RBM: many chains, the two sides in turn (paper, Sec. 2; Hinton 2002).

A sweep draws z_right given z_left, then z_left given z_right: unit by unit, z = 1 if u < sigmoid(field), with
u a function of (key, sweep, side, chain, unit) alone and the field free of rounding (`fields.exact_fields`).
So `sweep`, fused and on all cores or on a GPU, and `sweep_reference`, the NumPy oracle, yield the same spins,
bit for bit, for any number of threads.
"""

from typing import NamedTuple

import numba
import numpy as np

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import backend as backends
from dvae_ref.sampling import fields, lanes
from dvae_ref.sampling.philox import DOMAIN_GIBBS, LEFT, RIGHT, philox
from dvae_ref.sampling.tasks import share_out, take

_BLOCK = 128  # chains to a task: fewer read the tables more often, more leave cores without work


class Chains(NamedTuple):
    """Binary states of R chains, packed (`fields.pack`), and how many sweeps they have behind them."""

    left: np.ndarray  # (R, ceil(D_left / 4)), uint8
    right: np.ndarray  # (R, ceil(D_right / 4)), uint8
    shape: np.ndarray  # (2,), int64: D_left, D_right
    sweeps: np.ndarray  # (), int64

    @property
    def z(self):
        """z_left, z_right side by side: (R, D), float32, 0 or 1."""
        n_left, n_right = (int(n) for n in self.shape)
        return np.concatenate([fields.unpack(self.left, n_left), fields.unpack(self.right, n_right)], -1)


def chains_from(z, shape, sweeps=0):
    """Chains in the states z (R, D), binary, of a machine with (D_left, D_right) = shape."""
    n_left, n_right = shape
    if z.ndim != 2 or z.shape[0] < 1 or z.shape[1] != n_left + n_right:
        raise ValueError(f"chains take z of shape (R, {n_left} + {n_right}) with R >= 1; got {z.shape}")
    if not np.all((z == 0) | (z == 1)):
        raise ValueError("the states of chains must be 0 or 1")
    left, right = (fields.pack(side) for side in (z[:, :n_left], z[:, n_left:]))
    return Chains(left, right, np.array([n_left, n_right]), np.array(sweeps))


def sweep(key, chains, rbm, sweeps, backend="cpu"):
    """The chains after this many sweeps of block Gibbs sampling of the RBM, by the fused kernel on all
    cores, or on a GPU (`backend.resolve`)."""
    rbm = _checked(chains, rbm, sweeps)
    if backends.resolve(backend) == "cuda":
        from dvae_ref.sampling.cuda import gibbs as cuda

        states = cuda.sweep(chains.left, chains.right, rbm, int(chains.sweeps), sweeps, key)
        return Chains(*states, chains.shape, chains.sweeps + sweeps)
    states = chains.left.copy(), chains.right.copy()
    numbers = int(chains.sweeps), sweeps, np.uint64(key.k0), np.uint64(key.k1)
    if lanes.available():
        tables = lanes.tables(rbm.W, rbm.a_right), lanes.tables(rbm.W.T, rbm.a_left)
        width = lanes.width(len(chains.left), tables, numba.get_num_threads())
        share_out(lanes.sweep_blocks, len(chains.left), width, *states, *tables, *numbers)
    else:
        tables = fields.tables(rbm.W, rbm.a_right), fields.tables(rbm.W.T, rbm.a_left)
        share_out(_sweep_blocks, len(chains.left), _BLOCK, *states, *tables, *numbers)
    return Chains(*states, chains.shape, chains.sweeps + sweeps)


def sweep_reference(key, chains, rbm, sweeps):
    """What `sweep` computes, as readable NumPy: its oracle."""
    rbm = _checked(chains, rbm, sweeps)
    n_left = rbm.W.shape[0]
    z_left, z_right = np.split(chains.z, [n_left], -1)
    for t in range(int(chains.sweeps), int(chains.sweeps) + sweeps):
        z_right = draw(key, t, RIGHT, rbm.a[n_left:] + z_left @ rbm.W)
        z_left = draw(key, t, LEFT, rbm.a[:n_left] + z_right @ rbm.W.T)
    return chains_from(np.concatenate([z_left, z_right], -1), rbm.W.shape, chains.sweeps + sweeps)


def draw(key, t, side, field, first=0):
    """z ~ Bernoulli(sigmoid(field)); field: (R, units), of the chains first, first + 1, ..."""
    chains, units = field.shape
    q = -(-units // 4)
    counter = np.arange(first * q, (first + chains) * q, dtype=np.uint64).reshape(chains, q)
    words = philox(counter, np.uint64(t), side, DOMAIN_GIBBS, np.uint64(key.k0), np.uint64(key.k1))
    u = scalars.uniform(np.concatenate(words, -1)[:, :units])
    bounded = np.clip(field, -scalars.FIELD_MAX, scalars.FIELD_MAX)
    return scalars.is_up(u, scalars.exp(-bounded)).astype(np.float32)


def _checked(chains, rbm, sweeps):
    """The RBM with exact fields; ValueError if anything does not fit."""
    rbm, _ = fields.exact_fields(rbm)
    if tuple(chains.shape) != rbm.W.shape:
        raise ValueError(f"the chains are of a machine {tuple(chains.shape.tolist())}, the RBM's W is {rbm.W.shape}")
    if len(chains.left) < 1 or len(chains.left) != len(chains.right):
        raise ValueError(
            f"need as many chains left as right, at least one; got {len(chains.left)}, {len(chains.right)}"
        )
    if sweeps < 0 or int(chains.sweeps) + sweeps >= 2**32:
        raise ValueError(f"sweeps must be >= 0, 2**32 to a key; asked for {sweeps} after {chains.sweeps}")
    if len(chains.left) * max(chains.left.shape[1], chains.right.shape[1]) >= 2**32:
        raise ValueError(f"too many chains for one key: {len(chains.left)}")
    return rbm


@compiled(nogil=True)
def _sweep_blocks(counter, width, left, right, to_right, to_left, start, sweeps, k0, k1):
    first = width * take(counter)
    while first < len(left):
        part = slice(first, first + width)
        _sweep_block(left[part], right[part], to_right, to_left, first, start, sweeps, k0, k1)
        first = width * take(counter)


@compiled()
def _sweep_block(left, right, to_right, to_left, first, start, sweeps, k0, k1):
    """Sweeps number start, start + 1, ... of a block of chains, the first of which is number `first`."""
    chains, q_left, q_right = len(left), left.shape[1], right.shape[1]
    rows_right, planes_right = fields.empty_rows(chains, to_right), fields.empty_planes(chains, q_right)
    rows_left, planes_left = fields.empty_rows(chains, to_left), fields.empty_planes(chains, q_left)
    for t in range(start, start + sweeps):
        fields.add_up(left, to_right, rows_right, planes_right)
        flip(right.reshape(-1), planes_right, np.uint64(first * q_right), np.uint64(t), RIGHT, k0, k1)
        fields.add_up(right, to_left, rows_left, planes_left)
        flip(left.reshape(-1), planes_left, np.uint64(first * q_left), np.uint64(t), LEFT, k0, k1)


@compiled()
def flip(nibbles, planes, first, t, side, k0, k1):
    """Four units to a counter, one nibble to four units; every line of the loop is vectorised over
    counters."""
    field0, field1, field2, field3 = planes[0], planes[1], planes[2], planes[3]
    for i in range(nibbles.size):
        words = philox(first + np.uint64(i), t, side, DOMAIN_GIBBS, k0, k1)
        e0, e1 = scalars.exp_minus(field0[i]), scalars.exp_minus(field1[i])
        e2, e3 = scalars.exp_minus(field2[i]), scalars.exp_minus(field3[i])
        nibbles[i] = scalars.nibble(words, e0, e1, e2, e3)
