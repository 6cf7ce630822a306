"""The compiled part of `ais`, for any CPU: chains through a schedule of inverse temperatures, log-weights on the way.

In step k, from t to t_next, a block of chains has the exact fields h of the right side looked up once; they serve the
increment of log w and, scaled to base + t_next h, the draw of the right side. The left side follows.
"""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import fields, gibbs
from dvae_ref.sampling.philox import LEFT, RIGHT, whole_counters
from dvae_ref.sampling.tasks import share_out, take

_BLOCK = 64  # chains to a task


class Path(NamedTuple):
    """E_t(z) = -base·z - t (slope·z + z_left W z_right): float32, every field slope + W z exact."""

    base: np.ndarray  # (D,)
    slope: np.ndarray  # (D,)
    W: np.ndarray  # (D_left, D_right)


class Tables(NamedTuple):
    """A Path as the kernel reads it."""

    to_right: np.ndarray  # fields.tables of h_right by the nibbles of the left side
    to_left: np.ndarray
    base_right: np.ndarray  # (machines, width): fields.side_row
    base_left: np.ndarray
    units_right: int
    linear: np.ndarray  # (16 q_left,), float64: sum of slope_i z_i over the units of a nibble
    reach: float  # bound on |h_right|


def tables(path):
    """The Tables of a Path."""
    (base_left, base_right), (slope_left, slope_right) = (
        fields.sides(path.base, path.W),
        fields.sides(path.slope, path.W),
    )
    to_right, to_left = fields.tables(path.W, slope_right, padding=0), fields.tables(path.W.T, slope_left, padding=0)
    return Tables(
        to_right=to_right,
        to_left=to_left,
        base_right=fields.side_row(base_right, fields.width(to_right))[None],
        base_left=fields.side_row(base_left, fields.width(to_left))[None],
        units_right=path.W.shape[1],
        linear=fields.partial_sums(slope_left[:, None].astype(np.float64)).reshape(-1),
        reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
    )


def tables_batch(W, base):
    """The Tables of N paths from the base (N, D), which differ in nothing else."""
    slope = np.zeros(sum(W.shape), np.float32)
    shared = tables(Path(slope, slope, W))
    left, right = fields.sides(base.T, W)
    return shared._replace(base_right=_rows(right.T, shared.to_right), base_left=_rows(left.T, shared.to_left))


def _rows(base, table):
    return np.stack([fields.side_row(row, fields.width(table)) for row in base])


def anneal(left, log_w, inv_temps, done, tables, k0, k1):
    """Take all chains along the inverse temperatures, of which the first is number `done` of the whole schedule."""
    anneal_batch(left[None], log_w[None], inv_temps, done, tables, k0, k1)


def anneal_batch(left, log_w, inv_temps, done, tables, k0, k1):
    """`anneal` for N machines: left (N, R, q), log_w (N, R)."""
    machines, chains, _ = left.shape
    share_out(_anneal_blocks, machines * -(-chains // _BLOCK), 1, left, log_w, inv_temps, done, tables, k0, k1)


@compiled(nogil=True)
def _anneal_blocks(counter, width, left, log_w, inv_temps, done, tables, k0, k1):
    """A task is a block of chains of one machine: width is 1."""
    machines, chains, _ = left.shape
    blocks = -(-chains // _BLOCK)
    task = width * take(counter)
    while task < machines * blocks:
        machine, start = task // blocks, task % blocks * _BLOCK
        part, first = slice(start, start + _BLOCK), machine * whole_counters(chains) + start
        bases = tables.base_right[machine], tables.base_left[machine]
        _anneal_block(left[machine, part], log_w[machine, part], first, inv_temps, done, tables, bases, k0, k1)
        task = width * take(counter)


@compiled()
def _anneal_block(left, log_w, first, inv_temps, done, tables, bases, k0, k1):
    (base_right, base_left), q_right = bases, (tables.units_right + 3) // 4
    right = np.empty((len(left), q_right), np.uint8)
    rows_right, rows_left = fields.empty_rows(len(left), tables.to_right), fields.empty_rows(len(left), tables.to_left)
    parts = np.zeros(right.shape)  # log w by chain and nibble, summed at the end
    for k in range(len(inv_temps) - 1):
        t, t_next, step = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        fields.add_up(left, tables.to_right, rows_right)
        _weigh_left(left, tables.linear, np.float64(t_next) - np.float64(t), log_w)
        if (t_next - t) * tables.reach <= scalars.MAX_INCREMENT:
            _weigh(rows_right, base_right, t, t_next, parts)
        else:
            _weigh_coarsely(rows_right, base_right, t, t_next, parts)
        _scale(rows_right, base_right, t_next)
        gibbs.draw_rows(right, rows_right, first, step, RIGHT, k0, k1)
        fields.add_up(right, tables.to_left, rows_left)
        _scale(rows_left, base_left, t_next)
        gibbs.draw_rows(left, rows_left, first, step, LEFT, k0, k1)
    for c in range(len(left)):
        log_w[c] += parts[c].sum()


@compiled()
def _weigh_left(left, linear, delta_t, log_w):
    """log_w += (t_next - t) slope_left·z_left."""
    for c in range(len(left)):
        total = 0.0
        for g in range(left.shape[1]):
            total += linear[np.uint64(16 * g) + np.uint64(left[c, g])]
        log_w[c] += delta_t * total


@compiled(error_model="numpy")  # a test for division by zero would keep the loop from vectorising
def _weigh(h, base, t, t_next, parts):
    """parts += sum over the four units of a nibble of softplus(base + t_next h) - softplus(base + t h)."""
    delta_t, q = t_next - t, parts.shape[1]
    base0, base1, base2, base3 = base[:q], base[q : 2 * q], base[2 * q : 3 * q], base[3 * q : 4 * q]
    for c in range(len(parts)):
        row, part = h[c], parts[c]
        h0, h1, h2, h3 = row[:q], row[q : 2 * q], row[2 * q : 3 * q], row[3 * q : 4 * q]
        for g in range(q):
            total = increment(h0[g], base0[g], t_next, delta_t) + increment(h1[g], base1[g], t_next, delta_t)
            total += increment(h2[g], base2[g], t_next, delta_t) + increment(h3[g], base3[g], t_next, delta_t)
            part[g] += total


@register_jitable(forceinline=True)
def increment(h, base, t_next, delta_t):
    return scalars.softplus_increment(scalars.exp_minus(base + scalars.mul(t_next, h)), scalars.mul(delta_t, h))


@compiled()
def _weigh_coarsely(h, base, t, t_next, parts):
    """The same for steps of any size, in float64; slow, but then the steps are few."""
    chains, q = parts.shape
    for c in range(chains):
        for u in range(4 * q):
            own = difference(np.float64(h[c, u]), np.float64(base[u]), np.float64(t), np.float64(t_next))
            parts[c, u % q] += own


@register_jitable
def difference(h, base, t, t_next):
    """softplus(base + t_next h) - softplus(base + t h), float64."""
    return _softplus(base + t_next * h) - _softplus(base + t * h)


@register_jitable
def _softplus(field):
    return max(field, 0.0) + math.log1p(math.exp(-abs(field)))


@compiled()
def _scale(h, base, t):
    """h <- base + t h: the fields at inverse temperature t."""
    for c in range(len(h)):
        row = h[c]
        for u in range(row.size):
            row[u] = base[u] + scalars.mul(t, row[u])
