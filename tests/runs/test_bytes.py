"""The same bytes, whatever the process: how many threads BLAS was given, who imported NumPy first, in a notebook.

Batches are large enough that BLAS, where it has two threads, shares their products out among them.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

SETTINGS = {"num_train_iter": 4, "batch_size": 100, "chains": 50, "sweeps": 2, "checkpoint_every": 2, "log_every": 2}
SETTINGS |= {"eval_every": 4, "eval_samples": 2, "eval_temperatures": 10}
OPTIONS = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]

COMMAND = f"""
import sys
from dvae_ref.cli import main
sys.exit(main(["train", *{OPTIONS}, "--run-dir", sys.argv[1]]))
"""
NUMPY_FIRST = """
import numpy as np
np.ones((900, 900)) @ np.ones((900, 900))
"""
LIBRARY = f"""
from threadpoolctl import threadpool_info
from dvae_ref.runs import datasets, lifecycle
from dvae_ref.runs.presets import Settings

def train(folder):
    with lifecycle.Run(folder, Settings(**{SETTINGS}), datasets.load("mnist5k", None), threads=2) as run:
        run.begin()
        assert run.advance()

def threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
"""
FROM_PYTHON = f"""
import sys
{LIBRARY}
before = threads()
train(sys.argv[1])
assert threads() == before
print(max(before))
"""
HALF_WAY = f"""
import sys
{LIBRARY}
with lifecycle.Run(sys.argv[1], Settings(**{SETTINGS}), datasets.load("mnist5k", None), threads=2) as run:
    run.begin_or_resume()
    run.advance(lambda: run.state.iteration == int(sys.argv[2]))
"""
AS_IT_WAS = """
from dvae_ref import blas
blas._enter = blas._leave = lambda: None
"""
NOTEBOOK = """
import json, sys
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
try:
    for cell in json.loads(sys.argv[1]):
        content = client.execute_interactive(cell, timeout=200)["content"]
        assert content["status"] == "ok", content
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


def python(code, *arguments, **environment):
    """What a process prints; OPENBLAS_NUM_THREADS and the like as given here, or unset."""
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")} | environment
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The run folder of python -m dvae_ref train."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    python(COMMAND, folder)
    return folder


def differing(folder, plain):
    """Names of arrays of last.npz that are not the same bytes."""
    (there, here) = (np.load(each / "last.npz") for each in (plain, folder))
    assert there.files == here.files
    return [name for name in there.files if there[name].tobytes() != here[name].tobytes()]


def same(folder, plain):
    files = [(each / "metrics.jsonl").read_bytes() for each in (folder, plain)]
    return not differing(folder, plain) and files[0] == files[1]


def test_blas_may_be_told_to_use_two_threads(plain, tmp_path):
    python(COMMAND, tmp_path / "run", OPENBLAS_NUM_THREADS="2", MKL_NUM_THREADS="2")
    assert same(tmp_path / "run", plain)


def test_numpy_may_be_there_first(plain, tmp_path):
    python(NUMPY_FIRST + COMMAND, tmp_path / "run")
    assert same(tmp_path / "run", plain)


def test_from_python(plain, tmp_path):
    """And BLAS has as many threads as before when it is done."""
    python(NUMPY_FIRST + FROM_PYTHON, tmp_path / "run", OPENBLAS_NUM_THREADS="2")
    assert same(tmp_path / "run", plain)


def test_resumed_with_other_threads(plain, tmp_path):
    """Half of it on one thread of BLAS, the rest where it was given two."""
    python(HALF_WAY, tmp_path / "run", 2, OPENBLAS_NUM_THREADS="1")
    python(NUMPY_FIRST + HALF_WAY, tmp_path / "run", 99, OPENBLAS_NUM_THREADS="2")
    assert same(tmp_path / "run", plain)


def test_in_a_notebook(plain, tmp_path):
    pytest.importorskip("ipykernel", reason="takes ipykernel, of the extra test")
    cells = [NUMPY_FIRST, LIBRARY, f"before = threads()\ntrain({str(tmp_path / 'run')!r})\nassert threads() == before"]
    python(NOTEBOOK, json.dumps(cells), OPENBLAS_NUM_THREADS="2")
    assert same(tmp_path / "run", plain)


def test_control_with_the_threads_that_blas_was_given_the_bytes_are_others(plain, tmp_path):
    threads = python(AS_IT_WAS + NUMPY_FIRST + FROM_PYTHON, tmp_path / "run", OPENBLAS_NUM_THREADS="2")
    if threads.strip() == "1":
        pytest.skip("this BLAS has one thread only")
    assert len(differing(tmp_path / "run", plain)) > 50
