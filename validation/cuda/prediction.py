"""How fast a kernel should be on a GPU that nobody has tried: by its machine code and the GPU's data sheet.

**Instructions.** A loop's own instructions, counted in the machine code, times how often a warp runs it, which is known
from the kernels' plans. Every instruction between a loop's ends counts, also what a branch skips; left out is what is
drawn once in 60,000 spins. Annealing steps have one part.

**A warp alone.** The compiler has written into every instruction how long the next one waits, and on which results
(`sass.Control`). Followed from instruction to instruction, with LATENCIES for what is not fixed, that gives the cycles
of a warp that nobody disturbs.

**Time** of the blocks that a multiprocessor has at a time is the largest of: what its four schedulers issue, an
instruction a cycle each; what shared memory delivers, a request a cycle (`banks`, counted in the executed PTX); the
slowest warp alone, barrier by barrier. With tiles, W comes from the second-level cache, once for each tile. Not
modelled: instruction fetch, register banks, writes to global memory, the launch. So it is still optimistic.
"""

import math
from typing import NamedTuple

from dvae_ref.sampling.cuda import ais, layout, tiles
from validation.cuda import banks, sass

# Cycles until a result is there, if that is not fixed: as others have measured (Luo et al. 2024, arXiv:2402.13499).
# Global loads are of parameters that are in the first-level cache; those of tiles are not.
LATENCIES = {"LDS": 29, "LDG": 41, "STS": 29, "BAR": 20}
CACHE = 263  # of the second level
OTHERS = 20  # conversions, reciprocals, float64
_RARE = (("IMAD.WIDE", "IMAD.HI"), 18)  # Philox for 7 more bits
_SHARES = (("LDS",), 24)  # the compiler's other copies of the loop that adds up shares


class GPU(NamedTuple):
    """What a data sheet says of one."""

    name: str
    multiprocessors: int
    clock: float  # Hz
    registers: int  # of a multiprocessor
    shared: int  # bytes, of which each block takes 1,024 for itself
    threads: int
    blocks: int
    cache_bandwidth: float  # bytes per second read from the second-level cache, as others have measured it


H100 = GPU("H100 SXM", 132, 1.755e9, 65536, 228 * 1024, 2048, 32, 5.5e12)
SCHEDULERS = 4


class Prediction(NamedTuple):
    """Of both sides' sweep; a spin is a unit of a chain that is drawn once."""

    blocks: int  # that run at a time on a multiprocessor
    instructions: float  # of a thread, per spin
    requests: float  # of a block to shared memory, per spin
    limit: str  # what takes longest
    spins: float  # per second


class Block(NamedTuple):
    """A sweep of a block of threads."""

    times: dict  # cycles, by what bounds them
    at_a_time: int  # blocks that a multiprocessor can have
    chains: int
    instructions: float  # of a thread, per spin
    requests: float  # to shared memory
    loaded: float  # bytes from the second-level cache


class Cost(NamedTuple):
    """Of a warp: instructions, and cycles if it were alone."""

    issued: float
    alone: float

    def __add__(self, other):
        return Cost(self.issued + other.issued, self.alone + other.alone)

    def times(self, number):
        return Cost(self.issued * number, self.alone * number)


NO_COST = Cost(0, 0)


def occupancy(usage, threads, gpu=H100, dynamic=0):
    """(blocks on a multiprocessor, share of its threads). Registers come to a warp in lots of 256."""
    warp_registers = math.ceil(32 * usage.registers / 256) * 256
    blocks = min(
        gpu.registers // (warp_registers * threads // 32),
        gpu.shared // (usage.shared + dynamic + 1024),
        gpu.threads // threads,
        gpu.blocks,
    )
    return blocks, blocks * threads / gpu.threads


def cost(code, numbers, cache=False):
    """Cost of a warp for these instructions, one after the other, in a loop that is on its way: the second pass of two.

    cache: whether loads come from the second-level cache.
    """
    latencies = (LATENCIES | {"LDG": CACHE}) if cache else LATENCIES
    ready, clock, begun = [0] * 8, 0, 0
    for _ in range(2):
        begun = clock
        for number in numbers:
            control, opcode = code.controls[number], sass.name(code.opcodes[number])
            for barrier in control.wait:
                clock = max(clock, ready[barrier])
            ready[control.signal] = max(ready[control.signal], clock + latencies.get(opcode, OTHERS))
            clock += control.stall
            if opcode == "BAR":
                clock += latencies["BAR"]
    return Cost(len(numbers), clock - begun)


def own_cost(code, loop, cache=False, left_out=()):
    """Cost of a pass of a loop, without the loops inside it, and without these instructions, by number."""
    return cost(code, [number for number in sass.own(loop) if number not in left_out], cache)


def synchronized(code, loops):
    """Those of the loops that have a barrier in them."""
    return [loop for loop in loops if sass.count(code, "BAR", loop)]


def total(costs):
    """The sum of Costs."""
    return sum(costs, NO_COST)


# -- W in shared memory ------------------------------------------------------------------------------------------------


def warps(code, plan):
    """Cost of a sweep, of every warp of a block of `resident`'s, between one barrier and the next: a list for each."""
    (sweep,) = synchronized(code, code.loops)
    own = sass.own(sweep)
    between = [[]]
    for number in own:
        between[-1].append(number)
        if sass.name(code.opcodes[number]) == "BAR":
            between.append([])
    between[0] = between.pop() + between[0]  # what follows the last barrier leads to the first
    *weigh, add_right, draw_right, add_left, draw_left = sweep.inside
    found = []
    for warp, (left, right) in enumerate(zip(*_work(plan), strict=True)):
        units_left, units_right = _units(plan, plan.q_left, warp), _units(plan, plan.q_right, warp)
        parts = [cost(code, numbers) for numbers in between]
        parts[0] += own_cost(code, add_right).times(right)
        parts[1] += _draw(code, draw_right, plan.shares_right).times(units_right)
        parts[2] += own_cost(code, add_left).times(left)
        parts[3] += _draw(code, draw_left, plan.shares_left).times(units_left)
        for loop in weigh:  # the left side
            parts[0] += own_cost(code, loop).times(units_left)
        found.append(parts)
    return found


def _work(plan):
    """How often a warp adds up four units in: of the left side's warps, of the right side's."""
    table = layout.work(plan).reshape(2, -1, 4)
    return (table[..., 3] - table[..., 2]).tolist()


def _units(plan, q, warp):
    """How many units a warp's threads draw, one after the other."""
    lanes, count = plan.threads
    return max(0, math.ceil((4 * q - lanes * warp) / (lanes * count)))


def _draw(code, loop, shares):
    """Cost of a pass: a unit of eight chains."""
    left_out = sass.skipped(code, *_RARE) | sass.skipped(code, *_SHARES)
    adding = max(loop.inside, key=lambda inner: sass.count(code, "LDS", inner))
    at_a_time = sass.count(code, "LDS", adding) / 8
    once = own_cost(code, loop, left_out=left_out)
    found = once + own_cost(code, adding).times(shares / at_a_time)
    for inner in loop.inside:
        if not sass.count(code, "LDS", inner):  # it weighs
            found += own_cost(code, inner)
    return found


def kernel(rbm, weighed=False):
    """(name of the kernel that holds a machine, bytes of shared memory of a block)."""
    plan, besides = _plan(rbm, weighed)
    name, in_tiles = ("ais", ais.TILED_BYTES) if weighed else ("gibbs", 0)
    if plan is None:
        return f"{name}, tiles", max(tiles.SHARED, in_tiles)
    return name, max(plan.shared, besides(plan))


def _nothing(_plan):
    return 0


def _plan(rbm, weighed):
    """(layout.Plan of a machine's W in shared memory, None if it does not fit; what gives the bytes besides)."""
    besides = ais.gained_bytes if weighed else _nothing
    with banks.emulator.emulated():
        return layout.plan(*rbm.W.shape, besides), besides


def predict(code, usage, rbm, chains, weighed=False, gpu=H100):
    """[Prediction] for these numbers of chains, with the code of `kernel(rbm, weighed)`."""
    requests = sum(access.requests for access in banks.sweep(rbm, weighed))
    plan, _ = _plan(rbm, weighed)
    _, shared = kernel(rbm, weighed)
    if plan is None:
        block = _tiled_block(code, usage, rbm, requests, gpu, shared)
    else:
        block = _resident_block(code, usage, rbm, requests, gpu, shared, plan)
    return [_finish(block, sum(rbm.W.shape), number, gpu) for number in chains]


def _resident_block(code, usage, rbm, requests, gpu, shared, plan):
    """The Block of a kernel that holds W in shared memory: eight chains a block, by all its warps together."""
    lanes, count = plan.threads
    at_a_time, _ = occupancy(usage, lanes * count, gpu, shared)
    parts = warps(code, plan)
    issued = _issued([total(warp) for warp in parts])
    alone = sum(_busy(barrier) for barrier in zip(*parts, strict=True))
    times = {"issue": max(issued), "shared memory": requests, "latency": alone}
    instructions = sum(issued) * lanes / (8 * sum(rbm.W.shape))
    return Block(times, at_a_time, 8, instructions, requests, 0)


def _issued(costs):
    """Cycles of each scheduler, which warps, given their costs, are dealt out to in turn."""
    return [total(costs[first::SCHEDULERS]).issued for first in range(SCHEDULERS)]


def _busy(parts):
    """Cycles between two barriers, of a block alone: the longest of what a scheduler issues and what a warp takes."""
    slowest = max(part.alone for part in parts)
    return max(slowest, max(_issued(parts)))


def _finish(block, units, chains, gpu):
    """Prediction from the cycles of a block's sweep: what is issued grows with the number of blocks at a time, and so
    does what is asked of shared memory; latency does not."""
    blocks = math.ceil(chains / block.chains)
    most = math.ceil(blocks / gpu.multiprocessors)  # on the busiest multiprocessor
    waves, rest = divmod(most, block.at_a_time)
    at_a_time = [block.at_a_time] * waves
    if rest:
        at_a_time.append(rest)
    seconds = dict.fromkeys(block.times, 0.0)
    for number in at_a_time:
        times = {name: cycles * number for name, cycles in block.times.items()}
        times["latency"] = block.times["latency"]
        limit = max(times, key=times.get)
        seconds[limit] += times[limit] / gpu.clock
    limit, longest = max(seconds, key=seconds.get), sum(seconds.values())
    from_cache = blocks * block.loaded / gpu.cache_bandwidth
    if from_cache > longest:
        limit, longest = "cache", from_cache
    requests = block.requests / (block.chains * units)
    return Prediction(min(block.at_a_time, most), block.instructions, requests, limit, chains * units / longest)


# -- W in tiles --------------------------------------------------------------------------------------------------------


def _tiled_block(code, usage, rbm, requests, gpu, shared):
    """The Block of a kernel that takes W tile by tile from the second-level cache."""
    left, right = rbm.W.shape
    q_left, q_right = math.ceil(left / 4), math.ceil(right / 4)
    (sweep,) = synchronized(code, code.loops)
    passes = synchronized(code, sweep.inside)  # right side, left side
    warp, loaded = own_cost(code, sweep), 0
    for loop in sweep.inside:
        if loop not in passes:  # the left side is weighed
            warp += own_cost(code, loop).times(math.ceil(q_left / tiles.PASS))
    for loop, q_in, q_out in ((passes[0], q_left, q_right), (passes[1], q_right, q_left)):
        warp += _pass(code, loop, q_in).times(math.ceil(q_out / tiles.PASS))
        loaded += 4 * (4 * q_in) * (4 * tiles.LANES * math.ceil(q_out / tiles.LANES))
    threads = tiles.LANES * tiles.ROWS
    at_a_time, _ = occupancy(usage, threads, gpu, shared)
    times = {"issue": warp.issued * tiles.ROWS / SCHEDULERS, "shared memory": requests, "latency": warp.alone}
    instructions = warp.issued * threads / (tiles.BLOCK_CHAINS * sum(rbm.W.shape))
    return Block(times, at_a_time, tiles.BLOCK_CHAINS, instructions, requests, loaded)


def _pass(code, loop, q_in):
    """Cost of a pass over 128 nibbles out: tiles, and what is done with the fields, once."""
    (tile,) = synchronized(code, loop.inside)
    *bits, add = sorted(tile.inside, key=lambda inner: sass.count(code, "FFMA", inner))
    fields = own_cost(code, loop, left_out=sass.skipped(code, *_RARE))
    for inner in loop.inside:
        if inner is not tile:
            fields += own_cost(code, inner)
    filled = total(own_cost(code, inner, cache=True) for inner in (tile, *bits))
    at_a_time = sass.count(code, "FFMA", add) / 32
    adding = own_cost(code, add, cache=True).times(4 * q_in / at_a_time)
    return fields + filled.times(math.ceil(q_in / tiles.NIBBLES)) + adding
