"""Inputs that both dtypes hold, of a seed and a name; outputs in the dtype of the inputs."""

import numpy as np

from dvae_ref.conformance import quantity
from dvae_ref.conformance.quantity import Quantity


def draw(rng):
    return {"n": 3, "z": np.array([1, 0], np.uint8), "x": rng.normal(size=3), "y": rng.random()}


def compute(inputs, factor=1.0):
    assert inputs["x"].dtype == inputs["y"].dtype
    return {"sum": factor * (inputs["x"].astype(float) + inputs["y"]), "z": inputs["z"], "d_x": 2.0}


ITEM = Quantity("some", "", "", draw, compute)


def test_inputs_are_numbers_that_float32_holds():
    double, single = quantity.inputs(ITEM, 1), quantity.inputs(ITEM, 1, np.float32)
    assert [value.dtype.name for value in double.values()] == ["int64", "uint8", "float64", "float64"]
    assert [value.dtype.name for value in single.values()] == ["int64", "uint8", "float32", "float32"]
    assert all(np.array_equal(double[name], single[name]) for name in double)


def test_every_seed_and_every_name_has_its_own():
    other = Quantity("other", "", "", draw, compute)
    found = [quantity.inputs(ITEM, 1), quantity.inputs(ITEM, 2), quantity.inputs(other, 1), quantity.inputs(ITEM, 1)]
    assert len({one["x"].tobytes() for one in found}) == 3
    assert np.array_equal(found[0]["x"], found[3]["x"])


def test_outputs_are_of_the_dtype_of_the_inputs():
    """Whole numbers stay whole, and hooks are handed on."""
    found = quantity.outputs(ITEM, quantity.inputs(ITEM, 1, np.float32), factor=3.0)
    assert {name: value.dtype.name for name, value in found.items()} == {
        "sum": "float32",
        "z": "uint8",
        "d_x": "float32",
    }
    once = quantity.outputs(ITEM, quantity.inputs(ITEM, 1))
    np.testing.assert_allclose(found["sum"], 3 * once["sum"], rtol=1e-6)


def test_gradients_are_told_by_their_names():
    assert [quantity.is_gradient(name) for name in ("d_x", "d", "log_d_x")] == [True, False, False]


def test_unless_it_says_more_a_quantity_has_nothing_that_cancels_and_its_rows_first():
    assert (ITEM.terms({}), ITEM.subtracted({}), ITEM.row_axis) == ({}, {}, 0)
