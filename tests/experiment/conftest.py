"""A whole run of the command line, shared by the tests that look at its folder."""

import os

import pytest
from small_run import SMALL_RUN, command


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """(folder, finished process) of 200 iterations in one go, on two threads where there are two."""
    folder, threads = tmp_path_factory.mktemp("straight") / "run", min(2, os.cpu_count())
    done = command("train", *SMALL_RUN, "--threads", threads, "--json", "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder, done
