"""Tolerances a row: rows of known trouble get what they need, and the others are held to what they need themselves."""

import numpy as np
import pytest

from dvae_ref.conformance import case, quantity, tolerances
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.tolerances import Tolerance


def estimated(name, dtype=np.float32):
    item = QUANTITIES[name]
    return quantity.outputs(item, quantity.inputs(item, 0, dtype)), tolerances.estimate(item, 0, dtype)


def test_rows_are_counted_along_their_axis():
    allowed = Tolerance(0.5, 0.25, "", (1.0, 4.0, 2.0), 1).allow(np.full((2, 3), 2.0))
    assert allowed.tolist() == [[1.0, 4.0, 2.0]] * 2
    assert Tolerance(0.5, 0.25, "").allow(np.array([2.0, -2.0])).tolist() == [1.0, 1.0]


def test_an_ordinary_image_s_gradient_is_held_to_its_own_digits():
    """In float32 the image whose weights are near e^-800 loses four digits; until it had a tolerance of its own, all
    gradients were checked to 0.8%."""
    one = case("bound_importance_weighted", dtype="float32")
    ours, allowed = estimated(one.name)
    right = ours["d_log_px"].astype(float)
    (underflow,) = np.flatnonzero(trouble.flags(one.inputs)["underflow"])
    for row, passes in ((underflow, True), (0, False)):
        theirs = right.copy()
        theirs[row] *= 1 + 1e-3
        if passes:
            assert one.check(d_log_px=theirs).passed
        else:
            with pytest.raises(AssertionError, match=r"d_log_px\[0, "):
                one.check(d_log_px=theirs)
    assert allowed["d_log_px"].rows[underflow] >= 16


def test_control_one_tolerance_for_all_rows_lets_it_pass(monkeypatch):
    monkeypatch.setattr(trouble, "rows", lambda inputs: np.zeros(0, bool))
    ours, allowed = estimated("bound_importance_weighted")
    found = allowed["d_log_px"]
    assert found.rows == ()
    assert np.all(1e-3 * np.abs(ours["d_log_px"][0]) <= found.allow(ours["d_log_px"])[0])


@pytest.mark.parametrize("name", ["smoothing_exp", "bound_importance_weighted", "own_networks_dvaes_power"])
def test_rows_without_trouble_are_those_of_the_estimate(name):
    """The tolerance without the troubled rows is what all others get, and no row gets less."""
    item = QUANTITIES[name]
    troubled = trouble.rows(quantity.inputs(item, 0))
    for found in estimated(name, np.float64)[1].values():
        if found.rows:
            assert np.array_equal(np.array(found.rows)[~troubled], np.ones(np.sum(~troubled)))
            assert min(found.rows) == 1 < max(found.rows)
    assert any(found.rows for found in estimated(name, np.float64)[1].values())


def test_every_element_gets_what_the_estimate_asks_for():
    """64 u kappa, by the parts that it is made of."""
    for name in ("smoothing_exp", "bound_importance_weighted", "mean_field", "energy"):
        item = QUANTITIES[name]
        found, parts = tolerances._parts(item, 0)
        for output, allowed in tolerances.estimate(item, 0, np.float64).items():
            kappa = 1 + np.abs(found[output]) + sum(sizes.get(output, 0.0) for sizes in parts.values())
            assert np.all(allowed.allow(found[output]) >= 64 * 2.0**-53 * kappa * (1 - 1e-9))


@pytest.mark.parametrize("name", ["energy", "smoothing_power", "mean_field"])
def test_a_manifest_keeps_a_tolerance(name):
    for allowed in estimated(name)[1].values():
        assert tolerances.of_record(allowed.as_record()) == allowed
        assert tolerances.of_record(allowed.as_record() | {"remark": "ours"}) == allowed


def test_gradients_in_weights_have_no_rows():
    """With K = 1 and one group there are as many rows as units: a kernel's rows are none of the inputs'."""
    item = QUANTITIES["objective_dvaes_power_1lin_k1"]
    given = quantity.inputs(item, 0)
    rows, kernel = len(given["zeta"]), given["decoder.out.kernel"]
    assert len(kernel) == rows
    assert trouble.axis_of_rows(item, "d_decoder.out.kernel", kernel.shape, rows) is None
    assert trouble.axis_of_rows(item, "q", given["zeta"].shape, rows) == 0
    smoothing = QUANTITIES["smoothing_exp"]
    assert trouble.axis_of_rows(smoothing, "d_zeta_d_q", (52,), 52) == 0
    assert trouble.axis_of_rows(QUANTITIES["mean_field"], "m", (5, 6, 8), 6) == 1
