"""Fields in whole steps: what a unit with large weights beside tiny ones loses, and that it is said."""

import warnings

import numpy as np
import pytest
from scipy.special import expit, softplus

from dvae_ref.sampling import ais, fields, gibbs, pcd, philox, population_annealing
from dvae_ref.theory.boltzmann import RBM

KEY, TINY = philox.key(26), 5e-5


def one_large_weight(size):
    """2,000 tiny weights to one right unit, and a large one from a left unit that is always 0."""
    a = np.full(2002, 4.0)
    a[0], a[-1] = -size - 100, 0
    return RBM(a, np.concatenate([[size], np.full(2000, TINY)])[:, None])


def exact(rbm):
    """(log Z, E[z_right])."""
    a_left, W = rbm.a[:-1], rbm.W[:, 0]
    log_p = np.array([softplus(a_left).sum(), rbm.a[-1] + softplus(a_left + W).sum()])
    return np.logaddexp.reduce(log_p), expit(log_p[1] - log_p[0])


def share_up(rbm):
    """E[z_right] by Gibbs sampling: 50,000 independent chains, three sweeps, standard error 0.0023."""
    _, info = pcd.step(KEY, pcd.init(KEY, rbm, 50_000), rbm, 3)
    return info.moments.z[-1]


def test_what_is_lost_is_said_with_its_size():
    """Half a step of 2**-13 is more than every tiny weight: the field is 0 where it should be up to 0.1."""
    rbm = one_large_weight(2000.0)
    message = r"right unit 0 is off by up to 0.1 nats: .* reach 2e\+03 in sum, in steps of 0.00012,"
    with pytest.warns(UserWarning, match=message) as caught:
        found = share_up(rbm)
    assert caught[0].filename == pcd.__file__  # who has called `gibbs.sweep`
    assert abs(found - 0.5) < 4.5 * 0.0023
    assert exact(rbm)[1] - found > 5 * 0.0023


def test_the_control_loses_nothing_and_says_nothing():
    rbm = one_large_weight(20.0)
    assert abs(share_up(rbm) - exact(rbm)[1]) < 4.5 * 0.0023
    assert exact(rbm)[1] == pytest.approx(exact(one_large_weight(2000.0))[1], abs=1e-12)


def test_annealed_importance_sampling_corrects_it_and_says_nothing():
    """Its standard error is a hundredth of what the tiny weights do to log Z."""
    rbm = one_large_weight(2000.0)
    lost = RBM(rbm.a, np.where(rbm.W == TINY, 0, rbm.W))
    result = ais.log_z(KEY, rbm, 200, 300, "bias")
    assert abs(result.log_z - exact(rbm)[0]) < 4.5 * result.standard_error + 1e-9
    assert result.standard_error < abs(exact(lost)[0] - exact(rbm)[0]) / 20


@pytest.mark.parametrize("sampler", ["gibbs", "oracle", "population annealing, step", "population annealing, anneal"])
def test_every_sampler_says_it(sampler):
    rbm = one_large_weight(2000.0)
    calls = {
        "gibbs": lambda: gibbs.sweep(KEY, pcd.init(KEY, rbm, 10), rbm, 1),
        "oracle": lambda: gibbs.sweep_reference(KEY, pcd.init(KEY, rbm, 10), rbm, 1),
        "population annealing, step": lambda: population_annealing.step(
            KEY, population_annealing.init(KEY, rbm, 10), rbm, 1, most=1
        ),
        "population annealing, anneal": lambda: population_annealing.anneal(KEY, rbm, 10, 1, 3, base="bias"),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calls[sampler]()
    assert any("right unit 0 is off by up to 0.1 nats" in str(warning.message) for warning in caught)


def test_sizes_are_those_over_all_states():
    """Against all states of the left side, in a alone, in W alone, and in both: the most, and both ends."""
    rng = np.random.default_rng(3)
    given = RBM(rng.normal(0, 1, 9), rng.normal(0, 1, (6, 3)))
    z = np.arange(64)[:, None] >> np.arange(6) & 1
    for a, W in ((1, 1), (1, 0), (0, 1)):
        rounded = RBM(given.a + a * rng.normal(0, 0.1, 9), given.W + W * rng.normal(0, 0.1, (6, 3)))
        off = np.abs(rounded.a[6:] - given.a[6:] + z @ (rounded.W - given.W))
        most, likely = fields.rounding(given, rounded)
        np.testing.assert_allclose(most[6:], off.max(0), rtol=1e-12)
        deviation = 2 * np.sqrt(np.sum((rounded.W - given.W) ** 2, 0) / 4)
        np.testing.assert_allclose(likely[6:], np.maximum(off[0], off[-1]) + deviation, rtol=1e-12)


def test_plain_wide_machines_are_not_warned_of():
    """1,024 units a side, fields that reach 130: up to 0.001 nats in one state of 2**1024, and 0.0001 in samples."""
    W = np.random.default_rng(1).normal(0, 0.15, (1024, 1024))
    rbm = RBM(np.zeros(2048), W)
    rounded, own = fields.exact_fields(rbm)
    most, likely = fields.rounding(rbm, rounded)
    assert np.max(most) > 0.9e-3
    assert np.max(likely) < 0.5e-3
    fields.warn_of_rounding(rbm, rounded, own)  # a warning would be an error here


@pytest.mark.parametrize("unit", [0, 1])
def test_a_thousandth_of_a_nat_is_harmless(unit):
    """Of steps of 0.0011, which two numbers may move by half of each."""
    rounded, own = RBM(np.zeros(2), np.zeros((1, 1))), np.full(2, 1.1e-3)
    off = np.eye(2)[unit]
    fields.warn_of_rounding(RBM(0.95e-3 * off, rounded.W), rounded, own)  # a warning would be an error here
    with pytest.warns(UserWarning, match=f"the field of {('left', 'right')[unit]} unit 0 is off by up to 0.001 nats"):
        fields.warn_of_rounding(RBM(1.05e-3 * off, rounded.W), rounded, own)


def test_machines_as_training_makes_them_are_not_looked_at(monkeypatch):
    """Fields that reach 120 over 200 units: no sum of roundings could matter, and no time is spent on it."""
    monkeypatch.setattr(fields, "rounding", lambda *machines: pytest.fail("looked at"))
    W = np.random.default_rng(0).normal(0, 0.7, (200, 200))
    rbm = RBM(np.zeros(400), W)
    assert 100 < np.max(fields.reach(*rbm)) < 128
    gibbs.sweep(KEY, pcd.init(KEY, rbm, 10), rbm, 1)
