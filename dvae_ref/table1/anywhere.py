"""Run cells of table1 in anybody's executor: threads, processes, `client.get_executor()` of Dask, loky, submitit ...

A cell is locked, goes on where it stopped, and depends on nothing but its settings: an executor has only to call
`grid.run_cell`, wherever it likes, as long as it sees this file system. What else the command line promises (processes
that are killed are replaced, and go along with a killed command) is the executor's own affair.
"""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from os import PathLike
from pathlib import Path
from typing import Any

from dvae_ref.files import partial
from dvae_ref.program.interrupt import Interrupt
from dvae_ref.runs import datasets
from dvae_ref.table1.executors import POLL, Restarts, now_and_then, tell_nobody
from dvae_ref.table1.grid import INTERRUPTED, Cell, Measurement, cells, is_finished, run_cell


def train_table(
    out: str | PathLike[str],
    executor: Executor,
    axes: dict[str, Sequence[Any]],
    measurement: Measurement = Measurement(),  # noqa: B008 - immutable
    *,
    threads: int | None = 1,
    data_dir: str | PathLike[str] | None = None,
    backend: str = "cpu",
    on_done: Callable[[Cell, str | None], object] = tell_nobody,
    **settings: Any,
) -> dict[str, str]:
    """Train and measure a grid of cells below the folder `out`: {folder: error} of those that are not finished.

    axes: the values of some of dataset, struct, k, baseline, beta, seed; settings: of all cells, as of `Settings`.
    threads: of a cell; None: all that its process may use. Cells that are finished are left as they are, the others go
    on where they stopped, to the same bytes in any executor. on_done(cell, error) is called as each ends.
    Ctrl-C lets the cells that run write checkpoints, and the others are not begun: their error is "interrupted".
    ValueError for unknown axes and settings out of range.
    """
    todo = [cell for cell in cells(out, axes, **settings) if not is_finished(cell, measurement)]
    failed: dict[str, str] = {}

    def done(cell, error):
        if error is not None:
            failed[str(cell.folder)] = error
        on_done(cell, error)

    run_on(executor, todo, on_done=done, threads=threads, data_dir=data_dir, measurement=measurement, backend=backend)
    return failed


def run_on(executor, todo, *, on_done, on_progress=tell_nobody, **options):
    """Run Cells as tasks of the executor, as many at a time as it has workers; arguments as for `executors.run_local`.

    A cell that was told to stop by somebody else is given to it again, as long as it gets further. What on_done or
    on_progress raises stops all.
    """
    if not todo:
        return
    restarts, sign = Restarts(), _sign(todo[0])
    if options.get("data_dir") is not None:
        options["data_dir"] = datasets.data_folder(options["data_dir"]).absolute()

    def submit(cell):
        return executor.submit(_work, cell._replace(folder=cell.folder.absolute()), str(sign), options)

    running: dict[Future, Cell] = {}
    with Interrupt() as interrupted:
        try:
            running.update((submit(cell), cell) for cell in todo)
            while running:
                if interrupted():
                    _stop(sign, running)
                wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
                restarts.settle(running, submit, _outcome, interrupted, on_done)
                on_progress([cell for future, cell in running.items() if future.running()])
        except BaseException:  # the listener's: nobody is left to hear of what runs
            _stop(sign, running)
            raise
    sign.unlink(missing_ok=True)


def _sign(cell):
    """The path of a file that tells workers to stop, on whatever machine.

    In a cell's folder: one that is forgotten goes with the rest that killed processes left."""
    folder = cell.folder.absolute()
    return folder / partial.name("stop")


def _stop(sign, running: dict[Future, Cell]):
    """Let the cells that run write their checkpoints; those that wait are not begun."""
    for future in running:
        future.cancel()
    with contextlib.suppress(OSError):
        sign.parent.mkdir(parents=True, exist_ok=True)
        sign.touch()


def _outcome(future):
    """What a cell's future says: run_cell's result, or an error of the executor's, of whatever type."""
    try:
        return future.result()
    except CancelledError:
        return INTERRUPTED
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _work(cell, sign, options):
    """In a worker: run_cell, until there is a file `sign`."""
    return run_cell(cell, stop=now_and_then(Path(sign).exists), **options)
