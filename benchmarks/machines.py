"""RBMs to measure with, and the machine that measures."""

import os
import platform
from importlib import metadata, util

import numpy as np

from dvae_ref.boltzmann import RBM


def rbm(n_left, n_right=None, seed=0):
    """Fields of a few units, as after training; float32."""
    n_right, rng = n_right or n_left, np.random.default_rng(seed)
    a = rng.normal(-0.5, 0.5, n_left + n_right)
    return RBM(a.astype(np.float32), rng.normal(0, 1.5 / np.sqrt(n_left), (n_left, n_right)).astype(np.float32))


def deviation_of_means(ours, theirs):
    """Largest difference of unit means over two sets of chains (R, D) of binary states, in standard errors."""
    p = np.clip((ours.mean(0) + theirs.mean(0)) / 2, 1 / len(ours), 1 - 1 / len(ours))
    return np.max(np.abs(ours.mean(0) - theirs.mean(0)) / np.sqrt(2 * p * (1 - p) / len(ours)))


def describe():
    """CPU, cores in use, versions, and the BLAS kernels that are loaded (after the contenders were)."""
    packages = ("numpy", "numba", "torch", "jax", "thrml", "dimod")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in packages if util.find_spec(name)},
        "blas": _blas(),
    }


def _cpu():
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return lines[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _blas():
    if not util.find_spec("threadpoolctl"):
        return "unknown: threadpoolctl is not installed"
    import threadpoolctl

    found = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    names = {f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip() for pool in found}
    return ", ".join(sorted(names)) or "none"
