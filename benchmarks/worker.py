"""python -m benchmarks.worker: measures some cases in a process that was given its cores, and prints JSON.

Started by `benchmarks`, because libraries take their number of threads when they are imported.
"""

import argparse
import json
import os


def use_cores(count):
    """This process and all that it imports later on so many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for library in ("OPENBLAS", "MKL", "OMP", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    use_cores(args.cores)

    from benchmarks import cases, machines, parts, timing

    _tell_torch(args.cores)
    rounds, seconds = (3, 0) if args.quick else (7, 8)
    found = []
    for name in args.names:
        if name == "parts":
            found += parts.measure(args.quick)
            continue
        for case in cases.CASES[name](args.quick):
            contenders = timing.measure(case, rounds, seconds)
            record = {"case": case.name, "unit": case.unit, "agreement": case.agreement, "contenders": contenders}
            found.append(record)
    print(json.dumps({"machine": machines.describe(), "cases": found}))


def _tell_torch(cores):
    try:
        from benchmarks import peers_torch
    except ImportError:
        return
    peers_torch.use_threads(cores)


if __name__ == "__main__":
    main()
