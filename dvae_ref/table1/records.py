"""Finished cells as small records.

A record is a folder as of the table, without its checkpoints: config.json, evaluation.json, log_px.npz, a thinned
metrics.jsonl, and record.json, which says of what code it is, how long it took, and what command does it again. So a
folder of records is a table's folder, too (`report.collect`).

For 10,000 images it takes 0.3 MB, and can stand in a repository. It is made of files that the run wrote itself, and of
nothing that was typed in but, at most, the commit.
"""

import math
import shlex

from dvae_ref.files import reading, schema, writing
from dvae_ref.runs import lifecycle, measuring, sessions
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import grid

MOST_RECORDS = 200  # of training, that are kept of a metrics.jsonl; validations are kept all


def finished(root):
    """{folder: (Settings, record of its evaluation.json)} of the run folders below root that belong in a table.

    ValueError for a damaged file: a record is not to be made of what is left.
    """
    found = {}
    for config in grid.files(root, "config.json"):
        settings = lifecycle.read_settings(config.parent)
        record = grid.result(grid.Cell(config.parent, settings))
        if record:
            found[config.parent] = settings, record
    return found


def record_all(root, destination, commit=None):
    """Record what is finished below root: the folders written. ValueError if two would be the same, or one a run's.

    commit: of the code of runs that do not say (`sessions`).
    """
    written = {}
    for folder, (settings, measured) in finished(root).items():
        there = grid.cell(destination, settings).folder
        if there in written:
            raise ValueError(f"{written[there]} and {folder} are both {there}")
        write_record(folder, there, settings, measured, commit)
        written[there] = folder
    return list(written)


def write_record(folder, there, settings, measured, commit=None):
    """Copy to the folder `there` what is to be kept of a run folder: all is read before anything is written.

    evaluation.json goes first and comes last: a record that was killed half-way has none, and is no part of a table.
    ValueError if a run is there, whose metrics would be thinned.
    """
    if (there / "last.npz").exists() or there.resolve() == folder.resolve():
        raise ValueError(f"{there} holds a run, and is no folder for a record of one: --record takes another")
    said = provenance(folder, settings, measured, commit)
    metrics = thinned(folder / "metrics.jsonl")
    log_px = (folder / "log_px.npz").read_bytes() if measuring.per_image(folder, measured) else None
    writing.make_folder(there)
    (there / "evaluation.json").unlink(missing_ok=True)  # which says that the others are whole
    writing.write_json(there / "record.json", said)
    writing.write_json(there / "config.json", settings.to_json())
    _write(there / "metrics.jsonl", metrics)
    _write(there / "log_px.npz", log_px)
    writing.write_json(there / "evaluation.json", measured)


def _write(path, content):
    """Write a file of these bytes; for None, there is to be none."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    with writing.atomic(path) as file:
        file.write(content)


def thinned(path):
    """The lines of a metrics.jsonl: of the training's own, evenly and with the last, at most MOST_RECORDS."""
    lines, of_training = [], []
    for _, line in reading.lines(path):
        record = reading.json_value(line, path)
        if isinstance(record, dict) and "bound" in record:
            of_training.append(len(lines))
        lines.append(line + b"\n")
    step = max(1, math.ceil(len(of_training) / MOST_RECORDS))
    left_out = set(of_training) - set(of_training[::-step])
    return b"".join(line for i, line in enumerate(lines) if i not in left_out)


def provenance(folder, settings, measured, commit=None):
    """What record.json says: versions and commits in the order in which the run's sessions had them, each once.

    commit: of sessions of which none says its own.
    """
    path = folder / "sessions.json"
    spent = sessions.read(path) if path.exists() else []
    commits = [session["commit"] for session in spent if session["commit"]]
    if commit and not commits:
        commits = [commit]
    seconds = sum(session["cpu_seconds"] for session in spent)
    return {
        "command": command(settings, measured),
        "versions": list(dict.fromkeys(session["version"] for session in spent)),
        "commits": list(dict.fromkeys(commits)),
        "commit_of_the_measurement": measured.get("commit"),
        "cpu_hours": round(seconds / 3600, 2) if spent else None,
    }


def command(settings, measured=None):
    """The command that trains and measures the cell of these settings: what is not as by default.

    A cell's defaults depend on its axes and on the number of iterations (`presets`). The seed is always said.
    """
    given = {name: getattr(settings, name) for name in ("dataset", "struct", "k", "baseline")}
    usual = Settings(**given, num_train_iter=settings.num_train_iter).to_json()
    usual["num_train_iter"] = Settings().num_train_iter
    given |= _unusual(settings.to_json(), usual)
    given["seed"] = settings.seed
    given |= _measured_as(measured or {})
    said = "python -m dvae_ref table1"
    for name, value in given.items():
        said += f" --{name.replace('_', '-')} {shlex.quote(_option(value))}"
    return said


def _unusual(given, usual):
    """What is given otherwise than as usual; nothing else is looked at than what has a usual value."""
    return {name: given[name] for name in usual if name in given and given[name] != usual[name]}


def _measured_as(measured):
    """The options of a measurement: what is not as by default. `table1` has none for the number of AIS's chains."""
    usual = grid.Measurement()
    given = _unusual(measured, {"samples": usual.samples, "temperatures": usual.temperatures})
    images = measured.get("images")
    if images != measured.get("images_there", images):
        given["images"] = images
    return given


def _option(value):
    """A value as it is given on the command line: several numbers with commas."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def read(path):
    """What a record.json says. ValueError if it is damaged."""
    return schema.check(reading.json_file(path), schema.RECORD, path)
