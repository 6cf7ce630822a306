"""The hard machines are what they are said to be: closed forms, and what is hard about each, by enumeration."""

import math

import numpy as np
import pytest
from scipy.special import comb, logsumexp, softplus

from dvae_ref import exact
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM
from validation import machines, oracles


def by_left(machine, t=1.0):
    """log of the sum of e^-tE over states with m left units up, m = 0 ... D_left, for weights that are all alike."""
    a_left, a_right, w = t * machine.rbm.a_left[0], t * machine.rbm.a_right[0], t * machine.rbm.W[0, 0]
    m = np.arange(len(machine.rbm.W) + 1)
    return np.log(comb(m[-1], m)) + m * a_left + machine.rbm.W.shape[1] * softplus(a_right + m * w)


@pytest.mark.parametrize("name", ["first-order", "golf hole"])
def test_log_z_in_closed_form(name):
    machine = machines.named(name)
    assert machine.log_z == pytest.approx(logsumexp(by_left(machine)), rel=1e-13)


def test_the_first_order_machine_turns_over():
    """The mode of all 16 is 5 nats ahead at t = 1, and e^-17 of the rest at t = 1/2; in between nothing is likely."""
    machine = machines.first_order()
    profile, half = by_left(machine), by_left(machine, 0.5)
    assert profile[16] - profile[0] == pytest.approx(machines.AHEAD, abs=1e-9)
    assert half[16] - half[0] == pytest.approx(-17, abs=0.2)
    assert profile[5:13].max() < profile[0]


def test_the_golf_hole_has_nine_tenths():
    machine = machines.golf_hole()
    assert machine.log_z == pytest.approx(40 * math.log(2) + math.log(10), abs=1e-9)
    ones = machine.samples(philox.key(1), 2000)[:, :40].all(1)
    assert abs(ones.mean() - 0.9) < 4.5 * math.sqrt(0.09 / 2000)


@pytest.mark.parametrize(("name", "share"), [("ferromagnet", (0.4, 0.6)), ("asymmetric ferromagnet", (0.9, 0.99))])
def test_ferromagnets_have_two_modes(name, share):
    """The share of states with more than half of the left units up; few states are near the middle."""
    count = machines.named(name).samples(philox.key(1), 4000)[:, :16].sum(1)
    assert share[0] < np.mean(count > 8) < share[1]
    assert np.mean((count > 5) & (count < 11)) < 0.1


def test_a_weight_of_200_ties_two_units():
    machine = machines.one_large_weight()
    z = machine.samples(philox.key(1), 4000)
    np.testing.assert_array_equal(z[:, 3], z[:, 16 + 5])
    assert abs(z[:, 3].mean() - 1 / (1 + math.exp(-1))) < 0.04
    assert np.abs(np.delete(machine.rbm.W.ravel(), 3 * 16 + 5)).max() < 5e-4


def test_no_unit_of_the_glass_prefers_0_or_1():
    glass = machines.glass()
    np.testing.assert_allclose(exact.moments(glass.rbm).z, 0.5, atol=1e-9)
    assert abs(glass.rbm.W.std() - 0.6) < 0.02


def test_samples_and_log_z_hold_against_plain_formulas():
    """On cut-down machines: the oracle lists every state; the samples of one are those of the other in distribution."""
    for machine in machines.machines():
        n, m = min(6, machine.rbm.W.shape[0]), min(5, machine.rbm.W.shape[1])
        rbm = RBM(np.concatenate([machine.rbm.a_left[:n], machine.rbm.a_right[:m]]), machine.rbm.W[:n, :m])
        small = machine._replace(rbm=rbm)
        assert small.log_z == pytest.approx(oracles.log_z(rbm), rel=1e-12), machine.name
        p = oracles.moments(rbm).z
        error = np.sqrt(p * (1 - p) / 4000) + 1e-3
        assert np.all(np.abs(small.samples(philox.key(2), 4000).mean(0) - p) < 4.5 * error), machine.name


def test_machines_are_found_by_name():
    names = [machine.name for machine in machines.machines()]
    assert len(set(names)) == 7
    assert machines.named("glass").name == "glass"
    with pytest.raises(ValueError, match=r"the hard machines are easy, ferromagnet, .*; got 'spin'"):
        machines.named("spin")


def test_machines_do_not_change():
    """Their seeds are in the file: a published coverage belongs to these."""
    assert {machine.name: machine.log_z for machine in machines.machines()} == pytest.approx(LOG_Z, rel=1e-10)


LOG_Z = {
    "easy": 146.9418896296237,
    "ferromagnet": 1.8823925637426848,
    "asymmetric ferromagnet": 4.4756960423564704,
    "first-order": 143.87624368149076,
    "glass": 198.81061149894785,
    "golf hole": 30.02847231539182,
    "one large weight": 22.1071361337053,
}
