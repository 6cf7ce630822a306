"""Machines of which most units are settled: log Z by enumeration of the others."""

import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.theory.boltzmann import RBM
from figures import undecided


def machine(scale, seed, n_left=9, n_right=11):
    rng = np.random.default_rng(seed)
    return RBM(rng.normal(0, scale, n_left + n_right), rng.normal(0, 0.7, (n_left, n_right)))


@pytest.mark.parametrize("scale", [1, 40, 80, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_log_z_is_that_of_all_units(scale, seed):
    """Of 20 units, all to none are undecided. 1e-14 of log Z is rounding."""
    rbm = machine(scale, seed)
    assert np.sum(undecided.states(rbm) < 0) == 20 if scale == 1 else np.sum(undecided.states(rbm) < 0) < 20
    assert undecided.log_z(rbm) == pytest.approx(exact.log_z(rbm), rel=1e-14, abs=1e-9)


def test_control_units_that_are_not_settled(monkeypatch):
    """With a threshold of 1 nat states are left out that count."""
    monkeypatch.setattr(undecided, "SETTLED", 1.0)
    assert undecided.log_z(machine(10, 0)) < exact.log_z(machine(10, 0)) - 1e-5


def test_one_settled_unit_settles_another():
    """Unit 1, of bias 0, follows unit 0 by a coupling of 60."""
    rbm = RBM(np.array([100.0, -30.0]), np.array([[60.0]]))
    np.testing.assert_array_equal(undecided.states(rbm), [1, 1])
    assert undecided.log_z(rbm) == pytest.approx(130.0, abs=1e-9)


def test_too_many_are_left_alone():
    assert undecided.log_z(RBM(np.zeros(50), np.zeros((25, 25)))) is None
    assert undecided.log_z(RBM(np.zeros(50), np.zeros((20, 30)))) == pytest.approx(50 * np.log(2), rel=1e-14)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_neighbour_that_is_undecided_may_take_what_settles_a_unit(sign):
    """A bias of 30 nats and a coupling of -10 leave 20: less than SETTLED, in either direction."""
    rbm = RBM(np.array([30.0 * sign, 0.0]), np.array([[-10.0 * sign]]))
    np.testing.assert_array_equal(undecided.states(rbm), [-1, -1])
    np.testing.assert_array_equal(undecided.states(RBM(rbm.a, rbm.W / 10))[:1], [sign > 0])
