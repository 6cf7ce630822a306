"""A whole run of the command line, shared by the tests that look at its folder."""

import pytest
import tables
from small_run import SMALL_RUN, command

from dvae_ref.experiment.console import usable_cores


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """(folder, finished process) of 200 iterations in one go, on two threads where there are two."""
    folder, threads = tmp_path_factory.mktemp("straight") / "run", min(2, usable_cores())
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
