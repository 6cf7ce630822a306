"""python -m benchmarks gpu: what only a GPU can say about the samplers' CUDA kernels, as one JSON object.

Seconds, the least and the median of some repeats. A kernel's are measured by CUDA events, a call's by the host's clock,
copies and all. Under numba's simulator (NUMBA_ENABLE_CUDASIM=1), which shows that this program works and nothing else,
everything is by the host's clock.
"""

import argparse
import json
import subprocess
import sys
import time
from importlib import util
from pathlib import Path
from typing import NamedTuple

from benchmarks import computer

SMI = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,temperature.gpu,power.draw"
PARTS = ("kernels", "gibbs", "ais", "resampling", "updates")
EPILOG = """
keys of the JSON: machine, gpu, start (import, context, the kernel of one thread, an empty launch), kernels (seconds of
the first launch, whether compiled code was found on disk, registers, spilled bytes), gibbs, ais, resampling, updates,
clocks (nvidia-smi before and after), errors.
exit codes: 0 done, 1 no GPU, or something failed or differs from the CPU (errors says what), 2 wrong usage.
"""


class Plan(NamedTuple):
    """How much is measured."""

    shapes: tuple  # (left, right) of the machines; the first also for all but Gibbs
    chains: tuple
    sweeps: int
    repeats: int  # of a time, of which the least and the median are told
    temperatures: int  # of AIS
    ais_chains: int
    replicas: int  # that are resampled
    most_spins: float  # to a sweep: more take too long, or too much memory
    most_compared: int  # spins to a sweep that the CPU repeats


WHOLE = Plan(
    shapes=((100, 100), (200, 200), (133, 40), (400, 400), (1000, 1000)),
    chains=(1_000, 10_000, 100_000, 1_100_000),  # the last: more than 65,535 blocks of 16
    sweeps=40,
    repeats=10,
    temperatures=10_000,
    ais_chains=1_000,
    replicas=200_000,
    most_spins=5e8,
    most_compared=20_000_000,
)
QUICK = Plan(((5, 6), (3, 2)), (2, 9), 1, 1, 3, 4, 20, 5e8, 20_000_000)


def build_parser():
    parser = argparse.ArgumentParser(
        "python -m benchmarks gpu",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run?")
    parser.add_argument("--out", default="out/bench/gpu.json", metavar="FILE", help="default: %(default)s")
    return parser


def main(argv=None):
    """The command: its exit code. The record is written and printed in any case, with what failed among its errors."""
    args = build_parser().parse_args(argv)
    found = measure(QUICK if args.quick else WHOLE)
    text = json.dumps(found, indent=1, allow_nan=False)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(text + "\n", encoding="utf-8")
    print(text)
    for error in found["errors"]:
        print(f"error: {error}", file=sys.stderr)
    return int(bool(found["errors"]))


def measure(plan):
    """All of it, as a dictionary. What fails is among its errors, and the rest goes on."""
    obstacle, spent = start()
    found = {"machine": computer.describe(None), "start": spent, "clocks": {"before": clocks()}, "errors": []}
    if obstacle is not None:
        found["errors"].append(f"no CUDA: {obstacle}")
        return found
    from benchmarks import gpu_parts

    found["gpu"] = gpu_parts.gpu()
    for name in PARTS:
        try:
            found[name] = getattr(gpu_parts, name)(plan)
        except Exception as error:  # whatever a GPU, driver or compiler may say: the other parts are wanted, too
            found["errors"].append(f"{name}: {type(error).__name__}: {error}")
    found["clocks"]["after"] = clocks()
    found["errors"] += differences(found)
    return found


def differences(found):
    """What is not as on the CPU. What was too large to compare says nothing of it, and is none."""
    rows = {}
    for row in found.get("gibbs", []):
        rows[f"gibbs, {row['left']} x {row['right']}, {row['chains']} chains"] = row
    for name in ("ais", "resampling"):
        rows[name] = found.get(name, {})
    for name, row in found.get("updates", {}).items():
        rows[f"update, {name}"] = row
    return [f"{name}: not as on the CPU" for name, row in rows.items() if row.get("same") is False]


def start():
    """(what stands in the way of CUDA, or None; seconds of what comes before the first kernel of ours)."""
    begun = time.perf_counter()
    from dvae_ref.sampling import backend, population_annealing  # noqa: F401

    imported = time.perf_counter()
    if util.find_spec("numba_cuda"):
        from numba import cuda

        if cuda.is_available():
            cuda.current_context()
    ready = time.perf_counter()
    obstacle = backend.why_not_cuda()  # which compiles and runs a kernel
    kernel = time.perf_counter() - ready
    return obstacle, {"import": imported - begun, "context": ready - imported, "a kernel of one thread": kernel}


def clocks():
    """What nvidia-smi says of the GPU, name by name; None where there is none."""
    command = ["nvidia-smi", f"--query-gpu={SMI}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(SMI.split(","), said.splitlines()[0].split(", "), strict=True))
