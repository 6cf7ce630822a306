"""The engine for any CPU: the fields of a chain are a row, its units are next to each other.

Gibbs sampling looks its fields up in 16 bits (`nibbles`, `rows`), and exactly where these do not decide: one spin in
200 to 500.

Where log-weights are wanted, or fields are base + t h, or a machine is so wide that 16 bits often do not decide, a
block of chains has the exact fields h of a side looked up and added up, nibble by nibble of the other side
(`fields.add_up`). They serve the increment of log w from t to t_next and, as base + t_next h, the draw (`planes`).
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.sampling import fields
from dvae_ref.sampling.engines import nibbles, planes, rows, sharing
from dvae_ref.sampling.engines.path import Path, difference, increment
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT, whole_counters

NAME = "portable"
_BLOCK, _NEAR = 128, 2**18  # chains to a task, or some times as many: one more for so many bytes of a table
_OFTEN = 0.03  # of spins settled: from there on exact fields are quicker


class Exact(NamedTuple):
    """A path as exact fields are looked up."""

    to_right: np.ndarray  # fields.tables of h_right by the nibbles of the left side
    to_left: np.ndarray
    base_right: np.ndarray  # (machines, width)
    base_left: np.ndarray
    linear: np.ndarray  # (16 q_left,), float64: sum of slope_i z_i over the units of a nibble
    reach: float  # bound on |h_right|
    whole: bool  # whether there is no base


class Tables:
    """A path as the engine reads it, in either way; each is made when it is first asked for."""

    def __init__(self, path, base):
        self._path, self._base = path, base

    @functools.cached_property
    def exact(self):
        (path, base), whole = (self._path, self._base), not np.any(self._base)
        slope_left, slope_right = fields.sides(path.slope, path.W)
        base_left, base_right = fields.sides(base.T, path.W)
        return Exact(
            to_right=fields.tables(planes.in_planes(path.W), planes.in_planes(slope_right, fields.NEVER)),
            to_left=fields.tables(planes.in_planes(path.W.T), planes.in_planes(slope_left, fields.NEVER)),
            base_right=planes.in_planes(base_right.T, fields.NEVER),
            base_left=planes.in_planes(base_left.T, fields.NEVER),
            linear=fields.partial_sums(slope_left[:, None].astype(np.float64)).reshape(-1),
            reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
            whole=whole,
        )

    @functools.cached_property
    def rough(self):
        """The `nibbles.Side` of the right side and of the left one; None if there is a base, or they seldom decide."""
        if np.any(self._base):
            return None
        slope_left, slope_right = fields.sides(self._path.slope, self._path.W)
        sides = nibbles.side(self._path.W, slope_right), nibbles.side(self._path.W.T, slope_left)
        return sides if max(side.settled for side in sides) < _OFTEN else None


def tables(path):
    """The Tables of a Path."""
    return Tables(path, path.base[None])


def tables_batch(W, base):
    """The Tables of N paths from the base (N, D), which differ in nothing else."""
    slope = np.zeros(sum(W.shape), np.float32)
    return Tables(Path(slope, slope, W), base)


def anneal(left, right, log_w, inv_temps, done, tables, k0, k1):
    """Chains of N machines along the inverse temperatures, of which the first is number `done` of the whole schedule.

    left (N, R, q_left), written; right (N, R, q_right), written, or (N, 0, q_right); log_w (N, R), which grows, or
    (N, 0).
    """
    at_one = not log_w.size and np.all(inv_temps[1:] == 1)
    if at_one and tables.rough:
        _sweep(left, right, len(inv_temps) - 1, done, tables.rough, k0, k1)
        return
    span = _span(left.shape[1], tables.exact.to_right)
    tasks = _tasks(left.shape, span)
    share_out(_take_blocks, tasks, 1, left, right, log_w, span, inv_temps, done, tables.exact, k0, k1)


# -- tasks -------------------------------------------------------------------------------------------------------------


def _span(chains, table):
    """How many chains a task is given, so that tables stay in the cache and every thread has work."""
    return _BLOCK * sharing.shared(-(-chains // _BLOCK), table.nbytes, _NEAR, numba.get_num_threads())


@register_jitable
def _tasks(shape, span):
    """How many tasks the machines' chains make."""
    machines, chains, _ = shape
    return machines * ((chains + span - 1) // span)


@register_jitable
def _part(task, chains, span):
    """The machine of a task, which of its chains, and the number of the first of these in random counters."""
    blocks = (chains + span - 1) // span
    machine, start = task // blocks, task % blocks * span
    return machine, slice(start, start + span), machine * whole_counters(chains) + start


# -- Gibbs sampling by fields in 16 bits -------------------------------------------------------------------------------


def _sweep(left, right, sweeps, done, sides, k0, k1):
    span = _span(left.shape[1], sides[0].high)
    share_out(_take_sweeps, _tasks(left.shape, span), 1, left, right, span, sweeps, done, *sides, k0, k1)


@compiled(nogil=True)
def _take_sweeps(counter, width, left, right, span, sweeps, done, to_right, to_left, k0, k1):
    """A task is `span` chains of one machine: width is 1."""
    task, tasks = width * take(counter), _tasks(left.shape, span)
    while task < tasks:
        machine, part, first = _part(task, left.shape[1], span)
        _sweep_block(left[machine, part], right[machine, part], first, sweeps, done, to_right, to_left, k0, k1)
        task = width * take(counter)


@compiled(nogil=True)
def _sweep_block(left, right, first, sweeps, done, to_right, to_left, k0, k1):
    """Sweeps of one task's chains, in rows padded to whole tiles and to whole counters of chains."""
    eights = (len(left) + CHAINS - 1) // CHAINS
    z_left, z_right = rows.empty(eights, to_left), rows.empty(eights, to_right)
    z_left[: len(left), : left.shape[1]] = left
    words, open_lanes = rows.room()
    for k in range(sweeps):
        sweep = np.uint64(done + k + 1)
        rows.half_step(z_left, z_right, to_right, (eights, first, sweep, RIGHT, k0, k1), words, open_lanes)
        rows.half_step(z_right, z_left, to_left, (eights, first, sweep, LEFT, k0, k1), words, open_lanes)
    left[:] = z_left[: len(left), : left.shape[1]]
    if len(right) and sweeps:
        right[:] = z_right[: len(right), : right.shape[1]]


# -- paths by exact fields ---------------------------------------------------------------------------------------------


@compiled(nogil=True)
def _take_blocks(counter, width, left, right, log_w, span, inv_temps, done, tables, k0, k1):
    """A task is `span` chains of one machine: width is 1."""
    task, tasks = width * take(counter), _tasks(left.shape, span)
    while task < tasks:
        machine, part, first = _part(task, left.shape[1], span)
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
    gain = np.zeros((len(log_w), base_right.size // 4))  # of log w, by chain and nibble, summed at the end
    for k in range(len(inv_temps) - 1):
        t, t_next, sweep = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        fields.add_up(z_left, tables.to_right, rows_right)
        if len(log_w):
            _weigh_linear(z_left, tables.linear, np.float64(t_next) - np.float64(t), log_w)
            _weigh(rows_right, base_right, t, t_next, abs(t_next - t) * tables.reach <= scalars.MAX_INCREMENT, gain)
        if not (tables.whole and t_next == 1):
            _scale(rows_right, base_right, t_next)
        planes.draw(z_right, rows_right, (first, sweep, RIGHT, k0, k1))
        fields.add_up(z_right, tables.to_left, rows_left)
        if not (tables.whole and t_next == 1):
            _scale(rows_left, base_left, t_next)
        planes.draw(z_left, rows_left, (first, sweep, LEFT, k0, k1))
    for c in range(len(log_w)):
        log_w[c] += gain[c].sum()


@compiled(nogil=True)
def _scale(chains, base, t):
    """h <- base + t h: the fields at inverse temperature t."""
    for c in range(len(chains)):
        row = chains[c]
        for u in range(base.size):
            row[u] = base[u] + scalars.mul(t, row[u])


# -- log-weights -------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def _weigh_linear(left, linear, delta_t, log_w):
    """log_w += (t_next - t) slope_left·z_left."""
    for c in range(len(left)):
        total = 0.0
        for g in range(left.shape[1]):
            total += linear[np.uint64(16 * g) + np.uint64(left[c, g])]
        log_w[c] += delta_t * total


@compiled(nogil=True)
def _weigh(h, base, t, t_next, fine, gain):
    """gain += sum over the four units of a nibble of softplus(base + t_next h) - softplus(base + t h)."""
    rise = np.empty(base.size, np.float32)  # a unit's
    for c in range(len(gain)):
        if fine:
            _increments(rise, h[c], base, t_next, t_next - t)
            _add_planes(rise, gain[c])
        else:
            _add_differences(h[c], base, np.float64(t), np.float64(t_next), gain[c])


@compiled(nogil=True, error_model="numpy")  # a test for division by zero would keep the loop from vectorising
def _increments(rise, h, base, t_next, delta_t):
    """Of a whole row in one loop: a plane is too short for wide vectors."""
    for u in range(rise.size):
        rise[u] = increment(h[u], base[u], t_next, delta_t)


@compiled(nogil=True)
def _add_planes(rise, gain):
    """The sum of a nibble in float64, where it hardly depends on its order."""
    q = gain.size
    rise0, rise1, rise2, rise3 = rise[:q], rise[q : 2 * q], rise[2 * q : 3 * q], rise[3 * q :]
    for g in range(q):
        gain[g] += np.float64(rise0[g]) + np.float64(rise1[g]) + (np.float64(rise2[g]) + np.float64(rise3[g]))


@compiled(nogil=True)
def _add_differences(h, base, t, t_next, gain):
    """For steps of any size, in float64."""
    for u in range(base.size):
        gain[u % gain.size] += difference(np.float64(h[u]), np.float64(base[u]), t, t_next)
