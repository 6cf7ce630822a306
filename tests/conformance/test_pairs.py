"""Two mistakes at once, of a quantity of two numbers: y = a x and z = b x."""

import numpy as np
import pytest

from dvae_ref.conformance import pairs
from dvae_ref.conformance.mistakes import Case, Mistake
from dvae_ref.conformance.pairs import JOINED, Single, explaining
from dvae_ref.conformance.quantity import Quantity, outputs

GIVEN = {"x": np.array([1.0, 3.0]), "a": np.array(2.0), "b": np.array(5.0)}
LINES = Quantity("lines", "", "", None, lambda given: {"y": given["a"] * given["x"], "z": given["b"] * given["x"]})
CASE = Case(LINES, GIVEN, outputs(LINES, GIVEN))


def turned(name, **options):
    return Mistake(f"-{name}", ("lines",), lambda case: case.again({name: -case.inputs[name]}), **options)


def plus_1(case):
    return {"y": case.outputs["y"] + 1}


A, B, PLUS = turned("a"), turned("b"), Mistake("y + 1", ("lines",), plus_1)


def errors_from(theirs):
    """In tolerances of 1."""
    return lambda found: {name: float(np.max(np.abs(found[name] - value))) for name, value in theirs.items()}


def explained(theirs, mistakes, failing=None, seconds=5.0):
    singles = [(one, CASE.outputs | one.wrong(CASE)) for one in mistakes]
    return explaining(CASE, singles, failing or set(theirs), errors_from(theirs), seconds)


def answer(a, b, plus=0):
    return {"y": a * GIVEN["x"] + plus, "z": b * GIVEN["x"]}


def test_both_are_named():
    assert explained(answer(-2, -5), [A, B]) == [f"-a{JOINED}-b"]
    assert explained(answer(-2, 5), [A, B], {"y"}) == []  # -b would have changed z
    assert explained(answer(7, -5), [A, B]) == []


def test_the_one_that_explains_more_by_itself_comes_first():
    """-a x + 1 is off by 1 from -a x, and by twelve from a x + 1."""
    for order in ([A, PLUS], [PLUS, A]):
        assert explained({"y": answer(-2, 5, plus=1)["y"]}, order) == [f"-a{JOINED}y + 1"]


@pytest.mark.parametrize("off", [4.0, -4.0])
def test_within_four_tolerances(off):
    assert explained(answer(-2, -5, plus=off), [A, B]) == [f"-a{JOINED}-b"]


def test_in_either_order():
    """-(a x + 10) is none of -a x + 10."""
    negative = Mistake("-y", ("lines",), lambda case: {"y": -case.outputs["y"]})
    plus_10 = Mistake("y + 10", ("lines",), lambda case: {"y": case.outputs["y"] + 10})
    for plus in (10, -10):
        for order in ([negative, plus_10], [plus_10, negative]):
            assert len(explained({"y": answer(-2, 5, plus)["y"]}, order)) == 1


def test_beyond_four_tolerances_they_are_not():
    theirs = answer(-2, -5)
    theirs["z"] = theirs["z"] + np.array([0.0, 4.1])
    assert explained(theirs, [A, B]) == []
    assert not pairs._explains(CASE, A, B, errors_from(theirs))


def test_what_one_alone_changes_it_has_to_explain():
    first = Single(A, {"y", "w"}, {"y": 9.0, "w": 4.0, "z": 0.0})
    second = Single(B, {"y", "z"}, {"y": 9.0, "w": 0.0, "z": 4.0})
    assert first.fits() == {"w", "z"}
    assert pairs._may_explain(first, second, {"y", "w", "z"})
    assert pairs._may_explain(second, first, {"y"})
    assert not pairs._may_explain(first, second, {"v", "y"})  # which neither changes
    for name, one in (("w", first), ("z", second)):
        worse = one._replace(errors=one.errors | {name: 4.1})
        two = (worse, second) if one is first else (first, worse)
        assert not pairs._may_explain(*two, {"y"})
        assert not pairs._may_explain(*two[::-1], {"y"})
        gone = {array: error for array, error in one.errors.items() if array != name}
        two = (one._replace(errors=gone), second) if one is first else (first, one._replace(errors=gone))
        assert pairs._may_explain(*two, {"y"})  # not given, not judged


def test_what_may_be_anywhere_or_changes_nothing_is_no_part_of_a_pair():
    nothing = Mistake("nothing", ("lines",), lambda case: {})
    for other in (turned("b", anywhere=True), turned("b", read_off=True), nothing):
        assert explained(answer(-2, -5), [A, other]) == []


def test_without_time_there_are_none():
    assert explained(answer(-2, -5), [A, B], seconds=-1.0) == []


def test_of_nothing_there_is_no_explanation():
    assert not pairs._explains(CASE, A, B, errors_from({}))
