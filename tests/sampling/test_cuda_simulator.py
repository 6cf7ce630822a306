"""The kernels as plain Python, in numba's simulator: their logic, without a compiler in between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_philox import KNOWN_ANSWERS, words

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")


@pytest.fixture(scope="module")
def found():
    counters, keys, _ = zip(*KNOWN_ANSWERS, strict=True)
    given = {"counters": [ints(text) for text in counters], "keys": [ints(text) for text in keys]}
    run = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).with_name("simulated.py")],
        input=json.dumps(given),
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def ints(text):
    return [int(word) for word in words(text)]


def test_philox_known_answers(found):
    assert found["simulated"]
    assert found["philox"] == [ints(answer) for _, _, answer in KNOWN_ANSWERS]


def test_spins_are_the_oracles(found):
    same, control = found["gibbs"]
    assert same == 0
    assert control > 0  # the other sign of W


def test_weights_are_the_oracles(found):
    """Float32 increments, each good to 1e-6 of itself, against float64: log w is 8 nats, of parts of either sign."""
    assert found["ais"] < 2e-5


def test_tiles_do_the_same(found):
    same, control, error = found["tiles"]
    assert same == 0
    assert control > 0
    assert error < 2e-5


def test_resampling_is_the_cpus(found):
    assert found["resampling"] == 0


def test_population_annealing_is_the_cpus(found):
    differences, families = found["population"]
    assert differences == 0
    assert families < 40  # there was something to resample
