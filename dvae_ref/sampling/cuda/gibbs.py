"""Block Gibbs sampling on a GPU: a block of threads takes chains through all sweeps, as chains never meet.

Where W fits into shared memory it stays there (`resident`, eight chains to a block); otherwise it is read in tiles
(`tiles`, sixteen). For each side in turn, fields are added up and units drawn.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda, float32, uint32

from dvae_ref.sampling import fields
from dvae_ref.sampling.cuda import device, layout, resident, spins, tiles
from dvae_ref.sampling.cuda.device import VECTOR
from dvae_ref.sampling.cuda.layout import SUMS
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT


class Machine(NamedTuple):
    """An RBM in the GPU's memory, and how its kernel is launched."""

    kernel: object
    chains: int  # to a block
    threads: tuple
    shared: int  # bytes of shared memory
    arguments: tuple  # between the chains and the sweeps


def machine(rbm):
    """The Machine of an RBM with exact fields."""
    a, plan = (*fields.sides(rbm.a, rbm.W), fields.NEVER), layout.plan(*rbm.W.shape)
    if plan is not None:
        arrays = device.put(layout.parameters(plan, rbm.W, a)), device.put(layout.work(plan))
        return Machine(resident_kernel, CHAINS, plan.threads, plan.shared, (*arrays, plan))
    arguments = device.put(tiles.parameters(rbm.W, a)), tiles.plan(*rbm.W.shape)
    return Machine(tiled_kernel, tiles.BLOCK_CHAINS, tiles.THREADS, tiles.SHARED, arguments)


def run(machine, states, chains, start, sweeps, key):
    """Sweeps number start, start + 1, ... of chains in the GPU's memory, in place."""
    numbers = start, sweeps, np.uint64(key.k0), np.uint64(key.k1)
    arguments, blocks = (states, chains, *machine.arguments, *numbers), -(-chains // machine.chains)
    device.launch(machine.kernel, blocks, machine.threads, *arguments, shared=machine.shared)


def sweep(left, right, rbm, start, sweeps, key):
    """(left, right) after sweeps number start, start + 1, ...; nibbles (R, q), an RBM with exact fields."""
    states = device.put(np.concatenate([left.reshape(-1), right.reshape(-1)]))
    run(machine(rbm), states, len(left), start, sweeps, key)
    states = device.get(states)
    return states[: left.size].reshape(left.shape), states[left.size :].reshape(right.shape)


@device.kernel(shared_memory_carveout="maxshared")
def resident_kernel(nibbles, chains, parameters, work, plan, start, sweeps, k0, k1):
    """nibbles: of the left side (R, q_left), then of the right, one after the other, uint8; chains: R; parameters:
    `layout.parameters` with a; start, sweeps: int64; k0, k1: uint64."""
    shared = cuda.shared.array(0, float32, VECTOR)
    sums, field = cuda.local.array(SUMS, float32), cuda.local.array(CHAINS, float32)
    if sweeps < 1:
        return  # nothing is drawn, and the right side has not been read
    resident.load(nibbles, chains, parameters, plan, shared)
    cuda.syncthreads()
    for t in range(start, start + sweeps):
        resident.add_up_right(plan, work, shared, sums)
        cuda.syncthreads()
        _draw(parameters, plan, 1, (np.uint64(t), RIGHT, k0, k1), shared, field)
        cuda.syncthreads()
        resident.add_up_left(plan, work, shared, sums)
        cuda.syncthreads()
        _draw(parameters, plan, 0, (np.uint64(t), LEFT, k0, k1), shared, field)
        cuda.syncthreads()
    resident.store(nibbles, chains, plan, 0, shared)
    resident.store(nibbles, chains, plan, 1, shared)


@device.function
def _draw(parameters, plan, right, counter, shared, field):
    """All units of a side, one after the other by every thread."""
    units, at = 4 * (plan.q_right if right else plan.q_left), resident.units_at(plan, 0, right)
    unit = device.number()
    while unit < units:
        resident.fields(plan, right, unit, parameters[device.index(at + unit)], shared, field)
        up = spins.draw(device.block()[0], unit, counter, field)
        resident.set_states(plan, right, unit, up, shared)
        unit += device.threads()


@device.kernel()
def tiled_kernel(nibbles, chains, parameters, plan, start, sweeps, k0, k1):
    """What `resident_kernel` does, W read tile by tile from `tiles.parameters`."""
    shared = cuda.shared.array(0, float32, VECTOR)
    sums, field = cuda.local.array(SUMS, float32), cuda.local.array(CHAINS, float32)
    for t in range(start, start + sweeps):
        half = nibbles, chains, parameters, plan, shared, sums, field
        _half_sweep(*half, 1, (np.uint64(t), RIGHT, k0, k1))
        _half_sweep(*half, 0, (np.uint64(t), LEFT, k0, k1))


@device.function
def _half_sweep(nibbles, chains, parameters, plan, shared, sums, field, right, counter):
    """Draw the units of a side given those of the other, pass by pass."""
    q, octet, up = plan.q_right if right else plan.q_left, tiles.first_chain() // CHAINS, cuda.local.array(4, uint32)
    values = tiles.units_at(plan, 0, right)
    for first in range(0, q, tiles.PASS):
        tiles.add_up(nibbles, chains, parameters, plan, right, first, shared, sums)
        g = tiles.own_nibble(first)
        if g < q:
            at = values + tiles.own_word(first)
            _draw_unit(0, parameters, at, q, octet, g, counter, sums, field, up)
            _draw_unit(1, parameters, at, q, octet, g, counter, sums, field, up)
            _draw_unit(2, parameters, at, q, octet, g, counter, sums, field, up)
            _draw_unit(3, parameters, at, q, octet, g, counter, sums, field, up)
            tiles.store(nibbles, chains, plan, right, g, up)
    cuda.syncthreads()


@device.function
def _draw_unit(k, parameters, at, q, octet, g, counter, sums, field, up):
    offset = parameters[device.index(at + tiles.LANES * k)]
    for c in range(CHAINS):
        field[c] = offset + sums[4 * c + k]
    up[k] = spins.draw(octet, k * q + g, counter, field)
