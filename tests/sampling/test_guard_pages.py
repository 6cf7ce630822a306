"""No kernel of the samplers reads or writes beyond an array that it is given: guarded.py, in a process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def guarded(side, *engine):
    command = [sys.executable, "-W", "ignore", Path(__file__).parent / "guarded.py", side, *engine]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


@pytest.mark.parametrize("engine", [(), ("portable",)], ids=["best", "portable"])
@pytest.mark.parametrize("side", ["start", "end"])
def test_every_sampler_keeps_to_its_arrays(side, engine):
    done = guarded(side, *engine)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 300


def test_control_a_read_beyond_the_end_ends_the_process():
    assert guarded("inside").returncode in (-signal.SIGSEGV, -signal.SIGBUS)
