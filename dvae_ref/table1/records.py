"""Finished cells as small records.

A record is a folder as of the table, without its checkpoints: config.json, evaluation.json, log_px.npz, a thinned
metrics.jsonl, and record.json, which says of what code it is, how long it took, and what command does it again. So a
folder of records is a table's folder, too (`table1_report.collect`).
"""

import math
import shlex
from pathlib import Path

from dvae_ref.files import reading, schema, writing
from dvae_ref.runs import lifecycle, measuring, sessions
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import grid

MOST_RECORDS = 200  # of training, that are kept of a metrics.jsonl; validations are kept all


def finished(root):
    """{folder: (Settings, record of its evaluation.json)} of the run folders below root that belong in a table."""
    found = {}
    for config in sorted(Path(root).rglob("config.json")):
        settings = lifecycle.read_settings(config.parent)
        record = grid.result(grid.Cell(config.parent, settings))
        if record:
            found[config.parent] = settings, record
    return found


def record_all(root, destination, commit=None):
    """Record what is finished below root: the folders written. ValueError if two would be the same.

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
    """Copy to the folder `there` what is to be kept of a run folder: all is read before anything is written."""
    said = provenance(folder, settings, measured, commit)
    metrics = thinned(folder / "metrics.jsonl")
    log_px = (folder / "log_px.npz").read_bytes() if measuring.per_image(folder, measured) else None
    writing.make_folder(there)
    (there / "evaluation.json").unlink(missing_ok=True)  # which says that the others are whole
    writing.write_json(there / "record.json", said)
    writing.write_json(there / "config.json", settings.to_json())
    _write(there / "metrics.jsonl", metrics)
    if log_px is None:
        (there / "log_px.npz").unlink(missing_ok=True)
    else:
        _write(there / "log_px.npz", log_px)
    writing.write_json(there / "evaluation.json", measured)


def _write(path, content):
    with writing.atomic(path) as file:
        file.write(content)


def thinned(path):
    """The lines of a metrics.jsonl: of the training's own, evenly and with the last, at most MOST_RECORDS."""
    lines = [(line, reading.json_value(line, path)) for _, line in reading.lines(path)]
    of_training = [i for i, (_, record) in enumerate(lines) if isinstance(record, dict) and "bound" in record]
    step = max(1, math.ceil(len(of_training) / MOST_RECORDS))
    left_out = set(of_training) - set(of_training[::-step])
    return b"".join(line + b"\n" for i, (line, _) in enumerate(lines) if i not in left_out)


def provenance(folder, settings, measured, commit=None):
    """What record.json says."""
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
    """The command that trains and measures the cell of these settings: what is not as by default."""
    axes = {name: getattr(settings, name) for name in ("dataset", "struct", "k", "baseline")}
    usual = Settings(**axes, num_train_iter=settings.num_train_iter).to_json()
    usual |= {"num_train_iter": Settings().num_train_iter}
    given = axes | {name: value for name, value in settings.to_json().items() if value != usual[name]}
    given |= {"seed": settings.seed}
    given |= _measured_as(measured or {})
    options = (f"--{name.replace('_', '-')} {shlex.quote(_option(value))}" for name, value in given.items())
    return f"python -m dvae_ref table1 {' '.join(options)}"


def _measured_as(measured):
    """The options of a measurement: what is not as by default. `table1` has none for the number of AIS's chains."""
    usual = {"samples": grid.Measurement().samples, "temperatures": grid.Measurement().temperatures}
    given = {name: measured[name] for name, value in usual.items() if measured.get(name, value) != value}
    images = measured.get("images")
    if images != measured.get("images_there", images):
        given["images"] = images
    return given


def _option(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def read(path):
    """What a record.json says. ValueError if it is damaged."""
    return schema.check(reading.json_file(path), schema.RECORD, path)
