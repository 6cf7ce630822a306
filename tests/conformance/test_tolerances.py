"""Tolerances a row: rows of known trouble get what they need, and the others are held to what they need themselves."""

from dataclasses import replace

import numpy as np
import pytest

from dvae_ref.conformance import case, quantity, tolerances
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantity import Quantity
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
    """64 u kappa, by the parts that it is made of; and one gets no more."""
    for name in ("smoothing_exp", "bound_importance_weighted", "mean_field", "energy"):
        item = QUANTITIES[name]
        found, parts = tolerances._parts(item, 0)
        for output, allowed in tolerances.estimate(item, 0, np.float64).items():
            kappa = 1 + np.abs(found[output]) + sum(sizes.get(output, 0.0) for sizes in parts.values())
            share = allowed.allow(found[output]) / (64 * 2.0**-53 * kappa)
            assert 1 - 1e-9 <= np.min(share) <= 1 + 1e-5


@pytest.mark.parametrize("name", ["energy", "smoothing_power", "mean_field"])
def test_a_manifest_keeps_a_tolerance(name):
    for allowed in estimated(name)[1].values():
        assert tolerances.of_record(allowed.as_record()) == allowed
        assert tolerances.of_record(allowed.as_record() | {"remark": "ours"}) == allowed


STEP = 2.0**-20


@pytest.mark.parametrize(("name", "sizes"), [("x", [0.25, 2.5, 0, 0.75]), ("q", [0.25 * 0.75, 2.5, 0, 0.75 * 0.25])])
def test_inputs_are_moved_by_a_part_of_their_size(name, sizes):
    """Those between 0 and 1 of the distance to the nearer end; whole numbers stay as they are."""
    values = np.array([0.25, -2.5, 3.0, 0.75])
    moves = [(tolerances._moved(np.random.default_rng(n), name, values) - values) / STEP for n in range(99)]
    assert {tuple(np.abs(move)) for move in moves} == {tuple(sizes)}
    assert len({tuple(move) for move in moves}) == 8  # three numbers, either way
    spins = np.array([0, 1], np.uint8)
    assert tolerances._moved(np.random.default_rng(0), "z", spins) is spins


def test_the_condition_is_the_largest_of_eight_changes():
    """A sum moves by the size of all terms where they happen to move the same way."""
    asked = []

    def total(given):
        asked.append(given)
        return {"total": 3 * given["x"].sum(), "whole": np.array([7], np.uint8)}

    item = Quantity("total", "", "", None, total)
    given = {"x": np.array([0.5, -2.5])}
    found = tolerances.condition(item, given, total(given), 0)
    assert found["total"] == pytest.approx(9, rel=1e-9)
    assert found["whole"].tolist() == [0]
    assert len(asked) == 1 + 8


def test_the_tightest_in_the_geometric_mean():
    size = np.array([0.0, 1000.0])
    for relative in (1.0, 4.0, 2048.0):
        assert tolerances._tightest(1 + relative * size, size) == (1.0, relative)
    assert tolerances._tightest(1 + 4096.0 * size, size) == (1 + 2048e3, 2048.0)
    assert tolerances._tightest(np.array([5.0, 5.0]), np.array([0.0, 1.0])) == (5.0, 1.0)


def test_rows_get_powers_of_two():
    """Two is enough for what needs twice as much but for rounding."""
    short = np.array([[0.5, 0.1], [1.0, 1.0], [0.2, 1.5], [2.0, 2 + 1e-10], [2.1, 0.0]])
    assert tolerances._factors(short, 0) == tolerances._factors(short.T, 1) == (1.0, 1.0, 2.0, 2.0, 4.0)
    assert tolerances._factors(short[:2], 0) == ()


def test_what_plain_formulas_subtract_counts_in_float64_alone():
    item = Quantity("some", "", "", lambda rng: {"x": np.array([0.25])}, dict, subtracted=lambda given: {"x": 1e6})
    plain = replace(item, subtracted=quantity.nothing)
    for dtype, u, counts in ((np.float64, 2.0**-53, True), (np.float32, 2.0**-24, False)):
        (allowed,), (without,) = (tolerances.estimate(one, 0, dtype).values() for one in (item, plain))
        assert without.allow(0.25) == pytest.approx(64 * u * (1 + 0.25 + 0.25), rel=1e-6)  # itself, 1, and condition
        assert allowed.allow(0.25) == pytest.approx(without.allow(0.25) + counts * 64 * u * 1e6, rel=1e-6)
