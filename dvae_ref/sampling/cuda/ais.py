"""Annealed importance sampling on a GPU: chains through the schedule, weights and all, in one kernel.

As in `gibbs`, with W in shared memory (`resident`) or in tiles (`tiles`). The exact fields h of the right side serve
the increment of log w and then, scaled to base + t_next h, the draw, so that spins are those of the CPU, bit for bit.
Log-weights agree to rounding: increments are the same float32 numbers, but a thread adds up those of its own units, in
float64, and the sums of the threads meet at the end.

A step too long for `scalars.softplus_increment` is taken in parts (the CPU changes the formula there): log p* is a
difference of the end points, whatever lies between. A schedule from 0 to 1 has at most 4 reach + K parts.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda, float32, float64, uint32

from dvae_ref.fast import scalars
from dvae_ref.sampling import fields
from dvae_ref.sampling.cuda import device, layout, resident, spins, tiles
from dvae_ref.sampling.cuda.device import VECTOR
from dvae_ref.sampling.cuda.layout import SUMS
from dvae_ref.sampling.engines.path import increment
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT

SLOPE, BASE = 0, 1  # pairs of sides in the parameters
TILED_BYTES = 8 * tiles.BLOCK_CHAINS * (tiles.PASS + 1)  # shared memory for what the threads have gained, with tiles


class Tables(NamedTuple):
    """A Path in the memory of the GPU, as a kernel reads it."""

    arrays: tuple  # parameters and, of `resident_kernel`, work
    plan: tuple
    reach: float  # bound on |h_right|


def tables(path):
    """The Tables of an ais.Path."""
    slopes, bases = fields.sides(path.slope, path.W), fields.sides(path.base, path.W)
    pairs = (*slopes, 0), (*bases, fields.NEVER)
    reach = float(np.max(np.abs(slopes[1]) + np.abs(path.W).sum(0)))
    plan = layout.plan(*path.W.shape, gained_bytes)
    if plan is None:
        return Tables((device.put(tiles.parameters(path.W, *pairs)),), tiles.plan(*path.W.shape), reach)
    arrays = device.put(layout.parameters(plan, path.W, *pairs)), device.put(layout.work(plan))
    return Tables(arrays, plan, reach)


def anneal(left, right, log_w, inv_temps, done, tables, k0, k1):
    """What an engine's `anneal` does, in place, for one machine of which the right side is not wanted."""
    left, log_w = left[0], log_w[0]
    parts = np.ceil(np.abs(np.diff(inv_temps)).astype(np.float64) * tables.reach / scalars.MAX_INCREMENT)
    schedule = device.put(inv_temps), device.put(np.maximum(parts, 1).astype(np.int64)), done
    plan, chains = tables.plan, len(left)
    states = np.zeros(chains * (plan.q_left + plan.q_right), np.uint8)  # the right side is drawn before it is read
    states[: left.size] = left.reshape(-1)
    states, gained = device.put(states), device.put(log_w)
    arguments = states, chains, gained, *schedule, *tables.arrays, plan, k0, k1
    if isinstance(plan, layout.Plan):
        shared = max(plan.shared, gained_bytes(plan))
        device.launch(resident_kernel, -(-chains // CHAINS), plan.threads, *arguments, shared=shared)
    else:
        blocks = -(-chains // tiles.BLOCK_CHAINS)
        device.launch(tiled_kernel, blocks, tiles.THREADS, *arguments, shared=max(tiles.SHARED, TILED_BYTES))
    left[...] = device.get(states)[: left.size].reshape(left.shape)
    device.get(gained, log_w)


def gained_bytes(plan):
    """Bytes of shared memory in which the threads of `resident_kernel` add up the increments of log w."""
    lanes, warps = plan.threads
    return 8 * CHAINS * (lanes * warps + 1)


# -- W in shared memory ------------------------------------------------------------------------------------------------


@device.kernel(shared_memory_carveout="maxshared")
def resident_kernel(nibbles, chains, log_w, inv_temps, parts, done, parameters, work, plan, k0, k1):
    """nibbles: of the left side (R, q_left), and room for the right, uint8; chains: R; log_w: (R,), float64;
    inv_temps: (K + 1,), float32; parts: (K,), done: int64; parameters: of `resident`, with slope and base; k0, k1:
    uint64."""
    shared, sums = cuda.shared.array(0, float32, VECTOR), cuda.local.array(SUMS, float32)
    h, gained = cuda.local.array(CHAINS, float32), cuda.local.array(CHAINS, float64)
    for c in range(CHAINS):
        gained[c] = 0.0
    resident.load(nibbles, chains, parameters, plan, shared)
    cuda.syncthreads()
    for k in range(parts.shape[0]):
        t, t_next, step = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        _weigh_left(parameters, plan, np.float64(t_next) - np.float64(t), shared, gained)
        resident.add_up_right(plan, work, shared, sums)
        cuda.syncthreads()
        whole = t, t_next, parts[k]
        _draw(parameters, plan, 1, whole, (step, RIGHT, k0, k1), shared, h, gained)
        cuda.syncthreads()
        resident.add_up_left(plan, work, shared, sums)
        cuda.syncthreads()
        _draw(parameters, plan, 0, (t, t_next, 0), (step, LEFT, k0, k1), shared, h, gained)
        cuda.syncthreads()
    resident.store(nibbles, chains, plan, 0, shared)
    cuda.syncthreads()
    sums_of_threads, threads = cuda.shared.array(0, float64, VECTOR), device.threads()
    _set_down(gained, 0, device.number(), threads, sums_of_threads)
    cuda.syncthreads()
    _add_to(log_w, CHAINS, threads, sums_of_threads)


@device.function
def _draw(parameters, plan, right, inv_temps, counter, shared, h, gained):
    """All units of a side at t_next, one after the other by every thread; weighed, unless there are no parts."""
    units, unit = 4 * (plan.q_right if right else plan.q_left), device.number()
    slopes, bases = resident.units_at(plan, SLOPE, right), resident.units_at(plan, BASE, right)
    while unit < units:
        base = parameters[device.index(bases + unit)]
        resident.fields(plan, right, unit, parameters[device.index(slopes + unit)], shared, h)
        _weigh(h, base, inv_temps, gained)
        up = spins.draw(device.block()[0], unit, counter, h)
        resident.set_states(plan, right, unit, up, shared)
        unit += device.threads()


@device.function
def _weigh_left(parameters, plan, delta_t, shared, gained):
    """gained += (t_next - t) slope_left·z_left, over the units that are this thread's."""
    at, unit = resident.units_at(plan, SLOPE, 0), device.number()
    while unit < 4 * plan.q_left:
        gain = delta_t * np.float64(parameters[device.index(at + unit)])
        for c in range(CHAINS):
            gained[c] += gain * np.float64(resident.state(plan, 0, unit, c, shared))
        unit += device.threads()


@device.function
def _weigh(h, base, inv_temps, gained):
    """gained += softplus(base + t_next h) - softplus(base + t h) of eight chains; then h <- base + t_next h."""
    t, t_next, parts = inv_temps
    low = t
    for part in range(1, parts + 1):
        high = t_next
        if part < parts:
            high = t + scalars.mul(t_next - t, np.float32(np.int32(part)) / np.float32(np.int32(parts)))
        for c in range(CHAINS):
            gained[c] += increment(h[c], base, high, high - low)
        low = high
    for c in range(CHAINS):
        h[c] = base + scalars.mul(t_next, h[c])


@device.function
def _set_down(gained, first, slot, slots, sums):
    """In row first + c of `sums`, what this thread has gained for chain c; the rows are `slots` and one apart."""
    for c in range(CHAINS):
        sums[device.index((first + c) * (slots + 1) + slot)] = gained[c]


@device.function
def _add_to(log_w, rows, slots, sums):
    """log_w += the sum of a row, in the order of the slots, for each of the block's chains."""
    row = device.number()
    chain = rows * device.block()[0] + row
    if row < rows and chain < log_w.shape[0]:
        total = 0.0
        for slot in range(slots):
            total += sums[device.index(row * (slots + 1) + slot)]
        log_w[chain] += total


# -- W in tiles --------------------------------------------------------------------------------------------------------


@device.kernel()
def tiled_kernel(nibbles, chains, log_w, inv_temps, parts, done, parameters, plan, k0, k1):
    """What `resident_kernel` does, W read tile by tile from the parameters of `tiles`."""
    shared, sums = cuda.shared.array(0, float32, VECTOR), cuda.local.array(SUMS, float32)
    h, gained = cuda.local.array(CHAINS, float32), cuda.local.array(CHAINS, float64)
    for c in range(CHAINS):
        gained[c] = 0.0
    for k in range(parts.shape[0]):
        t, t_next, step = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        _weigh_left_nibbles(nibbles, chains, parameters, plan, np.float64(t_next) - np.float64(t), gained)
        half = nibbles, chains, parameters, plan, shared, sums, h, gained
        _half_step(*half, 1, (t, t_next, parts[k]), (step, RIGHT, k0, k1))
        _half_step(*half, 0, (t, t_next, 0), (step, LEFT, k0, k1))
    sums_of_threads, (x, y) = cuda.shared.array(0, float64, VECTOR), device.thread()
    slots = tiles.PASS
    _set_down(gained, CHAINS * (y % tiles.OCTETS), tiles.LANES * (y // tiles.OCTETS) + x, slots, sums_of_threads)
    cuda.syncthreads()
    _add_to(log_w, tiles.BLOCK_CHAINS, slots, sums_of_threads)


@device.function
def _half_step(nibbles, chains, parameters, plan, shared, sums, h, gained, right, inv_temps, counter):
    """Weigh the fields of a side (unless there are no parts to the step) and draw it at t_next, pass by pass."""
    q, up, octet = plan.q_right if right else plan.q_left, cuda.local.array(4, uint32), tiles.first_chain() // CHAINS
    slopes, bases = tiles.units_at(plan, SLOPE, right), tiles.units_at(plan, BASE, right)
    for first in range(0, q, tiles.PASS):
        tiles.add_up(nibbles, chains, parameters, plan, right, first, shared, sums)
        g = tiles.own_nibble(first)
        if g < q:
            places = parameters, slopes + tiles.own_word(first), bases + tiles.own_word(first)
            _draw_unit(0, places, q, octet, g, inv_temps, counter, sums, h, gained, up)
            _draw_unit(1, places, q, octet, g, inv_temps, counter, sums, h, gained, up)
            _draw_unit(2, places, q, octet, g, inv_temps, counter, sums, h, gained, up)
            _draw_unit(3, places, q, octet, g, inv_temps, counter, sums, h, gained, up)
            tiles.store(nibbles, chains, plan, right, g, up)
    cuda.syncthreads()


@device.function
def _draw_unit(k, places, q, octet, g, inv_temps, counter, sums, h, gained, up):
    parameters, slope, base = places
    for c in range(CHAINS):
        h[c] = parameters[device.index(slope + tiles.LANES * k)] + sums[4 * c + k]
    _weigh(h, parameters[device.index(base + tiles.LANES * k)], inv_temps, gained)
    up[k] = spins.draw(octet, k * q + g, counter, h)


@device.function
def _weigh_left_nibbles(nibbles, chains, parameters, plan, delta_t, gained):
    """gained += (t_next - t) slope_left·z_left, over the nibbles that are this thread's."""
    at, first, g = tiles.units_at(plan, SLOPE, 0) + tiles.own_word(0), tiles.first_chain(), tiles.own_nibble(0)
    while g < plan.q_left:
        for c in range(CHAINS):
            if first + c < chains:
                nibble, total = np.uint32(nibbles[device.index((first + c) * plan.q_left + g)]), 0.0
                for k in range(4):
                    if nibble >> np.uint32(k) & np.uint32(1):
                        total += np.float64(parameters[device.index(at + tiles.LANES * k)])
                gained[c] += delta_t * total
        g, at = g + tiles.PASS, at + 4 * tiles.PASS
