"""A process that trains: freed memory stays with it, settings are respected."""

import argparse
import os
import subprocess
import sys

import pytest

from dvae_ref.program import console, process

COUNT = """
import resource, sys
import numpy as np
from dvae_ref.program import process

if sys.argv[1] == "keep" and not process.keep_freed():
    sys.exit(77)
def step():
    return [np.ones(3 * 2**18, np.float32) for _ in range(12)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


def faults(mode):
    """Page faults a step in a process of its own, whose allocator it is."""
    done = subprocess.run([sys.executable, "-c", COUNT, mode], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("not glibc")
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_blocks_are_reused_without_page_faults():
    """Twelve arrays of 768 pages a step: the control's come anew each time, 9,216 pages."""
    assert faults("keep") < 100
    assert faults("leave") > 1000


def test_elsewhere_it_says_no(monkeypatch):
    monkeypatch.setattr(process.sys, "platform", "win32")
    assert not process.keep_freed()


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    interval = sys.getswitchinterval()
    try:
        process.prepare()
    finally:
        sys.setswitchinterval(interval)
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert os.environ["MKL_NUM_THREADS"] == "1"


# -- how many cores ----------------------------------------------------------------------------------------------------

THREADS = """
import argparse
from dvae_ref.program import console
args = argparse.Namespace(threads=None)
console.use_threads(args)
print(args.threads)
"""
WITH_ONE_CORE = f"import os\nos.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n{THREADS}"


def threads(code, **environment):
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"} | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_by_default_what_the_process_may_use():
    """On a cluster's cpuset, or under taskset: all commands were refused there, as the machine has more."""
    assert threads(THREADS) == len(os.sched_getaffinity(0))
    assert threads(WITH_ONE_CORE) == 1
    assert threads(WITH_ONE_CORE, NUMBA_NUM_THREADS="4") == 1
    assert threads(THREADS, NUMBA_NUM_THREADS="1") == 1


def test_more_than_numba_has_are_refused():
    most = console.numba.config.NUMBA_NUM_THREADS
    with pytest.raises(console.UsageError, match=rf"--threads must lie in 1 to {most}, got {most + 1}"):
        console.use_threads(argparse.Namespace(threads=most + 1))


@pytest.mark.parametrize("given", ["", "0", "-1", "1.5", "abc"])
@pytest.mark.parametrize("program", ["dvae_ref evaluate --run-dir none", "figures fig1", "validation --quick"])
def test_a_number_of_threads_that_is_none_is_named(program, given):
    """Numba would print a traceback and go on with its default, or fail without the variable's name."""
    environment = os.environ | {"NUMBA_NUM_THREADS": given}
    command = [sys.executable, "-m", *program.split()]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"NUMBA_NUM_THREADS must be a whole number of at least 1, got {given!r}")
