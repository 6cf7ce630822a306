"""How fast a kernel should be on a GPU that nobody has tried: by its machine code and the GPU's data sheet.

**Instructions.** A loop's own instructions, counted in the machine code, times how often it is run, which is known from
the kernels' tiles. Every instruction between its ends counts, also what a branch skips. Annealing steps have one part.

**Time** is the largest of three: a multiprocessor issues four warp instructions a cycle; its shared memory delivers
128 bytes a cycle (a vector of weights is 4 such deliveries to a warp, a vector of bits 1, a stored row 1); W comes from
the second-level cache, once for each tile. Latency is not modelled: with enough warps it is hidden, and with few
(1,000 chains are 63 blocks for 132 multiprocessors) the prediction is an upper bound.
"""

from typing import NamedTuple

from dvae_ref.sampling.cuda import tiles
from validation.cuda import sass


class GPU(NamedTuple):
    name: str
    multiprocessors: int
    clock: float  # Hz
    registers: int  # of a multiprocessor
    shared: int  # bytes, of which each block takes 1,024 for itself
    threads: int
    blocks: int
    cache_bandwidth: float  # bytes per second read from the second-level cache, as others have measured it


H100 = GPU("H100 SXM", 132, 1.755e9, 65536, 228 * 1024, 2048, 32, 5.5e12)


class Prediction(NamedTuple):
    """Of both sides' sweep; a spin is a unit of a chain that is drawn once."""

    instructions: float  # of a thread, per spin
    limit: str  # what takes longest
    spins: float  # per second


def occupancy(usage, threads, gpu=H100):
    """(blocks on a multiprocessor, share of its threads). Registers come to a warp in lots of 256."""
    warp_registers = -(-32 * usage.registers // 256) * 256
    blocks = min(
        gpu.registers // (warp_registers * threads // 32),
        gpu.shared // (usage.shared + 1024),
        gpu.threads // threads,
        gpu.blocks,
    )
    return blocks, blocks * threads / gpu.threads


def predict(code, n_left, n_right, chains, gpu=H100):
    """Prediction for a kernel with the loops of `tiles`."""
    q = -(-n_left // 4), -(-n_right // 4)
    (sweep,) = (loop for loop in code.loops if sass.count(code, "BAR", loop))
    columns = [loop for loop in sweep.inside if sass.count(code, "BAR", loop)]  # right side, left side
    rest = [loop for loop in sweep.inside if loop not in columns]
    instructions = sass.own(code, sweep) + sum(-(-q[0] // tiles.LANES) * _length(loop) for loop in rest)
    deliveries, loaded = 0, 0
    for loop, q_in, q_out in zip(columns, q, q[::-1], strict=True):
        passes = -(-q_out // tiles.LANES)
        instructions += passes * _column(code, loop, q_in)
        deliveries += passes * 4 * q_in * (4 + 1 + 4 / tiles.ROWS)
        loaded += passes * 4 * q_in * 4 * tiles.OUTPUTS
    blocks = -(-chains // tiles.BLOCK_CHAINS)
    rounds = -(-blocks // gpu.multiprocessors)  # of blocks, one after the other, on the busiest multiprocessor
    times = {
        "issue": rounds * instructions * tiles.ROWS / 4 / gpu.clock,
        "shared memory": rounds * deliveries * tiles.ROWS / gpu.clock,
        "cache": blocks * loaded / gpu.cache_bandwidth,
    }
    limit = max(times, key=times.get)
    spins = n_left + n_right
    per_spin = instructions * tiles.ROWS * tiles.LANES / (tiles.BLOCK_CHAINS * spins)
    return Prediction(per_spin, limit, chains * spins / times[limit])


def _length(loop):
    """Instructions of a loop that is run once, with all that is in it."""
    return loop.last - loop.first + 1


def _column(code, column, q_in):
    """Instructions of a thread for its 16 units: tiles, and what is done with the fields, once."""
    (tile,) = (loop for loop in column.inside if sass.count(code, "BAR", loop))
    (accumulate,) = tile.inside
    once = sass.own(code, column) + sum(_length(loop) for loop in column.inside if loop is not tile)
    nibbles = sass.count(code, "FFMA", accumulate) / (4 * tiles.SUMS)  # to a pass of the innermost loop
    return once + -(-q_in // tiles.NIBBLES) * sass.own(code, tile) + q_in / nibbles * sass.own(code, accumulate)
