"""Which mistakes explain what differs: by errors in units of the tolerance, and by what is right."""

from typing import NamedTuple

import numpy as np
import pytest

from dvae_ref.conformance import diagnosis, quantity
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.diagnosis import Diagnosis, best_explanation
from dvae_ref.conformance.tolerances import Tolerance

ONE = Tolerance(1.0, 0.0, "")


class Named(NamedTuple):
    """What is asked of a mistake."""

    name: str
    anywhere: bool = False


A, B, ANYWHERE = Named("A"), Named("B"), Named("anywhere", True)
BEST = {  # [(mistake, {array: error})], the failing arrays, the best explanation
    "as far off as the slack": ([(A, {"y": 4.0})], {"y"}, ("A",)),
    "further": ([(A, {"y": 4.01})], {"y"}, None),
    "of what is right alone": ([(A, {"x": 0.0, "y": 9.0})], {"y"}, None),
    "the one that explains more": ([(A, {"x": 0, "y": 9}), (B, {"x": 0, "y": 0})], {"x", "y"}, ("B",)),
    "both as well": ([(A, {"y": 0}), (B, {"y": 1.0})], {"y"}, ("A", "B")),
    "the one without slack": ([(A, {"y": 1.01}), (B, {"y": 1.0})], {"y"}, ("B",)),
    "the one that changes less that is right": (
        [(A, {"x": 0, "y": 0, "z": 9}), (B, {"x": 0, "y": 0, "z": 0})],
        {"x", "y"},
        ("B",),
    ),
    "one of its own": ([(ANYWHERE, {"y": 0}), (A, {"y": 0})], {"y"}, ("A",)),
    "one of its own that contradicts others": (
        [(ANYWHERE, {"x": 9, "y": 0}), (A, {"x": 9, "y": 0})],
        {"x", "y"},
        ("A",),
    ),
    "the one that contradicts fewer": (
        [(A, {"w": 9, "x": 9, "y": 0}), (B, {"w": 0, "x": 9, "y": 0})],
        set("wxy"),
        ("B",),
    ),
    "what would have changed as much that is right": ([(A, {"x": 9, "y": 0})], {"y"}, None),
    "anywhere changes nothing that is right": ([(ANYWHERE, {"x": 9, "y": 0})], {"y"}, ("anywhere",)),
}


@pytest.mark.parametrize("case", BEST)
def test_the_best_explanation(case):
    compared, failing, names = BEST[case]
    remaining = {"y"} if case.startswith(("the one that contradicts", "one of its own that")) else failing
    found = best_explanation(compared, remaining, failing)
    assert (found and found.mistakes) == names


@pytest.mark.parametrize(
    ("explained", "right", "credible"),
    [
        (("log_z",), set(), True),
        (("log_z",), {"mean_z"}, False),  # as many would have changed as it explains
        (("log_z", "mean_z"), {"mean_zz"}, True),
        (("log_z",), {"d_a", "d_W"}, True),  # values, and gradients by hand, which differ in this alone
        (("d_a",), {"log_z", "mean_z"}, True),
        (("d_a",), {"d_W"}, False),
        (("log_z", "d_a"), {"mean_z", "d_W"}, False),
        (("log_z",), {"mean_z", "d_W"}, False),
    ],
)
def test_a_mistake_that_contradicts_what_is_right_explains_more_or_the_other_kind(explained, right, credible):
    assert diagnosis._credible(explained, right) is credible


def test_what_one_leaves_the_next_explains():
    """Each array once; what nothing explains is in none."""
    ours = {name: np.zeros(2) for name in "vwxyz"}
    off = {"v": 30.0, "w": 40.0, "x": 50.0, "y": 60.0, "z": 70.0}
    theirs = {name: np.full(2, value) for name, value in off.items()}
    wrongs = [(A, ours | {name: theirs[name] for name in "wxy"}), (B, ours | {name: theirs[name] for name in "yz"})]
    found = diagnosis.diagnose(wrongs, theirs, set(off), dict.fromkeys(off, ONE), ours)
    assert found == [Diagnosis(("A",), ("w", "x", "y")), Diagnosis(("B",), ("z",))]


def test_a_mistake_has_to_take_off_three_quarters_of_the_error():
    """Four tolerances of slack are a quarter of the error then; of more than sixteen they are less anyhow."""
    tolerance, ours = Tolerance(1.0, 0.5, "why"), {"x": np.zeros(2), "y": np.zeros(2), "z": np.zeros(2)}
    theirs = {"x": np.array([8.0, -1.0]), "y": np.array([1.0, -400.0]), "z": np.array([2.0, 0.0])}
    found = diagnosis.sharpened(dict.fromkeys("xyz", tolerance), ours, theirs, {"x", "y"})
    assert found == {"x": Tolerance(0.5, 0.25, "why"), "y": tolerance, "z": tolerance}


@pytest.mark.parametrize(
    ("wrong", "ours", "error"),
    [
        (1000.0, 1.0, 3.0),  # a thousand times as large is not yet blown up
        (1001.0, 1.0, 3 / (1 + 1.001e-5)),
        (-1001.0, -1.0, 3 / (1 + 1.001e-5)),
        (0.5, 4e-4, 3 / (1 + 0.5e-8)),
        (0.3, 4e-4, 3.0),
    ],
)
def test_of_what_is_blown_up_half_the_digits_count(wrong, ours, error):
    """By the largest number of each."""
    arrays = [np.array([value, 1e-4 * value]) for value in (wrong, ours)]
    found = diagnosis._error(arrays[0] + np.array([3.0, 0.0]), arrays[0], ONE, arrays[1])
    assert found == pytest.approx(error, rel=1e-12)


def test_where_nothing_is_allowed_all_or_nothing_is_off():
    nothing, some = Tolerance(0.0, 0.0, ""), Tolerance(0.0, 0.5, "")
    ours, theirs = np.array([0.0, 0.0, 4.0]), np.array([0.0, -1e-9, 5.0])
    assert diagnosis.ratio(theirs, ours, nothing).tolist() == [0, np.inf, np.inf]
    assert diagnosis.ratio(theirs, ours, some).tolist() == [0, np.inf, 0.5]


ENERGY = QUANTITIES["energy"]
ALLOWED = dict.fromkeys(("energy", "d_a", "d_W", "d_z"), Tolerance(1e-12, 1e-12, ""))


def energies():
    given = quantity.inputs(ENERGY, 0, np.float32)
    return given, diagnosis.case_of(ENERGY, given)


def test_mistakes_are_made_in_float64_and_told_of_theirs():
    given, case = energies()
    assert {value.dtype for value in (*case.inputs.values(), *case.outputs.values())} == {np.dtype(float)}
    assert case.theirs == {}
    assert diagnosis.case_of(ENERGY, given, {"energy": 1}).theirs == {"energy": 1}
    spins = {"z": np.array([1], np.uint8), "a": np.ones(1, np.float32)}
    assert [value.dtype.name for value in diagnosis.as_floats(spins).values()] == ["uint8", "float64"]


def test_one_mistake_that_explains_all_is_enough(monkeypatch):
    """No pair is looked for then; for what is left, pairs are."""
    given, case = energies()
    flipped = quantity.outputs(ENERGY, case.inputs | {"a": -case.inputs["a"]})
    asked = []
    monkeypatch.setattr(diagnosis, "explaining", lambda case, wrongs, failing, *_: asked.append(failing) or ["A and B"])
    theirs, failing = flipped, {"energy", "d_z"}
    (found,) = diagnosis.of(ENERGY, given, theirs, failing, ALLOWED)
    assert found == Diagnosis(("the biases have the opposite sign",), ("d_z", "energy"))
    assert asked == []
    theirs = flipped | {"d_W": case.outputs["d_W"] + np.arange(16).reshape(4, 4)}
    (found,) = diagnosis.of(ENERGY, given, theirs, {*failing, "d_W"}, ALLOWED)
    assert found == Diagnosis(("A and B",), ("d_W", "d_z", "energy"))
    assert asked == [{*failing, "d_W"}]


def test_where_no_pair_explains_it_several_stand_side_by_side(monkeypatch):
    given, case = energies()
    flipped = quantity.outputs(ENERGY, case.inputs | {"a": -case.inputs["a"]})
    monkeypatch.setattr(diagnosis, "explaining", lambda *_: [])
    theirs = flipped | {"d_W": -case.outputs["d_W"]}
    found = diagnosis.of(ENERGY, given, theirs, {"energy", "d_z", "d_W"}, ALLOWED)
    assert [one.arrays for one in found] == [("d_z", "energy"), ("d_W",)]
