"""Who trained a run, and how long it took: sessions.json in its folder, an entry each time that it went on.

It is no part of what has the same bytes after a kill: times never have.
"""

import functools
import os
import subprocess
import time
import warnings
from pathlib import Path

from dvae_ref import __version__
from dvae_ref.files import reading, schema, writing


class Sessions:
    """sessions.json, written with each checkpoint: the work since the last one is lost with a killed process.

    A session that came to no checkpoint, or whose checkpoint is no more, is none: it is not told on.
    """

    def __init__(self, path, iteration, threads):
        self.path, self.start, self.cpu = path, time.monotonic(), time.process_time()
        self.earlier = [session for session in _known(path) if session["from"] < min(session["to"], iteration)]
        self.now = {"version": __version__, "commit": commit(), "threads": threads, "from": iteration}

    def write(self, iteration):
        """Record that the run has come to this iteration."""
        seconds, cpu_seconds = time.monotonic() - self.start, time.process_time() - self.cpu
        session = self.now | {"to": iteration, "cpu_seconds": cpu_seconds, "seconds": seconds}
        writing.write_json(self.path, {"sessions": [*self.earlier, session]})


def read(path):
    """The sessions in a sessions.json, oldest first: [{version, commit, threads, from, to, cpu_seconds, seconds}].

    from, to: iterations. CPU seconds are those of the process, all its threads together: of cells that a pool of
    threads trains side by side, each has those of all. ValueError for a damaged file.
    """
    return schema.check(reading.json_file(path), schema.SESSIONS, path)["sessions"]


def _known(path):
    """Of a file that is damaged, nothing: training does not stop for it."""
    try:
        return read(path) if path.exists() else []
    except ValueError as error:
        warnings.warn(f"{error}; it is begun anew", stacklevel=5)
        return []


@functools.cache
def commit():
    """Of the checkout that this package runs from, ending in -dirty where its files differ; None outside of one."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}  # the second may be in any encoding
    git = functools.partial(subprocess.run, cwd=Path(__file__).parent, timeout=30, check=True, **streams)
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        git(["git", "ls-files", "--error-unmatch", Path(__file__).name], env=quiet)
        described = git(["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"], env=quiet)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.decode("ascii").strip()
