"""Table 1: a grid of cells, every one a run in a folder of its own.

A cell is trained, then measured; both begin where they stopped. It is finished when it is trained to the end and its
evaluation.json holds the measurement that is asked for, and what is finished is never run again. A cell that fails
leaves error.txt.

How that is kept: checkpoints and evaluation.json are written whole or not at all (`files.writing`); the folder is
locked while a process trains in it (`runs.lifecycle`), and who finds it locked waits, since what the other finishes
need not be done again; a measurement that was interrupted starts anew, to the same numbers, as its random numbers
depend on seed, image and sample alone. A folder that holds other settings is left alone (ForeignError).
"""

import contextlib
import itertools
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from dvae_ref.files import reading, schema
from dvae_ref.program import process
from dvae_ref.program.interrupt import Interrupt
from dvae_ref.runs.presets import BASELINES, Settings

INTERRUPTED = "interrupted"
AXES = ("dataset", "struct", "k", "baseline", "beta", "seed")  # of the grid, in the order of the folders' names
LOCK_POLL = 1.0  # seconds between attempts at a folder that another process is running in
TAIL = 4096  # bytes at the end of metrics.jsonl that hold at least one record


class Measurement(NamedTuple):
    """How a trained cell is measured."""

    samples: int = 4000
    temperatures: int = 10_000
    ais_chains: int = 1000
    images: int | None = None  # of the test set, the first so many; None: all


class Cell(NamedTuple):
    """A run of the grid: its settings, and the folder that follows from them."""

    folder: Path
    settings: Settings


def cells(root, axes, search_beta=False, **common):
    """The Cells of a grid below the folder root, each once.

    axes: {name in AXES: values}; common: settings of all cells. search_beta takes the paper's candidates for beta, each
    baseline's own (Sec. 4). ValueError for an unknown axis, a setting out of range, or beta given twice.
    """
    unknown = set(axes) - set(AXES)
    if unknown:
        raise ValueError(f"no axes of the table: {', '.join(sorted(unknown))}; there are {', '.join(AXES)}")
    if search_beta and "beta" in axes:
        raise ValueError("beta is either given or searched among the paper's candidates, not both")
    grid = [Settings(**common, **dict(zip(axes, point, strict=True))) for point in itertools.product(*axes.values())]
    if search_beta:
        grid = [Settings(**s.to_json() | {"beta": float(b)}) for s in grid for b in BASELINES[s.baseline].candidates]
    return list(dict.fromkeys(cell(root, settings) for settings in grid))


def cell(root, settings):
    """The Cell of these settings: its folder spells out the axes, the length, and a sampler that is not pa.

    Earlier versions left the sampler out: a folder of theirs that holds these settings is theirs still.
    """
    s = settings
    beta = repr(float(s.beta)).removesuffix(".0")  # all its digits: another beta is another folder
    name = f"{s.baseline}-k{s.k}-beta{beta}-seed{s.seed}-{s.num_train_iter}"
    folder = Path(root) / s.dataset / s.struct / name
    if s.sampler != "pa" and not _holds(folder, settings):
        folder = folder.with_name(f"{name}-{s.sampler}")
    return Cell(folder, settings)


def files(root, name):
    """The files of this name below a folder, sorted.

    Links to folders are followed in the places of cells alone, which may lie on another disk: elsewhere they may lead
    back to where they are.
    """
    return sorted({*Path(root).rglob(name), *Path(root).glob(f"*/*/*/{name}")})


def _holds(folder, settings):
    """Has a run with these settings begun in the folder?"""
    from dvae_ref.runs import lifecycle

    try:
        return lifecycle.read_settings(folder) == settings
    except (OSError, ValueError):  # none, or a damaged one
        return False


class ForeignError(ValueError):
    """The cell's folder is another's: the same axes, but other settings."""


def check_folder(cell):
    """ForeignError if the cell's folder is another's; ValueError if its config.json is damaged."""
    from dvae_ref.runs import lifecycle

    try:
        there, here = lifecycle.read_settings(cell.folder).to_json(), cell.settings.to_json()
    except FileNotFoundError:
        return
    differing = [name for name, value in here.items() if there[name] != value]
    if differing:
        raise ForeignError(f"{cell.folder} holds a cell with other settings: {', '.join(differing)} differ")


def is_finished(cell, measurement=Measurement()):  # noqa: B008 - immutable
    """Is it trained to the end, and measured so? Not if a file of it is damaged."""
    try:
        check_folder(cell)
        record = result(cell)
    except (OSError, ValueError):
        return False
    if record is None:
        return False
    whole = record.get("images_there") or record["images"]
    there = Measurement(record["samples"], record["temperatures"], record["ais_chains"], record["images"])
    return there == measurement._replace(images=min(measurement.images or whole, whole))


def result(cell):
    """The record in the cell's evaluation.json, if it is one of the table's; else None. ValueError if it is damaged.

    That is of the best checkpoint on the test set with seed 0, after the last iteration. Anything else was measured by
    hand, half-way perhaps.
    """
    path = cell.folder / "evaluation.json"
    try:
        record = schema.check(reading.json_file(path), schema.EVALUATION, path)
    except FileNotFoundError:
        return None
    validated = record.get("validated")
    if validated is None:  # written by an earlier version
        validated = iterations_done(cell.folder)
    how = record["checkpoint"], record["split"], record["seed"]
    if how != ("best", "test", 0) or validated != cell.settings.num_train_iter:
        return None
    return schema.check(record, schema.OF_TABLE1, path)


def iterations_done(folder):
    """Of training, as far as the end of metrics.jsonl says; the file may be growing."""
    path = Path(folder) / "metrics.jsonl"
    try:
        line = reading.tail(path, TAIL).rpartition(b"\n")[0].rpartition(b"\n")[2]
        return schema.check(reading.json_value(line, path), schema.PROGRESS, path)["iteration"]
    except (OSError, ValueError):  # no file yet, or a damaged one
        return 0


def run_cell(cell, data_dir=None, threads=None, measurement=None, stop=lambda: False, backend="cpu"):
    """Train and measure one cell, from wherever it stopped: None, INTERRUPTED, or the error, also in error.txt.

    threads: at most so many; None: all that this process may use. It ends early at Ctrl-C or SIGTERM in a main thread,
    or when stop() says so. backend: of the samplers. While another process runs in the folder, it waits. A folder of
    another cell has no error.txt of this one. It calls process.prepare.
    """
    process.prepare()
    try:
        with Interrupt() as interrupted:
            _run(cell, data_dir, threads, backend, measurement or Measurement(), lambda: interrupted() or stop())
    except KeyboardInterrupt:
        return INTERRUPTED
    except ForeignError as error:  # the folder is left alone: the cell that is there has not failed
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        write_error(cell, traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    return None


def write_error(cell, text):
    """error.txt, where it can be written: on a full disk the error itself must do."""
    with contextlib.suppress(OSError):
        cell.folder.mkdir(parents=True, exist_ok=True)
        (cell.folder / "error.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def _run(cell, data_dir, threads, backend, measurement, stop):
    """Train and measure a cell that is not finished. KeyboardInterrupt as soon as stop() says so, or between two steps
    of a measurement.

    The measurement's size is checked before the training, not days later. ValueError, OSError and whatever else
    training and measuring raise are the cell's own failure.
    """

    def go_on_or_stop(*_):
        if stop():
            raise KeyboardInterrupt

    go_on_or_stop()
    check_folder(cell)
    from dvae_ref.runs import datasets, lifecycle, measuring, sizes

    threads = _use_threads(threads)
    m = measurement  # checked before it is trained
    sizes.check_measurement(cell.settings.struct, m.samples, m.temperatures, m.ais_chains, threads)
    dataset = datasets.load(cell.settings.dataset, data_dir)
    with lifecycle.Run(cell.folder, cell.settings, dataset, threads, backend) as run:
        _begin_or_resume(run, go_on_or_stop)
        if run.notice:
            print(f"{cell.folder}: {run.notice}", file=sys.stderr, flush=True)
        if is_finished(cell, measurement):
            return
        (cell.folder / "error.txt").unlink(missing_ok=True)
        if not run.advance(stop):
            raise KeyboardInterrupt
        how = measurement._asdict() | dict.fromkeys(("on_ais", "on_above", "on_images"), go_on_or_stop)
        measuring.measure(cell.folder, dataset, threads=threads, backend=backend, **how)


def _use_threads(threads):
    """Let numba use so many threads, or as many as there are; how many those are."""
    import numba

    from dvae_ref.program.console import usable_cores

    threads = min(threads or usable_cores(), numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(threads)
    return threads


def _begin_or_resume(run, go_on_or_stop):
    """Begin or resume as soon as the folder is free; go_on_or_stop() is called while it is not.

    The process that has it may be one that was told to stop and is writing its checkpoint, one that a scheduler gave up
    for lost, or another table1: what it finishes need not be done again.
    """
    from dvae_ref.runs.lifecycle import LockedError

    told = False
    while True:
        try:
            return run.begin_or_resume()
        except LockedError as error:
            if not told:
                print(f"{error}; waiting until it ends", file=sys.stderr, flush=True)
            told = True
        go_on_or_stop()
        time.sleep(LOCK_POLL)
