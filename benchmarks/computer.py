"""What measures: the CPU, the libraries, the memory of a process. Imports nothing that has threads.

Libraries read how many threads to have when they are loaded: `use_cores` comes before them.
"""

import os
import platform
import resource
import sys
from importlib import metadata, util

PACKAGES = ("numpy", "numba", "torch", "jax", "thrml", "dimod")


def refuse_cores(parser, asked):
    """Numbers of cores that this computer does not have end the program."""
    if not all(1 <= cores <= os.cpu_count() for cores in asked):
        parser.error(f"--cores must lie in 1 to {os.cpu_count()}, got {' '.join(map(str, asked))}")


def usual_cores():
    """On how many cores a comparison is made unless it is said: 1 and 2."""
    return [1, 2] if os.cpu_count() > 1 else [1]


def describe(cores):
    """CPU, cores in use, versions of what is installed."""
    return {
        "cpu": _cpu(),
        "cores": cores,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES if util.find_spec(name)},
    }


def _cpu():
    """The name of the CPU: of Linux's first one, elsewhere what Python knows."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return lines[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def blas():
    """The BLAS kernels that this process has loaded."""
    if not util.find_spec("threadpoolctl"):
        return "unknown: threadpoolctl is not installed"
    import threadpoolctl

    found = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    names = {f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip() for pool in found}
    return ", ".join(sorted(names)) or "none"


def peak_memory():
    """The most that this process had in memory at any time, in MB.

    ru_maxrss alone would not do on Linux: a process inherits it from the one that started it.
    """
    try:
        with open("/proc/self/status") as file:
            kilobytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kilobytes = peak / 1024 if sys.platform == "darwin" else peak
    return kilobytes / 1024


def use_cores(count, blas_threads):
    """This process and all that it imports later on so many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for library, threads in {"OPENBLAS": blas_threads, "MKL": blas_threads, "OMP": count, "NUMBA": count}.items():
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
