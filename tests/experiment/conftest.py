"""A whole run of the command line, shared by the tests that look at its folder."""

import os
import subprocess
import sys

import pytest
import tables

# Small enough to take seconds; a checkpoint every 50 iterations, a log record every 10, a validation every 100.
SMALL_RUN = (
    *("--num-train-iter", "200", "--batch-size", "20", "--chains", "50", "--sweeps", "2", "--seed", "3"),
    *("--eval-every", "100", "--eval-samples", "2", "--eval-temperatures", "10"),
    *("--checkpoint-every", "50", "--log-every", "10"),
)


def command(*arguments, code=None, **options):
    """Run python -m dvae_ref with these arguments, or python -c code, as another process; its output as text."""
    start = ["-c", code] if code else ["-m", "dvae_ref"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    given = {"capture_output": True, "text": True, "check": False, "timeout": 300, "env": environment} | options
    return subprocess.run([sys.executable, *start, *map(str, arguments)], **given)


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """(folder, finished process) of 200 iterations in one go, on two threads where there are two."""
    folder, threads = tmp_path_factory.mktemp("straight") / "run", min(2, os.cpu_count())
    done = command("train", *SMALL_RUN, "--threads", threads, "--json", "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="session")
def straight_table(tmp_path_factory):
    """(folder, finished process) of a table of two seeds, both at a time, in one go."""
    out = tmp_path_factory.mktemp("straight") / "table"
    done = tables.run(out, "--seed", "0", "1", "--workers=2", "--json")
    assert done.returncode == 0, done.stderr
    return out, done
