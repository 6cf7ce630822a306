"""python tests/fuzz: hostile whole commands, each in a child of its own; what is promised of all of them is held.

    make fuzz                                   10,000 inputs
    python tests/fuzz --inputs 300 --seed 7     others
    python tests/fuzz --only run_folders/123    one of them, with what it says

Promised is: exit code 0, 1, 2 or 130; no signal; no traceback, no "Exception ignored"; a word where it fails; nothing
left beside what the command is there to write; nobody else's file changed; no pickle loaded.
"""

import argparse
import os
import sys

import campaign
import outcomes


def build_parser():
    parser = argparse.ArgumentParser("python tests/fuzz", description="Hostile whole commands, a child each.")
    parser.add_argument("--inputs", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of all of them (default: 0)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=cores, help="at a time (default: as many as there are cores)")
    parser.add_argument("--surface", nargs="+", choices=tuple(campaign.SURFACES), help="only these (default: all)")
    parser.add_argument("--only", metavar="SURFACE/INDEX", help="only this input, with all that it says")
    return parser


def main():
    args = build_parser().parse_args()
    names = [args.only] if args.only else campaign.names(args.inputs, args.surface or campaign.SURFACES)
    verdicts = []
    for verdict in campaign.run(names, args.seed, args.jobs, show=bool(args.only)):
        verdicts.append(verdict)
        if verdict.faults:
            print(described(verdict), flush=True)
        if len(verdicts) % 500 == 0:
            print(f"{len(verdicts):,} inputs, {sum(bool(v.faults) for v in verdicts)} with faults", flush=True)
    print(outcomes.table(sorted(verdicts)))
    return int(any(verdict.faults for verdict in verdicts))


def described(verdict):
    """What did not hold, and the end of what the command said."""
    faults = "; ".join(f"{kind}: {detail}" for kind, detail in verdict.faults)
    return f"-- {verdict.name}: {faults}\n{verdict.command}\n{verdict.output[-1500:]}"


if __name__ == "__main__":
    sys.exit(main())
