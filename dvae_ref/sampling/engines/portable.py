"""The engine for any CPU: the fields of a chain are a row, its units are next to each other.

In step k, from t to t_next, a block of chains has the exact fields h of a side looked up and added up, nibble by nibble
of the other side (`fields.add_up`). They serve the increment of log w and, as base + t_next h, the draw. Loops run over
the units of a chain, which the compiler vectorises as the CPU allows.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.sampling import fields
from dvae_ref.sampling.engines.path import Path, difference, increment
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT, coarse_words, spin, whole_counters

NAME = "portable"
_BLOCK = 128  # chains to a task: fewer read the tables more often, more leave cores without work


class Tables(NamedTuple):
    """A path as the engine reads it."""

    to_right: np.ndarray  # fields.tables of h_right by the nibbles of the left side
    to_left: np.ndarray
    base_right: np.ndarray  # (machines, width): fields.side_row
    base_left: np.ndarray
    linear: np.ndarray  # (16 q_left,), float64: sum of slope_i z_i over the units of a nibble
    reach: float  # bound on |h_right|


def tables(path):
    """The Tables of a Path."""
    return _tables(path, path.base[None])


def tables_batch(W, base):
    """The Tables of N paths from the base (N, D), which differ in nothing else."""
    slope = np.zeros(sum(W.shape), np.float32)
    return _tables(Path(slope, slope, W), base)


def _tables(path, base):
    (slope_left, slope_right), (base_left, base_right) = fields.sides(path.slope, path.W), fields.sides(base.T, path.W)
    to_right, to_left = fields.tables(path.W, slope_right), fields.tables(path.W.T, slope_left)
    return Tables(
        to_right=to_right,
        to_left=to_left,
        base_right=_rows(base_right.T, to_right),
        base_left=_rows(base_left.T, to_left),
        linear=fields.partial_sums(slope_left[:, None].astype(np.float64)).reshape(-1),
        reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
    )


def _rows(base, table):
    return np.stack([fields.side_row(row, fields.width(table)) for row in base])


def anneal(left, right, log_w, inv_temps, done, tables, k0, k1):
    """Chains of N machines along the inverse temperatures, of which the first is number `done` of the whole schedule.

    left (N, R, q_left), written; right (N, R, q_right), written, or (N, 0, q_right); log_w (N, R), which grows, or
    (N, 0).
    """
    machines, chains, _ = left.shape
    share_out(_take_blocks, machines * -(-chains // _BLOCK), 1, left, right, log_w, inv_temps, done, tables, k0, k1)


@compiled(nogil=True)
def _take_blocks(counter, width, left, right, log_w, inv_temps, done, tables, k0, k1):
    """A task is a block of chains of one machine: width is 1."""
    machines, chains, _ = left.shape
    blocks = (chains + _BLOCK - 1) // _BLOCK
    task = width * take(counter)
    while task < machines * blocks:
        machine, start = task // blocks, task % blocks * _BLOCK
        part, first = slice(start, start + _BLOCK), machine * whole_counters(chains) + start
        bases = tables.base_right[machine], tables.base_left[machine]
        states = left[machine, part], right[machine, part], log_w[machine, part]
        _anneal(states, first, inv_temps, done, tables, bases, k0, k1)
        task = width * take(counter)


@compiled(nogil=True)
def _anneal(states, first, inv_temps, done, tables, bases, k0, k1):
    (z_left, right, log_w), (base_right, base_left) = states, bases
    z_right = right if len(right) else np.empty((len(z_left), right.shape[1]), np.uint8)
    rows_right, rows_left = (
        fields.empty_rows(len(z_left), tables.to_right),
        fields.empty_rows(len(z_left), tables.to_left),
    )
    gain = np.zeros((len(log_w), z_right.shape[1]))  # of log w, by chain and nibble, summed at the end
    for k in range(len(inv_temps) - 1):
        t, t_next, sweep = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        fields.add_up(z_left, tables.to_right, rows_right)
        if len(log_w):
            _weigh_linear(z_left, tables.linear, np.float64(t_next) - np.float64(t), log_w)
            _weigh(rows_right, base_right, t, t_next, abs(t_next - t) * tables.reach <= scalars.MAX_INCREMENT, gain)
        _draw(z_right, rows_right, base_right, t_next, (first, sweep, RIGHT, k0, k1))
        fields.add_up(z_right, tables.to_left, rows_left)
        _draw(z_left, rows_left, base_left, t_next, (first, sweep, LEFT, k0, k1))
    for c in range(len(log_w)):
        log_w[c] += gain[c].sum()


# -- the draw ----------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def _draw(nibbles, rows, base, t, place):
    """Draw a side of a block of chains from its fields h, at base + t h; the first chain begins a counter."""
    first, sweep, side, k0, k1 = place
    width = 4 * nibbles.shape[1]
    words, spins = np.empty((4, width), np.uint32), np.empty(width, np.uint8)
    for start in range(0, len(nibbles), CHAINS):
        _draw_words(words, np.uint64((first + start) // CHAINS), sweep, side, k0, k1)
        for c in range(start, min(start + CHAINS, len(nibbles))):
            row, word, shift = rows[c], words[(c - start) // 2], np.uint32(16 * (c % 2))
            _scale(row, base, t)
            if _compare(spins, row, word, shift):
                _settle(spins, row, word, first + c, sweep, side, k0, k1)
            _join(spins, nibbles[c])


@compiled(nogil=True)
def _draw_words(words, octet, sweep, side, k0, k1):
    """(4, units), uint32: the coarse words of eight chains."""
    words0, words1, words2, words3 = words[0], words[1], words[2], words[3]
    for unit in range(words.shape[1]):
        w0, w1, w2, w3 = coarse_words(octet, sweep, side, np.uint64(unit), k0, k1)
        words0[unit], words1[unit], words2[unit], words3[unit] = w0, w1, w2, w3


@compiled(nogil=True)
def _scale(row, base, t):
    """h <- base + t h: the fields at inverse temperature t."""
    for u in range(row.size):
        row[u] = base[u] + scalars.mul(t, row[u])


@compiled(nogil=True)
def _compare(spins, row, word, shift):
    """spins (units,): 0 or 1 where 16 bits decide, 2 where they do not; whether there are any of these."""
    unsure = np.uint8(0)
    for u in range(spins.size):
        bits, e = np.int32(word[u] >> shift & np.uint32(0xFFFF)), scalars.exp_minus(row[u])
        most, least = np.uint8(scalars.possibly_up(bits, e)), np.uint8(scalars.surely_up(bits, e))
        spins[u] = most + (most ^ least)
        unsure |= most ^ least
    return unsure


@compiled(nogil=True)
def _settle(spins, row, word, chain, sweep, side, k0, k1):
    """Spins that 16 bits do not decide (one in 60,000)."""
    for u in range(spins.size):
        if spins[u] == 2:
            bits = scalars.half(np.uint64(word[u]), np.uint64(chain % 2))
            spins[u] = spin(row[u], bits, chain, sweep, side, np.uint64(u), k0, k1)


@compiled(nogil=True)
def _join(spins, nibbles):
    """Bit k of nibble g is unit k q + g."""
    q = nibbles.size
    spins0, spins1, spins2, spins3 = spins[:q], spins[q : 2 * q], spins[2 * q : 3 * q], spins[3 * q :]
    for g in range(q):
        nibbles[g] = spins0[g] | spins1[g] << 1 | spins2[g] << 2 | spins3[g] << 3


# -- log-weights -------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def _weigh_linear(left, linear, delta_t, log_w):
    """log_w += (t_next - t) slope_left·z_left."""
    for c in range(len(left)):
        total = 0.0
        for g in range(left.shape[1]):
            total += linear[np.uint64(16 * g) + np.uint64(left[c, g])]
        log_w[c] += delta_t * total


@compiled(nogil=True, error_model="numpy")  # a test for division by zero would keep the loop from vectorising
def _weigh(h, base, t, t_next, fine, gain):
    """gain += sum over the four units of a nibble of softplus(base + t_next h) - softplus(base + t h)."""
    delta_t, (chains, q) = t_next - t, gain.shape
    base0, base1, base2, base3 = base[:q], base[q : 2 * q], base[2 * q : 3 * q], base[3 * q : 4 * q]
    for c in range(chains):
        row, own = h[c], gain[c]
        h0, h1, h2, h3 = row[:q], row[q : 2 * q], row[2 * q : 3 * q], row[3 * q : 4 * q]
        if fine:
            for g in range(q):
                total = increment(h0[g], base0[g], t_next, delta_t) + increment(h1[g], base1[g], t_next, delta_t)
                total += increment(h2[g], base2[g], t_next, delta_t) + increment(h3[g], base3[g], t_next, delta_t)
                own[g] += total
        else:
            for u in range(4 * q):
                own[u % q] += difference(np.float64(row[u]), np.float64(base[u]), np.float64(t), np.float64(t_next))
