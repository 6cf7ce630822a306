"""python -m validation: check the claims, print what was found, write the report; or break each formula in turn."""

from dvae_ref.program import entry

if __name__ == "__main__":
    entry.leave_on_interrupt()

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

from tqdm import tqdm

from dvae_ref import blas
from dvae_ref.program import process, usage

EPILOG = """
  python -m validation --quick            every claim on small samples, two minutes of CPU time
  python -m validation                    every claim, and out/validation/report.html
  python -m validation ais log_px         two of them
  python -m validation --sabotage         break each formula in turn: every break must be caught by its claim

exit codes: 0 all claims hold (all breaks are caught), 1 one does not, 2 wrong usage, 130 interrupted.
"""


def build_parser():
    parser = usage.Parser(
        "python -m validation",
        description="Hold the claims of the paper against exact answers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="which claims (default: all; see --list)")
    parser.add_argument("--list", action="store_true", help="list the claims and what they state")
    parser.add_argument("--quick", action="store_true", help="small samples: the whole in two minutes of CPU time")
    parser.add_argument(
        "--sabotage", action="store_true", help="break the formulas that these claims prove, one by one"
    )
    parser.add_argument("--table", metavar="FILE", help="with --sabotage: write a Markdown page of the breaks here")
    parser.add_argument(
        "--out", default="out/validation", metavar="DIR", help="folder of the report (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    return parser


def main(argv=None):
    options = entry.parse(build_parser(), argv)
    return entry.guarded("python -m validation", lambda: carry_out(options))


def carry_out(options):
    process.prepare()  # before NumPy is loaded
    chosen = load(options)
    entry.ready()
    if options.list:
        print("\n".join(f"{claim.name:20s} {claim.statement}" for claim in chosen))
        return 0
    with blas.one_thread():
        return sabotage(chosen, options) if options.sabotage else validate(chosen, options)


def load(options):
    """The claims that are asked for. UsageError if there is no such claim, or a package is missing."""
    if not 0 <= options.seed < 2**32:
        raise entry.UsageError(f"--seed must lie in 0 <= seed < 2**32, got {options.seed}")
    from validation import claims

    unknown = [name for name in options.claims if name not in claims.NAMES]
    if unknown:
        raise entry.UsageError(f"unknown claim {', '.join(unknown)}; there are {', '.join(claims.NAMES)}")
    try:
        return claims.load(options.claims or claims.NAMES)
    except ModuleNotFoundError as error:
        raise entry.UsageError(f"validation needs {error.name}: pip install '.[test]'") from error


def validate(chosen, options):
    """Check the claims and write the report: 0 if all hold, else 1."""
    from validation import report

    report.check_writable(Path(options.out))
    results = []
    seconds = {claim.name: claim.seconds[0 if options.quick else 1] for claim in chosen}
    with progress_bar(sum(seconds.values()), options) as bar:
        for claim in chosen:
            bar.set_description(claim.name)
            result = run(claim, options.quick, options.seed)
            results.append(result)
            bar.write(report.as_text(result), file=sys.stdout)
            bar.update(seconds[claim.name])
    path = report.write(Path(options.out), results, quick=options.quick, seed=options.seed)
    failed = [r.claim.name for r in results if not r.passed]
    findings = sum(len(r.findings) for r in results)
    verdict = "all claims hold"
    if failed:
        verdict = f"{len(failed)} of {len(results)} claims FAIL: {', '.join(failed)}"
    print(f"\n{verdict} ({len(results)} claims, {findings} findings); the report is {path}")
    if options.json:
        print(json.dumps({"passed": not failed, "report": str(path), "claims": [r.to_json() for r in results]}))
    return int(bool(failed))


def run(claim, quick, seed):
    """The Result of checking a claim. A check that raises has failed: what it raised is its one finding."""
    from validation.claim import failure
    from validation.report import Result

    start = time.perf_counter()
    try:
        findings, data = claim.check(quick=quick, seed=seed)
    except Exception as error:
        traceback.print_exc()
        findings, data = [failure(error)], None
    return Result(claim, tuple(findings), data, time.perf_counter() - start)


def sabotage(chosen, options):
    """Break the formulas that these claims prove: 0 if every break is caught, else 1."""
    from validation import matrix, sabotage
    from validation.breaks import BREAKS

    names = {claim.name for claim in chosen}
    breaks = [b for b in BREAKS if b.claim in names]
    outcomes = try_all(breaks, options)
    survivors = [o.broken.name for o in outcomes if not o.caught]
    lines = [""]
    if matrix.claims() <= names:
        survivors += matrix.tables(options.seed, lines.append)
    print("\n".join(lines))
    if options.table:
        page = sabotage.PAGE.format(table=sabotage.table(outcomes), matrix="\n".join(lines))
        Path(options.table).write_text(page, encoding="utf-8")
    verdict = f"{len(survivors)} SURVIVE: {'; '.join(survivors)}" if survivors else "every break is caught"
    print(f"\n{len(outcomes)} breaks: {verdict}")
    if options.json:
        print(json.dumps({"passed": not survivors, "breaks": [o.to_json() for o in outcomes]}))
    return int(bool(survivors))


def try_all(breaks, options):
    """The Outcomes, each printed as soon as it is known."""
    from validation import sabotage

    outcomes = []
    with progress_bar(len(breaks), options) as bar:
        for one in breaks:
            bar.set_description(one.claim)
            outcome = sabotage.try_break(one, options.seed)
            outcomes.append(outcome)
            bar.write(sabotage.as_text(outcome), file=sys.stdout)
            bar.update()
    return outcomes


def progress_bar(total, options):
    """A bar with the time left, on the terminal only."""
    form = "{desc:20s} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    hidden = options.no_progress or not sys.stderr.isatty()
    tqdm.monitor_interval = 0  # no thread that looks after bars
    return tqdm(total=total, bar_format=form, miniters=1, disable=hidden, leave=False)


if __name__ == "__main__":
    entry.run(main)
