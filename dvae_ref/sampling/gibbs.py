"""Block Gibbs sampling of an RBM: many chains, the two sides in turn (paper, Sec. 2; Hinton 2002).

A sweep draws z_right given z_left, then z_left given z_right: unit by unit, z = 1 if u < sigmoid(field), with
u a function of (key, sweep, side, chain, unit) alone and the field free of rounding (`fields.exact_fields`).
So `sweep`, fused and on all cores or on a GPU, and `sweep_reference`, the NumPy oracle, yield the same spins,
bit for bit, for any number of threads.
Derived in docs/derivations/09-sampling.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.fast import scalars
from dvae_ref.sampling import backend as backends
from dvae_ref.sampling import engines, fields, philox
from dvae_ref.sampling.engines.path import Path
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT, coarse_words, fine_words
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM

Shape = Sequence[int] | RBM  # D_left, D_right
_PIECE = 2**32  # chains x weights x sweeps to a call of an engine: about a second


class Chains(NamedTuple):
    """Binary states of R chains, packed (`fields.pack`), and how many sweeps they have behind them."""

    left: np.ndarray  # (R, ceil(D_left / 4)), uint8
    right: np.ndarray  # (R, ceil(D_right / 4)), uint8
    shape: np.ndarray  # (2,), int64: D_left, D_right
    sweeps: np.ndarray  # (), int64

    @property
    def z(self) -> Array:
        """z_left, z_right side by side: (R, D), float32, 0 or 1."""
        n_left, n_right = (int(n) for n in self.shape)
        return np.concatenate([fields.unpack(self.left, n_left), fields.unpack(self.right, n_right)], -1)


def chains_from(z: Array, shape: Shape, sweeps: int = 0) -> Chains:
    """Chains in the states z (R, D), binary, of a machine with (D_left, D_right) = shape.

    ValueError for a z of another shape or with other numbers, TypeError for what is no array.
    """
    n_left, n_right = units(shape)
    domains.real("z", z)
    if z.ndim != 2 or z.shape[0] < 1 or z.shape[1] != n_left + n_right:
        raise ValueError(f"chains take z of shape (R, {n_left} + {n_right}) with R >= 1; got {z.shape}")
    if not np.all((z == 0) | (z == 1)):
        raise ValueError("the states of chains must be 0 or 1")
    left, right = np.split(z, [n_left], 1)
    shape, sweeps = np.array([n_left, n_right]), np.array(domains.whole("sweeps", sweeps))
    return Chains(fields.pack(left), fields.pack(right), shape, sweeps)


def units(shape: Shape) -> tuple[int, int]:
    """(D_left, D_right) of a shape, or of an RBM; ValueError unless they are whole numbers >= 1."""
    if isinstance(shape, RBM):
        boltzmann.check(shape)
        shape = shape.W.shape
    if np.shape(shape) != (2,):
        raise ValueError(f"a shape is (D_left, D_right), or an RBM; got {shape!r}")
    n_left, n_right = shape
    return domains.whole("the number of units left", n_left, 1), domains.whole("the number of units right", n_right, 1)


def check(chains: Chains) -> None:
    """ValueError unless these are states: compiled code trusts them. TypeError for what are no Chains."""
    domains.instance("the state", chains, Chains)
    _check_numbers(chains)
    n_left, n_right = np.asarray(chains.shape).tolist()
    fields.check_packed(chains.left, n_left, "the chains' left")
    fields.check_packed(chains.right, n_right, "the chains' right")
    if len(chains.left) < 1 or len(chains.left) != len(chains.right):
        raise ValueError(
            f"need as many chains left as right, at least one; got {len(chains.left)}, {len(chains.right)}"
        )


def _check_numbers(chains):
    """ValueError unless the shape is of two sides with units, and the sweeps a count."""
    domains.real("the shape of chains", chains.shape)
    shape, sweeps = np.asarray(chains.shape), np.asarray(chains.sweeps)
    if shape.dtype.kind != "i" or shape.shape != (2,) or np.any(shape < 1):
        raise ValueError(f"the shape of chains is two whole numbers >= 1; got {chains.shape!r}")
    if sweeps.dtype.kind != "i" or sweeps.shape != () or sweeps < 0:
        raise ValueError(f"the sweeps of chains are a whole number >= 0; got {chains.sweeps!r}")


def sweep(key: philox.Key, chains: Chains, rbm: RBM, sweeps: int, backend: str = "cpu") -> Chains:
    """The chains after this many sweeps of block Gibbs sampling of the RBM, on all cores, or on a GPU
    (`backend.resolve`).  Raises ValueError for chains that are none, or of another machine, and for sweeps < 0;
    TypeError for a key that is none.
    """
    philox.check(key)
    sweeps = _check_call(chains, rbm, sweeps)
    where = backends.resolve(backend)
    if not sweeps:
        return chains._replace(left=chains.left.copy(), right=chains.right.copy())
    swept = _on_gpu if where == "cuda" else _on_cpu
    left, right = swept(chains, _exact(rbm), sweeps, key)
    return Chains(left, right, chains.shape, chains.sweeps + sweeps)


def _on_gpu(chains, rbm, sweeps, key):
    """(left, right) of chains so many sweeps later, packed."""
    from dvae_ref.sampling.cuda import gibbs as cuda

    return cuda.sweep(chains.left, chains.right, rbm, int(chains.sweeps), sweeps, key)


def _on_cpu(chains, rbm, sweeps, key):
    """The same bytes."""
    left, right = chains.left[None].copy(), chains.right[None].copy()
    _sweep(left, right, rbm, int(chains.sweeps), sweeps, key)
    return left[0], right[0]


def _sweep(left, right, rbm, start, sweeps, key):
    """Sweeps number start, start + 1, ... of packed states (1, R, q), in place; between pieces Ctrl-C is heard."""
    engine, no_weights = engines.best(), np.zeros((1, 0))
    tables = engine.tables(Path(np.zeros_like(rbm.a), rbm.a, rbm.W))
    k0, k1 = np.uint64(key.k0), np.uint64(key.k1)
    piece = max(1, _PIECE // (left.shape[1] * rbm.W.size))
    for first in range(0, sweeps, piece):
        at_one = np.ones(min(piece, sweeps - first) + 1, np.float32)
        engine.anneal(left, right, no_weights, at_one, start + first - 1, tables, k0, k1)


def sweep_reference(key: philox.Key, chains: Chains, rbm: RBM, sweeps: int) -> Chains:
    """What `sweep` computes, as readable NumPy: its oracle. Errors (ValueError, TypeError) as there."""
    philox.check(key)
    sweeps = _check_call(chains, rbm, sweeps)
    rbm = _exact(rbm)
    z_left, z_right = boltzmann.split(chains.z, rbm)
    for t in range(int(chains.sweeps), int(chains.sweeps) + sweeps):
        z_right = draw(key, t, RIGHT, rbm.a_right + z_left @ rbm.W)
        z_left = draw(key, t, LEFT, rbm.a_left + z_right @ rbm.W.T)
    return chains_from(np.concatenate([z_left, z_right], -1), rbm.W.shape, chains.sweeps + sweeps)


def draw(key: philox.Key, t: int, side: np.uint64, field: Array, first: int = 0) -> Array:
    """z ~ Bernoulli(sigmoid(field)); field: (R, units), of the chains first, first + 1, ..."""
    chains, units = field.shape
    octets = np.arange(first // CHAINS, math.ceil((first + chains) / CHAINS), dtype=np.uint64)[:, None]
    place = octets, np.uint64(t), side, np.arange(units, dtype=np.uint64), np.uint64(key.k0), np.uint64(key.k1)
    own = slice(first % CHAINS, first % CHAINS + chains)
    coarse = _halves(coarse_words(*place))[own]
    fine = _halves(fine_words(*place))[own]
    bounded = np.clip(field, -scalars.FIELD_MAX, scalars.FIELD_MAX)
    u = scalars.spin_uniform(coarse, scalars.fine_bits(fine))
    return scalars.is_up(u, scalars.exp(-bounded)).astype(np.float32)


def _halves(words):
    """The 16 bits of each chain: 4 words (octets, units) -> (8 octets, units)."""
    halves = [scalars.half(word, np.uint64(odd)) for word in words for odd in (0, 1)]
    return np.stack(halves, 1).reshape(-1, words[0].shape[1])


def _check_call(chains, rbm, sweeps):
    """sweeps as an int; ValueError if anything does not fit."""
    boltzmann.check(rbm)
    check(chains)
    if tuple(chains.shape) != rbm.W.shape:
        raise ValueError(f"the chains are of a machine {tuple(chains.shape.tolist())}, the RBM's W is {rbm.W.shape}")
    sweeps = domains.whole("sweeps", sweeps)
    if int(chains.sweeps) + sweeps >= 2**32:
        raise ValueError(f"sweeps must be >= 0, 2**32 to a key; asked for {sweeps} after {chains.sweeps}")
    if len(chains.left) > philox.MOST_CHAINS or max(rbm.W.shape) > philox.MOST_UNITS:
        raise ValueError(f"too many chains for one key: {len(chains.left)}")
    return sweeps


def _exact(rbm):
    """The RBM with exact fields."""
    rounded, steps = fields.exact_fields(rbm)
    fields.warn_of_rounding(rbm, rounded, steps)
    return rounded
