"""python -m benchmarks: samplers, log Z and training, timed beside the peers that are installed, in one run."""

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks import against, computer, report
from dvae_ref import STRUCTURES

NAMES = {
    "gibbs": "block Gibbs, beside PyTorch, JAX and thrml",
    "ais": "annealed importance sampling, beside PyTorch and JAX",
    "annealing": "population annealing, beside PyTorch; pa beside pcd",
    "enumeration": "exact log Z, beside dimod",
    "training": "a training step, with the sampler and without it, beside PyTorch and JAX (on the most cores only)",
    "parts": "where a spin's time goes, on one core",
    "scaling": "figures: cost over chains and sizes, in --out",
}
EPILOG = """
python -m benchmarks against REV measures this tree beside that of a commit, python -m benchmarks gpu the kernels for a
GPU (--help says how).
peers, all optional: pip install torch jax thrml dimod threadpoolctl
Every contender has a process of its own, which sleeps while another one has the turn. Times are medians over rounds of
turns; a ratio is the median over the rounds of theirs/ours. Memory is the most that a process had, and what of it was
taken by its imports.
exit codes: 0 done, 1 a contender failed, 2 wrong usage, 130 interrupted.
"""


def build_parser():
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    listed = "; ".join(f"{name}: {text}" for name, text in NAMES.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (default: all). {listed}")
    parser.add_argument("--cores", type=int, nargs="+", help="default: 1 and 2, training on 2 alone")
    parser.add_argument(
        "--structures", nargs="+", choices=STRUCTURES, metavar="S", help=f"of training: {', '.join(STRUCTURES)}"
    )
    parser.add_argument("--k", type=int, nargs="+", metavar="K", help="of training: samples of zeta (default: 1 5 25)")
    parser.add_argument("--quick", action="store_true", help="small and few: does it run?")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--out", default="out/bench", metavar="DIR", help="folder of the figures (default: %(default)s)"
    )
    return parser


def main(argv=None):
    """The command: its exit code. `against` and `gpu` are programs of their own, with their own options."""
    argv = sys.argv[1:] if argv is None else argv
    program, *rest = argv or [""]
    if program == "against":
        return against.main(rest)
    if program == "gpu":
        from benchmarks import gpu

        return gpu.main(rest)
    parser = build_parser()
    args = parser.parse_args(argv)
    refuse(parser, args)
    names = args.names or list(NAMES)
    found, pictures = [], {}
    try:
        for cores in args.cores or computer.usual_cores():
            found += measure(names, cores, args)
        if "scaling" in names:
            pictures = figures(args)
    except KeyboardInterrupt:
        return 130
    if args.json:
        print(json.dumps({"runs": found, "scaling": pictures}))
    return int(any(report.failures(run) for run in found))


def refuse(parser, args):
    """Wrong usage ends the program."""
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    computer.refuse_cores(parser, args.cores or [])
    if min(args.k or [1]) < 1:
        parser.error(f"--k must be at least 1, got {' '.join(map(str, args.k))}")


def measure(names, cores, args):
    """[the record of so many cores], printed as it grows; [] if there is nothing to measure on them."""
    chosen = [name for name in names if name in on_cores(cores, args)]
    if not chosen:
        return []
    from benchmarks import timing

    machine, found = computer.describe(cores), []
    report.show_machine(machine)
    for name in chosen:
        for case in cases(name, args):
            records, blas = timing.measure(case, cores, args.quick)
            machine["blas"] = blas
            found.append({"case": case.name, "unit": case.unit, "agreement": case.agreement, "contenders": records})
            report.show(found[-1])
        if name == "parts":
            found += parts(args.quick)
    print(f"\nBLAS of dvae_ref: {machine.get('blas', 'not asked for')}", flush=True)
    return [{"machine": machine, "cases": found}]


def on_cores(cores, args):
    """What is measured on so many cores: parts on one; training on the most, unless cores are asked for."""
    found = set(NAMES) - {"scaling"}
    if cores > 1:
        found.remove("parts")
    if not args.cores and cores < max(computer.usual_cores()):
        found.remove("training")
    return found


def cases(name, args):
    """The Cases of a name; none of parts and scaling, which compare nobody."""
    from benchmarks.cases import CASES

    if name == "training":
        return CASES[name](args.quick, structures=args.structures, samples=args.k)
    return CASES[name](args.quick) if name in CASES else []


def parts(quick):
    """The records of benchmarks.parts, printed, from a process of its own: compiled code of one core."""
    from benchmarks.processes import Worker

    with Worker(("benchmarks.parts:contender", quick), cores=1) as worker:
        found = worker.answer or [{"case": "Parts", "unit": "ns/spin", "contenders": {"dvae_ref": worker.out}}]
    for record in found:
        report.show(record)
    return found


def figures(args):
    """The points of benchmarks.scaling, drawn into --out."""
    from benchmarks import scaling

    Path(args.out).mkdir(parents=True, exist_ok=True)
    found = scaling.measure(args.quick)
    for path in scaling.draw(found, args.out, computer.describe(os.cpu_count())):
        print(f"wrote {path}")
    return found


if __name__ == "__main__":
    sys.exit(main())
