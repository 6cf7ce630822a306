"""The same bytes in whatever process: forked, in threads, compiled just now or long ago, in whatever order."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvae_ref import exact

# Every kernel, by machines of several blocks; run(names) is {name: bytes}.
CALLS = """
import sys
import numpy as np
from dvae_ref import exact
from dvae_ref.theory.boltzmann import RBM, BoltzmannMachine

rng = np.random.default_rng(0)
rbm = RBM(rng.normal(size=28), rng.normal(size=(14, 14)))
small = RBM(rng.normal(size=8), rng.normal(size=(4, 4)))
J = np.triu(0.3 * rng.normal(size=(20, 20)), 1)
general = BoltzmannMachine(rng.normal(size=20), J + J.T)
b = 3 * rng.normal(size=(50, 8))

CALLS = {
    "log_z": lambda: exact.log_z(general),
    "moments": lambda: exact.moments(general).zz,
    "log_z of an RBM": lambda: exact.log_z(rbm),
    "moments of an RBM": lambda: exact.moments(rbm).zz,
    "log_p": lambda: exact.log_p(small, b)[0],
    "kl": lambda: exact.kl(small, b, b / 2),
}

def run(names=CALLS):
    return {name: np.asarray(CALLS[name]()).tobytes() for name in names}
"""
FORKED = """
import multiprocessing

def child(pipe):
    pipe.send(run())

whole = run()
receiver, sender = multiprocessing.Pipe()
process = multiprocessing.get_context("fork").Process(target=child, args=(sender,))
process.start()
process.join(100)
print(process.exitcode, receiver.poll() and receiver.recv() == whole)
"""
IN_THREADS = """
import concurrent.futures

whole = run()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(all(found == whole for found in pool.map(lambda _: run(), range(12))))
"""
NUMBA_S_OWN = """
import math
import numba

@numba.njit(parallel=True)
def f(n):
    total = 0.0
    for i in numba.prange(n):
        total += math.sin(i)
    return total

def run(names=()):
    return f(3_000_000)  # long enough for two threads to be inside at a time, however busy the machine is
"""
BYTES = """
import hashlib
for name, content in sorted(run(sys.argv[1:]).items()):
    print(name, hashlib.sha256(content).hexdigest())
"""


def process(code, *arguments, **environment):
    env = os.environ | {"NUMBA_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)


def has_layer(name):
    code = "import numba\nnumba.get_num_threads()"
    return process(code, NUMBA_THREADING_LAYER=name).returncode == 0


@pytest.mark.parametrize("layer", ["default", "omp"])
def test_after_a_fork(layer):
    """GNU OpenMP ends a child that runs in parallel what its parent ran in parallel."""
    if not has_layer(layer):
        pytest.skip(f"numba has no threading layer {layer} here")
    done = process(CALLS + FORKED, NUMBA_THREADING_LAYER=layer)
    assert (done.stdout, done.returncode) == ("0 True\n", 0), done.stderr


@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_in_several_threads(layer):
    done = process(CALLS + IN_THREADS, NUMBA_THREADING_LAYER=layer)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


@pytest.mark.parametrize(("layer", "code", "held"), [("omp", FORKED, "0 True\n"), ("workqueue", IN_THREADS, "True\n")])
def test_control_numba_s_own_threads_do_not_hold(layer, code, held):
    """The child is killed, the process aborts."""
    if not has_layer(layer):
        pytest.skip(f"numba has no threading layer {layer} here")
    assert process(NUMBA_S_OWN + code, NUMBA_THREADING_LAYER=layer).stdout != held


def test_compiled_just_now_or_long_ago_and_in_whatever_order(tmp_path):
    """A kernel that calls another by name gets the code that was loaded first: moments of a general machine differed
    in their last bits between the process that compiled and the next one."""
    orders = (("log_z", "moments"), ("log_z", "moments"), ("moments", "log_z"))
    found = [process(CALLS + BYTES, *order, NUMBA_CACHE_DIR=str(tmp_path)) for order in orders]
    assert found[0].stdout.count("\n") == 2, found[0].stderr
    assert found[0].stdout == found[1].stdout == found[2].stdout


def parallel(source):
    """Names of numba's parallel loops in a source."""
    for node in ast.walk(ast.parse(source)):
        if (isinstance(node, ast.keyword) and node.arg == "parallel") or (
            isinstance(node, ast.Attribute | ast.Name) and getattr(node, "attr", getattr(node, "id", "")) == "prange"
        ):
            yield node


def test_nothing_runs_in_numba_s_own_threads():
    package = Path(exact.__file__).parents[1]
    assert not [path for path in package.rglob("*.py") if list(parallel(path.read_text()))]
    assert len(list(parallel(NUMBA_S_OWN))) == 2
