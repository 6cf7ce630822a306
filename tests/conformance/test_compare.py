"""What is said of one array: whether it agrees, to how many digits, and which hint goes with how much it is off."""

import numpy as np
import pytest

from dvae_ref.conformance import compare as comparing
from dvae_ref.conformance.compare import agreement, compare
from dvae_ref.conformance.tolerances import EXACT, Tolerance

ONE = Tolerance(1.0, 0.0, "")
FINE = Tolerance(1e-14, 0.0, "")
OURS = np.array([1.0, -0.3, 0.7, 0.55])
UNEVEN = np.array([1.0, 0.9, -0.8, 1.0])  # signs and sizes: neither a factor nor a constant


def test_as_far_off_as_is_allowed_agrees():
    assert compare("y", np.zeros(3), np.array([0.0, -1.0, 0.5]), ONE)[:3] == ("y", "", 1.0)
    found = compare("y", np.array([100.0, 200.0]), np.array([100.3, 198.5]), ONE)
    assert found[:3] == ("y", "differs", 1.5)
    assert found.where == "y[1]: theirs 198.5, ours 200, off by -1.5, allowed 1"


def test_the_first_of_the_worst_is_named():
    ours = np.zeros((2, 2))
    assert compare("y", ours, np.array([[0, 3], [3, 2]]), ONE).where.startswith("y[0, 1]: theirs 3, ours 0, off by 3")
    assert compare("y", np.array(0.0), np.array(3.0), ONE).where.startswith("y: theirs 3, ours 0, off by 3")


def test_of_what_is_not_finite_one_is_named_and_the_others_are_counted():
    ours = np.zeros(5)
    found = compare("y", ours, np.array([0, 1, np.nan, np.inf, 0]), ONE)
    assert found[:3] == ("y", "not finite", np.inf)
    assert found.where.startswith("2 of 5 are NaN or infinite, e.g. y[2]: theirs nan, ours 0, off by nan")
    assert "others" not in found.where
    assert compare("y", ours, np.array([0, 2, np.nan, 3, 1]), ONE).where.endswith("; of the others 2 differ")


@pytest.mark.parametrize(
    ("ours", "theirs", "digits"),
    [
        ([10.0, 1.0], [10.0, 1.0], 16),
        ([10.0, 1.0], [10.0, 1.0 + 2e-5], 5),  # relative to the largest of ours
        ([10.0, 1.0], [10.0, 1.0 + 0.5e-5], 6),
        ([-10.0, 1.0], [-10.0, 1.0 + 0.5e-5], 6),
        ([1.0, 1.0], [1.0, 5.0], 0),
        ([0.0, 0.0], [0.0, 1.0], 0),
        ([1e20, 1.0], [1e20, 2.0], 16),
    ],
)
def test_digits_are_those_of_the_largest_number(ours, theirs, digits):
    assert agreement(np.array(ours), np.array(theirs)) == digits


DIGITS = {3: None, 4: "guard", 5: "guard", 6: "constant", 7: "constant", 8: "guard", 10: "guard", 11: "rounding"}
CAUSES = {
    "guard": "a guard of 1e-7?",
    "constant": "a constant in float32?",
    "rounding": "rounding, in a form that cancels?",
}


@pytest.mark.parametrize("digits", DIGITS)
def test_a_hint_goes_with_the_digits(digits):
    found = compare("y", OURS, OURS + 0.9 * 10.0**-digits * UNEVEN, FINE)
    assert found.digits == digits
    cause = DIGITS[digits]
    said = f"; it agrees to {digits} digits: {CAUSES[cause]}" if cause else ""
    assert found.where.partition("allowed 1e-14")[2] == said


@pytest.mark.parametrize(("name", "cause"), [("d_y", "finite differences?"), ("y", "a guard of 1e-7?")])
def test_of_a_gradient_another_one(name, cause):
    assert compare(name, OURS, OURS + 0.9e-8 * UNEVEN, FINE).where.endswith(f"8 digits: {cause}")


def test_where_float32_is_asked_for_or_nothing_is_allowed_there_is_none():
    """From an absolute tolerance of 1e-7 on the kit is one of float32."""
    theirs = OURS + 0.9e-5 * UNEVEN
    for absolute, hinted in ((0.99e-7, True), (1e-7, False), (1e-6, False)):
        assert ("digits" in compare("y", OURS, theirs, Tolerance(absolute, 0.0, "")).where) == hinted
    assert compare("y", OURS, theirs, EXACT).where.endswith("allowed 0")


@pytest.mark.parametrize(
    ("ours", "index", "off", "hinted"),
    [
        ([1e6, 1e3, 900.1, 1100], 1, 0.5, True),
        ([1e6, 1e3, 900.1, 1100], 1, 1.0, True),  # a thousandth of the number itself
        ([1e6, 1e3, 900.1, 1100], 1, 2.0, False),
        ([1e6, 1e-3, 900.1, 1100], 1, 0.5, True),  # or of the usual one, where it is small
        ([1e6, 1e-3, 900.1, 1100], 1, 2.0, False),
        ([1e6, -1e3, 9.1, 1.1], 1, 0.5, True),
        ([1e6, -1e3, 9.1, 1.1], 1, -0.5, True),
        ([1e6, -1e3, 9.1, 1.1], 1, -2.0, False),
    ],
)
def test_what_is_off_by_as_much_as_the_number_itself_has_none(ours, index, off, hinted):
    """However many digits the largest number makes of it."""
    ours = np.array(ours)
    theirs = ours + off * (np.arange(4) == index)
    found = comparing._hint("y", ours, theirs, FINE, (index,), 5)
    assert bool(found) == hinted


SINGLE = 1 + 2.0**-20  # float32 holds it, float16 and bfloat16 do not
BRAIN = 2.0**20  # float16 does not reach it


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([4.0 + 2.0**-8], [4.0], "half"),
        ([1.0], [SINGLE], ""),  # off by 2^-20: more than float32 takes off
        ([SINGLE - 2.0**-21], [SINGLE], "float32"),
        ([-SINGLE + 2.0**-21], [-SINGLE], "float32"),
        ([8 * SINGLE + 2.0**-20, 0.0], [8 * SINGLE, 0.0], "float32"),
        ([1.0], [1 + 2.0**-7], ""),
        ([1.0], [1 + 2.0**-8 + 2.0**-9], "half"),
        ([64.0], [64 * (1 + 2.0**-8)], "half"),
        ([BRAIN * (1 + 2.0**-7 + 2.0**-9)], [BRAIN * (1 + 2.0**-7)], "half"),
        ([BRAIN * (1 + 2.0**-9)], [BRAIN * (1 + 2.0**-8)], ""),  # a bit more than bfloat16 holds
        ([BRAIN * (1 + 2.0**-9)] * 3, [BRAIN, BRAIN * (1 + 2.0**-8), BRAIN], ""),
    ],
)
def test_digits_are_few_where_rounding_to_them_explains_it(ours, theirs, said):
    found = comparing._precision(np.array(ours), np.array(theirs), FINE)
    assert (
        found
        == {
            "": "",
            "half": "; it looks computed in half precision",
            "float32": "; it looks computed in float32: export the kit with --dtype float32",
        }[said]
    )


def test_in_a_kit_of_float32_it_is_as_it_should_be():
    for absolute, said in ((0.99e-7, True), (1e-7, False)):
        found = comparing._precision(np.array([SINGLE - 2.0**-21]), np.array([SINGLE]), Tolerance(absolute, 0.0, ""))
        assert bool(found) == said
