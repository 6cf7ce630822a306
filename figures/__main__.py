"""python -m figures FIGURE: compute what a figure shows, draw it as PNG and PDF, keep its numbers as npz."""

from dvae_ref.program import entry

if __name__ == "__main__":
    entry.leave_on_interrupt()

import argparse
import json
import sys
import time
from pathlib import Path

from dvae_ref import blas
from dvae_ref.program import process, usage
from figures import NAMES
from figures.options import SCALES, Options, better

EPILOG = """
figures:
{figures}
  all                all of them

  python -m figures all --quick        all in a few minutes, on small samples
  python -m figures fig2c              trains four models on the bundled digits, some minutes
  python -m figures fig2a --run-dir DIR    of a model that `python -m dvae_ref train` left in DIR

Training runs and measurements are kept in --out by their settings: the same command again continues where it was
stopped, and draws at once what is there already. What a figure is of, its scale, seed, version and settings, stands
below it and in its npz; none is written in the place of one of a better scale.

exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""


def build_parser():
    """The options, with what a figure is and what a scale takes, from NAMES and SCALES."""
    listed = "\n".join(f"  {name:<19}{text}" for name, text in NAMES.items())
    parser = usage.Parser(
        "python -m figures",
        description="Regenerate the figures of the paper, and two supplements.",
        epilog=EPILOG.format(figures=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="FIGURE", help=f"{', '.join(NAMES)} or all")
    size = parser.add_mutually_exclusive_group()
    for scale in ("quick", "full"):
        size.add_argument(f"--{scale}", action="store_const", dest="scale", const=scale, help=SCALES[scale])
    parser.add_argument("--out", default="out/figures", metavar="DIR", help="folder to write to (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    parser.add_argument("--threads", type=int, help="cores to use (default: all that this process may use)")
    parser.add_argument("--data-dir", help="where data sets are, for --full (default: as for dvae_ref train)")
    parser.add_argument("--run-dir", help="for fig2a: the model of this run of dvae_ref train")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(scale="default")
    return parser


def main(argv=None):
    """The command: its exit code. Nothing heavy is imported until the arguments are known to be good."""
    args = entry.parse(build_parser(), argv)
    return entry.guarded("python -m figures", lambda: carry_out(args), args.debug)


def carry_out(args):
    """Make the figures one after the other, BLAS on one thread, as their bytes want it."""
    process.prepare()  # before NumPy is loaded
    chosen, options = checked(args)
    entry.ready()
    try:
        with blas.one_thread():
            made = [make(name, options) for name in chosen]
    except KeyboardInterrupt:
        print("interrupted; what is done is kept: the same command goes on from there", file=sys.stderr, flush=True)
        raise
    if args.json:
        print(json.dumps({"scale": args.scale, "seed": args.seed, "figures": made}))
    return 0


def refuse_usage(args):
    """UsageError for names that are no figures, a seed that Philox does not take, a --run-dir for another figure."""
    unknown = [name for name in args.names if name not in (*NAMES, "all")]
    if unknown:
        raise entry.UsageError(f"no figure {', '.join(unknown)}; there are {', '.join(NAMES)} and all")
    if not 0 <= args.seed < 2**63:
        raise entry.UsageError(f"--seed must lie in 0 <= seed < 2**63, got {args.seed}")
    if args.run_dir and args.names != ["fig2a"]:
        raise entry.UsageError("--run-dir gives fig2a its model; it goes with fig2a alone")


def checked(args):
    """(the figures to make, Options). UsageError if they make no sense, ValueError or OSError if they cannot be written
    or would take the place of better ones: before any work."""
    from dvae_ref.files import writing
    from dvae_ref.program.console import use_threads

    refuse_usage(args)
    use_threads(args)
    chosen = [name for name in NAMES if name in args.names or "all" in args.names]
    out = Path(args.out)
    writing.make_folder(out)
    for name in chosen:
        for path in paths(out, name).values():
            writing.check_writable(path)
        refuse_to_worsen(paths(out, name)["npz"], args.scale)
    return chosen, Options(out, args.scale, args.seed, args.threads, args.data_dir, args.run_dir)


def paths(out, name):
    """Where a figure goes, by kind of file."""
    return {kind: out / f"{name}.{kind}" for kind in ("npz", "png", "pdf")}


def refuse_to_worsen(path, scale):
    """ValueError if a figure's npz that is there is of a better scale than is asked for, or does not say."""
    from figures import store

    if not path.exists():
        return
    there = store.provenance(store.read(path))
    if there is None and scale == "quick":
        raise ValueError(f"{path} does not say of what scale it is, and --quick may be worse; give another --out")
    if there is not None and better(there["scale"], scale):
        raise ValueError(f"{path} is of the scale {there['scale']!r}, better than {scale!r}; give another --out")


def make(name, options):
    """Compute and draw a figure: its files and what to say of it, {name, seconds, summary, npz, png, pdf}.

    What is drawn is read from the npz: who has that alone draws the same picture.
    """
    import figures
    from figures import store, style

    start, module = time.perf_counter(), figures.load(name)
    data = module.compute(options)
    places = paths(options.out, name)
    store.write(places["npz"], data | store.origin(name, module, options))
    picture = draw(module, store.read(places["npz"]))
    for kind in ("png", "pdf"):
        style.save(picture, places[kind], kind)
    seconds, text = time.perf_counter() - start, module.summary(data)
    print(f"{name}: {NAMES[name]}\n{text}\nwrote {places['png']}, .pdf and .npz in {seconds:.0f} s\n", flush=True)
    return {"name": name, "seconds": seconds, "summary": text, **{kind: str(path) for kind, path in places.items()}}


def draw(module, data):
    """The Figure of what is in an npz, with its provenance below it, if it has one."""
    from figures import store, style

    picture = module.plot(data)
    found = store.provenance(data)
    if found:
        style.footer(picture, store.in_words(found))
    return picture


if __name__ == "__main__":
    entry.run(main)
