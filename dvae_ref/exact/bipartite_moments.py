"""Marginals of an RBM by the enumeration of `bipartite`: a second pass, in which every state has a known probability.

A summed unit contributes its conditional mean given the listed side, v_j B_j / (u_j + v_j B_j). The probabilities of 1
and of 0 are summed apart, so that each keeps its relative accuracy: neither is one minus the other.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, bipartite, states
from dvae_ref.exact.bipartite import HIGH_STATES
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, taken


class Marginals(NamedTuple):
    """A row a machine: P(z_i = 1), P(z_i = 0), both with relative accuracy, and E[z_left z_right']."""

    on: np.ndarray  # (N, D)
    off: np.ndarray  # (N, D)
    zz: np.ndarray  # (N, D_left, D_right)


class Parts(NamedTuple):
    """Sums over some of the states h; of the listed units and the summed ones."""

    on_listed: np.ndarray  # (..., n)
    off_listed: np.ndarray
    on_summed: np.ndarray  # (..., m)
    off_summed: np.ndarray
    both: np.ndarray  # (..., n, m)


def _zeros(rows, W):
    """Empty Parts of so many machines with these couplings."""
    n, m = W.shape
    on_listed, off_listed = np.zeros((2, rows, n))
    on_summed, off_summed = np.zeros((2, rows, m))
    return Parts(on_listed, off_listed, on_summed, off_summed, np.zeros((rows, n, m)))


def marginals(p: bipartite.Problem, log_sums: Array, lists_left: bool) -> Marginals:
    """Marginals of the machines of a bipartite.Problem with their log_sum, (N,), normalised to on + off = 1.

    lists_left: whether the listed side is the left one.
    """
    totals = _totals(p, log_sums)
    on = bipartite.joined(totals.on_listed, totals.on_summed, lists_left)
    off = bipartite.joined(totals.off_listed, totals.off_summed, lists_left)
    norm = on + off
    norm_listed = (totals.on_listed + totals.off_listed)[:, :1, None]  # of every listed unit the same sum
    zz = totals.both / norm_listed
    return Marginals(on / norm, off / norm, zz if lists_left else zz.swapaxes(1, 2))


def _totals(p, log_sums):
    """Parts of each machine, summed over all its blocks of states."""
    rows, n_blocks = len(log_sums), bipartite.blocks(p)
    totals = _zeros(rows, p.W)
    for start in range(0, rows * n_blocks, bipartite.TASKS):  # short calls: an interrupt can come between them
        tasks = np.arange(start, min(start + bipartite.TASKS, rows * n_blocks))
        parts = _zeros(len(tasks), p.W)
        share_out(_fill, len(tasks), 1, p, log_sums, start, n_blocks, parts)
        for total, part in zip(totals, parts, strict=True):
            np.add.at(total, tasks // n_blocks, part)
    return totals


@compiled(nogil=True)
def _fill(counter, width, p, log_sums, start, n_blocks, parts):
    """Task t is a block of a machine's states, and row t of parts is its own."""
    for t in taken(counter, len(parts.on_listed)):
        row, block = (start + t) // n_blocks, (start + t) % n_blocks
        _add_block(p, row, block * HIGH_STATES, log_sums[row], t, parts)


@compiled()
def _add_block(p, row, first, log_sum, t, parts):
    """Add HIGH_STATES high states of a machine, from `first` on, to row t of parts."""
    n_low, low = states.bits(p.table.shape[1]), bipartite.low_log_weights(p, row)
    u, v, product, prob = np.empty(len(p.peak)), np.empty(len(p.peak)), np.empty_like(low), np.empty_like(low)
    low_prob, low_on, on_summed = np.zeros_like(low), np.zeros_like(p.table), np.empty(len(p.peak))
    for high in range(first, min(first + HIGH_STATES, bipartite.high_states(p))):
        bipartite.log_weights(p, row, high, low, u, v, product, prob)
        accumulate.exp_in_place(prob, log_sum)
        low_prob += prob
        for j in range(u.size):
            on_summed[j], off = _conditional(prob, u[j], v[j], p.table[j], low_on[j])
            parts.on_summed[t, j] += on_summed[j]
            parts.off_summed[t, j] += off
        _add_high_bits(prob.sum(), on_summed, high, n_low, t, parts)
    _add_low_bits(low_prob, low_on, n_low, t, parts)


@compiled(fastmath=accumulate.REORDER)
def _conditional(prob, u, v, b, low_on):
    """P(high, unit = 1) and P(high, unit = 0) of a summed unit; adds P(high, low, unit = 1) to low_on, by low state.

    prob: P(high, low), (2^low bits,); the unit is 1 with u : v b as the odds of 0 and 1.
    """
    on = off = 0.0
    for s in range(prob.size):
        share = prob[s] / (u + v * b[s])
        x = share * (v * b[s])
        low_on[s] += x
        on += x
        off += share
    return on, off * u


@compiled()
def _add_high_bits(prob, on_summed, high, n_low, t, parts):
    """What the high bits have of one high state: prob = P(high), on_summed_j = P(high, z_j = 1)."""
    for i in range(n_low, parts.on_listed.shape[1]):
        if high >> (i - n_low) & 1:
            parts.on_listed[t, i] += prob
            parts.both[t, i] += on_summed
        else:
            parts.off_listed[t, i] += prob


@compiled()
def _add_low_bits(low_prob, low_on, n_low, t, parts):
    """What the low bits have of a whole block: low_prob_s = P(block, low s), low_on_js = P(block, low s, z_j = 1)."""
    for i in range(n_low):
        for s in range(low_prob.size):
            if s >> i & 1:
                parts.on_listed[t, i] += low_prob[s]
                for j in range(len(low_on)):
                    parts.both[t, i, j] += low_on[j, s]
            else:
                parts.off_listed[t, i] += low_prob[s]
