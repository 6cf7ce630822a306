"""The kit from Python: the page's lines run, arrays of any kind are taken, and wrong calls are named."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from judging import EXAMPLES

from dvae_ref.conformance import case, cases, commands, quantity, report
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


def test_inputs_changed_in_place_are_judged_by_what_they_were():
    """log q after zeta has been clipped in place would be right for the clipped zeta."""
    one = case("log_q_power")
    expected = right(one)
    given = one.inputs
    np.clip(given["zeta"], 0.1, 0.9, out=given["zeta"])
    given.pop("q")
    assert one.check(expected).passed
    clipped = quantity.outputs(one.quantity, one.inputs | {"zeta": given["zeta"]})
    with pytest.raises(AssertionError, match="FAIL  log_q_power"):
        one.check(clipped)


@pytest.mark.parametrize("kind", [Fraction, Decimal])
def test_exact_numbers_are_numbers(kind):
    one = case("energy")
    assert one.check(energy=[kind(value) for value in right(one)["energy"]]).passed
    with pytest.raises(AssertionError):
        one.check(energy=[kind(value + 1) for value in right(one)["energy"]])


@pytest.mark.parametrize("value", [1e308, -1e308, np.inf, np.nan])
def test_huge_and_not_finite_numbers_fail_without_a_warning(value):
    one = case("energy")
    with pytest.raises(AssertionError, match="FAIL  energy"):
        one.check(energy=np.full_like(right(one)["energy"], value))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.check(np.zeros(6)), "energy.check takes its arrays by name, check(energy=...) or a dict, got"),
        (lambda one: one.check([("energy", 1.0)]), "energy.check takes its arrays by name"),
        (lambda one: one.check({1: 1.0}), "energy has no output 1"),
        (lambda one: one.check(energy=None), "energy must be an array of real numbers, got NoneType"),
        (lambda one: one.check(energy=[None, "1.0"]), "energy must be an array of real numbers, got list of object"),
        (lambda one: one.check(energy=[Fraction(1), "1.0"]), "energy must be an array of real numbers, got list of"),
        (
            lambda one: one.check(energy=np.ma.masked_array(np.zeros(6), [1, 0, 0, 0, 0, 0])),
            "energy has masked elements",
        ),
        (lambda one: cases(["energy"]), "patterns must be strings"),
    ],
)
def test_what_is_no_array_by_name(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call(case("energy"))


@pytest.mark.parametrize("name", [None, ["energy"], 3])
def test_what_is_no_name(name):
    with pytest.raises(ValueError, match="no quantity"):
        case(name)
    with pytest.raises(ValueError, match="dtype must be one of float64, float32"):
        case("energy", dtype=name)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        case("energy", seed=True)


def test_a_verdict_prints_as_the_command_line_shows_it():
    one = case("bound_variational")
    found = one.check(right(one))
    assert str(found) == report.as_text(found)
    assert str(found).startswith("ok    bound_variational")


@pytest.mark.parametrize("name", ["log_q_power", "own_networks_dvaes_power", "negative_phase"])
def test_a_description_is_in_sentences(name):
    said = " ".join(commands.description(QUANTITIES[name]).partition("  inputs:")[0].split())
    assert said.endswith(".")
    assert " Gradients: " not in said or ". Gradients: " in said
