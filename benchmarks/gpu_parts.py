"""The parts of benchmarks.gpu: each takes a Plan, and returns what its name says as a dictionary.

Seconds are records {least, median}. Where GPU and CPU do the same, "same" says whether they came to the same numbers.
"""

import functools
import itertools
import math
import statistics
import time
import warnings
from unittest import mock

import numpy as np
from numba import cuda

from benchmarks import machines
from dvae_ref.sampling import ais as annealed
from dvae_ref.sampling import fields, pcd, philox, population, population_annealing
from dvae_ref.sampling import gibbs as block_gibbs


def wall(repeats, function, *arguments):
    """{least, median}: seconds of function(*arguments), which waits for its result, after a call to warm up."""
    run = functools.partial(function, *arguments)
    run()
    return _summary([_seconds(run) for _ in range(repeats)])


def waited(repeats, function, *arguments):
    """The same of a function that only tells the GPU what to do: until that is done."""

    def run():
        function(*arguments)
        cuda.synchronize()

    return wall(repeats, run)


def _seconds(run):
    """By the host's clock."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def events(repeats, function, *arguments):
    """{least, median}: seconds of what a launch, function(*arguments), does on the GPU; simulated, of the call."""
    from dvae_ref.sampling.cuda import device

    launch = functools.partial(function, *arguments)
    launch()
    cuda.synchronize()
    seconds_of = _seconds if device.SIMULATED else _elapsed
    return _summary([seconds_of(launch) for _ in range(repeats)])


def _elapsed(launch):
    """Seconds between two events around it: neither the host's work nor its copies are in them."""
    start, end = cuda.event(), cuda.event()
    start.record()
    launch()
    end.record()
    end.synchronize()
    return cuda.event_elapsed_time(start, end) / 1e3


def _summary(seconds):
    """{least, median} of seconds: what can be had undisturbed, and what is."""
    return {"least": min(seconds), "median": statistics.median(seconds)}


def gpu():
    """What numba knows of the GPU."""
    from dvae_ref.sampling.cuda import device

    own = cuda.get_current_device()
    return {
        "simulated": device.SIMULATED,
        "capability": list(own.compute_capability),
        "multiprocessors": None if device.SIMULATED else own.MULTIPROCESSOR_COUNT,
        "shared memory of a block": device.shared_memory(),
    }


# -- what is measured --------------------------------------------------------------------------------------------------


def _setting(shape, chains):
    """(key, RBM, state)."""
    rbm = machines.rbm(*shape)
    return philox.key(0), rbm, pcd.init(philox.key(0), rbm, chains)


def kernels(plan):
    """Of each sampling kernel: seconds of the first call, and what it takes of a multiprocessor."""
    from dvae_ref.sampling.cuda import ais, device, gibbs

    key, rbm, state = _setting(plan.shapes[0], 2)
    found = {}

    def sweep():
        block_gibbs.sweep(key, state, rbm, 1, backend="cuda")

    def anneal():
        annealed.log_z(key, rbm, 2, 2, backend="cuda")

    for name, run, module in (("gibbs", sweep, gibbs), ("ais", anneal, ais)):
        found[name] = {"first call": _quietly(run)} | _resources(module.resident_kernel)
        with mock.patch.object(device, "shared_memory", return_value=0):  # as if nothing fitted there
            found[f"{name}, tiles"] = {"first call": _quietly(run)} | _resources(module.tiled_kernel)
    return found


def _quietly(run):
    """Seconds of a call whose sample may be too small to be one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _seconds(run)


def _resources(kernel):
    """Of a compiled kernel: registers of a thread, bytes that it spills to memory, fixed shared bytes of a block."""
    from dvae_ref.sampling.cuda import device

    if device.SIMULATED:
        return {}
    (compiled,) = kernel.overloads.values()
    return {
        "found on disk": bool(sum(kernel._cache_hits.values())),
        "registers": compiled.regs_per_thread,
        "local bytes": compiled.local_mem_per_thread,
        "shared bytes, fixed": compiled.shared_mem_per_block,
    }


def gibbs(plan):
    """A record of every shape and number of chains."""
    found = []
    for shape, chains in itertools.product(plan.shapes, plan.chains):
        if sum(shape) * chains <= plan.most_spins:
            found.append(_gibbs(plan, shape, chains))
    return found


def _gibbs(plan, shape, chains):
    """A whole call, and what of it is the kernel, the launch, and the copies of states and machine."""
    from dvae_ref.sampling.cuda import device
    from dvae_ref.sampling.cuda import gibbs as on_gpu

    (key, rbm, state), (left, right), repeats = _setting(shape, chains), shape, plan.repeats
    exact, _ = fields.exact_fields(rbm)
    packed = np.concatenate([state.left.reshape(-1), state.right.reshape(-1)])
    machine, states = on_gpu.machine(exact), device.put(packed)
    spins = chains * (left + right)
    kernel = events(repeats, on_gpu.run, machine, states, chains, 0, plan.sweeps, key)
    found = {"left": left, "right": right, "chains": chains, "sweeps": plan.sweeps}
    found["kernel"] = "tiles" if machine.kernel is on_gpu.tiled_kernel else "resident"
    found |= {"shared bytes": machine.shared, "kernel seconds": kernel}
    found["spins a nanosecond"] = spins * plan.sweeps / kernel["least"] / 1e9
    found["empty launch"] = waited(repeats, on_gpu.run, machine, states, chains, 0, 0, key)
    found["call"] = wall(repeats, block_gibbs.sweep, key, state, rbm, plan.sweeps, "cuda")
    found["states up"] = waited(repeats, device.put, packed)
    found["states down"] = wall(repeats, device.get, states)
    found["machine up"] = waited(repeats, on_gpu.machine, exact)
    if spins <= plan.most_compared:
        found |= _compared(key, state, rbm, plan)
    return found


def _compared(key, state, rbm, plan):
    """Whether GPU and CPU draw the same spins in a few sweeps, and the CPU's time for all of them."""
    few = min(3, plan.sweeps)
    same = _same(block_gibbs.sweep(key, state, rbm, few, "cuda"), block_gibbs.sweep(key, state, rbm, few, "cpu"))
    own = wall(min(3, plan.repeats), block_gibbs.sweep, key, state, rbm, plan.sweeps)
    return {"same": same, "call on the CPU": own}


def _same(ours, theirs):
    """Whether the arrays of two tuples are equal, one by one."""
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def ais(plan):
    """log Z of a machine as the paper evaluates it, on both.

    The chains are the same to the bit. Their log-weights are sums of float64 in another order: apart by 1e-12 at most,
    but for few temperatures, whose long steps are taken in parts there, and in float64 here.
    """
    found = {"temperatures": plan.temperatures, "chains": plan.ais_chains}
    found["cuda seconds"], on_cuda = _annealing(plan, "cuda")
    found["cpu seconds"], on_cpu = _annealing(plan, "cpu")
    apart = float(np.max(np.abs(on_cuda / on_cpu - 1)))
    most = 1e-12 if plan.temperatures >= 1000 else 1e-4
    return found | {"largest relative difference of log-weights": apart, "same": math.isfinite(apart) and apart < most}


def _annealing(plan, backend):
    """({first, least, median}: seconds, log-weights) of AIS on one of them."""
    key, rbm, _ = _setting(plan.shapes[0], 1)
    weights = []

    def run():
        weights.append(annealed.log_z(key, rbm, plan.temperatures, plan.ais_chains, backend=backend).log_weights)

    first = _quietly(run)
    again = [_quietly(run) for _ in range(min(3, plan.repeats))]
    return {"first": first} | _summary(again), weights[-1]


def resampling(plan):
    """Ancestors of many replicas by systematic resampling, log-weights drawn from a standard normal."""
    from dvae_ref.sampling.cuda import resampling as on_gpu

    log_w = np.random.default_rng(0).normal(size=plan.replicas)
    u = np.float32(0.3)
    return {
        "replicas": plan.replicas,
        "same": bool(np.array_equal(on_gpu.systematic(log_w, u), population.systematic(log_w, u))),
        "cuda seconds": wall(plan.repeats, on_gpu.systematic, log_w, u),
        "cpu seconds": wall(plan.repeats, population.systematic, log_w, u),
    }


def updates(plan):
    """An update of training's negative phase: persistent chains, population annealing."""
    key, rbm, state = _setting(plan.shapes[0], plan.ais_chains)
    close = rbm._replace(W=rbm.W * np.float32(1.0001))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a quick population is small
        replicas = population_annealing.anneal(key, rbm, plan.ais_chains, 2).state
        return {
            "pcd": _update(plan, key, pcd, state, close),
            "pa": _update(plan, key, population_annealing, replicas, close),
        }


def _update(plan, key, sampler, state, close):
    """A step of a sampler from its state to the RBM `close`, on both."""

    def step(name):
        _, info = sampler.step(key, state, close, plan.sweeps, backend=name)
        return info.moments

    found = {"cuda seconds": wall(plan.repeats, step, "cuda"), "cpu seconds": wall(plan.repeats, step, "cpu")}
    return found | {"same": _same(step("cuda"), step("cpu"))}
