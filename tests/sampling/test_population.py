"""A population's arithmetic by hand: weights, the next temperature, resampling."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from enumeration import skewed_rbm

from dvae_ref.sampling import fields, pcd, philox, population

LOG_W = np.log([1.0, 3.0]) - 1000


def test_weights_of_two_replicas():
    tau = population.relative_weights(LOG_W)
    np.testing.assert_allclose(tau, [0.5, 1.5], rtol=1e-12)
    assert population.log_mean_exp(LOG_W) == pytest.approx(math.log(2) - 1000, abs=1e-12)
    assert population.effective_sample_size(tau) == pytest.approx(4 / 2.5, rel=1e-12)
    assert population.overlap(tau) == pytest.approx(0.75, rel=1e-12)


@pytest.mark.parametrize("t", [0.0, 0.25])
def test_two_replicas_overlap_by_three_quarters_log_3_apart(t):
    """tau = 2 / (1 + e^d) and its rest, of which min(1, tau) are 1/2 + 1 / (1 + e^d) in the mean: 3/4 at e^d = 3. The
    bisection is good to 2**-40."""
    for score in ([0.0, 8.0], [-3.0, 5.0]):
        found = population.next_temperature(np.array(score), t, 0.75)
        assert found == pytest.approx(t + math.log(3) / 8, abs=2e-12)


def test_where_all_of_the_way_overlaps_enough_it_is_taken():
    score = np.array([0.0, 8.0])
    assert population.next_temperature(score, 0.9, 0.75) == 1.0  # log 3 / 8 is 0.137
    assert population.next_temperature(score, 0.0, 0.0) == 1.0
    assert population.next_temperature(score, 0.86, 0.75) < 1


def test_a_replica_that_is_worth_nothing_has_no_copy():
    """Positions 1/4, 5/4, 9/4, then half a step on, of two equal weights up to 3/2 and 3."""
    log_w = np.array([-np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(population.systematic(log_w, np.float32(0.25)), [1, 1, 2])
    np.testing.assert_array_equal(population.systematic(log_w, np.float32(0.75)), [1, 2, 2])


@pytest.mark.parametrize(
    ("log_w", "u", "message"),
    [
        (np.zeros((2, 2)), 0.5, r"\(R,\).*got shape \(2, 2\)"),
        (np.zeros(0), 0.5, r"got shape \(0,\)"),
        (np.array([0.0, np.nan]), 0.5, "without NaN"),
        (np.array([0.0, np.inf]), 0.5, "the largest is finite"),
        (np.full(3, -np.inf), 0.5, "the largest is finite"),
        (np.zeros(3), 0.0, "0 < u < 1; got 0"),
        (np.zeros(3), 1.0, "0 < u < 1; got 1"),
        (np.zeros(3), np.full(1, 0.5), "0 < u < 1; got"),
    ],
)
def test_what_cannot_be_resampled_is_refused(log_w, u, message):
    with pytest.raises(ValueError, match=message):
        population.systematic(log_w, u)


def test_copies_are_of_both_sides():
    chains = pcd.init(philox.key(5), (9, 6), 4)
    found = population.gather(chains, np.array([2, 2, 0, 3]))
    np.testing.assert_array_equal(found.z, chains.z[[2, 2, 0, 3]])
    assert len(np.unique(chains.z, axis=0)) == 4


def test_a_gpu_is_given_the_weights_and_both_sides(monkeypatch):
    """What is its own is tried where there is one."""
    found = []
    gpu = SimpleNamespace(
        systematic=lambda *given: given, gather=lambda states, ancestors: found.append(states) or states[ancestors]
    )
    monkeypatch.setitem(sys.modules, "dvae_ref.sampling.cuda", SimpleNamespace(resampling=gpu))
    monkeypatch.setattr(population.backends, "resolve", lambda backend: backend)
    log_w, chains = np.zeros(4), pcd.init(philox.key(5), (9, 6), 4)
    assert population.systematic(log_w, np.float32(0.5), "cuda") == (log_w, np.float32(0.5))
    ancestors = np.array([3, 3, 1, 0])
    np.testing.assert_array_equal(population.gather(chains, ancestors, "cuda").z, chains.z[ancestors])
    assert found[0] is chains.left
    assert found[1] is chains.right
    population.systematic(log_w, np.float32(0.5), "cpu")
    population.gather(chains, ancestors, "cpu")
    assert len(found) == 2


def test_energies_of_another_machine_s_chains_are_refused():
    """Of as many nibbles: (9, 6) and (10, 5)."""
    tables = population.energy_tables(fields.exact_fields(skewed_rbm(9, 6))[0])
    with pytest.raises(ValueError, match=r"of a machine \(10, 5\), the energies of \(9, 6\)"):
        population.minus_energy(pcd.init(philox.key(5), (10, 5), 4), tables)
