"""No array makes a sampler or an enumeration give a wrong number or end the process: any_chains.py, in a process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from enumeration import skewed_rbm

from dvae_ref.sampling import ais, gibbs, pcd, philox, population_annealing

EXAMPLES = 40


def test_every_call_is_right_or_refused():
    command = [sys.executable, Path(__file__).parent / "any_chains.py", str(EXAMPLES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout)
    print(counts)
    assert all(min(kinds.values()) > 5 and len(kinds) == 2 for kinds in counts.values())


def chains(**odd):
    return pcd.init(philox.key(0), (5, 7), 3)._replace(**odd)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"left": np.zeros((3, 300), np.uint8)}, r"left must be uint8 of shape \(R, 2\).*got uint8 \(3, 300\)"),
        ({"left": np.zeros((3, 1), np.uint8)}, r"got uint8 \(3, 1\)"),
        ({"right": np.full((3, 2), 255, np.uint8)}, "right has bits that are no units: 255"),
        ({"left": np.full((3, 2), 15, np.uint8)}, "left has bits that are no units"),  # 5 units are not 8
        ({"left": np.zeros((3, 2), np.int64)}, "left must be uint8"),
        ({"left": np.zeros((4, 2), np.uint8)}, "as many chains left as right"),
        ({"shape": np.array([5.0, 7.0])}, "the shape of chains is two whole numbers"),
        ({"sweeps": np.array(-1)}, "the sweeps of chains are a whole number"),
    ],
)
def test_chains_that_are_none_are_refused(odd, message):
    """In version 0.1 they ended the process, read beyond an array, or were taken for others."""
    rbm = skewed_rbm(5, 7)
    state = population_annealing.init(philox.key(0), rbm, 3)._replace(chains=chains(**odd))
    for call in (
        lambda: gibbs.sweep(philox.key(0), chains(**odd), rbm, 1),
        lambda: pcd.moments(chains(**odd)),
        lambda: population_annealing.step(philox.key(0), state, rbm),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pcd.init(philox.key(0), (-3, 4)), ValueError, "units left must be a whole number >= 1; got -3"),
        (lambda: pcd.init(philox.key(0), (3, 4), 1.5), ValueError, "got 1.5"),
        (lambda: philox.key(1.5), TypeError, "a seed must be a whole number; got 1.5"),
        (lambda: philox.key(-1), ValueError, "got -1"),
        (lambda: philox.fold_in(3, 1), TypeError, r"philox.key\(0\); got 3"),
        (lambda: ais.log_z(0, skewed_rbm()), TypeError, r"philox.key\(0\); got 0"),
        (lambda: population_annealing.anneal(0, skewed_rbm()), TypeError, r"philox.key\(0\); got 0"),
        (lambda: gibbs.sweep(0, chains(), skewed_rbm(5, 7), 1), TypeError, r"philox.key\(0\); got 0"),
        (
            lambda: gibbs.sweep(philox.key(0), chains(), skewed_rbm(5, 7), -1),
            ValueError,
            "sweeps must be a whole number >= 0; got -1",
        ),
        (lambda: gibbs.sweep(philox.key(0), chains(), skewed_rbm(5, 7), 0.5), ValueError, "got 0.5"),
        (lambda: gibbs.sweep(philox.key(0), chains(), skewed_rbm(7, 5), 1), ValueError, "of a machine"),
    ],
)
def test_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_pieces_are_the_same_bytes(monkeypatch):
    """A long call is cut, so that Ctrl-C is heard between pieces."""
    rbm, start = skewed_rbm(5, 7), chains()
    whole = gibbs.sweep(philox.key(0), start, rbm, 7)
    monkeypatch.setattr(gibbs, "_PIECE", 2 * 3 * 35)  # two sweeps
    for found, expected in zip(gibbs.sweep(philox.key(0), start, rbm, 7), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
