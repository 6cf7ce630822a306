"""The mean field of the augmented machine against its definition, enumeration, and the wrong order of sides."""

import itertools

import numpy as np
import pytest
import witness

from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mean_field import log_partition_bound, mean_field

LEFT, RIGHT, N = 3, 4, 6


@pytest.fixture
def rng():
    return np.random.default_rng(41)


@pytest.fixture
def rbm(rng):
    return RBM(rng.normal(-0.4, 1, LEFT + RIGHT), rng.normal(0.5, 1.5, (LEFT, RIGHT)))


@pytest.fixture
def b(rng):
    return rng.normal(0, 3, (N, LEFT + RIGHT))


def log_sum(rbm, b):
    """log sum_z exp(-E(z) + b·z - sum_i max(b_i, 0)): of exp(-E^(z)), relative to r_max, whose log is c + max(b, 0)."""
    z = witness.states(LEFT + RIGHT)
    return witness.logsumexp(-witness.energy(*rbm, z) + b @ z.T, 1) - np.sum(np.maximum(b, 0), 1)


def kl(rbm, b, m):
    """KL(m || p^) from the table of all states."""
    z = witness.states(LEFT + RIGHT)
    log_p = -witness.energy(*rbm, z) + b @ z.T
    log_p = log_p - witness.logsumexp(log_p, 1)[:, None]
    log_m = np.sum(np.log(np.where(z == 1, m[:, None], 1 - m[:, None])), 2)
    return np.sum(np.exp(log_m) * (log_m - log_p), 1)


@pytest.mark.parametrize("sweeps", [0, 1, 2, 5])
def test_sweeps_from_one_half_right_side_first(rbm, b, sweeps):
    m = sigmoid(mean_field(rbm, b, sweeps))
    np.testing.assert_allclose(m, witness.mean_field(*rbm, b, sweeps), rtol=1e-11)


def test_five_sweeps_are_the_default(rbm, b):
    np.testing.assert_array_equal(mean_field(rbm, b), mean_field(rbm, b, 5))


def test_control_the_left_side_first_is_another(rbm, b):
    """The same machine with its sides named the other way round; after five sweeps still far from equal."""
    swap = np.r_[LEFT : LEFT + RIGHT, 0:LEFT]
    back = np.argsort(swap)
    for sweeps, least in ((1, 1e-1), (5, 1e-3)):
        other = mean_field(RBM(rbm.a[swap], rbm.W.T), b[:, swap], sweeps)[:, back]
        assert np.abs(sigmoid(other) - sigmoid(mean_field(rbm, b, sweeps))).max() > least


def test_converges_to_a_fixed_point(rng, b):
    """At the fixed point m_i = sigmoid(a_i + b_i + (J m)_i) for both sides: a small W contracts."""
    rbm = RBM(rng.normal(0, 1, LEFT + RIGHT), rng.normal(0.2, 0.5, (LEFT, RIGHT)))
    m = sigmoid(mean_field(rbm, b, 100))
    field = rbm.a + b + m @ witness.couplings(rbm.W)
    np.testing.assert_allclose(m, sigmoid(field), rtol=1e-13)


def test_every_half_sweep_lowers_the_kl(rbm, b):
    """Halves are told apart by the side that has changed: right, left, right, ..., each the optimum given the other."""
    m = np.full_like(b, 0.5)
    last = kl(rbm, b, m)
    for sweep, side in itertools.product(range(1, 5), (slice(LEFT, None), slice(0, LEFT))):
        m = m.copy()
        m[:, side] = sigmoid(mean_field(rbm, b, sweep))[:, side]
        now = kl(rbm, b, m)
        assert np.all(now <= last + 1e-13)
        last = now


def test_each_side_is_the_best_given_the_other(rbm, b, rng):
    """Any other right side (after half a sweep) or left side (after a whole one) has a higher KL."""
    best = sigmoid(mean_field(rbm, b, 1))
    half = best.copy()
    half[:, :LEFT] = 0.5
    for m, side in ((half, slice(LEFT, None)), (best, slice(0, LEFT))):
        for _ in range(10):
            moved = m.copy()
            moved[:, side] = np.clip(m[:, side] + rng.normal(0, 0.1, m[:, side].shape), 0.01, 0.99)
            assert np.all(kl(rbm, b, moved) > kl(rbm, b, m))


@pytest.mark.parametrize("sweeps", [0, 1, 5])
def test_bound_is_the_log_sum_less_the_kl(rbm, b, sweeps):
    """Eq. 6 exactly: H(m) - E^(m) = log sum_z exp(-E^(z)) - KL(m || p^), so never above the log sum."""
    logit_m = mean_field(rbm, b, sweeps)
    bound = log_partition_bound(rbm, b, logit_m)
    np.testing.assert_allclose(bound, log_sum(rbm, b) - kl(rbm, b, sigmoid(logit_m)), rtol=1e-11, atol=1e-12)
    assert np.all(bound < log_sum(rbm, b))


def test_control_a_wrong_sign_of_the_entropy_or_coupling_breaks_the_identity(rbm, b):
    logit_m = mean_field(rbm, b, 1)
    m = sigmoid(logit_m)
    bound = log_partition_bound(rbm, b, logit_m)
    exact = log_sum(rbm, b) - kl(rbm, b, m)
    assert np.abs(bound - 2 * witness.entropy(m) - exact).min() > 1e-3
    assert np.abs(log_partition_bound(rbm._replace(W=-rbm.W), b, logit_m) - exact).min() > 1e-3


def test_without_couplings_the_mean_field_is_exact(rbm, b):
    free = rbm._replace(W=np.zeros_like(rbm.W))
    np.testing.assert_allclose(log_partition_bound(free, b, mean_field(free, b, 1)), log_sum(free, b), rtol=1e-12)


@pytest.mark.parametrize("size", [1e2, 1e4, 3e38])
def test_float32_is_accurate_at_huge_log_ratios(rbm, rng, size):
    """At |b| = 1e4 every unit is certain, and the bound is -E of that vertex: b (1 - m) does not swamp it."""
    rbm = RBM(*(np.float32(a) for a in rbm))
    b = np.float32(size * np.where(rng.random((N, LEFT + RIGHT)) < 0.5, -1, 1))
    bound = log_partition_bound(rbm, b, mean_field(rbm, b))
    assert bound.dtype == np.float32
    np.testing.assert_allclose(bound, -witness.energy(*rbm, np.float64(b > 0)), atol=2e-6)
