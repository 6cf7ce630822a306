"""Run by test_cuda_simulator.py in a process of its own with NUMBA_ENABLE_CUDASIM=1; prints what it finds as JSON."""

import json
import sys
import warnings
from unittest import mock

import numpy as np
import simulator
from cuda_scalars import THREADS, blocks, philox_kernel
from enumeration import skewed_rbm

from dvae_ref.sampling import ais, backend, gibbs, pcd, philox, population, population_annealing
from dvae_ref.sampling.cuda import device, resampling
from dvae_ref.theory.boltzmann import RBM

KEY = philox.key(5)


def gibbs_differences(rbm, other):
    """Nibbles that differ between the simulator and NumPy, for the same RBM and for another."""
    state = pcd.init(KEY, rbm, 5)
    ours, oracle = gibbs.sweep(KEY, state, rbm, 2, backend="cuda"), gibbs.sweep_reference(KEY, state, rbm, 2)
    control = gibbs.sweep_reference(KEY, state, other, 2)
    return [int(np.sum(ours.left != z.left) + np.sum(ours.right != z.right)) for z in (oracle, control)]


def ais_error(rbm):
    schedule, chains = [0, 0.01, 0.3, 1], 5  # of 1 and of many parts
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "annealing ended with an effective sample")
        ours = ais.log_z(KEY, rbm, schedule, chains, backend="cuda").log_weights
    return float(np.max(np.abs(ours - ais.log_weights_reference(KEY, rbm, schedule, chains))))


def with_tiles(run):
    """run() where no machine fits into shared memory."""
    with mock.patch.object(device, "shared_memory", return_value=0):
        return run()


def resampling_differences():
    log_w = np.random.default_rng(1).normal(size=300) * 2
    ours, oracle = resampling.systematic(log_w, np.float32(0.3)), population.systematic(log_w, np.float32(0.3))
    nibbles = np.arange(600, dtype=np.uint8).reshape(300, 2)
    return int(np.sum(ours != oracle) + np.sum(resampling.gather(nibbles, ours) != nibbles[oracle]))


def population_differences(rbm):
    """Bytes that differ between population annealing on the simulator and on the CPU, after two updates."""
    ends = []
    for name in ("cuda", "cpu"):
        state = population_annealing.init(KEY, rbm, 40)
        for scale in (0.3, 0.6):
            to = RBM(scale * rbm.a, scale * rbm.W)
            state, _ = population_annealing.step(KEY, state, to, 1, family_updates=5, backend=name)
        ends.append(np.concatenate([state.chains.left, state.chains.right, state.families[:, None]], 1))
    return int(np.sum(ends[0] != ends[1])), len(np.unique(ends[1][:, -1]))


def known_answers(counters, keys):
    words = np.zeros((len(counters), 4), np.uint64)
    philox_kernel[blocks(len(counters)), THREADS](np.array(counters, np.uint64), np.array(keys, np.uint64), words)
    return words.tolist()


if __name__ == "__main__":
    simulator.mend()
    rbm = skewed_rbm(5, 6)
    found = {
        "simulated": device.SIMULATED and backend.resolve("cuda") == "cuda",
        "gibbs": gibbs_differences(rbm, RBM(rbm.a, -rbm.W)),
        "ais": ais_error(rbm),
        "tiles": with_tiles(lambda: [*gibbs_differences(rbm, RBM(rbm.a, -rbm.W)), ais_error(rbm)]),
        "resampling": resampling_differences(),
        "population": population_differences(rbm),
        "philox": known_answers(**json.load(sys.stdin)),
    }
    print(json.dumps(found))
