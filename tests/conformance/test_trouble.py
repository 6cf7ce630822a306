"""Rows of known trouble are flagged, from where on it is trouble; and outputs have them along an axis."""

import numpy as np
import pytest

from dvae_ref.conformance import quantity
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantities.trouble import axis_of_rows, flags

EDGE = 1 / (1 + np.exp(-12.0))
BIASES = {"encoder.3.out.bias": 12.0, "decoder.out.bias": 20.0, "a": 25.0, "rbm.a": 25.0}
CASES = {  # (inputs, {flag: rows})
    "zeta": (
        {"zeta": [[0.5, 0.9e-6], [1 - 0.9e-6, 0.5], [0.5, 1.1e-6], [0, 0.5], [0.5, 1], [1.1, -0.1]]},
        {"near-vertex": [1, 1, 0, 0, 0, 0], "on-vertex": [0, 0, 0, 1, 1, 0]},
    ),
    "outside": ({"zeta": [-0.9e-6, 1 + 0.9e-6, 1 + 1.1e-6]}, {"near-vertex": [1, 1, 0]}),
    "q": ({"q": [EDGE, 1 - EDGE, 0.99999, 1.0, 0.0, 0.5]}, {"large-logit": [1, 1, 0, 1, 1, 0]}),
    "logit_q": ({"logit_q": [[0, 12], [-12, 0], [0, 11.9]]}, {"large-logit": [1, 1, 0]}),
    "logits": ({"logits": [[0, 20], [-20, 0], [0, 19.9]]}, {"large-output": [1, 1, 0]}),
    "rho": ({"rho": [0.9e-6, 1e-6, 0.5]}, {"small-rho": [1, 0, 0]}),
    "b": ({"b": [[0, 100], [-100, 0], [99, 0]]}, {"large-b": [1, 1, 0]}),
    "z": ({"z": [[0, 0], [1, 0], [1, 1]]}, {"on-vertex": [1, 0, 0]}),
    "one z": ({"z": [0, 0]}, {}),
    "log_w": (
        {"log_w": [[0, 100], [0, 99], [-746, -746], [-744, -745]]},
        {"far-apart": [1, 0, 0, 0], "all-equal": [0, 0, 1, 0], "underflow": [0, 0, 1, 0]},
    ),
    "log_px": (
        {"log_px": [[-745, -745], [-745, -745.5], [-745.5, -745.5]]},
        {"all-equal": [1, 0, 1], "underflow": [0, 0, 1]},
    ),
    "log_p": ({"log_p": [[0, 700.0], [0, 0]]}, {}),
    "both sides": ({"W": [[1.0, 2], [3, 4]]}, {"square": [1]}),
    "symmetric": ({"W": [[1.0, 2], [2, 4]]}, {}),
    "oblong": ({"rbm.W": [[1.0, 2, 3], [2, 4, 5]]}, {}),
    **{name: ({name: [0.0, edge]}, {}) for name, edge in {"encoder.4.out.bias": 99.0, "bias": 99.0}.items()},
    **{
        f"{name} of {value}": ({name: [0.0, value]}, {flag: [1]} if abs(value) >= edge else {})
        for (name, edge), flag in zip(
            BIASES.items(), ("large-logit", "large-output", *["large-field"] * 2), strict=True
        )
        for value in (edge, -edge, edge - 0.1)
    },
}


@pytest.mark.parametrize("case", CASES)
def test_rows_are_flagged(case):
    inputs, expected = CASES[case]
    found = flags({name: np.array(value, float) for name, value in inputs.items()})
    assert {name: rows.astype(int).tolist() for name, rows in found.items()} == expected


def test_one_group_of_large_logits_is_enough():
    for large in range(4):
        biases = {f"encoder.{g}.out.bias": np.array([13.0 * (g == large)]) for g in range(4)}
        assert flags(biases)["large-logit"].tolist() == [True]


def test_rows_of_their_own_and_of_the_whole_quantity():
    """Of two flags of rows a row has either; what concerns all rows is no row's."""
    inputs = {"zeta": np.array([0.0, 0.5, 0.5, 1e-9]), "rho": np.array([0.5, 1e-9, 0.5, 0.5]), "a": np.array([99.0])}
    assert list(trouble.of_rows(inputs)) == ["near-vertex", "on-vertex", "small-rho"]
    assert trouble.rows(inputs).tolist() == [True, True, False, True]
    assert trouble.rows({"a": np.array([99.0])}).shape == (0,)
    assert trouble.rows({"zeta": np.array([0.0, 0.5])}).tolist() == [True, False]


@pytest.mark.parametrize(
    ("item", "name", "shape", "number", "axis"),
    [
        ("objective_dvaes_power_1lin_k1", "q", (4, 4), 4, 0),
        ("objective_dvaes_power_1lin_k1", "d_decoder.out.kernel", (4, 5), 4, None),  # as many units as rows
        ("smoothing_exp", "d_zeta_d_q", (52,), 52, 0),
        ("smoothing_exp", "d_zeta_d_q", (51,), 52, None),
        ("energy", "d_z", (6, 8), 6, 0),
        ("energy", "d_a", (6,), 6, None),
        ("mean_field", "m", (5, 6, 8), 6, 1),
        ("mean_field", "log_partition", (6,), 6, 0),
        ("log_z", "log_z", (), 1, None),
    ],
)
def test_rows_of_an_output_are_counted_along_an_axis(item, name, shape, number, axis):
    assert axis_of_rows(QUANTITIES[item], name, shape, number) == axis


def test_all_that_is_called_trouble_is_there():
    """Every end and the middle with every logit, whatever the units."""
    pairs = {(zeta, q) for zeta in (*trouble.ENDS, 0.5) for q in 1 / (1 + np.exp(-trouble.LOGITS))}
    for units in (1, 5, 7):
        zeta, q = trouble.zeta_and_q(units)
        assert zeta.shape == q.shape == (-(-12 // units), units)
        assert set(zip(zeta.flat, q.flat, strict=True)) == pairs


def test_images_have_the_hard_pixels_on_and_off():
    given = quantity.inputs(QUANTITIES["objective_dvaes_power_1lin_k1"], 0)
    assert given["x"][:, 0].tolist() == [0, 1, 0, 1]
    assert given["x"][:, -1].tolist() == [0, 0, 1, 1]
