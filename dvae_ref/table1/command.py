"""python -m dvae_ref table1: train and measure a grid of cells, then set them beside the paper's Table 1."""

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
    """Train and evaluate a grid of cells, then set them beside the paper's Table 1."""
    if args.record and args.source:
        raise UsageError("--record writes records and --from reads them: one at a time")
    if args.record:
        return keep(args)
    if args.source:
        return make_page(args)
    at_least(args, workers=1, threads=1, samples=1, temperatures=2, images=1)
    if args.scheduler != "local" and not re.fullmatch(r".+:\d+", args.scheduler):
        raise UsageError(f"--scheduler must be local, or an address such as tcp://HOST:8786, got {args.scheduler}")
    cells, measurement = asked_for(args), grid.Measurement(args.samples, args.temperatures, images=args.images)
    todo = [cell for cell in cells if not grid.is_finished(cell, measurement)]
    writing.make_folder(args.out)
    say(f"{len(cells)} cells, {len(cells) - len(todo)} finished already; folder: {args.out}")
    notice = durations.notice(sum(map(hours_left, todo)))
    if notice:
        say(notice)
    failed, missing = run_cells(args, todo, measurement) if todo else ({}, 0)
    found = report.collect(args.out)
    paths, unwritten = write_table(args.out, found)
    record = {"cells": len(cells), "finished": len(cells) - len(failed) - missing, "failed": failed}
    text = page.markdown(*found) + "".join(f"\nwrote {path}" for path in paths)
    conclude(args, record | {"files": [str(path) for path in paths]}, text)
    return say_what_is_not_done(failed, unwritten, missing)


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
    """Write the small records of what is finished below --out."""
    written = [str(path) for path in records.record_all(args.out, args.record, args.commit)]
    text = "".join(f"wrote {path}\n" for path in written) or f"nothing is finished below {args.out}\n"
    conclude(args, {"files": written}, text.rstrip())
    return 0


def make_page(args):
    """The table, and the page, of a folder of records."""
    if not os.path.isdir(args.source):
        raise FileNotFoundError(f"no folder of records: {args.source}")
    paths = [str(path) for path in results.write_page(args.source)]
    conclude(args, {"files": paths}, "\n".join(f"wrote {path}" for path in paths))
    return 0


def write_table(out, found):
    """(paths of the table's files, OSError or None)."""
    if not any(found):
        return [], None
    try:
        return page.write(out, *found), None
    except OSError as error:
        return [], error


def asked_for(args):
    """The cells that the arguments ask for, none of which is another's folder."""
    axes = {name: getattr(args, name) for name in grid.AXES if getattr(args, name)}
    common = [f.name for f in fields(Settings) if f.name not in grid.AXES and hasattr(args, f.name)]
    try:
        cells = grid.cells(args.out, axes, args.search_beta, **{name: getattr(args, name) for name in common})
    except ValueError as error:
        raise UsageError(error) from error
    for cell in cells:
        try:
            grid.check_folder(cell)
        except grid.ForeignError as error:
            raise UsageError(error) from error
        except (OSError, ValueError):
            continue  # damaged: this cell will fail, and say so
    return cells


def run_cells(args, todo, measurement):
    """({folder: error} of the cells that failed, number of those that were interrupted or never begun)."""
    ended, reached = {}, {cell: grid.iterations_done(cell.folder) for cell in todo}
    total, initial = sum(cell.settings.num_train_iter for cell in todo), sum(reached.values())
    with tqdm(total=total, initial=initial, desc=f"{len(todo)} cells", unit="it", **bar_style()) as bar:

        def on_progress(running):
            reached.update((cell, grid.iterations_done(cell.folder)) for cell in running)
            bar.update(sum(reached.values()) - bar.n)

        def on_done(cell, error):
            ended[cell] = error
            if error not in (None, grid.INTERRUPTED) and not os.path.exists(cell.folder / "error.txt"):
                grid.write_error(cell, f"{error}\n")  # of a process that was killed
            on_progress([cell])
            bar.write(f"{cell.folder}: {error or 'finished'}", file=sys.stderr)

        options = {"data_dir": args.data_dir, "measurement": measurement, "backend": args.backend}
        options |= {"on_done": on_done, "on_progress": on_progress}
        if args.scheduler == "local":
            threads = args.threads or max(1, usable_cores() // args.workers)
            executors.run_local(todo, workers=args.workers, threads=threads, **options)
        else:
            executors.run_dask(todo, address=args.scheduler, threads=args.threads, **options)
    failed = {str(cell.folder): error for cell, error in ended.items() if error not in (None, grid.INTERRUPTED)}
    return failed, len(todo) - len(failed) - list(ended.values()).count(None)
