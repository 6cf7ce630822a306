"""A population of replicas as arithmetic: energies of packed states, systematic resampling, families.

Log-weights are multiples of -E(z) of the machine along which the population moves, in arithmetic that does not round
(`fields`); resampling counts in whole numbers. So the ancestors are functions of the states and one uniform number, the
same on every backend and for any number of threads.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.sampling import backend as backends
from dvae_ref.sampling import fields, gibbs, weights

_BLOCK = 64  # replicas whose fields are in the nearest caches
_MANY = 10_000  # below, waking the other cores costs more than it gains
_BISECTIONS = 40


class EnergyTables(NamedTuple):
    """An RBM as `minus_energy` reads it."""

    to_right: np.ndarray  # fields.tables of the right side's fields by the nibbles of the left
    linear: np.ndarray  # (16 q_left,), float64: sum of a_i z_i over the units of a nibble
    shape: tuple  # D_left, D_right


def energy_tables(rbm):
    """The EnergyTables of the RBM with exact fields; ValueError if it is not finite or too large."""
    (a, W), _ = fields.exact_fields(rbm)
    a_left, a_right = fields.sides(a, W)
    linear = fields.partial_sums(a_left[:, None].astype(np.float64)).reshape(-1)
    return EnergyTables(fields.tables(W, a_right), linear, W.shape)


def minus_energy(chains, tables):
    """-E(z) = a·z + z_left W z_right of every chain: (R,), float64.

    Exact for the RBM with exact fields: fields are so in float32, their sums over units in float64. ValueError for
    chains that are none, or of another machine.
    """
    gibbs.check(chains)
    if tuple(chains.shape.tolist()) != tables.shape:
        raise ValueError(f"the chains are of a machine {tuple(chains.shape.tolist())}, the energies of {tables.shape}")
    size = len(chains.left)
    out, width = np.empty(size), _BLOCK if size >= _MANY else size
    share_out(_fill, size, width, chains.left, chains.right, tables.to_right, tables.linear, out)
    return out


@compiled(nogil=True)
def _fill(counter, width, left, right, to_right, linear, out):
    start = width * take(counter)
    while start < len(left):
        for first in range(start, min(start + width, len(left)), _BLOCK):
            part = slice(first, first + _BLOCK)
            _fill_block(left[part], right[part], to_right, linear, out[part])
        start = width * take(counter)


@compiled()
def _fill_block(left, right, to_right, linear, out):
    chains, q_right = right.shape
    rows = fields.empty_rows(chains, to_right)
    fields.add_up(left, to_right, rows)
    for c in range(chains):
        out[c] = 0.0
        for g in range(left.shape[1]):
            out[c] += linear[np.uint64(16 * g) + np.uint64(left[c, g])]
        for k in range(4):
            out[c] += _sum_where_up(rows[c, k * q_right : (k + 1) * q_right], right[c], np.uint8(k))


@compiled(fastmath={"reassoc"})  # vectorised: the sum is exact in any order
def _sum_where_up(h, nibbles, k):
    total = 0.0
    for g in range(h.size):
        total += np.float64(h[g]) * np.float64(nibbles[g] >> k & np.uint8(1))
    return total


def relative_weights(log_w):
    """tau_i = w_i / mean w, of mean 1: how many copies replica i should have."""
    w = np.exp(log_w - np.max(log_w))
    return w / np.mean(w)


def log_mean_exp(log_w):
    top = np.max(log_w)
    return float(top + np.log(np.mean(np.exp(log_w - top))))


def effective_sample_size(tau):
    """R^2 / sum tau_i^2: how many equally weighted replicas are worth as much, of those that there are. Of places where
    no replica is it says nothing."""
    return float(len(tau) ** 2 / np.sum(tau**2))


def overlap(tau):
    """(1/R) sum min(1, tau_i): the share of the population that the weights leave in place."""
    return float(np.mean(np.minimum(tau, 1)))


def next_temperature(score, t, target):
    """The largest t_next <= 1 at which the weights exp((t_next - t) score) overlap by `target`, by bisection."""

    def enough(delta):
        return overlap(relative_weights(delta * score)) >= target

    if enough(1 - t):
        return 1.0
    low, high = 0.0, 1 - t
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return t + high


def systematic(log_w, u, backend="cpu"):
    """Ancestors, rising, of R new replicas: i has floor(tau_i) or ceil(tau_i) copies, tau_i on average over u.

    The positions u + j, j = 0 ... R - 1, fall into the intervals of a prefix sum of the tau_i; 0 < u < 1, float32. The
    weights are whole numbers for this: tau_i is accurate to 1e-6 of itself, and the prefix sum is exact in any order.
    ValueError unless log_w is (R,) with a finite maximum, and 0 < u < 1.
    """
    if np.ndim(log_w) != 1 or not len(log_w) or not np.isfinite(np.max(log_w)):
        raise ValueError(f"log-weights are (R,), without NaN, and the largest is finite; got shape {np.shape(log_w)}")
    if np.ndim(u) or not 0 < u < 1:
        raise ValueError(f"u must lie in 0 < u < 1; got {u}")
    if backends.resolve(backend) == "cuda":
        from dvae_ref.sampling.cuda import resampling as cuda

        return cuda.systematic(log_w, u)
    shifted = np.maximum(np.float32(log_w - np.max(log_w)), weights.LEAST_LOG_W)
    whole = np.cumsum(weights.whole(shifted))
    ends = np.int64(np.ceil(whole.astype(np.float64) * len(log_w) / whole[-1] - np.float64(u)))
    return np.repeat(np.arange(len(log_w)), np.diff(ends, prepend=0))


def gather(chains, ancestors, backend="cpu"):
    """The chains' states copied from their ancestors."""
    if backends.resolve(backend) == "cuda":
        from dvae_ref.sampling.cuda import resampling as cuda

        return chains._replace(left=cuda.gather(chains.left, ancestors), right=cuda.gather(chains.right, ancestors))
    return chains._replace(left=chains.left[ancestors], right=chains.right[ancestors])


def family_entropy(families):
    """S_f = -sum nu log nu over the families' shares nu of the population: e^S_f families effectively."""
    nu = np.bincount(families) / len(families)
    nu = nu[nu > 0]
    return float(-np.sum(nu * np.log(nu)))


def rho_t(families):
    """R sum nu^2: the mean size of the family of a replica; 1 where nobody has died."""
    return float(len(families) * np.sum((np.bincount(families) / len(families)) ** 2))
