"""The parts of benchmarks.gpu: each takes a Plan, and returns what its name says as a dictionary."""

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

_BOTH = ("cuda", "cpu")


def wall(run, repeats):
    """{least, median}: seconds of a call that waits for its result, after one to warm up."""
    run()
    return _summary([_seconds(run) for _ in range(repeats)])


def _seconds(run):
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def events(launch, repeats):
    """{least, median}: seconds of what a launch does on the GPU."""
    from dvae_ref.sampling.cuda import device

    launch()
    cuda.synchronize()
    return _summary([_seconds(launch) if device.SIMULATED else _elapsed(launch) for _ in range(repeats)])


def _elapsed(launch):
    start, end = cuda.event(), cuda.event()
    start.record()
    launch()
    end.record()
    end.synchronize()
    return cuda.event_elapsed_time(start, end) / 1e3


def _summary(seconds):
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
    from dvae_ref.sampling.cuda import device
    from dvae_ref.sampling.cuda import gibbs as on_gpu

    key, rbm, state = _setting(shape, chains)
    exact, _ = fields.exact_fields(rbm)
    packed = np.concatenate([state.left.reshape(-1), state.right.reshape(-1)])
    machine, states = on_gpu.machine(exact), device.put(packed)
    spins = chains * sum(shape)
    kernel = events(lambda: on_gpu.run(machine, states, chains, 0, plan.sweeps, key), plan.repeats)
    found = {
        "left": shape[0],
        "right": shape[1],
        "chains": chains,
        "sweeps": plan.sweeps,
        "kernel": "tiles" if machine.kernel is on_gpu.tiled_kernel else "resident",
        "shared bytes": machine.shared,
        "kernel seconds": kernel,
        "spins a nanosecond": spins * plan.sweeps / kernel["least"] / 1e9,
        "empty launch": wall(lambda: _waited(lambda: on_gpu.run(machine, states, chains, 0, 0, key)), plan.repeats),
        "call": wall(lambda: block_gibbs.sweep(key, state, rbm, plan.sweeps, "cuda"), plan.repeats),
        "states up": wall(lambda: _waited(lambda: device.put(packed)), plan.repeats),
        "states down": wall(lambda: device.get(states), plan.repeats),
        "machine up": wall(lambda: _waited(lambda: on_gpu.machine(exact)), plan.repeats),
    }
    if spins <= plan.most_compared:
        found |= _compared(key, state, rbm, plan)
    return found


def _waited(run):
    run()
    cuda.synchronize()


def _compared(key, state, rbm, plan):
    """Whether GPU and CPU draw the same spins in a few sweeps, and the CPU's time for all of them."""
    few = min(3, plan.sweeps)
    same = _same(block_gibbs.sweep(key, state, rbm, few, "cuda"), block_gibbs.sweep(key, state, rbm, few, "cpu"))
    own = wall(lambda: block_gibbs.sweep(key, state, rbm, plan.sweeps), min(3, plan.repeats))
    return {"same": same, "call on the CPU": own}


def _same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def ais(plan):
    """log Z of a machine as the paper evaluates it, on both."""
    key, rbm, _ = _setting(plan.shapes[0], 1)
    found = {"temperatures": plan.temperatures, "chains": plan.ais_chains}
    log_weights = {}

    for name in _BOTH:

        def run(name=name):
            result = annealed.log_z(key, rbm, plan.temperatures, plan.ais_chains, backend=name)
            log_weights[name] = result.log_weights

        first = _quietly(run)
        again = [_quietly(run) for _ in range(min(3, plan.repeats))]
        found[f"{name} seconds"] = {"first": first} | _summary(again)
    apart = float(np.max(np.abs(log_weights["cuda"] / log_weights["cpu"] - 1)))
    most = 1e-12 if plan.temperatures >= 1000 else 1e-4  # long steps are taken in parts there, and in float64 here
    return found | {"largest relative difference of log-weights": apart, "same": math.isfinite(apart) and apart < most}


def resampling(plan):
    """Ancestors of many replicas."""
    from dvae_ref.sampling.cuda import resampling as on_gpu

    log_w = np.random.default_rng(0).normal(size=plan.replicas)
    u = np.float32(0.3)
    return {
        "replicas": plan.replicas,
        "same": bool(np.array_equal(on_gpu.systematic(log_w, u), population.systematic(log_w, u))),
        "cuda seconds": wall(lambda: on_gpu.systematic(log_w, u), plan.repeats),
        "cpu seconds": wall(lambda: population.systematic(log_w, u), plan.repeats),
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

    found = {f"{name} seconds": wall(lambda name=name: step(name), plan.repeats) for name in _BOTH}
    return found | {"same": _same(step("cuda"), step("cpu"))}
