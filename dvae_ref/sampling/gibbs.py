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
from dvae_ref.sampling import fields, lanes, philox
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT, coarse_words, fine_words
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
    octets = np.arange(first // CHAINS, -(-(first + chains) // CHAINS), dtype=np.uint64)[:, None]
    place = octets, np.uint64(t), side, np.arange(units, dtype=np.uint64), np.uint64(key.k0), np.uint64(key.k1)
    own = slice(first % CHAINS, first % CHAINS + chains)
    coarse, fine = (_halves(words(*place))[own] for words in (coarse_words, fine_words))
    bounded = np.clip(field, -scalars.FIELD_MAX, scalars.FIELD_MAX)
    u = scalars.spin_uniform(coarse, scalars.fine_bits(fine))
    return scalars.is_up(u, scalars.exp(-bounded)).astype(np.float32)


def _halves(words):
    """The 16 bits of each chain: 4 words (octets, units) -> (8 octets, units)."""
    halves = [scalars.half(word, np.uint64(odd)) for word in words for odd in (0, 1)]
    return np.stack(halves, 1).reshape(-1, words[0].shape[1])


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
    if len(chains.left) > philox.MOST_CHAINS or max(rbm.W.shape) > philox.MOST_UNITS:
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
    rows_right, rows_left = fields.empty_rows(len(left), to_right), fields.empty_rows(len(left), to_left)
    for t in range(start, start + sweeps):
        fields.add_up(left, to_right, rows_right)
        draw_rows(right, rows_right, first, np.uint64(t), RIGHT, k0, k1)
        fields.add_up(right, to_left, rows_left)
        draw_rows(left, rows_left, first, np.uint64(t), LEFT, k0, k1)


@compiled()
def draw_rows(nibbles, rows, first, t, side, k0, k1):
    """A side of a block of chains from their fields, `fields.empty_rows`; `first`, a multiple of 8, numbers its first
    chain."""
    units = 4 * nibbles.shape[1]
    words, spins = np.empty((4, units), np.uint32), np.empty(units, np.uint8)
    for start in range(0, len(nibbles), CHAINS):
        octet = np.uint64((first + start) // CHAINS)
        _draw_words(words, octet, t, side, k0, k1)
        for c in range(start, min(start + CHAINS, len(nibbles))):
            word, shift = words[(c - start) // 2], np.uint32(16 * (c % 2))
            if _compare(spins, rows[c], word, shift):
                _settle(spins, rows[c], word, c - start, octet, t, side, k0, k1)
            _join(spins, nibbles[c])


@compiled()
def _draw_words(words, octet, t, side, k0, k1):
    """(4, units), uint32: the coarse words of eight chains; vectorised over units."""
    words0, words1, words2, words3 = words[0], words[1], words[2], words[3]
    for unit in range(words.shape[1]):
        w0, w1, w2, w3 = coarse_words(octet, t, side, np.uint64(unit), k0, k1)
        words0[unit], words1[unit], words2[unit], words3[unit] = w0, w1, w2, w3


@compiled()
def _compare(spins, row, word, shift):
    """spins (units,): 0 or 1 where 16 bits decide, 2 where they do not; whether there are any of these."""
    unsure = np.uint8(0)
    for u in range(spins.size):
        coarse, e = np.int32(word[u] >> shift & np.uint32(0xFFFF)), scalars.exp_minus(row[u])
        most, least = np.uint8(scalars.possibly_up(coarse, e)), np.uint8(scalars.surely_up(coarse, e))
        spins[u] = most + (most ^ least)
        unsure |= most ^ least
    return unsure


@compiled()
def _settle(spins, row, word, i, octet, t, side, k0, k1):
    """Spins that 16 bits do not decide (one in 60,000), of chain i of the eight."""
    odd = np.uint64(i % 2)
    for u in range(spins.size):
        if spins[u] == 2:
            coarse = scalars.half(np.uint64(word[u]), odd)
            fine = scalars.half(fine_words(octet, t, side, np.uint64(u), k0, k1)[i // 2], odd)
            uniform = scalars.spin_uniform(coarse, scalars.fine_bits(fine))
            spins[u] = scalars.is_up(uniform, scalars.exp_minus(row[u]))


@compiled()
def _join(spins, nibbles):
    """Bit k of nibble g is unit k q + g."""
    q = nibbles.size
    spins0, spins1, spins2, spins3 = spins[:q], spins[q : 2 * q], spins[2 * q : 3 * q], spins[3 * q :]
    for g in range(q):
        nibbles[g] = spins0[g] | spins1[g] << 1 | spins2[g] << 2 | spins3[g] << 3
