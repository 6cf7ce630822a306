"""No shape, layout or dtype makes a compiled form give a wrong number or end the process (any_arrays.py)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = 40


def any_arrays(*options):
    command = [sys.executable, Path(__file__).parent / "any_arrays.py", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


def test_every_call_is_right_or_refused():
    """Each of the functions is answered by its twin, answered as it is read, and refuses, in a good number of cases."""
    done = any_arrays(str(EXAMPLES))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    counts = json.loads(done.stdout)
    print(counts)
    assert len(counts) == 20
    assert all(len(kinds) == 3 and min(kinds.values()) >= 1 for kinds in counts.values())


@pytest.mark.release
def test_ten_thousand_calls():
    done = any_arrays("300")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    print(done.stdout)


def test_control_twins_that_trust_shapes_are_seen():
    """With the door open, some call gives another number, or kills the process."""
    done = any_arrays(str(EXAMPLES), "--open-door")
    assert done.returncode != 0


# -- the calls that were wrong, or crashed, in version 0.1 -------------------------------------------------------------


def in_a_process(code):
    """What a program prints; the process may be killed by a signal."""
    start = "import numpy as np\nfrom dvae_ref import RBM, mixture, overlapping\nf = np.float32\n"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


def test_log_q_broadcasts_in_float32():
    """Rows 2 to 5 were whatever lies behind the array."""
    done = in_a_process(
        "rng = np.random.default_rng(0)\n"
        "logit_q, b = rng.normal(size=(1, 7)), 3 * rng.normal(size=(5, 7))\n"
        "wide, narrow = mixture.log_q(logit_q, b)[0], mixture.log_q(f(logit_q), f(b))[0]\n"
        "np.testing.assert_allclose(wide, [-4.162, -3.787, -4.224, -2.719, -3.749], atol=5e-4)\n"
        "np.testing.assert_allclose(narrow, wide, rtol=1e-6)\n"
        "print('right')"
    )
    assert done.stdout == "right\n", done.stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "overlapping.log_p(RBM(np.zeros(400, f), np.zeros((200, 200), f)), np.ones((5000, 3), f))",
            "rbm.W (200, 200), b (5000, 3)",
        ),
        ("overlapping.log_p(RBM(np.zeros(5, f), np.zeros((2, 3), f)), np.ones((4, 5), f), sweeps=-1)", "got -1"),
        ("overlapping.log_p(RBM(np.zeros(7, f), np.zeros((3, 1), f)), np.ones((4, 7), f))", "(3, 1)"),
        ("mixture.log_q_backward(np.ones(1, f), mixture.log_q(*np.ones((2, 5, 7), f))[1])", "(1,)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    """In float32 as in float64."""
    for kind in ("f", "float"):
        done = in_a_process(call.replace(" f)", f" {kind})"))
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("ValueError")
        assert message in done.stderr.splitlines()[-1]
