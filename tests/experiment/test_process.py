"""A process that trains: freed memory stays with it, OpenMP's threads sleep between loops, settings are respected."""

import os
import subprocess
import sys

import pytest

from dvae_ref.experiment import process

COUNT = """
import resource, sys
import numpy as np
from dvae_ref.experiment import process

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


CPU = """
import sys, time
from dvae_ref.experiment import process
if sys.argv[1] == "prepare":
    process.prepare()
import numba
from dvae_ref.sampling import philox
def rest():
    philox.uniform(philox.key(0), 100_000)
    time.sleep(0.02)
numba.set_num_threads(2)
rest()
before = time.process_time()
for _ in range(25):
    rest()
print((time.process_time() - before) / 25, numba.threading_layer())
"""


def cpu(mode):
    """(seconds on the CPU of a round of 20 ms, numba's threading layer)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "NUMBA_NUM"))}
    done = subprocess.run(
        [sys.executable, "-c", CPU, mode], capture_output=True, text=True, env=environment, check=True
    )
    seconds, layer = done.stdout.split()
    return float(seconds), layer


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_threads_sleep_between_loops():
    """100,000 numbers take 0.2 ms, the rest of the 20 is sleep; OpenMP's threads would go round for 10 of them."""
    assert cpu("prepare")[0] < 2e-3
    seconds, layer = cpu("leave")
    assert layer != "omp" or seconds > 2e-3


def test_what_the_user_has_set_stays(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    interval = sys.getswitchinterval()
    try:
        process.prepare()
    finally:
        sys.setswitchinterval(interval)
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["OMP_WAIT_POLICY"] == "7"
    assert os.environ["MKL_NUM_THREADS"] == "1"
