"""Exact samples: every probability from a grid of u, and moments against another way to draw them."""

import numpy as np
import pytest
import witness

from dvae_ref import boltzmann, exact
from dvae_ref.exact import samples
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM


def skewed(n_left, n_right, seed=0):
    rng = np.random.default_rng([seed, n_left, n_right])
    return RBM(rng.normal(-0.4, 0.8, n_left + n_right), rng.normal(0.3, 0.9, (n_left, n_right)))


def uniform(rbm, n, seed=1):
    return philox.uniform(philox.key(seed), (n, 1 + max(rbm.W.shape)), np.float64)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (9, 10), (1, 1)])
def test_the_smaller_side_has_its_probabilities(shape):
    """On a grid of n numbers u, a state of probability p is drawn n p times, up or down by at most 1."""
    rbm, n = skewed(*shape), 20_000
    u = uniform(rbm, n)
    u[:, 0] = (np.arange(n) + 0.5) / n
    left, right = boltzmann.split(exact.sample(u, rbm), rbm)
    listed = left if shape[0] <= shape[1] else right
    number = listed @ 2 ** np.arange(min(shape))
    counts = np.bincount(number.astype(int), minlength=2 ** min(shape))
    expected = n * marginal(rbm)
    assert np.max(np.abs(counts - expected)) <= 1.001
    assert np.max(np.abs(counts - n * marginal(RBM(-rbm.a, rbm.W)))) > 100


def marginal(rbm):
    """Of the states of the smaller side, unit 0 the lowest bit, by NumPy."""
    a, W = (rbm.a, rbm.W) if rbm.W.shape[0] <= rbm.W.shape[1] else (np.roll(rbm.a, rbm.W.shape[1]), rbm.W.T)
    z = witness.states(len(W))[:, ::-1]
    log_p = z @ a[: len(W)] + np.logaddexp(0, a[len(W) :] + z @ W).sum(1)
    return np.exp(log_p - np.logaddexp.reduce(log_p))


@pytest.mark.parametrize("shape", [(10, 17), (17, 10)])
def test_moments_are_those_of_enumeration(shape):
    """Independent draws: 187 means within 4.5 of their own standard errors; with W turned round they are not."""
    rbm, n = skewed(*shape), 40_000
    found, expected = boltzmann.moments(rbm, exact.sample(uniform(rbm, n), rbm)), exact.moments(rbm)
    for value, mean in zip(found, expected, strict=True):
        assert np.max(np.abs(value - mean) / np.sqrt(mean * (1 - mean) / n)) < 4.5
    other = exact.moments(RBM(rbm.a, -rbm.W)).zz
    assert np.max(np.abs(found.zz - other) / np.sqrt(other * (1 - other) / n)) > 50


def test_the_first_and_the_last_state_are_reached():
    rbm = skewed(11, 12)
    u = uniform(rbm, 2)
    u[:, 0] = np.nextafter(0, 1), np.nextafter(1, 0)
    first, last = exact.sample(u, rbm)[:, :11]
    assert (first.sum(), last.sum()) == (0, 11)  # the states number 0 and 2^11 - 1


@pytest.mark.parametrize(
    ("u", "message"),
    [
        (np.full((2, 4), 0.5), r"shape \(n, 5\) for this RBM; got float64 \(2, 4\)"),
        (np.full((2, 5), 0.5, np.float32), "must be float64"),
        (np.full((2, 5), 1.0), "0 < u < 1"),
        (np.full((2, 5), np.nan), "0 < u < 1"),
    ],
)
def test_bad_numbers_are_refused(u, message):
    with pytest.raises(ValueError, match=message):
        exact.sample(u, skewed(3, 4))


def test_too_large_a_table_is_refused(monkeypatch):
    rbm = RBM(np.zeros(50), np.zeros((25, 25)))
    with pytest.raises(ValueError, match=r"at most 24 units in the smaller side; W is \(25, 25\)"):
        exact.sample(np.full((1, 26), 0.5), rbm)
    monkeypatch.setattr(samples, "MOST_UNITS", 3)
    exact.sample(np.full((1, 5), 0.5), skewed(3, 4))  # as many are taken
    with pytest.raises(ValueError, match="at most 3 units"):
        exact.sample(np.full((1, 5), 0.5), skewed(4, 4))


def test_states_that_are_e_to_the_minus_thousands_of_others():
    """Probabilities are relative to the largest: beside the smallest the largest would overflow."""
    rbm = RBM(np.array([900.0, -900.0, 0.0, 0.0, 0.0]), np.zeros((2, 3)))
    z = exact.sample(uniform(rbm, 200), rbm)
    np.testing.assert_array_equal(z[:, :2], np.tile([1, 0], (200, 1)))
    assert np.all((z[:, 2:].sum(0) > 60) & (z[:, 2:].sum(0) < 140))  # 100, by 5.6 standard deviations
