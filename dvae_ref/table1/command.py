"""python -m dvae_ref table1: train and measure a grid of cells, then set them beside the paper's Table 1.

The same command, given again, goes on: it looks at the folders for what is not finished. Its exit code is 0 if all
cells that were asked for are finished, 130 if some are not because it was interrupted, 1 if any failed or the table
could not be written, 2 for options that make no sense.
"""

import os
import re
import sys
from dataclasses import fields

from tqdm import tqdm

from dvae_ref.files import writing
from dvae_ref.program.console import UsageError, at_least, bar_style, conclude, say, usable_cores
from dvae_ref.runs import durations
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import executors, grid, page, records, report, results


def run(args):
    """Train and evaluate a grid of cells, then set them beside the paper's Table 1; or what else the options ask for.

    Returns the exit code. UsageError for options that do not go together.
    """
    if args.record and args.source:
        raise UsageError("--record writes records and --from reads them: one at a time")
    if args.record:
        return keep(args)
    if args.source:
        return make_page(args)
    at_least(args, workers=1, threads=1, samples=1, temperatures=2, images=1)
    if args.scheduler != "local" and not re.fullmatch(r".+:\d+", args.scheduler):
        raise UsageError(f"--scheduler must be local, or an address such as tcp://HOST:8786, got {args.scheduler}")
    return make_table(args)


def make_table(args):
    """Run the cells that are not finished, write the table of all below --out, and say what is not done.

    The table is of whatever is there, also of cells that this command did not ask for.
    """
    cells, measurement = asked_for(args), grid.Measurement(args.samples, args.temperatures, images=args.images)
    todo = [cell for cell in cells if not grid.is_finished(cell, measurement)]
    writing.make_folder(args.out)
    say(f"{len(cells)} cells, {len(cells) - len(todo)} finished already; folder: {args.out}")
    failed, missing = run_cells(args, todo, measurement)
    found = report.collect(args.out)
    paths, unwritten = write_table(args.out, found)
    record = {"cells": len(cells), "finished": len(cells) - len(failed) - missing, "failed": failed, "files": paths}
    conclude(args, record, "\n".join([page.markdown(*found), *wrote(paths)]))
    return say_what_is_not_done(failed, unwritten, missing)


def wrote(paths):
    """`wrote PATH` for each, a line each."""
    return [f"wrote {path}" for path in paths]


def say_what_is_not_done(failed, unwritten, missing):
    """Name what failed, what could not be written and what is not finished; the exit code, 0 if that is nothing."""
    for folder, error in failed.items():
        say(f"failed: {folder}: {error}")
    if unwritten:
        say(f"the table is not written: {unwritten}")
    if missing:
        say(f"{missing} cells are not finished; the same command goes on with them")
    if failed or unwritten:
        return 1
    return 130 if missing else 0


def hours_left(cell):
    """The hours that one core takes to train a cell to its end."""
    left = cell.settings.num_train_iter - grid.iterations_done(cell.folder)
    return durations.hours(cell.settings, max(left, 0))


def keep(args):
    """Write the small records of what is finished below --out (`records`), for --record."""
    written = list(map(str, records.record_all(args.out, args.record, args.commit)))
    conclude(args, {"files": written}, "\n".join(wrote(written)) or f"nothing is finished below {args.out}")
    return 0


def make_page(args):
    """The table of a folder of records, and the page beside it if there is one (`results`), for --from."""
    if not os.path.isdir(args.source):
        raise FileNotFoundError(f"no folder of records: {args.source}")
    paths = list(map(str, results.write_page(args.source)))
    conclude(args, {"files": paths}, "\n".join(wrote(paths)))
    return 0


def write_table(out, found):
    """(paths of the table's files, OSError or None): a full disk must not keep the table from being printed."""
    if not any(found):
        return [], None
    try:
        return list(map(str, page.write(out, *found))), None
    except OSError as error:
        return [], error


def asked_for(args):
    """The cells that the arguments ask for, none of which is another's folder: UsageError otherwise."""
    given = vars(args)
    axes = {name: given[name] for name in grid.AXES if given[name]}
    common = {f.name: given[f.name] for f in fields(Settings) if f.name in given and f.name not in grid.AXES}
    try:
        cells = grid.cells(args.out, axes, args.search_beta, **common)
    except ValueError as error:
        raise UsageError(error) from error
    for cell in cells:
        _check_folder(cell)
    return cells


def _check_folder(cell):
    """UsageError if the cell's folder holds another one."""
    try:
        grid.check_folder(cell)
    except grid.ForeignError as error:
        raise UsageError(error) from error
    except (OSError, ValueError):  # damaged: this cell will fail, and say so
        pass


class Progress:
    """A bar of the iterations of all cells, with a line for each cell that has ended, and how each did.

    Iterations are counted from the cells' files: their processes may be anywhere.
    """

    def __init__(self, todo):
        self.failed, self.finished = {}, 0
        self.reached = {cell: grid.iterations_done(cell.folder) for cell in todo}
        total, done = sum(cell.settings.num_train_iter for cell in todo), sum(self.reached.values())
        self.bar = tqdm(total=total, initial=done, desc=f"{len(todo)} cells", unit="it", **bar_style())

    def look(self, running):
        """Move the bar to where these cells are."""
        for cell in running:
            self.reached[cell] = grid.iterations_done(cell.folder)
        self.bar.update(sum(self.reached.values()) - self.bar.n)

    def end(self, cell, error):
        """A cell has ended, with an error, INTERRUPTED, or None. Of one that was killed, write error.txt."""
        if error is None:
            self.finished += 1
        elif error != grid.INTERRUPTED:
            self.failed[str(cell.folder)] = error
            if not os.path.exists(cell.folder / "error.txt"):
                grid.write_error(cell, f"{error}\n")  # of a process that was killed
        self.look([cell])
        self.bar.write(f"{cell.folder}: {error or 'finished'}", file=sys.stderr)


def run_cells(args, todo, measurement):
    """({folder: error} of the cells that failed, number of those that were interrupted or never begun)."""
    if not todo:
        return {}, 0
    notice = durations.notice(sum(map(hours_left, todo)))
    if notice:
        say(notice)
    progress = Progress(todo)
    options = {"data_dir": args.data_dir, "measurement": measurement, "backend": args.backend}
    options |= {"on_done": progress.end, "on_progress": progress.look}
    with progress.bar:
        if args.scheduler == "local":
            threads = args.threads or max(1, usable_cores() // args.workers)
            executors.run_local(todo, workers=args.workers, threads=threads, **options)
        else:
            executors.run_dask(todo, address=args.scheduler, threads=args.threads, **options)
    return progress.failed, len(todo) - len(progress.failed) - progress.finished
