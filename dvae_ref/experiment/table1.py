"""Table 1: a grid of runs, every cell in a folder of its own, on this machine or a Dask cluster.

A cell is trained, then evaluated; both begin where they stopped. It is finished when its evaluation.json is there, and
a finished cell is never run again. One that fails leaves error.txt and does not stop the others.
"""

import itertools
import json
import multiprocessing
import os
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from dvae_ref.experiment.presets import Settings

INTERRUPTED = "interrupted"
POLL = 2.0  # seconds between looks at the cells' progress
AXES = ("dataset", "struct", "k", "baseline", "beta", "seed")  # of the grid, in the order of the folders' names


class Measurement(NamedTuple):
    """How a trained cell is measured."""

    samples: int = 4000
    temperatures: int = 10_000
    ais_chains: int = 1000
    images: int | None = None


class Cell(NamedTuple):
    folder: Path
    settings: Settings


def cells(root, axes, **common):
    """The Cells of a grid below the folder root.  axes: {name in AXES: values}; common: settings of all cells."""
    unknown = set(axes) - set(AXES)
    if unknown:
        raise ValueError(f"no axes of the table: {', '.join(sorted(unknown))}; there are {', '.join(AXES)}")
    grid = itertools.product(*axes.values())
    return [cell(root, Settings(**common, **dict(zip(axes, point, strict=True)))) for point in grid]


def cell(root, settings):
    """The Cell of these settings: its folder spells out the axes and the number of iterations."""
    s = settings
    name = f"{s.baseline}-k{s.k}-beta{s.beta:g}-seed{s.seed}-{s.num_train_iter}"
    return Cell(Path(root) / s.dataset / s.struct / name, settings)


def is_finished(cell):
    return (cell.folder / "evaluation.json").exists()


def iterations_done(cell):
    """Of training, as far as metrics.jsonl says; the file may be growing."""
    if is_finished(cell):
        return cell.settings.num_train_iter
    try:
        lines = (cell.folder / "metrics.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["iteration"] if lines else 0
    except (OSError, ValueError, KeyError):
        return 0


def run_cell(cell, data_dir=None, threads=1, measurement=Measurement()):  # noqa: B008 - immutable
    """Train and evaluate one cell, from wherever it stopped: None, INTERRUPTED, or the error, also in error.txt."""
    import numba

    from dvae_ref.experiment import datasets, runs
    from dvae_ref.experiment.interrupt import Interrupt

    error_file = cell.folder / "error.txt"
    try:
        numba.set_num_threads(threads)
        dataset = datasets.load(cell.settings.dataset, data_dir)
        with runs.Run(cell.folder, cell.settings, dataset, threads) as run, Interrupt() as interrupted:
            run.begin_or_resume()
            if is_finished(cell):
                return None
            if not run.advance(interrupted):
                return INTERRUPTED
            runs.measure(cell.folder, dataset, threads=threads, **measurement._asdict())
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        cell.folder.mkdir(parents=True, exist_ok=True)
        error_file.write_text(traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    error_file.unlink(missing_ok=True)
    return None


def run_local(todo, *, workers, on_done, on_progress=lambda: None, **options):
    """Run Cells in `workers` processes of this machine; on_done(cell, error) as each ends.

    A worker that is killed breaks the pool: what it and the others were at, and what waited, goes to a new one, but a
    cell that was running when two pools broke counts as failed.
    """
    deaths = {cell.folder: 0 for cell in todo}
    remaining = list(todo)
    while remaining:
        broken = _run_pool(remaining, workers, on_done, on_progress, options)
        for cell in broken:
            deaths[cell.folder] += 1
            if deaths[cell.folder] == 2:
                remaining.remove(cell)
                on_done(cell, "its process was killed, twice: is there enough memory?")


def _run_pool(remaining, workers, on_done, on_progress, options):
    """Run the cells in one pool, removing from `remaining` what ends; the cells that were running if it broke."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit numba's threads, and their locks
    waiting, running, broken = list(remaining), {}, []
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_blas_thread) as pool:
        while (waiting or running) and not broken:
            while waiting and len(running) < workers:
                cell = waiting.pop(0)
                running[pool.submit(run_cell, cell, **options)] = cell
            try:
                done, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:  # the workers have been told, too
                waiting.clear()
                remaining[:] = running.values()
                continue
            on_progress()
            for future in done:
                cell = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    broken = [cell, *running.values()]
                    break
                remaining.remove(cell)
                on_done(cell, future.result())
    return broken


def _one_blas_thread():
    for library in ("OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def run_dask(todo, *, address, on_done, on_progress=lambda: None, **options):
    """Run Cells on a Dask cluster whose workers share this file system; a lost worker's cell goes to another one."""
    try:
        from dask.distributed import Client
        from dask.distributed import wait as wait_for
    except ImportError:
        raise ImportError(f"--scheduler {address} needs Dask: pip install dvae_ref[cluster]") from None
    with Client(address) as client:
        running = {client.submit(run_cell, cell, pure=False, **options): cell for cell in todo}
        while running:
            try:
                wait_for(list(running), timeout=POLL, return_when="FIRST_COMPLETED")
            except TimeoutError:
                on_progress()
                continue
            for future in [future for future in running if future.done()]:
                cell = running.pop(future)
                error = str(future.exception()) if future.status == "error" else future.result()
                on_done(cell, error)
            on_progress()
