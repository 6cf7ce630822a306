"""python -m benchmarks: the samplers and log Z, timed beside the peers that are installed, in one run."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

NAMES = {
    "gibbs": "block Gibbs, beside PyTorch, JAX and thrml",
    "ais": "annealed importance sampling, beside PyTorch and JAX",
    "annealing": "population annealing, beside PyTorch; pa beside pcd",
    "enumeration": "exact log Z, beside dimod",
    "parts": "where a spin's time goes, on one core",
    "scaling": "figures: cost over chains and sizes, in --out",
}
EPILOG = """
peers, all optional: pip install torch jax thrml dimod threadpoolctl
Times are medians over rounds in which the contenders take turns; a ratio is the median over the rounds of theirs/ours.
exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""


def build_parser():
    most = os.cpu_count()
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    listed = "; ".join(f"{name}: {text}" for name, text in NAMES.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (default: all). {listed}")
    parser.add_argument("--cores", type=int, nargs="+", default=sorted({1, min(2, most)}), help="default: 1 and 2")
    parser.add_argument("--quick", action="store_true", help="small and few: does it run?")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--out", default="out/bench", metavar="DIR", help="folder of the figures (default: %(default)s)"
    )
    return parser


def main(argv=None):
    parser = build_parser()
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if not all(1 <= cores <= os.cpu_count() for cores in args.cores):
        parser.error(f"--cores must lie in 1 to {os.cpu_count()}, got {' '.join(map(str, args.cores))}")
    names, found = args.names or list(NAMES), []
    try:
        found = [record for cores in args.cores if (record := in_process(names, cores, args))]
        pictures = figures(args) if "scaling" in names else {}
    except subprocess.CalledProcessError as error:
        parser.exit(1, f"python -m benchmarks: a measurement failed with exit code {error.returncode}\n")
    except KeyboardInterrupt:
        return 130
    if args.json:
        print(json.dumps({"runs": found, "scaling": pictures}))
    return 0


def in_process(names, cores, args):
    """The record of a worker on so many cores, printed; None if there is nothing to measure on them."""
    chosen = [name for name in names if name != "scaling" and (name != "parts" or cores == 1)]
    if not chosen:
        return None
    quick = ["--quick"] if args.quick else []
    command = [sys.executable, "-m", "benchmarks.worker", *chosen, "--cores", str(cores), *quick]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), check=True, text=True)
    record = json.loads(done.stdout.splitlines()[-1])
    show(record)
    return record


def environment():
    """Without settings that make OpenBLAS use another kernel than the one for this CPU."""
    return {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def figures(args):
    from benchmarks import machines, scaling

    Path(args.out).mkdir(parents=True, exist_ok=True)
    found = scaling.measure(args.quick)
    for path in scaling.draw(found, args.out, machines.describe()):
        print(f"wrote {path}")
    return found


def show(record):
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"\n{machine['cpu']}, {machine['cores']} core(s); {versions}\nBLAS: {machine['blas']}")
    for case in record["cases"]:
        show_parts(case) if "parts" in case else show_case(case)
    sys.stdout.flush()


def show_case(case):
    print(f"\n{case['case']}  [{case['unit']}]")
    for name, found in case["contenders"].items():
        if "absent" in found:
            print(f"  {name:16s} {found['absent']}")
            continue
        line = f"  {name:16s} {found['median']:10.4g}   ({found['least']:.4g} to {found['largest']:.4g})"
        if found["deviation"] is not None:
            line += (
                f"   {found['ratio']:6.2f} x ours   (answers differ by {found['deviation']:.2g}, {case['agreement']})"
            )
        print(line)


def show_parts(case):
    print(f"\nParts, one core, {case['parts']}  [{case['unit']}]")
    for name, value in case["found"].items():
        print(f"  {name:34s} {value:8.3g}")
    if case["a spin"]:
        print("  a spin takes " + ", ".join(f"{value} {name}" for name, value in case["a spin"].items()))


if __name__ == "__main__":
    sys.exit(main())
