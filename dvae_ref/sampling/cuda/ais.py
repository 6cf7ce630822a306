"""Annealed importance sampling on a GPU: `engines.portable.anneal`, weights and all, in one kernel.

A block of threads takes 16 chains through the schedule. The exact fields h of the right side serve the increment of
log w and then, scaled to base + t_next h, the draw, so that spins are those of the CPU, bit for bit. Log-weights agree
to rounding: increments are the same float32 numbers, but a thread adds up those of every 32nd nibble, in float64, and
the 32 sums of a chain meet at the end.

A step too long for `scalars.softplus_increment` is taken in parts (the CPU changes the formula there): log p* is a
difference of the end points, whatever lies between. A schedule from 0 to 1 has at most 4 reach + K parts.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda, float32, float64

from dvae_ref.fast import scalars
from dvae_ref.sampling import fields
from dvae_ref.sampling.cuda import device, tiles
from dvae_ref.sampling.cuda.device import VECTOR
from dvae_ref.sampling.cuda.gibbs import draw
from dvae_ref.sampling.cuda.tiles import BLOCK_CHAINS, CHAINS, INPUTS, LANES, OUTPUTS, SUMS, THREADS
from dvae_ref.sampling.engines.path import increment
from dvae_ref.sampling.philox import LEFT, RIGHT


class Tables(NamedTuple):
    """A Path in the memory of the GPU, as the kernel reads it."""

    arrays: tuple  # of each side: tiles.panel of W, tiles.columns of slope and base
    scratch: int  # nibbles of the right side
    reach: float  # bound on |h_right|


def tables(path):
    """The Tables of an ais.Path."""
    (base_left, base_right), (slope_left, slope_right) = (fields.sides(v, path.W) for v in (path.base, path.slope))
    to_right = tiles.panel(path.W), tiles.columns(slope_right, 0), tiles.columns(base_right, fields.NEVER)
    to_left = tiles.panel(path.W.T), tiles.columns(slope_left, 0), tiles.columns(base_left, fields.NEVER)
    arrays = tuple(device.put(values) for values in (*to_right, *to_left))
    reach = float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0)))
    return Tables(arrays, -(-path.W.shape[1] // 4), reach)


def anneal(left, right, log_w, inv_temps, done, tables, k0, k1):
    """What an engine's `anneal` does, in place, for one machine of which the right side is not wanted."""
    left, log_w = left[0], log_w[0]
    parts = np.ceil(np.diff(inv_temps).astype(np.float64) * tables.reach / scalars.MAX_INCREMENT)
    parts = np.maximum(parts, 1).astype(np.int64)
    d_left, d_log_w = device.put(left), device.put(log_w)
    d_right = device.empty((len(left), tables.scratch), np.uint8)
    schedule = device.put(inv_temps), device.put(parts), done
    blocks = -(-len(left) // BLOCK_CHAINS)
    device.launch(anneal_kernel, blocks, THREADS, d_left, d_right, d_log_w, *schedule, *tables.arrays, k0, k1)
    device.get(d_left, left)
    device.get(d_log_w, log_w)


@cuda.jit
def anneal_kernel(
    left, right, log_w, inv_temps, parts, done, W_right, a_right, b_right, W_left, a_left, b_left, k0, k1
):
    """left, right: (R, q), uint8; log_w: (R,), float64; inv_temps: (K + 1,), float32; parts: (K,), done: int64.

    W_*: `tiles.panel` that leads to this side; a_*, b_*: `tiles.columns` of slope and base; k0, k1: uint64.
    """
    tile = cuda.shared.array((INPUTS, OUTPUTS), float32, VECTOR)
    bits = cuda.shared.array((INPUTS, BLOCK_CHAINS), float32, VECTOR)
    h = cuda.local.array(SUMS, float32)
    gained = cuda.local.array(CHAINS, float64)
    for c in range(CHAINS):
        gained[c] = 0.0
    for k in range(parts.shape[0]):
        t, t_next, step = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        _weigh_left(left, a_left, np.float64(t_next) - np.float64(t), gained)
        to_right, to_left, whole = (W_right, a_right, b_right), (W_left, a_left, b_left), (t, t_next, parts[k])
        _half_step(left, right, to_right, whole, (step, RIGHT, k0, k1), (tile, bits), h, gained)
        _half_step(right, left, to_left, (t, t_next, 0), (step, LEFT, k0, k1), (tile, bits), h, gained)
    _add_to(log_w, gained)


@device.function
def _half_step(source, target, side, inv_temps, counter, shared, h, gained):
    """Weigh the fields of `target` (unless there are no parts to the step), then draw it at t_next."""
    (weights, slope, base), t_next = side, inv_temps[1]
    x, y = device.thread()
    first_chain = BLOCK_CHAINS * device.block()[0]
    for column in range(0, target.shape[1], LANES):
        tiles.add_up(source, weights, slope, first_chain, column, shared, h)
        u = 4 * (column + x)
        b0, b1, b2, b3 = base[u], base[u + 1], base[u + 2], base[u + 3]
        for c in range(CHAINS):
            h0, h1, h2, h3 = h[4 * c], h[4 * c + 1], h[4 * c + 2], h[4 * c + 3]
            gained[c] += _weigh((h0, h1, h2, h3), (b0, b1, b2, b3), inv_temps)
            h[4 * c], h[4 * c + 1] = b0 + scalars.mul(t_next, h0), b1 + scalars.mul(t_next, h1)
            h[4 * c + 2], h[4 * c + 3] = b2 + scalars.mul(t_next, h2), b3 + scalars.mul(t_next, h3)
        draw(target, first_chain + CHAINS * y, column, counter, h)
    cuda.syncthreads()


@device.function
def _weigh(h, b, inv_temps):
    """Sum over four units of softplus(b + t_next h) - softplus(b + t h)."""
    t, t_next, parts = inv_temps
    total, low = 0.0, t
    for part in range(1, parts + 1):
        high = t_next
        if part < parts:
            high = t + scalars.mul(t_next - t, np.float32(np.int32(part)) / np.float32(np.int32(parts)))
        delta = high - low
        gain = increment(h[0], b[0], high, delta) + increment(h[1], b[1], high, delta)
        gain += increment(h[2], b[2], high, delta) + increment(h[3], b[3], high, delta)
        total += gain
        low = high
    return total


@device.function
def _weigh_left(left, slope, delta_t, gained):
    """gained += (t_next - t) slope_left·z_left, over the nibbles that are this thread's."""
    x, y = device.thread()
    first_chain = BLOCK_CHAINS * device.block()[0] + CHAINS * y
    for g in range(x, left.shape[1], LANES):
        for c in range(CHAINS):
            if first_chain + c < left.shape[0]:
                nibble, total = np.uint32(left[first_chain + c, g]), 0.0
                for k in range(4):
                    if nibble >> np.uint32(k) & np.uint32(1):
                        total += np.float64(slope[4 * g + k])
                gained[c] += delta_t * total


@device.function
def _add_to(log_w, gained):
    """log_w += the sum over the 32 threads of a chain, in the order of their numbers."""
    sums = cuda.shared.array((BLOCK_CHAINS, LANES), float64)
    x, y = device.thread()
    for c in range(CHAINS):
        sums[CHAINS * y + c, x] = gained[c]
    cuda.syncthreads()
    own = LANES * y + x
    chain = BLOCK_CHAINS * device.block()[0] + own
    if own < BLOCK_CHAINS and chain < log_w.shape[0]:
        total = 0.0
        for lane in range(LANES):
            total += sums[own, lane]
        log_w[chain] += total
