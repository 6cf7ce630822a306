"""A process that trains: freed memory stays with it, settings are respected."""

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
