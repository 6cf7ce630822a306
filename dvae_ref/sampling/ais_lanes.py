"""What `ais_kernel` computes, with a chain in each lane of a vector: for CPUs with AVX-512 (`lanes`).

A nibble's fields h serve the increment of log w and the draw at once, and so does exp(-base - t_next h).
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import ais_kernel, fields, lanes
from dvae_ref.sampling.ais_kernel import Path
from dvae_ref.sampling.lanes import GROUP
from dvae_ref.sampling.philox import LEFT, RIGHT, whole_counters
from dvae_ref.sampling.tasks import share_out, take


class Tables(NamedTuple):
    """A Path as the kernel reads it; the base once for each machine of a batch."""

    to_right: lanes.Tables  # of h_right by the nibbles of the left side
    to_left: lanes.Tables
    base_right: np.ndarray  # (machines, 4, q_right): of unit k of nibble g
    base_left: np.ndarray
    linear: np.ndarray  # (q_left, 16), float64: sum of slope_i z_i over the units of a nibble
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
    return Tables(
        to_right=lanes.tables(path.W, slope_right),
        to_left=lanes.tables(path.W.T, slope_left),
        base_right=_by_nibbles(base_right.T),
        base_left=_by_nibbles(base_left.T),
        linear=np.ascontiguousarray(fields.partial_sums(slope_left[:, None].astype(np.float64))[..., 0]),
        reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
    )


def _by_nibbles(base):
    """(machines, units) -> (machines, 4, q)."""
    machines, units = base.shape
    out = np.zeros((machines, 4, -(-units // 4)), np.float32)
    out.reshape(machines, -1)[:, :units] = base
    return out


def anneal(left, log_w, inv_temps, done, tables, k0, k1):
    """Take all chains along the inverse temperatures, of which the first is number `done` of the whole schedule."""
    anneal_batch(left[None], log_w[None], inv_temps, done, tables, k0, k1)


def anneal_batch(left, log_w, inv_temps, done, tables, k0, k1):
    """`anneal` for N machines: left (N, R, q), log_w (N, R)."""
    machines, chains, _ = left.shape
    share_out(_anneal_groups, machines * -(-chains // GROUP), 1, left, log_w, inv_temps, done, tables, k0, k1)


@compiled(nogil=True)
def _anneal_groups(counter, width, left, log_w, inv_temps, done, tables, k0, k1):
    """A task is a group of chains of one machine: width is 1."""
    machines, chains, _ = left.shape
    groups = -(-chains // GROUP)
    task = width * take(counter)
    while task < machines * groups:
        machine, start = task // groups, task % groups * GROUP
        part, bases = slice(start, start + GROUP), (tables.base_right[machine], tables.base_left[machine])
        first = machine * whole_counters(chains) + start
        _anneal_group(left[machine, part], log_w[machine, part], first, inv_temps, done, tables, bases, k0, k1)
        task = width * take(counter)


@compiled(nogil=True)
def _anneal_group(left, log_w, first, inv_temps, done, tables, bases, k0, k1):
    z_left, z_right = lanes.to_lanes(left), np.empty((len(tables.to_right.entries), GROUP), np.int32)
    weights = np.zeros(z_right.shape)  # log w by nibble and chain, summed at the end
    for k in range(len(inv_temps) - 1):
        t, t_next, sweep = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        _weigh_left(z_left, tables.linear, np.float64(t_next) - np.float64(t), log_w)
        fine = (t_next - t) * tables.reach <= scalars.MAX_INCREMENT
        _draw_side(z_left, tables.to_right, bases[0], t, t_next, fine, z_right, weights, first, sweep, RIGHT, k0, k1)
        _draw_side(z_right, tables.to_left, bases[1], t, t_next, fine, z_left, weights[:0], first, sweep, LEFT, k0, k1)
    lanes.from_lanes(z_left, left)
    for c in range(len(left)):
        log_w[c] += np.ascontiguousarray(weights[:, lanes.lane(c)]).sum()


@compiled(nogil=True)
def _weigh_left(left, linear, delta_t, log_w):
    """log_w += (t_next - t) slope_left·z_left, in float64: the sum may be too large for whole steps."""
    total = np.zeros(GROUP)
    for g in range(len(left)):
        entries, nibbles = linear[g], left[g]
        for c in range(GROUP):
            total[c] += entries[np.uint64(nibbles[c])]
    for c in range(len(log_w)):
        log_w[c] += delta_t * total[lanes.lane(c)]


@compiled(nogil=True)
def _draw_side(source, to_target, base, t, t_next, fine, target, weights, first, sweep, side, k0, k1):
    """Draw a side at t_next given the other one, nibble by nibble; where there are weights, they grow by the step."""
    sums, q_out = lanes.empty_sums(), len(target)
    for g in range(q_out):
        lanes.add_up(to_target.entries[g], source, sums)
        h, own = (sums, to_target.step), base[:, g]
        place = first, g, q_out, sweep, side, k0, k1
        if len(weights) and fine:
            _weigh_and_draw(target[g], weights[g], h, own, t, t_next, to_target.present[g], place)
        else:
            if len(weights):
                _weigh_coarsely(weights[g], h, own, t, t_next)
            _draw(target[g], h, own, t_next, to_target.present[g], place)


@compiled(nogil=True)
def _draw(nibbles, h, base, t, present, place):
    """A nibble of each chain at inverse temperature t; h: sums and step of lanes.add_up."""
    lanes.draw(nibbles, _exps(h, base, t), present, place)


@compiled(nogil=True)
def _exps(h, base, t):
    """exp(-field) at inverse temperature t: (4, GROUP), float32."""
    (sums, step), exps = h, np.empty((4, GROUP), np.float32)
    for k in range(4):
        own, e, b = sums[k], exps[k], base[k]
        for c in range(GROUP):
            e[c] = scalars.exp_minus(b + scalars.mul(t, scalars.mul(np.float32(own[c]), step)))
    return exps


@compiled(nogil=True, error_model="numpy")  # a test for division by zero would keep it from vectorising
def _weigh_and_draw(nibbles, weights, h, base, t, t_next, present, place):
    """_draw at t_next, and weights += sum over the four units of softplus(base + t_next h) - softplus(base + t h)."""
    (sums, step), exps = h, _exps(h, base, t_next)
    sums0, sums1, sums2, sums3 = sums[0], sums[1], sums[2], sums[3]
    e0, e1, e2, e3 = exps[0], exps[1], exps[2], exps[3]
    change = scalars.mul(t_next - t, step)
    for c in range(GROUP):
        total = _increment(e0[c], sums0[c], change) + _increment(e1[c], sums1[c], change)
        total += _increment(e2[c], sums2[c], change) + _increment(e3[c], sums3[c], change)
        weights[c] += total
    lanes.draw(nibbles, exps, present, place)


@register_jitable(forceinline=True)
def _increment(e, total, change):
    return scalars.softplus_increment(e, scalars.mul(np.float32(total), change))


@compiled(nogil=True)
def _weigh_coarsely(weights, h, base, t, t_next):
    """The weights of a step of any size, in float64; slow, but then the steps are few."""
    sums, step = h
    for k in range(4):
        for c in range(GROUP):
            field = np.float64(sums[k, c]) * np.float64(step)
            weights[c] += ais_kernel.difference(field, np.float64(base[k]), np.float64(t), np.float64(t_next))
