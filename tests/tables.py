"""Small tables for the tests of table1: the command as another process, its journal, its results byte by byte."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import journal

ITERATIONS, CHECKPOINT_EVERY = 40, 10
TINY = {
    "struct": "1-layer-lin",
    "num_train_iter": ITERATIONS,
    "batch_size": 10,
    "chains": 20,
    "sweeps": 1,
    "eval_every": 20,
    "eval_samples": 2,
    "eval_temperatures": 4,
    "checkpoint_every": CHECKPOINT_EVERY,
    "log_every": 5,
}
MEASURE = {"samples": 3, "temperatures": 10, "images": 20}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in (TINY | MEASURE).items()]


def command(out, *arguments):
    return [sys.executable, journal.__file__, "table1", *OPTIONS, "--out", str(out), "--threads=1", *arguments]


def environment(out, die=None, pace=0):
    given = {"JOURNAL": f"{out}.journal", "PACE": str(pace)} | ({"DIE": die} if die else {})
    return os.environ | given


def run(out, *arguments, **options):
    """The command table1, in a process group of its own; its journal is beside `out`."""
    given = {"capture_output": True, "text": True, "check": False, "timeout": 300, "start_new_session": True}
    return subprocess.run(command(out, *arguments), env=environment(out, **options), **given)


def results(out):
    """{path: bytes} of all that a table leaves behind, but for the time it took."""
    paths = (path for path in Path(out).rglob("*") if path.is_file() and path.name != "sessions.json")
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def differing(a, b):
    a, b = results(a), results(b)
    return sorted(name for name in a | b if a.get(name) != b.get(name))


def workers_of(out):
    """{seed: pids that worked on it in turn}, the journal checked."""
    entries = {cell: entry for cell, entry in journal.read(f"{out}.journal").items() if cell.startswith("dvaes_power")}
    names = {cell: int(cell.split("seed")[1].split("-")[0]) for cell in entries}
    return {names[cell]: journal.check(entries[cell], ITERATIONS, CHECKPOINT_EVERY) for cell in entries}


def wait_for(condition, process=None, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


def is_gone(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def start(out, *arguments, **options):
    """The command, with both cells some iterations into their training."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen(command(out, *arguments), env=environment(out, **options), **given)
    wait_for(lambda: Path(f"{out}.journal").exists(), process)
    wait_for(lambda: Path(f"{out}.journal").read_text().count("iterate 3\n") == 2, process)
    return process
