"""The commands of python -m dvae_ref: each takes the parsed arguments and returns the exit code.

0 is done, 130 interrupted; `table1` and `conformance check` return 1 for what failed. Everything else is an exception:
UsageError for arguments that make no sense together, which becomes 2, and what the work itself raises, a ValueError or
an OSError mostly, which becomes a line and 1 (`entry.guarded`). What can be checked before the work is checked then:
files that are to be written, memory that is to be taken, settings that do not fit. Progress goes to standard error, the
result to standard output.
"""

import functools
import os
import shlex
from dataclasses import fields
from pathlib import Path

import numpy as np

from dvae_ref.fast import jit
from dvae_ref.files import partial, writing
from dvae_ref.model import autoencoder
from dvae_ref.program.console import Stage, UsageError, at_least, conclude, say, use_threads
from dvae_ref.program.interrupt import Interrupt
from dvae_ref.runs import datasets, durations, foreign, lifecycle, measuring, plots, sizes, training
from dvae_ref.runs.library import prior_images
from dvae_ref.runs.presets import Settings
from dvae_ref.runs.progress import Progress, describe
from dvae_ref.sampling import philox
from dvae_ref.table1.command import run as table1  # noqa: F401 - a command, too


def begin(args):
    """What comes before all work: threads, and a word if it has to be compiled first."""
    use_threads(args)
    jit.announce(functools.partial(say, "compiling, once (half a minute, mostly)"))


def train(args):
    """Train, validate, draw pictures; with --resume from the last checkpoint on, to the same bytes."""
    begin(args)
    given = {f.name: getattr(args, f.name) for f in fields(Settings) if hasattr(args, f.name)}
    settings = resumed_settings(args, given) if args.resume else checked_settings(given)
    folder = Path(args.run_dir or default_run_dir(settings))
    dataset = datasets.load(settings.dataset, args.data_dir)
    with lifecycle.Run(folder, settings, dataset, args.threads, args.backend) as run:
        run.resume() if args.resume else run.begin()
        if run.notice:
            say(run.notice)
        return train_run(args, run)


def train_run(args, run):
    """Train the run to its end, or until it is interrupted: the exit code.

    The first Ctrl-C or SIGTERM ends it after the iteration that runs, with a checkpoint; a second one at once, with the
    checkpoint before. Pictures are drawn at the end alone.
    """
    settings = run.settings
    say(f"{describe(settings)}\ndata: {run.dataset.origin}\nrun folder: {run.folder}")
    notice = durations.notice(durations.hours(settings, settings.num_train_iter - run.state.iteration))
    if notice:
        say(notice)
    with Interrupt() as interrupted, Progress(run) as progress:
        finished = run.advance(interrupted, progress.iteration, progress.validation)
    if not finished:
        return say_how_to_continue(args, run)
    draw_pictures(run)
    return conclude_training(args, run)


def say_how_to_continue(args, run):
    """How far a run came that was interrupted, and the command that goes on with it; the exit code, 130."""
    say(f"stopped at iteration {run.state.iteration:,}; a checkpoint is written. To continue:")
    say(f"  {to_continue(run.folder, args.data_dir)}")
    return 130


def to_continue(folder, data_dir):
    """The command that goes on with a run."""
    command = ["python", "-m", "dvae_ref", "train", "--resume", "--run-dir", str(folder)]
    if data_dir:
        command += ["--data-dir", data_dir]
    return shlex.join(command)


def conclude_training(args, run):
    """Say how good the run is on validation; the exit code, 0."""
    summary = {
        "run_dir": str(run.folder),
        "iterations": run.state.iteration,
        "best_validation_nll": run.state.best_nll,
        "best_iteration": run.state.best_iteration,
        "log_z": run.state.log_z,
    }
    conclude(args, summary, f"best validation NLL {run.state.best_nll:.2f} nats at {run.state.best_iteration:,}")
    return 0


def evaluate(args):
    """log Z by AIS, then the likelihood of a split by importance sampling; evaluation.json in the run folder.

    Nothing of it is kept when it is interrupted: the next one begins anew, to the same numbers.
    """
    begin(args)
    at_least(args, samples=1, temperatures=2, ais_chains=2, images=1, seed=0)
    dataset = datasets.load(lifecycle.read_settings(args.run_dir).dataset, args.data_dir)
    total = len(getattr(dataset, args.split)[: args.images])
    names = ("checkpoint", "split", "samples", "images", "temperatures", "ais_chains", "seed", "threads", "backend",
             "along_training")  # fmt: skip
    options = {name: getattr(args, name) for name in names}
    try:
        record = measuring.measure(args.run_dir, dataset, **stages(args, total), **options)
    except measuring.UnwrittenError as error:
        conclude(args, error.record, evaluation_text(error.record))
        raise
    conclude(args, record, evaluation_text(record))
    return 0


def stages(args, total):
    """The progress bars of an evaluation on so many images, as `measuring.measure` takes them."""
    annealing = Stage(args.temperatures, desc="log Z (AIS)", unit="temp")
    down = Stage(2 * args.temperatures, desc="log Z from above", unit="temp")
    images = Stage(total, desc=f"{args.split} images", unit="image")
    return {"on_ais": annealing.reach, "on_above": down.reach, "on_images": images.advance}


def evaluation_text(record):
    """What an evaluation.json says: NLL and ELBO, the weights, log Z from below and from each start above."""
    error = " ± {nll_standard_error:.2f}" if record["images"] > 1 else ""
    text = "{split} NLL {nll:.2f}" + error + " nats over {images:,} images, {samples:,} samples each\n"
    text += "with a quarter and a sixteenth of the samples {nll_quarter:.2f}, {nll_sixteenth:.2f}\n"
    text += "ELBO {elbo:.2f}, effective sample size of the weights: median {ess_median:.1f}, least {ess_minimum:.1f}\n"
    text += "log Z from below {log_z:.3f} ± {log_z_standard_error:.3f}: {log_z_verdict}"
    found = [text.format(**record), *map(_from_above, record["log_z_from_above"])]
    along = record.get("log_z_along_training", {})
    if along is None:
        found.append("log Z along training: not known, there is no snapshots.npz in the run folder")
    if along:
        start = "log Z along {machines} snapshots, {steps} steps: from below {log_z:.3f} ± {standard_error:.3f}"
        found += [start.format(**along, **along["below"]), _from_above(along["above"])]
    return "\n".join(found)


def log_z(args):
    """log Z, from below and from above, and moments of a machine in an npz file, somebody's own."""
    begin(args)
    at_least(args, temperatures=2, chains=2, sweeps=0, seed=0)
    if args.out:
        check_out(args.out, args.machine)
    record, arrays = foreign.log_z(args.machine, args.temperatures, args.chains, args.sweeps, args.seed)
    text = "log Z from below {below[log_z]:.3f} ± {below[standard_error]:.3f}, from above {above[log_z]:.3f} ± "
    text += "{above[standard_error]:.3f} (a check, from {start}): {verdict}\nE[z] is good to {mean_z_error:.3f}"
    conclude(args, record, text.format(**record))
    if args.out:  # afterwards: on a full disk the numbers are known all the same
        with writing.atomic(args.out) as file:
            np.savez(file, **arrays)
    return 0


def check_out(out, source):
    """Before the work: that the file can be written, and is not the one that is read."""
    if os.path.realpath(out) == os.path.realpath(source):
        raise UsageError(f"--out {out} is the machine itself: take another name")
    writing.check_writable(out)


def nll(args):
    """The NLL of log-weights in an npz file, nats, and by how much the last factor of four in samples lowered it."""
    record = foreign.nll(args.weights, args.log_z, args.log_z_error)
    text = f"NLL {record['nll']:.3f}"
    if record["nll_error"] is not None:
        text += f" ± {record['nll_error']:.3f}"
    text += f" nats over {record['images']:,} images, {record['samples']:,} samples each\n"
    if record["samples"] >= 4:
        text += f"the last factor of four in samples took off {record['nll_drift']:.3f}; "
    text += f"effective sample size: median {record['ess_median']:.1f}, least {record['ess_minimum']:.1f}"
    conclude(args, record, text)
    return 0


def _from_above(record):
    """A line of one estimate of log Z from above."""
    return "  from above {log_z:.3f} ± {standard_error:.3f}, from {start}: {verdict}".format(**record)


def sample(args):
    """Images from the prior: Gibbs from random states, then the decoder's means, if the picture can be written."""
    begin(args)
    at_least(args, number=1, sweeps=1, seed=0)
    out = Path(args.out or Path(args.run_dir) / "samples.png")
    settings, state = lifecycle.load(args.run_dir, args.checkpoint)
    sizes.check_pictures(settings.struct, args.number)
    partial.remove_dead(args.run_dir)
    writing.check_writable(out)
    images = prior_images(training.keys(args.seed)["sample"], state, args.number, args.sweeps)
    plots.samples(images, out, title=f"{args.number} images from the prior, iteration {state.iteration:,}")
    return conclude_picture(args, out)


def conclude_picture(args, out):
    """Say where the picture is; on standard error if standard output has the picture itself. The exit code, 0."""
    if writing.is_stdout(out):
        say(f"wrote {out}")
    else:
        conclude(args, {"picture": str(out), "number": args.number, "sweeps": args.sweeps}, f"wrote {out}")
    return 0


def data(args):
    """List what data sets are there, or fetch one."""
    if args.action == "fetch":
        if not args.name:
            raise UsageError(f"data fetch takes the name of a data set: {', '.join(datasets.LOADERS)}")
        from dvae_ref.runs import downloads

        downloads.fetch(args.name, args.data_dir, insecure=args.insecure)
    record, lines = {}, []
    for name in [args.name] if args.name else datasets.LOADERS:
        record[name] = found = look_for(name, args.data_dir)
        text = found.get("origin") or found["error"].removeprefix(f"{name}: ")
        lines.append(f"{name}: {text}")
    conclude(args, record, "\n".join(lines))
    return 0


def look_for(name, data_dir):
    """Where a data set is from and how many images its splits have, or the error of who loads it.

    A data set that is not there is no failure of `data list`: what is missing, and where it belongs, is the answer.
    """
    try:
        loaded = datasets.load(name, data_dir)
    except (OSError, ValueError) as error:
        return {"error": str(error)}
    return {"origin": loaded.origin, "images": [len(loaded.train), len(loaded.validation), len(loaded.test)]}


def checked_settings(given):
    """The Settings of these; UsageError if they are none."""
    try:
        return Settings(**given)
    except ValueError as error:
        raise UsageError(error) from error


def resumed_settings(args, given):
    """The settings in the run folder; what is given besides must agree with them."""
    if not args.run_dir:
        raise UsageError("--resume needs the --run-dir of the run to continue")
    settings = lifecycle.read_settings(args.run_dir)
    differing = [name for name, value in given.items() if getattr(settings, name) != value]
    if differing:
        raise UsageError(f"--resume continues a run as it was, but {', '.join(differing)} differ from its config.json")
    return settings


def draw_pictures(run, number=20, sweeps=2000):
    """curves.png, reconstructions.png and samples.png in the run folder."""
    state, key = run.state, run.role["pictures"]
    images = run.dataset.validation[:number].astype(np.float32)
    u = philox.uniform(philox.fold_in(key, 0), (number, len(state.params.rbm.a)))
    means = autoencoder.reconstruct(state.params, state.statistics, images, u)
    plots.curves(run.folder / "metrics.jsonl", run.folder / "curves.png", title=describe(run.settings))
    plots.reconstructions(images, means, run.folder / "reconstructions.png")
    title = f"images from the prior, iteration {state.iteration:,}"
    plots.samples(prior_images(philox.fold_in(key, 1), state, 100, sweeps), run.folder / "samples.png", title=title)


def default_run_dir(s):
    """Where a run of these settings goes, if nobody says."""
    return Path("runs") / f"{s.dataset}-{s.struct}-{s.baseline}-k{s.k}-seed{s.seed}"
