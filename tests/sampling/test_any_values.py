"""No value of an argument ends a sampler or an enumeration otherwise than by ValueError or TypeError: any_values.py."""

import inspect
import json
import subprocess
import sys
from collections import Counter

import any_values
import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.sampling import bracket, pcd, trajectory
from dvae_ref.sampling import population_annealing as pa

OTHERS = {"margin", "states", "steps_for", "samples", "moments"}  # of results
OTHERS |= {"elbo", "log_px"}  # of models: test_discrete.py
OTHERS |= {"part_of"}  # of progress


def test_every_value_is_right_or_refused():
    command = [sys.executable, any_values.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout)
    assert counts.keys() == any_values.CALLS.keys()
    assert all(min(kinds.values()) >= 5 and len(kinds) == 2 for kinds in counts.values()), counts
    assert sum(kinds["refused"] for kinds in counts.values()) > 2500


@pytest.mark.parametrize("module", [pcd, pa, bracket, trajectory, exact])
def test_no_function_is_left_out(module):
    """A new one needs a row in any_values.CALLS."""
    functions = inspect.getmembers(module, inspect.isfunction)
    own = {name for name, function in functions if function.__module__.startswith(module.__name__)}
    found = {name for name in own if not name.startswith("_")}
    called = {function for function, _ in any_values.CALLS.values()}
    missing = {name for name in found - OTHERS if getattr(module, name) not in called}
    assert missing - {"log_p_backward"} == set()


@pytest.mark.parametrize(
    ("function", "kind"), [(lambda x: x[0], "any"), (lambda x: 1, "refuse"), (lambda x: x.mean() + 1, "same")]
)
def test_control_what_is_not_refused_is_seen(function, kind):
    odd = {"any": np.array(3.0), "refuse": None, "same": np.ones(3)}[kind]
    with pytest.raises(AssertionError):
        any_values.judge("f", function, {"x": odd}, kind, 1.0, Counter())


def test_steps_beyond_int64_are_refused():
    """Cast to int64 they were negative: no step was taken, and log Z was that of the start, without a word."""
    with pytest.raises(ValueError, match="got inf"):
        trajectory.below(any_values.KEY, any_values.PATH, steps=np.inf)
    with pytest.raises(ValueError, match="each > 0; got"):
        trajectory.steps_for(np.array([1.0]), each=0.0)
    with pytest.raises(ValueError, match="finite numbers of nats"):
        trajectory.steps_for(np.array([np.nan]))
