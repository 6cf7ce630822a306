"""The kit from Python: the page's lines run, arrays of any kind are taken, and wrong calls are named."""

import re

import numpy as np
import pytest
from judging import EXAMPLES

from dvae_ref.conformance import case, cases, quantity
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.theory.smoothing import SMOOTHINGS

MY_ENERGY = """
import numpy as np


def my_energy(a, W, z, **_):
    n = len(W)
    return -z @ a - np.sum(z[:, :n] @ W * z[:, n:], 1)


"""


def right(one):
    return quantity.outputs(one.quantity, one.inputs)


def test_the_page_s_test_passes_and_fails(tmp_path, pytester_like):
    """The block of docs/conformance.md, with a right log q and with one that forgets the sum."""
    text = (EXAMPLES.parent / "conformance.md").read_text()
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def test_" in block)
    good = MY_ENERGY
    assert pytester_like(good + block) == (0, "")
    code, said = pytester_like(good.replace("-z @ a -", "-z @ a +") + block)
    assert code == 1
    assert "looks like: the couplings have the opposite sign  (all that differ)" in said


@pytest.fixture
def pytester_like(tmp_path):
    """run(source) -> (1 if a test of it fails, its message); parametrised tests run for each case."""

    def run(source):
        names = {}
        exec(compile(source, "page", "exec"), names)
        for test in [value for name, value in names.items() if name.startswith("test_")]:
            marks = getattr(test, "pytestmark", [])
            for argument in marks[0].args[1] if marks else [None]:
                try:
                    test(argument) if marks else test()
                except AssertionError as error:
                    return 1, str(error)
        return 0, ""

    return run


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("one", cases("energy", "log_q_power", "adam"), ids=lambda one: one.name)
def test_right_outputs_pass_and_wrong_ones_say_what_they_look_like(one, dtype):
    one = case(one.name, seed=2, dtype=dtype)
    assert one.inputs[next(iter(one.inputs))].dtype == dtype
    assert one.check(right(one)).passed
    first = next(iter(right(one)))
    assert one.check({first: right(one)[first]}).skipped == list(right(one))[1:]
    with pytest.raises(AssertionError, match=f"FAIL  {one.name}"):
        one.check({first: right(one)[first] + 1})


class Foreign:
    """An array that NumPy gets by __array__ alone, and a tensor that must be detached first."""

    def __init__(self, value, attached=False):
        self.value, self.attached = value, attached

    def detach(self):
        return Foreign(self.value)

    def __array__(self, dtype=None, copy=None):
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.value


class ByDLPack:
    """An array that has DLPack and nothing else."""

    def __init__(self, value):
        self.value = value

    def __dlpack__(self, **options):
        return self.value.__dlpack__()

    def __dlpack_device__(self):
        return self.value.__dlpack_device__()


@pytest.mark.parametrize("kind", [np.ndarray.tolist, Foreign, lambda value: Foreign(value, attached=True), ByDLPack])
def test_arrays_of_any_kind(kind):
    one = case("energy")
    assert one.check(**{name: kind(value) for name, value in right(one).items()}).passed
    wrong = kind(right(one)["energy"] + 1)
    with pytest.raises(AssertionError):
        one.check(energy=wrong)


def test_patterns_choose_cases_and_name_tests():
    assert len(cases("objective_*")) == 64
    assert [one.__name__ for one in cases("log_[zq]*", "adam")] == [
        *("log_z", *(f"log_q_{name}" for name in SMOOTHINGS), "adam")
    ]
    assert len(cases()) == len(QUANTITIES)
    assert repr(cases("adam", seed=3, dtype="float32")) == "[case('adam', seed=3, dtype='float32')]"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: case("log_q_powr"), "no quantity log_q_powr; did you mean log_q_power"),
        (lambda: cases("objektive_*"), "no quantity objektive_"),
        (lambda: case("energy", seed=-1), "seed must be a whole number >= 0, got -1"),
        (lambda: case("energy", seed=0.5), "seed must be a whole number >= 0, got 0.5"),
        (lambda: case("energy", dtype="float16"), "dtype must be one of float64, float32, got 'float16'"),
    ],
)
def test_wrong_cases(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "energy.check needs some of energy, d_a, d_W, d_z"),
        ({"energie": 1.0}, "energy has no output energie; did you mean energy?"),
        ({"energy": ["a"]}, "energy must be an array of real numbers, got list of <U1"),
        ({"energy": [1j]}, "energy must be an array of real numbers, got list of complex128"),
        ({"energy": object()}, "energy must be an array of real numbers, got object of object"),
    ],
)
def test_wrong_answers(arrays, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        case("energy").check(arrays)
