"""The command line, python -m dvae_ref COMMAND (or dvae-ref COMMAND): parses, calls, prints; no mathematics.

Nothing heavy is imported until a command is known to make sense: `--help` and a misspelt option answer at once, and
`process.prepare` comes before NumPy. Which options a command has stands here; how one is made, and those that several
share, in `options`. What a command does is in `commands`, `table1.command` and `conformance.commands`.
"""

import argparse
import functools

from dvae_ref import __version__, blas
from dvae_ref.options import add_backend, add_common, add_settings, choices, glossary, share
from dvae_ref.program import entry, process, usage
from dvae_ref.runs.presets import DATASETS

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


AXES = {"dataset": str, "struct": str, "k": int, "baseline": str, "beta": float, "seed": int}  # of table1


def add_table1(subparsers):
    """table1: a grid over AXES, each cell with the settings of `train`, and how it is measured."""
    table1 = subparsers.add_parser(
        "table1",
        help="train and evaluate a grid of models, beside the paper's Table 1",
        description="Every combination of --dataset, --struct, --k, --baseline, --beta and --seed is a cell with a\n"
        "run folder of its own below --out. Finished cells are never run again: the same command goes on.",
        epilog=glossary(),
        **FORMATTER,
    )
    add_axes(table1)
    table1.add_argument(
        "--search-beta", action="store_true", help="each baseline with all of the paper's candidates for beta"
    )
    add_settings(table1, leave_out=AXES)
    add_work(table1)
    add_backend(table1, "the samplers")
    share(table1, "--samples")
    table1.add_argument("--temperatures", type=int, default=10_000, help="of the final AIS (default: 10000)")
    table1.add_argument("--images", type=int, help="only the first so many test images")
    share(table1, "--data-dir", "--json")


def add_axes(table1):
    """The settings of which a grid may have several values; they take the place of `train`'s options."""
    for name, kind in AXES.items():
        among = choices(name)
        text = f"one or more{' of ' + ', '.join(among) if among else ''} (default: that of train)"
        table1.add_argument(f"--{name}", type=kind, nargs="+", help=text, choices=among, metavar=name.upper())


def add_work(table1):
    """Where the cells go, who trains them, and what else there is to do with a folder of them."""
    add = table1.add_argument
    add("--out", default="runs/table1", help="folder for the cells and the table (default: runs/table1)")
    add("--scheduler", default="local", metavar="local|ADDRESS", help="this machine, or a Dask scheduler")
    add("--workers", type=int, default=1, help="cells at a time on this machine (default: 1)")
    add("--threads", type=int, help="cores a cell (default: an equal share of all; on Dask all of them)")
    add("--record", metavar="DIR", help="only write what is finished in --out to DIR, as small records")
    add("--commit", help="with --record: of the code of runs that do not say it themselves")
    add(
        "--from", dest="source", metavar="DIR", help="only make the table of the records in DIR, and the page beside it"
    )


def add_conformance(subparsers):
    """conformance, and its own commands: show, export, check."""
    conformance = subparsers.add_parser(
        "conformance",
        help="test vectors for other implementations",
        description="Every equation's inputs and outputs as npz files, and a check of somebody's outputs against them.",
    )
    actions = conformance.add_subparsers(dest="action", required=True, metavar="COMMAND")
    add_show(actions)
    add_export(actions)
    add_check(actions)


def add_show(actions):
    """conformance show [NAME ...]."""
    show = actions.add_parser(
        "show",
        help="what a quantity is, and its arrays",
        description="Without names, a list. With names, what has to be computed: the arrays with shapes and meanings.",
    )
    show.add_argument("names", nargs="*", metavar="NAME", help="quantities; * stands for anything")


def add_export(actions):
    """conformance export DIR: the inputs' seed, the dtype, the format."""
    export = actions.add_parser("export", help="write the kit", description="Write the kit: npz files and a manifest.")
    add = export.add_argument
    add("folder", metavar="DIR", help="folder to write it to")
    add("--seed", type=int, default=0, help="of the inputs: any (default: 0)")
    add("--dtype", choices=("float64", "float32"), default="float64", help="default: float64")
    add("--format", choices=("npz", "json"), default="npz", help="npz files in a folder DIR, or one JSON file DIR")
    share(export, "--json")


def add_check(actions):
    """conformance check DIR THEIRS: the kit first, then what is to be checked."""
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
    share(check, "--json")


def add_log_z(subparsers):
    """log-z NPZ: somebody's machine, by as much annealing, in as many chains, as `evaluate` takes by default."""
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
    share(log_z, "--threads")
    log_z.add_argument("--out", help="npz file for E[z], its error and E[z_left z_right']")
    share(log_z, "--json")


def add_nll(subparsers):
    """nll NPZ: somebody's log-weights, and the log Z that belongs to them, which cannot be guessed."""
    nll = subparsers.add_parser(
        "nll",
        help="the NLL of log-weights in an npz file",
        description="-log p(x), p(x) = (1/K) sum_k w_k / Z, of log w = -E(z) - log q(z|x) + log p(x|z).",
    )
    nll.add_argument("weights", metavar="NPZ", help="array log_w (images, samples), log Z not in it")
    nll.add_argument("--log-z", type=float, required=True, help="log Z, nats")
    nll.add_argument("--log-z-error", type=float, default=0.0, help="its standard error, nats (default: 0)")
    share(nll, "--json")


def add_train(subparsers):
    """train: an option for every setting, where it goes, and whether it is a run's continuation."""
    train = subparsers.add_parser(
        "train", help="train a model", description="Train a model into a run folder.", epilog=glossary(), **FORMATTER
    )
    add_settings(train)
    add_common(train, "folder for config, metrics, checkpoints, pictures (default: runs/ and the settings' names)")
    add_backend(train, "the samplers")
    train.add_argument("--resume", action="store_true", help="continue the run in --run-dir from its last checkpoint")


def add_evaluate(subparsers):
    """evaluate: of which checkpoint and images, by how many samples, and how log Z is found."""
    evaluate = subparsers.add_parser(
        "evaluate",
        help="test log-likelihood of a trained model",
        description="The test NLL of a run in nats: log Z by annealed importance sampling (AIS), from below and above "
        "(closed: both sides agree); then log p(x) of each image, by importance sampling on the discrete model.",
    )
    add_common(evaluate, "the run to evaluate")
    share(evaluate, "--checkpoint")
    add = evaluate.add_argument
    add("--split", choices=("test", "validation"), default="test", help="default: test")
    share(evaluate, "--samples")
    add("--images", type=int, help="only the first so many images")
    add("--temperatures", type=int, default=10_000, help="of AIS (default: 10000)")
    add("--ais-chains", type=int, default=1000, help="of AIS (default: 1000)")
    add("--seed", type=int, default=0, help="of AIS and the importance samples (default: 0)")
    add("--along-training", action="store_true", help="log Z along the run's snapshots, too, from below and above")
    add_backend(evaluate, "AIS chains")


def add_sample(subparsers):
    """sample: how many images, from how many sweeps, and the picture's place."""
    sample = subparsers.add_parser(
        "sample",
        help="draw images from the model",
        description="A picture of images that the model makes up: z from the prior by block Gibbs, then E[x|z].",
    )
    add_common(sample, "the run to sample from")
    share(sample, "--checkpoint")
    sample.add_argument("--number", type=int, default=100, help="images (default: 100)")
    sample.add_argument("--sweeps", type=int, default=10_000, help="Gibbs sweeps from random states (default: 10000)")
    sample.add_argument("--seed", type=int, default=0, help="of the samples (default: 0)")
    sample.add_argument("--out", help="picture to write (default: samples.png in the run folder)")


def add_data(subparsers):
    """data list, data fetch NAME."""
    data = subparsers.add_parser(
        "data", help="find or download data sets", description="What data are there, and where."
    )
    add = data.add_argument
    add("action", choices=("list", "fetch"), metavar="list | fetch", help="what is there, or download")
    add("name", nargs="?", choices=DATASETS, metavar="NAME", help=f"data set to fetch: {', '.join(DATASETS)}")
    share(data, "--data-dir")
    add(
        "--insecure", action="store_true", help="fetch files over plain http of which no checksum was published (.amat)"
    )
    share(data, "--json")


COMMANDS = add_train, add_evaluate, add_sample, add_table1, add_data, add_conformance, add_log_z, add_nll  # as listed


def build_parser():
    """The parser of the whole command line, which loads neither NumPy nor a command."""
    parser = usage.Parser(
        "python -m dvae_ref",
        description="DVAE#: discrete VAEs with relaxed Boltzmann priors.",
        epilog=EPILOG,
        **FORMATTER,
    )
    parser.add_argument("--version", action="version", version=f"dvae_ref {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", required=True, title="commands", metavar="COMMAND")
    for add in COMMANDS:
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
    """Carry out a command line (default: this process's): the exit code."""
    args = entry.parse(build_parser(), argv)
    return entry.guarded(f"python -m dvae_ref {args.command}", functools.partial(carry_out, args), args.debug)


def carry_out(args):
    """Load the command and call it, with one thread for BLAS: the same bytes on any machine with this CPU.

    From here on Ctrl-C is a KeyboardInterrupt; before, while libraries are being loaded, it ends the process
    (`entry.leave_on_interrupt`).
    """
    process.prepare()  # before NumPy is loaded
    command = load(args.command)
    entry.ready()
    with blas.one_thread():
        return command(args)
