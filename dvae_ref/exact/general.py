"""Enumeration of a general Boltzmann machine: E(z) = -a·z - z J z / 2, no structure in J.

The states are z = (high bits, middle bits k, low bits l). Given the high bits, with fields f = a + J z_high,

    sum over k, l of  exp(f·(k, l)) T_kl = P' T Q,    T_kl = exp(couplings among k and l),

where P_k and Q_l are products of exp(f_i) over the bits that are 1. T is the same for all high states, so a state costs
one multiply-add and no exponential. Fields of a high state are computed afresh: no rounding accumulates.

Everything is scaled to at most 1. Up to 12 units are middle and low bits, fewer if their couplings add up to more than
MAX_LOG, beyond which the product could underflow where its factors do not.

Rounding, in units of eps = 1.1e-16: a log-weight is a sum of terms with an error of D eps times their sum of sizes; the
products add 12 eps, the sums 128 eps; those over high states are compensated.
"""

import math
from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, states
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import fill, taken
from dvae_ref.theory.boltzmann import BoltzmannMachine

TABLE_BITS = 12
HIGH_STATES = 64  # of a block
TASKS = 256  # blocks of one call of a kernel
MAX_LOG = 300.0


class Problem(NamedTuple):
    """A machine, ready for enumeration."""

    a: np.ndarray  # (D,)
    J: np.ndarray  # (D, D)
    table: np.ndarray  # (2^middle bits, 2^low bits): T, scaled to at most 1
    peak: float  # log of the scale


def problem(machine: BoltzmannMachine) -> Problem:
    """The Problem of a BoltzmannMachine."""
    a, J = (np.ascontiguousarray(x, np.float64) for x in machine)
    n = _table_bits(J)
    logs = np.zeros(1)  # of the couplings among the first i units, by their state
    for i in range(n):
        logs = np.concatenate([logs, logs + states.log_weights(J[i, :i], np.zeros(i))])
    peak = logs.max()
    table = np.exp(logs - peak).reshape(-1, 2 ** (n // 2))
    return Problem(a, J, table, peak)


def _table_bits(J):
    """How many units are middle and low bits: such that no coupling term of theirs leaves exp(+-MAX_LOG)."""
    upper = np.abs(np.triu(J[:TABLE_BITS, :TABLE_BITS], 1))
    return int(np.sum(np.cumsum(upper.sum(0)) <= MAX_LOG))


def log_sum(p: Problem) -> float:
    """log Z. The state 0, of energy 0, enters apart: log Z = log1p(the rest), accurate even where it is tiny."""
    rest = np.empty(blocks(p))
    fill(rest, TASKS, _log_sums, p)
    return accumulate.combine(0.0, accumulate.logsumexp(rest[None]))[0]


def blocks(p: Problem) -> int:
    """How many tasks the states of a Problem make."""
    return max(1, high_states(p) // HIGH_STATES)


@compiled()
def high_states(p: Problem) -> int:
    """How many states the high bits have."""
    return (1 << p.a.size) // p.table.size


@compiled(nogil=True)
def _log_sums(counter, width, p, start, out):
    """A task is a block of states."""
    for task in taken(counter, out.size):
        out[task] = _log_sum_of_block(p, (start + task) * HIGH_STATES)


@compiled()
def _log_sum_of_block(p, first):
    """Over HIGH_STATES high states from `first` on, without the state 0."""
    f, mid, low = np.empty(p.a.size), np.empty(p.table.shape[0]), np.empty(p.table.shape[1])
    column, sums = np.empty_like(low), accumulate.nothing()
    table = p.table.copy()
    if first == 0:
        table[0, 0] = 0.0
    for high in range(first, min(first + HIGH_STATES, high_states(p))):
        base = factors(p, high, f, mid, low)
        accumulate.add(sums, base, contract(mid, table, low, column))
        table[0, 0] = p.table[0, 0]
    return accumulate.log_of(sums)


@compiled()
def factors(p: Problem, high: int, f: Array, mid: Array, low: Array) -> float:
    """Fill the fields f of all units, (D,), P = mid and Q = low, scaled to at most 1.

    Returns the log-weight of the high bits and of all scales, nats.
    """
    n_low, n_mid = states.bits(low.size), states.bits(mid.size)
    n_table = n_low + n_mid
    f[:] = p.a
    base = p.peak
    for i in range(n_table, f.size):
        if high >> (i - n_table) & 1:
            base += f[i]
            f += p.J[i]
    return base + _products(f[:n_low], low) + _products(f[n_low:n_table], mid)


@compiled()
def _products(f, out):
    """Products of exp(f_i) over the bits that are 1, relative to the largest, whose logarithm is returned."""
    out[0], scale = 1.0, 0.0
    for i in range(f.size):
        half, smaller = 1 << i, math.exp(-abs(f[i]))
        on, off = (1.0, smaller) if f[i] > 0 else (smaller, 1.0)
        for s in range(half):
            out[half + s] = out[s] * on
            out[s] *= off
        scale += max(f[i], 0.0)
    return scale


@compiled(fastmath=accumulate.REORDER)
def contract(mid: Array, table: Array, low: Array, column: Array) -> float:
    """mid' table low; leaves in column_l the part of it that has the low bits l."""
    column.fill(0.0)
    for k in range(mid.size):
        x, row = mid[k], table[k]
        for l in range(low.size):
            column[l] += x * row[l]
    total = 0.0
    for l in range(low.size):
        column[l] *= low[l]
        total += column[l]
    return total
