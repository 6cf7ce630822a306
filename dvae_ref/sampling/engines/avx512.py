"""The engine for CPUs with AVX-512: a chain in each 16-bit lane of a register, 32 to a register, 128 to a block.

A half-step goes through a side by groups of five units (`coarse`). Their fields are looked up in 16 bits; the sigmoid
of a field is interpolated in 16 bits, too, and compared with 16 random bits. In one of a thousand spins these are
closer than what rounding may have done, the margin. Those are settled: exact field, float32 comparison, and the second
counter if 16 bits do not decide. So spins are those of `philox.spin`, and few exponentials are taken.

Where log-weights are wanted, or fields are base + t h, or a machine is so wide that margins are, too, the fields are
looked up exactly, in two parts, become float32s, and these are rounded to 16 bits for the same draw.
"""

import functools
from typing import NamedTuple

import numba
import numpy as np
from numba.core import registry

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.sampling import fields
from dvae_ref.sampling.engines import blocks, coarse, lanes, sharing
from dvae_ref.sampling.engines.blocks import BLOCK
from dvae_ref.sampling.engines.path import Path
from dvae_ref.sampling.philox import LEFT, RIGHT, whole_counters

_NEAR = 2**16  # bytes of a table for which one more block shares it
_OFTEN = 0.01  # of spins settled: from there on exact fields are quicker
NAME = "AVX-512"


class Tables(NamedTuple):
    """A path as the engine reads it."""

    to_right: coarse.Side
    to_left: coarse.Side
    base_right: np.ndarray  # (machines, 5 q_right), float32: group by group
    base_left: np.ndarray
    linear: np.ndarray  # (q_left, 32), float64: what a group adds to slope_left·z_left
    reach: float  # of the fields of the right side
    whole: bool  # whether there is no base
    rough_right: bool  # whether fields in 16 bits do
    rough_left: bool


@functools.cache
def available():
    """Whether compiled code may use registers of 16-bit words: it is part of AVX-512 BW."""
    return "+avx512bw" in registry.cpu_target.target_context.codegen().magic_tuple()[2].split(",")


def tables(path):
    """The Tables of a Path."""
    return _tables(path, path.base[None])


def tables_batch(W, base):
    """The Tables of N paths from the base (N, D), which differ in nothing else."""
    slope = np.zeros(sum(W.shape), np.float32)
    return _tables(Path(slope, slope, W), base)


def _tables(path, base):
    (slope_left, slope_right), (base_left, base_right) = fields.sides(path.slope, path.W), fields.sides(base.T, path.W)
    to_right, to_left = coarse.side(path.W, slope_right), coarse.side(path.W.T, slope_left)
    return Tables(
        to_right=to_right,
        to_left=to_left,
        base_right=coarse.by_group(base_right.T).reshape(len(base), -1),
        base_left=coarse.by_group(base_left.T).reshape(len(base), -1),
        linear=coarse.linear(slope_left),
        reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
        whole=not np.any(base),
        rough_right=to_right.settled < _OFTEN,
        rough_left=to_left.settled < _OFTEN,
    )


def anneal(left, right, log_w, inv_temps, done, tables, k0, k1):
    """Chains of N machines along the inverse temperatures, of which the first is number `done` of the whole schedule.

    left (N, R, q_left), written; right (N, R, q_right), written, or (N, 0, q_right); log_w (N, R), which grows, or
    (N, 0).
    """
    machines, chains, _ = left.shape
    shared = sharing.shared(blocks.number(chains), tables.to_right.high.nbytes, _NEAR, numba.get_num_threads())
    tasks = machines * -(-chains // (shared * BLOCK))
    share_out(_take_tasks, tasks, 1, left, right, log_w, shared, inv_temps, done, tables, k0, k1)


@compiled(nogil=True)
def _take_tasks(counter, width, left, right, log_w, shared, inv_temps, done, tables, k0, k1):
    """A task is some blocks of chains of one machine: width is 1."""
    machines, chains, _ = left.shape
    span = shared * BLOCK
    tasks = (chains + span - 1) // span
    task = width * take(counter)
    while task < machines * tasks:
        machine, start = task // tasks, task % tasks * span
        part, first = slice(start, start + span), machine * whole_counters(chains) + start
        bases = tables.base_right[machine], tables.base_left[machine]
        states = left[machine, part], right[machine, part], log_w[machine, part]
        _anneal(states, first, inv_temps, done, tables, bases, k0, k1)
        task = width * take(counter)


@compiled(nogil=True)
def _anneal(states, first, inv_temps, done, tables, bases, k0, k1):
    (left, right, log_w), (to_right, to_left) = states, (tables.to_right, tables.to_left)
    count, q_left, q_right = blocks.number(len(left)), len(to_left.high), len(to_right.high)
    z_left, z_right = blocks.empty(count * q_left), blocks.empty(count * q_right)
    blocks.pack(left, z_left, q_left)
    gain, room = np.zeros((blocks.number(len(log_w)), BLOCK)), blocks.room()
    for k in range(len(inv_temps) - 1):
        t, t_next, sweep = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        whole, fine = tables.whole and t_next == 1, abs(t_next - t) * tables.reach <= scalars.MAX_INCREMENT
        if len(log_w):
            lanes.weigh_linear(z_left, tables.linear, np.float64(t_next) - np.float64(t), gain)
        place, rough = (count, first, sweep, RIGHT, k0, k1), whole and tables.rough_right and not len(log_w)
        _half_step(z_left, z_right, to_right, bases[0], (t, t_next, rough, fine), gain, place, room)
        place, rough = (count, first, sweep, LEFT, k0, k1), whole and tables.rough_left
        _half_step(z_right, z_left, to_left, bases[1], (t, t_next, rough, fine), gain[:0], place, room)
    blocks.unpack(z_left, left, q_left)
    if len(right) and len(inv_temps) > 1:
        blocks.unpack(z_right, right, q_right)
    for c in range(len(log_w)):
        log_w[c] += gain[c // BLOCK, blocks.lane(c)]


@compiled(nogil=True)
def _half_step(source, target, side, base, how, gain, place, room):
    """Draw a side at t_next given the other one; where there is `gain`, log-weights grow by the step."""
    t, t_next, rough, fine = how
    high, low, margins, shape = (
        side.high.reshape(-1),
        side.low.reshape(-1),
        side.margins.reshape(-1),
        side.high.shape[:2],
    )
    words, halves, exact = room
    if rough:
        lanes.draw_roughly(source, target, high, low, side.units, margins, shape, place, words, halves)
    else:
        steps = t, t_next, fine, side.most
        lanes.draw_exactly(source, target, high, low, side.units, base, shape, steps, gain, place, words, halves, exact)
