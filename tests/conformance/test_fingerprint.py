"""Outputs for other inputs: by copies of the inputs beside them, or by their numbers, for the first ten seeds."""

import numpy as np
import pytest

from dvae_ref.conformance import fingerprint, quantity, tolerances
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.tolerances import EXACT, Tolerance

ENERGY = QUANTITIES["energy"]
GIVEN = quantity.inputs(ENERGY, 2)
ALLOWED = tolerances.estimate(ENERGY, 2, np.float64)


def said(theirs):
    usable = {name: value for name, value in theirs.items() if name in ALLOWED}
    return fingerprint.other_inputs(ENERGY, GIVEN, theirs, usable, ALLOWED)


def of_seed(seed):
    given = quantity.inputs(ENERGY, seed)
    return given, quantity.outputs(ENERGY, given)


@pytest.mark.parametrize("seed", [0, 9])
def test_another_seed_is_named(seed):
    given, outputs = of_seed(seed)
    assert (
        said(outputs)
        == f"these are the outputs for seed {seed}: export the kit with --seed {seed}, or compute them anew"
    )
    assert said(outputs | {"W": given["W"]}) == f"computed from other inputs: those of seed {seed}"


def test_of_no_seed_that_is_tried():
    given, outputs = of_seed(10)
    assert said(outputs) == ""
    assert said(outputs | {"z": GIVEN["z"], "W": given["W"]}) == (
        "computed from other inputs: W, z of the file are not those of the kit"
    )


def test_those_of_this_kit_are_no_other():
    given, outputs = of_seed(2)
    assert said(outputs) == ""
    assert said(outputs | given) == ""


def test_inputs_are_told_apart_by_name_and_by_every_number():
    found = {
        fingerprint.of_inputs(GIVEN),
        fingerprint.of_inputs(GIVEN | {"z": GIVEN["z"] + 1e-12}),
        fingerprint.of_inputs({name.upper(): value for name, value in GIVEN.items()}),
    }
    assert len(found) == 3
    again = dict(reversed(quantity.inputs(ENERGY, 2, np.float32).items()))
    assert fingerprint.of_inputs(again) == fingerprint.of_inputs(GIVEN)


@pytest.mark.parametrize(
    ("theirs", "agree"),
    [
        ({"x": [5.0, 1.0]}, True),  # by four tolerances
        ({"x": [5.01, 1.0]}, False),
        ({"x": [-3.01, 1.0]}, False),
        ({"x": [1.0, 1.0], "y": [9.0]}, False),
        ({"x": [1.0, 1.0], "spins": [1]}, True),  # spins are often the same
        ({"spins": [0]}, False),
        ({}, False),
    ],
)
def test_numbers_agree_within_four_tolerances(theirs, agree):
    outputs = {"x": np.ones(2), "y": np.zeros(1), "spins": np.zeros(1, np.uint8)}
    allowed = {"x": Tolerance(0.5, 0.5, ""), "y": Tolerance(0.5, 0.5, ""), "spins": EXACT}
    theirs = {name: np.array(value) for name, value in theirs.items()}
    assert fingerprint._agree(outputs, theirs, allowed) is agree
