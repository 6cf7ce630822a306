"""A verdict on some arrays: what was not given, what is worst, what is explained, and which rows fail."""

from dataclasses import replace

import numpy as np
import pytest

from dvae_ref.conformance import quantity, verdict
from dvae_ref.conformance.compare import Finding
from dvae_ref.conformance.diagnosis import Diagnosis
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.conformance.tolerances import EXACT, Tolerance
from dvae_ref.conformance.verdict import Verdict, judge

ONE = Tolerance(1.0, 0.0, "")
GIVEN = {"z": np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])}  # on-vertex: the first row and the last


def compute(inputs):
    z = inputs["z"]
    return {"y": 100 * z.sum(1), "d_z": 100 + z, "total": z.sum(), "both": np.stack([z[:, 0], z[:, 1]])}


ITEM = Quantity("rows", "", "", lambda rng: GIVEN, compute)
OURS = quantity.outputs(ITEM, GIVEN)
ALLOWED = dict.fromkeys(OURS, ONE)


def judged(theirs, **options):
    return judge(ITEM, GIVEN, OURS, ALLOWED, theirs, **options)


def off(name, *places, by=50.0):
    changed = OURS[name].copy()
    for place in places:
        changed[place] += by
    return OURS | {name: changed}


def test_what_is_not_given_is_skipped_unless_everything_is_demanded():
    found = judged({"y": OURS["y"]})
    assert found.passed
    assert found.attempted
    assert found.skipped == ["d_z", "total", "both"]
    found = judged({"y": OURS["y"]}, every=True)
    assert [(one.array, one.failure) for one in found.findings[1:]] == [(name, "missing") for name in list(OURS)[1:]]
    assert found.skipped == []
    assert not judged({}).attempted


@pytest.mark.parametrize(
    ("theirs", "flags"),
    [
        (OURS, {}),
        (off("y", 0), {"on-vertex": (1, 2), "no flag": (0, 2)}),
        (off("y", 0, 1, 3), {"on-vertex": (2, 2), "no flag": (1, 2)}),
        (off("y", 1, by=1.0), {}),
        (off("y", 1, by=1.1), {"on-vertex": (0, 2), "no flag": (1, 2)}),
        (off("d_z", (1, 0)), {"on-vertex": (0, 2), "no flag": (1, 2)}),  # one of a row's numbers
        (off("total", ()), {}),  # no rows
        (off("both", (0, 1)), {}),  # as many columns as rows
        (off("y", 0, by=np.nan), {"on-vertex": (1, 2), "no flag": (0, 2)}),
        ({"y": off("y", 0)["y"], "d_z": off("d_z", (1, 1))["d_z"]}, {"on-vertex": (1, 2), "no flag": (1, 2)}),
    ],
)
def test_rows_that_fail_are_counted_by_flag(theirs, flags):
    assert judged(theirs).flags == flags


def test_rows_are_counted_along_their_axis():
    """Of two axes the second, where a quantity says so."""
    item = replace(ITEM, compute=lambda given: {"both": given["z"].T}, row_axis=1)
    ours = quantity.outputs(item, GIVEN)
    theirs = {"both": ours["both"] + 50 * np.array([[0, 0, 0, 0], [0, 1, 0, 0]])}
    assert judge(item, GIVEN, ours, {"both": ONE}, theirs).flags == {"on-vertex": (0, 2), "no flag": (1, 2)}


def test_spins_may_be_of_any_type_and_are_counted_too():
    ours, given = {"y": np.array([0, 1, 1, 0], np.uint8)}, GIVEN
    found = judge(ITEM, given, ours, {"y": EXACT}, {"y": np.array([False, True, False, False])})
    assert found.flags == {"on-vertex": (0, 2), "no flag": (1, 2)}


def test_mistakes_are_looked_for_in_finite_numbers_of_the_right_shape(monkeypatch):
    asked = []
    monkeypatch.setattr(verdict.diagnosis, "of", lambda *given: asked.append(given[2:]) or [Diagnosis(("A",), ("y",))])
    theirs = off("y", 0) | {"d_z": np.full((4, 2), np.nan), "both": np.zeros(3), "total": np.float32(2)}
    found = judged(theirs, seconds=0.5)
    ((usable, failing, allowed, seconds),) = asked
    assert (set(usable), failing, allowed, seconds) == ({"y", "total"}, {"y"}, ALLOWED, 0.5)
    assert {value.dtype for value in usable.values()} == {np.dtype(float)}
    assert (found.diagnoses, found.note) == ([Diagnosis(("A",), ("y",))], "")
    judged(OURS | {"d_z": np.full((4, 2), np.nan)})
    assert len(asked) == 1  # nothing differs


def test_none_is_looked_for_in_outputs_for_other_inputs(monkeypatch):
    monkeypatch.setattr(verdict.diagnosis, "of", None)
    monkeypatch.setattr(verdict.fingerprint, "other_inputs", lambda *_: "those of another seed")
    found = judged(off("y", 0))
    assert (found.diagnoses, found.note) == ([], "those of another seed")


def finding(array, failure="", ratio=0.5):
    return Finding(array, failure, ratio, array)


def test_what_is_worst_and_what_is_not_explained():
    findings = [
        finding("small", "differs", 2.0),
        finding("right", "", 9.0),
        finding("large", "differs", 3.0),
        finding("gone", "missing"),
    ]
    found = Verdict("some", findings, [Diagnosis(("A",), ("large", "right"))])
    assert not found.passed
    assert found.worst.array == "large"
    assert found.not_explained == ["small"]
    assert Verdict("some", findings, []).not_explained == ["small", "large"]
    assert Verdict("some", findings[1:2], []).passed


def test_a_file_that_cannot_be_read_fails():
    found = verdict.unreadable("some", OSError("truncated"))
    assert not found.passed
    assert found.findings == [Finding("the file", "unreadable", np.inf, "truncated")]
