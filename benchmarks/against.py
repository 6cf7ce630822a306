"""python -m benchmarks against REV: how many times as fast this tree is as the commit REV, row by row.

REV's `dvae_ref` is unpacked into a temporary folder, which is removed afterwards, and runs in the environment at hand.
This tree is taken as it is, with whatever is not committed. The script that measures is this tree's on both sides.
"""

import argparse
import contextlib
import fnmatch
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks import computer, report
from benchmarks.processes import ROOT, Worker

EPILOG = """
rows:
  gibbs-100|200|400|1024       block Gibbs, units a side, 1,000 chains, whole calls of 40 sweeps
  ais                          100 x 100, 1,000 chains, 10,000 temperatures
  moments-100|200              a call of 0 sweeps, with moments
  step-STRUCTURE-kK            a training step of 100 images with the sampler, K = 1, 5, 25 (step-1-layer-nonlin-k1)
  step-STRUCTURE-kK-alone      the same without the sampler
  evaluation                   log p(x) of an image by 4,000 samples, 1-layer-nonlin

examples:
  python -m benchmarks against 1c7b2bf --rows gibbs evaluation
  python -m benchmarks against HEAD~3 --rows 'step-*-k1-alone' --cores 1 --rounds 31
  python -m benchmarks against v0.1.0 --json | tail -1 > ratios.json

Each side has a process of its own for a row, which sleeps while the other one has the turn; who came last in a round
begins the next. A turn is a run to warm up and a run that counts. Printed are the times of both (medians, least in
brackets) and how many times as fast this tree is: the median of the rounds' ratios, the least of them, the ratio of the
two least times, and the median ratio of processor time, which other programs disturb the least. Above 1: faster now.
`differ` says how far the answers of both are apart. Compare within one run only.
exit codes: 0 done, 1 a row failed or there is no such commit, 2 wrong usage, 130 interrupted.
"""


def build_parser():
    parser = argparse.ArgumentParser(
        "python -m benchmarks against",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rev", metavar="REV", help="a commit of this repository: a hash, a tag, HEAD~3")
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help="rows, beginnings of their names or patterns with * (default: all)"
    )
    parser.add_argument("--cores", type=int, nargs="+", metavar="N", help="default: 1 and 2")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="at least (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="at least, a row (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


def main(argv=None):
    """The command: its exit code. Interrupted, it leaves no worker and no folder."""
    parser = build_parser()
    args = parser.parse_args(argv)
    rows = chosen(args.rows)
    refuse(parser, args, rows)
    found = []
    try:
        with checked_out(args.rev) as trees:
            for cores in args.cores or computer.usual_cores():
                found.append(measure(rows, trees, cores, args))
    except LookupError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.json:
        print(json.dumps({"rev": args.rev, "commit": commit(args.rev), "runs": found}))
    return int(any(report.failed(row) for run in found for row in run["rows"]))


def refuse(parser, args, rows):
    """Wrong usage ends the program."""
    if not rows:
        parser.error(f"no row {' or '.join(args.rows)}; see --help")
    computer.refuse_cores(parser, args.cores or [])
    if args.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {args.rounds}")


def chosen(patterns):
    """{name: Case} of the rows whose names fit one of the patterns, or begin with it; of all without any."""
    from benchmarks.rows import cases

    rows = cases()
    for name in list(rows):
        if patterns and not any(fnmatch.fnmatchcase(name, p) or name.startswith(p) for p in patterns):
            del rows[name]
    return rows


def commit(rev):
    """The whole hash; LookupError if there is no such commit."""
    return _git("rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}").decode().strip()


def _git(*arguments):
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise LookupError("there is no git here to take a commit from") from None
    if done.returncode:
        raise LookupError(f"git {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout


@contextlib.contextmanager
def checked_out(rev):
    """{side: folder}: of `now` this tree, of `before` that of the commit, with this tree's benchmarks."""
    packed = _git("archive", "--format=tar", commit(rev), "--", "dvae_ref")
    with tempfile.TemporaryDirectory(prefix="dvae_ref-against-") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        shutil.copytree(ROOT / "benchmarks", Path(folder) / "benchmarks")
        yield {"now": ROOT, "before": Path(folder)}


def measure(rows, trees, cores, args):
    """The record of so many cores, printed as it grows."""
    machine, found = computer.describe(cores), []
    report.show_machine(machine)
    print(f"\n{'':32s}{args.rev + ' (least)':>20s}{'now (least)':>20s}   times as fast: median, least, of least, CPU")
    for name, case in rows.items():
        contenders, blas = compare(case, trees, cores, args.rounds, args.seconds)
        found.append({"row": name, "case": case.name, "unit": case.unit, "contenders": contenders})
        print(line(name, case, contenders), flush=True)
        machine["blas"] = blas
    print(f"BLAS: {machine['blas']}", flush=True)
    return {"machine": machine, "rows": found}


def compare(case, trees, cores, rounds, seconds):
    """{side: record} as of timing.summarize; that of `before` has the ratios to ours of clock and of processor."""
    from benchmarks import timing

    made = case.contenders
    with Worker(made["now"], cores, trees["now"]) as now, Worker(made["before"], cores, trees["before"]) as before:
        workers = {"now": now, "before": before}
        times = timing.take_turns(workers, rounds, seconds)
    found = timing.summarize(case, workers, times)
    if not now.out and not before.out:
        of_least = min(times["before"]) / min(times["now"])
        found["before"] |= {"least_ratio": min(_ratios(times["before"], times["now"])), "ratio_of_least": of_least}
        found["before"] |= {"busy_ratio": statistics.median(_ratios(before.busy, now.busy))}
    return found, now.blas


def _ratios(before, now):
    """How many times as long `before` took, round by round."""
    return [then / this for then, this in zip(before, now, strict=True)]


def line(name, case, contenders):
    """A row as it is printed: both times, four ratios, how far the answers are apart; or why one took no part."""
    for side, record in contenders.items():
        if "median" not in record:
            return f"{name:32s}{side}: {record.get('absent') or record['failed']}"
    now, before = contenders["now"], contenders["before"]
    ratios = [before[kind] for kind in ("ratio", "least_ratio", "ratio_of_least", "busy_ratio")]
    line = f"{name:32s}{_time(before):>20s}{_time(now):>20s} {case.unit:8s}"
    line += " ".join(f"{ratio:6.2f}" for ratio in ratios)
    return f"{line}   differ {before['deviation']:.2g} ({case.agreement})"


def _time(record):
    """Median and, in brackets, the least, in the case's unit."""
    return f"{record['median']:.4g} ({record['least']:.4g})"
