"""The command line, python -m dvae_ref COMMAND (or dvae-ref COMMAND): parses, calls, prints; no mathematics."""

import argparse
from dataclasses import fields
from fractions import Fraction

from dvae_ref import __version__, blas
from dvae_ref.program import entry, process, usage
from dvae_ref.runs.presets import BASELINES, CHOICES, DATASETS, SAMPLERS, STRUCTURES, Settings

FORMATTER = {"formatter_class": argparse.RawDescriptionHelpFormatter}
EPILOG = """
first steps:
  python -m dvae_ref train --num-train-iter 5000 --run-dir out/first      train on the bundled digits (about 2 minutes)
  python -m dvae_ref evaluate --run-dir out/first                         its test log-likelihood
  python -m dvae_ref sample --run-dir out/first                           digits from the prior, as a picture

a cell of Table 1, once MNIST is there (python -m dvae_ref data fetch binarized_mnist):
  python -m dvae_ref train --dataset binarized_mnist --struct 2-layer-nonlin --baseline dvaes_power --k 25

another implementation, equation by equation:
  python -m dvae_ref conformance show log_q_power                         what an equation's inputs and outputs are
  python -m dvae_ref conformance export kit                               inputs and outputs of every equation
  python -m dvae_ref conformance check kit theirs                         what differs, and which mistake it looks like

exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""


def numbers(text):
    """Numbers separated by commas; 1/3 is one, too."""
    try:
        parts = [part.partition("/") for part in text.split(",")]
        return tuple(float(above) / float(below if slash else 1) for above, slash, below in parts)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got {text!r}") from None


def shown(default):
    """A default as it may be typed in: the same value."""
    if not isinstance(default, tuple):
        return default
    short = [Fraction(value).limit_denominator(100) for value in default]
    exact = [str(ratio) if float(ratio) == value else repr(value) for ratio, value in zip(short, default, strict=True)]
    return ",".join(text if len(text) <= len(repr(v)) else repr(v) for text, v in zip(exact, default, strict=True))


def glossary():
    """What the names of models, structures and samplers stand for."""
    models = {name: baseline.title for name, baseline in BASELINES.items()}
    structures = {name: structure.title for name, structure in STRUCTURES.items()}
    tables = {"models (--baseline), the columns of Table 1": models, "structures (--struct), its rows": structures}
    tables["samplers (--sampler)"] = SAMPLERS
    lines = [[f"{title}:", *(f"  {name:<16}{text}" for name, text in table.items())] for title, table in tables.items()]
    return "\n\n".join("\n".join(part) for part in lines)


def add_settings(parser, leave_out=()):
    """An option for each field of Settings. What is not given is absent, so that --resume can tell."""
    for f in (f for f in fields(Settings) if f.name not in leave_out):
        kind = {tuple: numbers, float: float, int: int, str: str}[f.type]
        default = "" if f.default is None else f" (default: {shown(f.default)})"
        text = f.metadata["help"]
        parser.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=kind,
            choices=tuple(CHOICES[f.name]) if f.name in CHOICES else None,
            metavar={tuple: "X,Y,...", str: None}.get(f.type, kind.__name__.upper()),
            default=argparse.SUPPRESS,
            help=(text.split(":")[0] if f.name in CHOICES else text) + default,  # argparse lists the choices itself
        )


def add_common(parser, run_dir):
    parser.add_argument("--run-dir", help=run_dir, required=run_dir.startswith("the run"))
    parser.add_argument("--data-dir", help="where data sets are (default: $DVAE_REF_DATA, or the user's cache folder)")
    parser.add_argument("--threads", type=int, help="cores to use (default: all that this process may use)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def add_backend(parser, what):
    parser.add_argument(
        "--backend", choices=("cpu", "cuda", "auto"), default="cpu", help=f"where {what} run (default: cpu)"
    )


def add_table1(subparsers):
    table1 = subparsers.add_parser(
        "table1",
        help="train and evaluate a grid of models, beside the paper's Table 1",
        description="Every combination of --dataset, --struct, --k, --baseline, --beta and --seed is a cell with a\n"
        "run folder of its own below --out. Finished cells are never run again: the same command goes on.",
        epilog=glossary(),
        **FORMATTER,
    )
    axes = (("dataset", str), ("struct", str), ("k", int), ("baseline", str), ("beta", float), ("seed", int))
    for name, kind in axes:
        choices = tuple(CHOICES[name]) if name in CHOICES else None
        text = f"one or more{' of ' + ', '.join(choices) if choices else ''} (default: that of train)"
        table1.add_argument(f"--{name}", type=kind, nargs="+", help=text, choices=choices, metavar=name.upper())
    table1.add_argument(
        "--search-beta", action="store_true", help="each baseline with all of the paper's candidates for beta"
    )
    add_settings(table1, leave_out=[name for name, _ in axes])
    table1.add_argument(
        "--out", default="runs/table1", help="folder for the cells and the table (default: runs/table1)"
    )
    table1.add_argument(
        "--scheduler", default="local", metavar="local|ADDRESS", help="this machine, or a Dask scheduler"
    )
    table1.add_argument("--workers", type=int, default=1, help="cells at a time on this machine (default: 1)")
    table1.add_argument(
        "--threads", type=int, help="cores a cell (default: an equal share of all; on Dask all of them)"
    )
    table1.add_argument("--record", metavar="DIR", help="only write what is finished in --out to DIR, as small records")
    table1.add_argument("--commit", help="with --record: of the code of runs that do not say it themselves")
    table1.add_argument(
        "--from", dest="source", metavar="DIR", help="only make the table of the records in DIR, and the page beside it"
    )
    add_backend(table1, "the samplers")
    table1.add_argument("--samples", type=int, default=4000, help="importance samples an image (default: 4000)")
    table1.add_argument("--temperatures", type=int, default=10_000, help="of the final AIS (default: 10000)")
    table1.add_argument("--images", type=int, help="only the first so many test images")
    table1.add_argument("--data-dir", help="where data sets are (default: $DVAE_REF_DATA, or the user's cache folder)")
    table1.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def add_conformance(subparsers):
    conformance = subparsers.add_parser(
        "conformance",
        help="test vectors for other implementations",
        description="Every equation's inputs and outputs as npz files, and a check of somebody's outputs against them.",
    )
    actions = conformance.add_subparsers(dest="action", required=True, metavar="COMMAND")
    show = actions.add_parser(
        "show",
        help="what a quantity is, and its arrays",
        description="Without names, a list. With names, what has to be computed: the arrays with shapes and meanings.",
    )
    show.add_argument("names", nargs="*", metavar="NAME", help="quantities; * stands for anything")
    export = actions.add_parser("export", help="write the kit", description="Write the kit: npz files and a manifest.")
    export.add_argument("folder", metavar="DIR", help="folder to write it to")
    export.add_argument("--seed", type=int, default=0, help="of the inputs: any (default: 0)")
    export.add_argument("--dtype", choices=("float64", "float32"), default="float64", help="default: float64")
    export.add_argument(
        "--format", choices=("npz", "json"), default="npz", help="npz files in a folder DIR, or one JSON file DIR"
    )
    check = actions.add_parser(
        "check",
        help="compare somebody's outputs",
        description="Compare the npz files in THEIRS with those of the kit. Exit code 0 if all agree, 1 if not, 2 if "
        "there is nothing to compare.",
    )
    check.add_argument("folder", metavar="DIR", help="the kit, as exported")
    check.add_argument("theirs", metavar="THEIRS", help="folder with files of the same names, the outputs in them")
    check.add_argument("--all", action="store_true", help="what is missing fails, too")
    check.add_argument("--only", nargs="+", metavar="NAME", help="only these quantities; * stands for anything")
    for action in (export, check):
        action.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def add_foreign(subparsers):
    log_z = subparsers.add_parser(
        "log-z",
        help="log Z and moments of a machine in an npz file",
        description="log Z of E(z) = -a·z - z_left W z_right from below and above, and E[z]: somebody's a and W.",
    )
    log_z.add_argument("machine", metavar="NPZ", help="arrays a (D,), left units first, and W (left, right)")
    log_z.add_argument("--temperatures", type=int, default=10_000, help="of annealing (default: 10000)")
    log_z.add_argument("--chains", type=int, default=1000, help="of annealing and of the moments (default: 1000)")
    log_z.add_argument("--sweeps", type=int, default=10_000, help="of the chains, from random states (default: 10000)")
    log_z.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    log_z.add_argument("--threads", type=int, help="cores to use (default: all that this process may use)")
    log_z.add_argument("--out", help="npz file for E[z], its error and E[z_left z_right']")
    nll = subparsers.add_parser(
        "nll",
        help="the NLL of log-weights in an npz file",
        description="-log p(x), p(x) = (1/K) sum_k w_k / Z, of log w = -E(z) - log q(z|x) + log p(x|z).",
    )
    nll.add_argument("weights", metavar="NPZ", help="array log_w (images, samples), log Z not in it")
    nll.add_argument("--log-z", type=float, required=True, help="log Z, nats")
    nll.add_argument("--log-z-error", type=float, default=0.0, help="its standard error, nats (default: 0)")
    for command in (log_z, nll):
        command.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def add_train(subparsers):
    train = subparsers.add_parser(
        "train", help="train a model", description="Train a model into a run folder.", epilog=glossary(), **FORMATTER
    )
    add_settings(train)
    add_common(train, "folder for config, metrics, checkpoints, pictures (default: runs/ and the settings' names)")
    add_backend(train, "the samplers")
    train.add_argument("--resume", action="store_true", help="continue the run in --run-dir from its last checkpoint")


def add_evaluate(subparsers):
    evaluate = subparsers.add_parser(
        "evaluate",
        help="test log-likelihood of a trained model",
        description="The test NLL of a run in nats: log Z by annealed importance sampling (AIS), from below and above "
        "(closed: both sides agree); then log p(x) of each image, by importance sampling on the discrete model.",
    )
    add_common(evaluate, "the run to evaluate")
    evaluate.add_argument("--checkpoint", choices=("best", "last"), default="best", help="best on validation (default)")
    evaluate.add_argument("--split", choices=("test", "validation"), default="test", help="default: test")
    evaluate.add_argument("--samples", type=int, default=4000, help="importance samples an image (default: 4000)")
    evaluate.add_argument("--images", type=int, help="only the first so many images")
    evaluate.add_argument("--temperatures", type=int, default=10_000, help="of AIS (default: 10000)")
    evaluate.add_argument("--ais-chains", type=int, default=1000, help="of AIS (default: 1000)")
    evaluate.add_argument("--seed", type=int, default=0, help="of AIS and the importance samples (default: 0)")
    evaluate.add_argument(
        "--along-training", action="store_true", help="log Z along the run's snapshots, too, from below and above"
    )
    add_backend(evaluate, "AIS chains")


def add_sample(subparsers):
    sample = subparsers.add_parser(
        "sample",
        help="draw images from the model",
        description="A picture of images that the model makes up: z from the prior by block Gibbs, then E[x|z].",
    )
    add_common(sample, "the run to sample from")
    sample.add_argument("--checkpoint", choices=("best", "last"), default="best", help="best on validation (default)")
    sample.add_argument("--number", type=int, default=100, help="images (default: 100)")
    sample.add_argument("--sweeps", type=int, default=10_000, help="Gibbs sweeps from random states (default: 10000)")
    sample.add_argument("--seed", type=int, default=0, help="of the samples (default: 0)")
    sample.add_argument("--out", help="picture to write (default: samples.png in the run folder)")


def add_data(subparsers):
    data = subparsers.add_parser(
        "data", help="find or download data sets", description="What data are there, and where."
    )
    data.add_argument("action", choices=("list", "fetch"), metavar="list | fetch", help="what is there, or download")
    data.add_argument(
        "name", nargs="?", choices=DATASETS, metavar="NAME", help=f"data set to fetch: {', '.join(DATASETS)}"
    )
    data.add_argument("--data-dir", help="where data sets are (default: $DVAE_REF_DATA, or the user's cache folder)")
    data.add_argument(
        "--insecure", action="store_true", help="fetch files over plain http of which no checksum was published (.amat)"
    )
    data.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def build_parser():
    parser = usage.Parser(
        "python -m dvae_ref",
        description="DVAE#: discrete VAEs with relaxed Boltzmann priors.",
        epilog=EPILOG,
        **FORMATTER,
    )
    parser.add_argument("--version", action="version", version=f"dvae_ref {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", required=True, title="commands", metavar="COMMAND")

    for add in (add_train, add_evaluate, add_sample, add_table1, add_data, add_conformance, add_foreign):
        add(subparsers)
    return parser


def load(command):
    """The function that carries out a command."""
    if command == "conformance":
        from dvae_ref.conformance import commands

        return commands.run
    from dvae_ref import commands

    return getattr(commands, command.replace("-", "_"))


def main(argv=None):
    args = entry.parse(build_parser(), argv)
    return entry.guarded(f"python -m dvae_ref {args.command}", lambda: carry_out(args), args.debug)


def carry_out(args):
    process.prepare()  # before NumPy is loaded
    command = load(args.command)
    entry.ready()
    with blas.one_thread():
        return command(args)
