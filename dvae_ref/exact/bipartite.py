"""Enumeration of an RBM: one side is listed state by state, the other summed out analytically.

With log-weights on_i and off_i of unit i being 1 and 0 (a_i and 0 for the RBM itself),

    sum_z exp(...) = sum over listed states h of  exp(sum_i h_i on_i + (1 - h_i) off_i)
                                                  prod_j (exp(off_j) + exp(on_j + sum_i h_i W_ij)).

No exponential is taken per state and factor: h = (high bits, low bits), and exp(sum_i h_i W_ij) is the product of one
exponential of the high bits and one from a table over the low bits. Scaled by its larger term, a factor is
u_j + v_j B_j(low) with max(u, v) = 1 and B_j = exp(low·W_j - its largest value) <= 1: one multiply-add. Factors lie
between exp(-range_j) and 2, range_j = sum over low bits of |W_ij|; products of them are followed by a logarithm before
they could leave the range of floats.

Rounding, in units of eps = 1.1e-16, at worst: the products of m factors add 4 m eps to a log-weight, its sums of n + m
terms (n + m) eps times the terms' sum of sizes; the sums over 2^8 low states add 2^8 eps, those over high states 2 eps
(they are compensated). For 24 x 200 and log Z = 200 that is 1.1e3 eps absolute and 224 eps relative: 6e-16 + 2.5e-14 of
log Z. Typically errors grow as the square roots.
"""

import math
from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, states
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import fill, taken
from dvae_ref.theory.boltzmann import RBM, split
from dvae_ref.theory.elementary import logaddexp

LOW_BITS = 8
HIGH_STATES = 256  # of a block
TASKS = 256  # blocks of one call of a kernel
MAX_LOG = 300.0  # products stay within exp(+-300)


class Problem(NamedTuple):
    """N machines that differ in their log-weights and share W; n listed units and m summed ones."""

    on_listed: np.ndarray  # (N, n)
    off_listed: np.ndarray
    on_summed: np.ndarray  # (N, m)
    off_summed: np.ndarray
    W: np.ndarray  # (n, m)
    table: np.ndarray  # (m, 2^low bits): B_j
    peak: np.ndarray  # (m,): log of what B_j is relative to
    chunks: np.ndarray  # bounds of the products, 0 ... m


def lists_left(W: Array) -> bool:
    """Whether the left side is the smaller one, which is listed."""
    return W.shape[0] <= W.shape[1]


def couplings(rbm: RBM) -> Array:
    """W with the listed units in its rows: (n, m), float64."""
    W = rbm.W if lists_left(rbm.W) else rbm.W.T
    return np.ascontiguousarray(W, np.float64)


def sides(rbm: RBM, x: Array) -> tuple[Array, Array]:
    """Of each row of x, (N, D): the listed units, (N, n), and those summed out, (N, m); float64."""
    left, right = (np.ascontiguousarray(side, np.float64) for side in split(x, rbm))
    if lists_left(rbm.W):
        return left, right
    return right, left


def joined(listed: Array, summed: Array, left_is_listed: bool) -> Array:
    """The inverse of `sides`: (N, n), (N, m) -> (N, D), the left side first."""
    left, right = (listed, summed) if left_is_listed else (summed, listed)
    return np.concatenate([left, right], 1)


def problem(rbm: RBM, on: Array, off: Array) -> Problem:
    """The Problem of log sum_z exp(sum_i [z_i on_i + (1 - z_i) off_i] + z_left W z_right).  on, off: (N, D)."""
    on_listed, on_summed = sides(rbm, on)
    off_listed, off_summed = sides(rbm, off)
    W = couplings(rbm)
    W_low = W[: _low_bits(W)]
    logs = _low_table(W_low)
    peak = np.max(logs, 1)
    table = np.exp(logs - peak[:, None])
    chunks = _chunks(np.sum(np.abs(W_low), 0))
    return Problem(on_listed, off_listed, on_summed, off_summed, W, table, peak, chunks)


def _low_bits(W):
    """How many units are low bits: such that no factor's logarithm reaches below -MAX_LOG."""
    reach = np.cumsum(np.abs(W[:LOW_BITS]), 0).max(1, initial=0)
    return int(np.sum(reach <= MAX_LOG))


def _low_table(W_low):
    """sum over the low bits of W_ij for each j and low state: (n_low, m) -> (m, 2^n_low)."""
    table = np.zeros((W_low.shape[1], 1))
    for w in W_low:
        table = np.concatenate([table, table + w[:, None]], 1)
    return table


def _chunks(reach):
    """Bounds of groups of factors whose product stays within exp(+-MAX_LOG): each is in [exp(-reach), 2]."""
    bounds, low, high = [0], 0.0, 0.0
    for j, r in enumerate(reach):
        low, high = low + r, high + math.log(2)
        if max(low, high) > MAX_LOG:
            bounds.append(j)
            low, high = r, math.log(2)
    bounds.append(len(reach))
    return np.array(bounds)


def blocks(p: Problem) -> int:
    """Blocks of a machine's states: fixed, whatever the number of threads."""
    return max(1, high_states(p) // HIGH_STATES)


def log_sum(p: Problem) -> Array:
    """The log of the sum, (N,). The listed state 0 enters apart: where it dominates, log Z = sum_j softplus(a_j) +
    log1p(the rest relative to it) is a sum of positive terms, accurate even where log Z is tiny."""
    n_blocks = blocks(p)
    rest = np.empty(len(p.on_listed) * n_blocks)
    fill(rest, TASKS, _log_sums, p, n_blocks)
    reference = p.off_listed.sum(1) + logaddexp(p.on_summed, p.off_summed).sum(1)
    return accumulate.combine(reference, accumulate.logsumexp(rest.reshape(-1, n_blocks)))


@compiled(nogil=True)
def _log_sums(counter, width, p, n_blocks, start, out):
    """A task is a block of a machine's states: blocks of a machine are consecutive."""
    for task in taken(counter, out.size):
        row, block = (start + task) // n_blocks, (start + task) % n_blocks
        out[task] = _log_sum_of_block(p, row, block * HIGH_STATES)


@compiled()
def _log_sum_of_block(p, row, first):
    """Over HIGH_STATES high states from `first` on, without the listed state 0."""
    low = low_log_weights(p, row)
    u, v, product, log_w = np.empty(len(p.peak)), np.empty(len(p.peak)), np.empty_like(low), np.empty_like(low)
    sums = accumulate.nothing()
    for high in range(first, min(first + HIGH_STATES, high_states(p))):
        log_weights(p, row, high, low, u, v, product, log_w)
        if high == 0:
            log_w[0] = -math.inf
        peak = accumulate.largest(log_w)
        if peak > -math.inf:
            accumulate.add(sums, peak, accumulate.sum_exp(log_w, peak))
    return accumulate.log_of(sums)


@compiled()
def high_states(p: Problem) -> int:
    """How many states the high bits have."""
    return (1 << len(p.W)) // p.table.shape[1]


@compiled()
def low_log_weights(p: Problem, row: int) -> Array:
    """sum_i [h_i on_i + (1 - h_i) off_i] over the low bits of a machine, of each of their states: (2^low bits,)."""
    n_low = states.bits(p.table.shape[1])
    return states.log_weights(p.on_listed[row, :n_low], p.off_listed[row, :n_low])


@compiled()
def log_weights(p: Problem, row: int, high: int, low: Array, u: Array, v: Array, product: Array, log_w: Array) -> None:
    """Fill log_w, nats, of the listed states (high, all low ones), and the factors' u_j, v_j.

    low: of low_log_weights. low, product, log_w: (2^low bits,); u, v: (m,); what product holds is of no use afterwards.
    """
    base = _factors(p, row, high, low.size, u, v)
    for s in range(low.size):
        log_w[s] = base + low[s]
    for c in range(p.chunks.size - 1):
        product.fill(1.0)
        _multiply(product, u, v, p.table, p.chunks[c], p.chunks[c + 1])
        for s in range(low.size):
            log_w[s] += math.log(product[s])


@compiled()
def _factors(p, row, high, n_low_states, u, v):
    """Fill u and v; returns the log-weight of the high bits with the logs of the factors' scales."""
    n, n_low = len(p.W), states.bits(n_low_states)
    for j in range(v.size):
        v[j] = p.peak[j] + p.on_summed[row, j]
    base = 0.0
    for i in range(n_low, n):
        if high >> (i - n_low) & 1:
            base += p.on_listed[row, i]
            for j in range(v.size):
                v[j] += p.W[i, j]
        else:
            base += p.off_listed[row, i]
    scale = 0.0
    for j in range(v.size):
        on, off = v[j], p.off_summed[row, j]
        scale += max(on, off)
        smaller = math.exp(-abs(on - off))
        u[j], v[j] = (smaller, 1.0) if on > off else (1.0, smaller)
    return base + scale


@compiled(fastmath={"contract"})
def _multiply(product, u, v, table, start, stop):
    """product *= prod_j (u_j + v_j B_j), four factors to a load and store."""
    for j in range(start, start + (stop - start) // 4 * 4, 4):
        u0, u1, u2, u3, v0, v1, v2, v3 = u[j], u[j + 1], u[j + 2], u[j + 3], v[j], v[j + 1], v[j + 2], v[j + 3]
        b0, b1, b2, b3 = table[j], table[j + 1], table[j + 2], table[j + 3]
        for s in range(product.size):
            product[s] *= ((u0 + v0 * b0[s]) * (u1 + v1 * b1[s])) * ((u2 + v2 * b2[s]) * (u3 + v3 * b3[s]))
    for j in range(start + (stop - start) // 4 * 4, stop):
        u0, v0, b0 = u[j], v[j], table[j]
        for s in range(product.size):
            product[s] *= u0 + v0 * b0[s]
