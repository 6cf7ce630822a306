"""Verdicts in words: what is listed, what is counted, how far a whole model is right, and where to begin."""

import json
import sys

import numpy as np
import pytest

from dvae_ref.conformance import report
from dvae_ref.conformance.compare import Finding
from dvae_ref.conformance.diagnosis import Diagnosis
from dvae_ref.conformance.verdict import Verdict

MODEL = "objective_dvaes_power_1lin_k1"
ENCODER = "q differs: begin with the encoder's networks, and what they are given"
REST = "q agrees, and with it the encoder: begin with log p(zeta), log q(zeta|x), the decoder and the bound"
GRADIENT = "q and the bound agree: the gradient alone differs"


def right(name, ratio=0.25):
    return Finding(name, "", ratio, f"{name}[0]")


def wrong(name, ratio=2.0):
    return Finding(name, "differs", ratio, f"{name}[0]")


def test_one_that_agrees_has_a_line():
    found = Verdict("energy", [right("energy"), right("d_a", 0.5)], [])
    line = "ok    energy                                 worst      0.5 of the tolerance, at d_a[0]"
    assert report.as_text(found) == line
    skipped = Verdict("energy", found.findings, [], ["d_W", "d_z"])
    assert report.as_text(skipped) == f"{line}; not attempted: d_W, d_z"
    assert report.as_text(Verdict("energy", [], [])) == "--    energy                                 not attempted"


def test_one_that_fails_says_where_in_which_rows_and_what_it_looks_like():
    flags = {"square": (0, 0), "on-vertex": (1, 2), "no flag": (0, 3)}
    diagnoses = [Diagnosis(("A", "B"), ("energy",)), Diagnosis(("C",), ("d_a", "d_W"))]
    found = Verdict("energy", [*map(wrong, ("energy", "d_a", "d_W")), right("d_z")], diagnoses, flags=flags)
    lines = [
        "FAIL  energy",
        "        energy[0]",
        "        d_a[0]",
        "        d_W[0]",
        "      rows that fail: on-vertex 1 of 2, no flag 0 of 3",
        "      looks like: A -- or: B  (energy)",
        "      looks like: C  (d_a, d_W)",
    ]
    assert report.as_text(found).splitlines() == lines


@pytest.mark.parametrize(
    ("diagnoses", "lines"),
    [
        ([Diagnosis(("A",), ("x", "y"))], ["looks like: A  (all that differ)"]),
        ([Diagnosis(("A",), ("x",))], ["looks like: A  (x)", "like no mistake known here: y"]),
        ([], ["like no mistake known here: x, y"]),
    ],
)
def test_what_is_explained_and_what_is_not(diagnoses, lines):
    found = report.as_text(Verdict("some", [wrong("x"), wrong("y")], diagnoses)).splitlines()
    assert found[3:] == [f"      {line}" for line in lines]


def test_outputs_for_other_inputs_look_like_no_mistake():
    text = report.as_text(Verdict("some", [wrong("x")], [], note="computed from other inputs"))
    assert text.splitlines()[2:] == ["      computed from other inputs"]


@pytest.mark.parametrize(
    ("quantity", "findings", "said"),
    [
        (MODEL, [wrong("q"), wrong("bound")], [ENCODER]),
        (MODEL, [right("q"), wrong("bound")], [REST]),
        (MODEL, [right("q"), right("bound"), wrong("d_rbm.a")], [GRADIENT]),
        (MODEL, [right("q"), wrong("d_rbm.a")], []),
        (MODEL, [right("bound"), wrong("d_rbm.a")], []),
        ("log_q_power", [wrong("q")], []),
    ],
)
def test_of_a_whole_model_it_is_said_how_far_it_is_right(quantity, findings, said):
    found = Verdict(quantity, findings, [])
    assert report.located(found) == said
    assert report.as_text(found).splitlines()[-len(said) - 1 :][1:] == [f"      {line}" for line in said]


@pytest.mark.parametrize("number", [12, 13, 20])
def test_of_many_arrays_that_differ_twelve_have_a_line_and_three_a_name(number):
    names = [f"x{n}" for n in range(number)]
    lines = report.as_text(Verdict("some", list(map(wrong, names)), [])).splitlines()[1:]
    listed = [f"        x{n}[0]" for n in range(12)]
    more = [f"        and {number - 12} arrays more"] if number > 12 else []
    assert lines[:-1] == listed + more
    last = ", ".join(names) if number == 12 else f"x0, x1, x2 and {number - 3} more"
    assert lines[-1] == f"      like no mistake known here: {last}"


def test_a_record_has_no_infinity():
    found = Verdict("some", [Finding("x", "missing", np.inf, "x is missing"), right("y")], [Diagnosis(("A",), ("x",))])
    record = report.as_record(found)
    json.dumps(record, allow_nan=False)
    assert record["arrays"][0] == {
        **{"array": "x", "failure": "missing", "ratio": sys.float_info.max, "where": "x is missing", "digits": 0}
    }
    assert record["arrays"][1]["ratio"] == 0.25
    assert record["diagnoses"] == [{"mistakes": ("A",), "arrays": ("x",)}]
    assert (record["quantity"], record["passed"], record["attempted"]) == ("some", False, True)


GOOD, ABSENT = [right("x")], []
BAD = [wrong("x")]
SUMMARIES = {
    "the one quantity that is there agrees": {"energy": GOOD},
    "the one quantity that is there disagrees; not attempted: 1": {"energy": BAD, "adam": ABSENT},
    "all 2 quantities agree; not attempted: 1": {"energy": GOOD, "adam": GOOD, "log_z": ABSENT},
    "1 of 2 quantities disagree": {"energy": GOOD, "adam": BAD},
    "2 of 2 quantities disagree": {"energy": BAD, "adam": BAD},
    "3 of 3 quantities disagree; mend first: energy, adam (1 of the others contain these)": {
        **{"energy": BAD, "log_z": BAD, "adam": BAD}
    },
    "2 of 3 quantities disagree": {"energy": GOOD, "log_z": BAD, "adam": BAD},
}


@pytest.mark.parametrize("said", SUMMARIES)
def test_the_last_line_counts_and_says_where_to_begin(said):
    assert report.summary([Verdict(name, findings, []) for name, findings in SUMMARIES[said].items()]) == said
