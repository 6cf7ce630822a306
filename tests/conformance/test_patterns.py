"""What wrong arrays are said to have to do with the right ones; what has nothing to do with them is said nothing of."""

import numpy as np
import pytest

from dvae_ref.conformance import case, patterns, quantity
from dvae_ref.conformance.compare import compare
from dvae_ref.conformance.tolerances import Tolerance

CLOSE = Tolerance(1e-13, 1e-13, "")
OURS = np.array([[0.3, -1.2, 2.5], [0.7, 0.11, -0.4]])
SQUARE = np.array([[0.3, -1.2], [0.7, 0.11]])
POSITIVE = np.abs(OURS)

NUMBERS = {
    "all are 1.442695 times what is expected: bits?": (OURS, OURS / np.log(2)),
    "all are -1 times what is expected": (OURS, -OURS),
    "all are 2.5 more than what is expected": (OURS, OURS + 2.5),
    "all are 0.6931472 less than what is expected": (OURS, OURS - 0.6931472),
    "it is 1 - x, x being what is expected": (OURS, 1 - OURS),
    "it is 2 x - 1, x being": (OURS, 2 * OURS - 1),
    "it is exp(x), x being": (OURS, np.exp(OURS)),
    "it is log(x), x being": (POSITIVE, np.log(POSITIVE)),
    "it is sigmoid(x), x being": (OURS, 1 / (1 + np.exp(-OURS))),
    "it is 1 / x, x being": (OURS, 1 / OURS),
    "it is x^2, x being": (POSITIVE, POSITIVE**2),
    "all are 0": (OURS, 0 * OURS),
    "transposed": (SQUARE, SQUARE.T),
    "along axis 0 the other way round": (OURS, OURS[::-1]),
    "along axis 1 the other way round": (OURS, OURS[:, ::-1]),
    "in another order": (OURS, OURS.T.reshape(2, 3)),
}
BLOCKS = np.block([[np.zeros((2, 2)), OURS], [OURS.T, np.zeros((3, 3))]])
SHAPES = {
    "the numbers are right, but transposed": OURS.T,
    "the numbers are right, but in another shape": OURS[None],
    "the numbers are right, but column by column": OURS.ravel(order="F"),
    "it is the mean over all of what is expected": OURS.mean(),
    "it is the sum over axis 0 of what is expected": OURS.sum(0),
    "its sum over axis 0 is right": np.stack([OURS / 3, OURS / 2, OURS / 6]),
    "its mean over axis 2 is right": np.stack([OURS, 2 * OURS, 0 * OURS], -1),
    "its upper right block is right": BLOCKS,
    "its upper right block is half of what is expected": BLOCKS / 2,
}


@pytest.mark.parametrize("said", NUMBERS)
def test_numbers_that_have_to_do_with_the_right_ones(said):
    assert said in patterns.of_numbers("y", *NUMBERS[said], CLOSE)


@pytest.mark.parametrize("said", SHAPES)
def test_shapes_that_have_to_do_with_the_right_one(said):
    assert said in patterns.of_shape(OURS, np.asarray(SHAPES[said]), CLOSE)


def test_control_what_has_nothing_to_do_with_them():
    rng = np.random.default_rng(3)
    for theirs in (OURS + rng.normal(size=OURS.shape), OURS**3, np.where(OURS > 1, 1, OURS), OURS + 1e-7):
        assert patterns.of_numbers("y", OURS, theirs, CLOSE) == ""
    for shape in ((2,), (3, 3), (2, 3, 4), (0,), (1,) * 40):
        assert patterns.of_shape(OURS, rng.normal(size=shape), CLOSE) == ""


def test_a_gradient_of_zeros_is_asked_whether_it_is_detached():
    assert "is it detached?" in patterns.of_numbers("d_y", OURS, 0 * OURS, CLOSE)


def test_few_numbers_have_no_factor_and_whole_ones_no_order():
    assert patterns.of_numbers("y", OURS[0, :2], 3 * OURS[0, :2], CLOSE) == ""
    spins = np.array([0.0, 1, 1, 0, 1])
    assert patterns.of_numbers("z", spins, spins[[1, 0, 2, 3, 4]], CLOSE) == ""


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_digits_are_said_to_be_few_where_rounding_explains_them(dtype):
    one = case("energy")
    ours = quantity.outputs(one.quantity, one.inputs)["energy"]
    said = compare("energy", ours, ours.astype(dtype), CLOSE).where
    assert {np.float16: "in half precision", np.float32: "in float32"}[dtype] in said
    round_ones = np.round(ours * 64) / 64 + 2.0**-5  # float16 holds them as well
    assert "computed" not in compare("energy", ours, round_ones, CLOSE).where


def test_what_is_off_by_as_much_as_the_number_itself_is_no_finite_difference():
    """Beside a number of a million, all others agree with it to six digits."""
    ours = np.array([1e6, 2.5e5, 0.3, -0.7, 1.1])
    said = compare("d_zeta", ours, ours + np.array([0, 0, 0.9, 1.2, 0.1]), CLOSE).where
    assert "digits" not in said


def test_rows_of_nan_are_counted_by_flag_and_the_others_looked_at():
    one = case("log_q_power")
    ours = quantity.outputs(one.quantity, one.inputs)["log_q"]
    flagged = np.array([False] * (len(ours) - 2) + [True] * 2)
    with pytest.raises(AssertionError, match="no flag 0 of ") as caught:
        one.check(log_q=np.where(flagged, np.nan, ours))
    assert "of the others" not in str(caught.value)
    with pytest.raises(AssertionError, match=f"of the others {len(ours) - 2} differ"):
        one.check(log_q=np.where(flagged, np.nan, ours + 1))


FACTORS = {
    1 / np.log(2): ": bits?",
    1 / np.log(10): ": base 10?",
    np.log(2): ": from bits to nats?",
    4.0: ": spins?",
    4.0 * (1 + 0.9e-9): ": spins?",
    4.0 * (1 + 1.1e-9): "",
    4.0 * (1 - 1.1e-9): "",
    2.0: "",
}


@pytest.mark.parametrize("factor", FACTORS)
def test_some_factors_have_a_name(factor):
    said = patterns.of_numbers("y", OURS, factor * OURS, CLOSE)
    assert said == f"; all are {factor:.8g} times what is expected{FACTORS[factor]}"


@pytest.mark.parametrize(("off", "said"), [(1.1e-3, True), (-1.1e-3, True), (0.9e-3, False), (-0.9e-3, False)])
def test_factors_near_1_and_constants_near_0_are_something_else(off, said):
    """A guard, or few digits. Constants are compared with what is usual, not with the largest number."""
    assert bool(patterns.of_numbers("y", OURS, (1 + off) * OURS, CLOSE)) == said
    ours = np.array([2.0, -2.0, 1.9, 100.0, 2.1])
    assert bool(patterns.of_numbers("y", ours, ours + 2 * off, CLOSE)) == said


@pytest.mark.parametrize(("most", "said"), [(999.0, False), (1001.0, True)])
def test_rounding_has_no_factor(most, said):
    """What is below a thousand tolerances in all its numbers."""
    ours = np.array([most, 300.0, -500.0, 200.0])
    assert bool(patterns.of_numbers("y", ours, 3 * ours, Tolerance(1.0, 0.0, ""))) == said


def test_three_numbers_have_a_factor_if_they_are_not_all_the_same():
    for ours, said in (([1.0, 2.0, 5.0], True), ([2.0, 2.0, 2.0], False), ([1.0, 5.0], False)):
        assert bool(patterns.of_numbers("y", np.array(ours), 7 * np.array(ours), CLOSE)) == said
    huge = np.array([1e200, 2e200, 5e200])  # whose squares no number holds
    assert patterns.of_numbers("y", huge, 7 * huge, CLOSE) == ""


@pytest.mark.parametrize(("off", "agree"), [(4.0, True), (-4.0, True), (4.1, False), (-4.1, False)])
def test_the_same_within_four_tolerances(off, agree):
    ours = np.array([1.0, 2.0])
    assert patterns.same(ours + np.array([0, 2 * off]), ours, Tolerance(1.0, 0.5, "")) is agree
    assert not patterns.same(ours, ours[:, None], CLOSE)


def test_half_of_the_numbers_have_to_be_different_for_an_order():
    for ours, said in (([0.5, 0.5, 0.7, 0.7], True), ([0.5, 0.5, 0.5, 0.7, 0.5, 0.5], False), ([0.5, 0.7], False)):
        found = patterns._order(np.array(ours), np.array(ours)[::-1], CLOSE)
        assert ("the other way round" in found) == said


@pytest.mark.parametrize(("axes", "said"), [(5, True), (6, False)])
def test_nobody_looks_for_means_over_more_than_five_axes(axes, said):
    ours = np.array(0.75)
    theirs = np.array([0.5, 1.0]).reshape((2,) + (1,) * (axes - 1))
    assert bool(patterns.of_shape(ours, theirs, CLOSE)) == said
