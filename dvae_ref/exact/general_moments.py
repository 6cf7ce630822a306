"""E[z] and E[z z'] of a general Boltzmann machine by the enumeration of `general`: a second pass."""

import math

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, general, states
from dvae_ref.exact.general import HIGH_STATES
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, taken


def moments(p: general.Problem, log_z: float) -> Array:
    """E[z z'] (D, D) of a general.Problem with this log Z; E[z] is its diagonal, as z_i z_i = z_i.

    Sums go over i <= j alone; they are divided by the sum of all probabilities, which is 1 but for rounding.
    """
    d, n_blocks, total, norm = len(p.a), general.blocks(p), 0.0, 0.0
    for start in range(0, n_blocks, general.TASKS):
        n = min(general.TASKS, n_blocks - start)
        upper, probability = np.zeros((n, d, d)), np.zeros(n)
        share_out(_fill, n, 1, p, log_z, start, upper, probability)
        total, norm = total + upper.sum(0), norm + probability.sum()
    total = total / norm
    return np.triu(total) + np.triu(total, 1).T


@compiled(nogil=True)
def _fill(counter, width, p, log_z, start, upper, probability):
    """Task t is a block of states; upper[t] and probability[t] are its own."""
    for t in taken(counter, len(upper)):
        probability[t] = _add_block(p, (start + t) * HIGH_STATES, log_z, upper[t])


@compiled()
def _add_block(p, first, log_z, upper):
    """Add a block's E[z_i z_j] for i <= j to `upper`; returns its probability."""
    n_table = states.bits(p.table.size)
    f, mid, low = np.empty(p.a.size), np.empty(p.table.shape[0]), np.empty(p.table.shape[1])
    by_low, by_mid = np.empty_like(low), np.empty_like(mid)
    outer, transposed, mean = np.zeros_like(p.table), p.table.T.copy(), np.empty(n_table)
    n_low = states.bits(low.size)
    mean_low, mean_mid = mean[:n_low], mean[n_low:]
    total = 0.0
    for high in range(first, min(first + HIGH_STATES, general.high_states(p))):
        scale = math.exp(general.factors(p, high, f, mid, low) - log_z)
        probability = scale * general.contract(mid, p.table, low, by_low)
        general.contract(low, transposed, mid, by_mid)
        _add_outer(outer, scale, mid, low)
        _bit_sums(by_low, scale, mean_low)
        _bit_sums(by_mid, scale, mean_mid)
        _add_high_bits(upper, high, n_table, probability, mean)
        total += probability
    _add_table_bits(upper, (outer * p.table).reshape(-1), n_table)
    return total


@compiled(fastmath=accumulate.REORDER)
def _add_outer(outer, scale, mid, low):
    """outer_kl += scale P_k Q_l; times T_kl it is the probability of (k, l) in all high states so far."""
    for k in range(mid.size):
        x = scale * mid[k]
        for l in range(low.size):
            outer[k, l] += x * low[l]


@compiled()
def _bit_sums(weights, scale, out):
    """out_i = scale * sum of the weights of the states whose bit i is 1."""
    out.fill(0.0)
    for s in range(weights.size):
        for i in range(out.size):
            out[i] += weights[s] * (s >> i & 1)
    out *= scale


@compiled()
def _add_high_bits(upper, high, first, probability, mean):
    """What the high bits, units from `first` on, have of one high state: P(high) and mean_i = P(high, z_i = 1)."""
    for j in range(first, len(upper)):
        if high >> (j - first) & 1:
            upper[:first, j] += mean
            for i in range(first, j + 1):
                if high >> (i - first) & 1:
                    upper[i, j] += probability


@compiled()
def _add_table_bits(upper, weights, n):
    """What the n middle and low bits have among themselves: weights_s = P(block, (k, l) = s)."""
    for s in range(weights.size):
        for j in range(n):
            if s >> j & 1:
                for i in range(j + 1):
                    if s >> i & 1:
                        upper[i, j] += weights[s]
