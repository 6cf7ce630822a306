"""KL(m || p^) against its definition at 50 digits, from 1e-24 nats to thousands."""

import types

import mpmath
import numba
import numpy as np
import oracle
import pytest

from dvae_ref import exact
from dvae_ref.exact import divergence, limits
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.mean_field import log_partition_bound, mean_field


def rbm(n_left, n_right, scale=1.0):
    rng = np.random.default_rng([n_left, n_right])
    return RBM(rng.normal(-0.5, 1, n_left + n_right), scale * (0.3 + rng.standard_normal((n_left, n_right))))


def at_50_digits(machine, b, logit_m):
    with mpmath.workdps(oracle.DIGITS):
        return np.array([float(oracle.kl(*machine, *row)) for row in zip(b, logit_m, strict=True)])


@pytest.mark.parametrize("sweeps", [1, 5])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (1, 6)])
def test_kl_of_the_mean_field(shape, sweeps):
    machine, b = rbm(*shape), np.random.default_rng(1).normal(0, 4, (4, sum(shape)))
    logit_m = mean_field(machine, b, sweeps)
    np.testing.assert_allclose(exact.kl(machine, b, logit_m), at_50_digits(machine, b, logit_m), rtol=1e-12)
    for wrong in (RBM(-machine.a, machine.W), RBM(machine.a, -machine.W)):
        assert np.min(np.abs(exact.kl(wrong, b, logit_m) / at_50_digits(machine, b, logit_m) - 1)) > 1e-3


@pytest.mark.parametrize("scale", [1e-2, 1e-4, 1e-6, 1e-12])
def test_a_tiny_kl_keeps_its_digits(scale):
    """KL ~ scale^2: 1e-24 at the end. The fields at the mean carry 1e-16 beside a slope of size `scale`."""
    machine, b = rbm(4, 5, scale), np.random.default_rng(2).normal(0, 3, (3, 9))
    logit_m = mean_field(machine, b)
    expected = at_50_digits(machine, b, logit_m)
    assert np.all(expected < 3 * scale**2)
    tolerance = max(1e-12, 1e-14 / scale)
    np.testing.assert_allclose(exact.kl(machine, b, logit_m), expected, rtol=tolerance)
    if scale <= 1e-6:  # control: the difference of Eq. 6's two sides has lost them
        difference = exact.log_p(machine, b)[0] - log_partition_bound(machine, b, logit_m)
        assert np.max(np.abs(difference / expected - 1)) > 1e-4


@pytest.mark.parametrize("spread", [3.0, 50.0, 800.0])
def test_a_bad_m_has_a_large_kl(spread):
    """m far from p^, couplings and log-ratios in the hundreds: no overflow, m = 0 and 1 to the last digit."""
    rng = np.random.default_rng(3)
    machine, b = rbm(4, 3, spread / 3), rng.normal(0, spread, (4, 7))
    logit_m = rng.normal(0, spread, (4, 7))
    expected = at_50_digits(machine, b, logit_m)
    np.testing.assert_allclose(exact.kl(machine, b, logit_m), expected, rtol=1e-11)
    assert np.max(expected) > spread / 3


def test_kl_is_zero_only_without_couplings():
    machine, b = rbm(3, 4, 0.0), np.random.default_rng(4).normal(0, 100, (5, 7))
    assert np.all(exact.kl(machine, b, b + machine.a) < 1e-25)  # a + b is rounded, by 1e-14
    assert np.all(exact.kl(RBM(np.zeros(7), machine.W), b, b) == 0)
    assert np.all(exact.kl(rbm(3, 4), b / 100, b / 100 + rbm(3, 4).a) > 1e-3)


def test_eq_6_holds_on_many_blocks():
    """log sum exp(-E^) = H(m) - E^(m) + KL: 2^13 states, two blocks, on one thread and on all."""
    machine, b = rbm(13, 20, 0.3), np.random.default_rng(5).normal(0, 3, (3, 33))
    logit_m = mean_field(machine, b, 2)
    bound, value = log_partition_bound(machine, b, logit_m), exact.log_p(machine, b)[0]
    found = exact.kl(machine, b, logit_m)
    np.testing.assert_allclose(bound + found, value, rtol=0, atol=1e-12)
    assert np.all(found > 1e-3)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert exact.kl(machine, b, logit_m).tobytes() == found.tobytes()
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("x", [0.0, 1e-9, -1e-9, 1e-3, 0.1999, 0.2001, -0.1999, -0.2001, 0.9, -0.9])
def test_differences_of_functions_keep_their_digits(x):
    with mpmath.workdps(oracle.DIGITS):
        phi, excess = mpmath.expm1(x) - mpmath.mpf(x), mpmath.mpf(x) - mpmath.log1p(x)
        gaps = {}
        for l in (-700.0, -30.0, -0.5, 0.0, 2.0, 40.0):
            for g in (x, 30 * x, 900 * x):
                m = 1 / (1 + mpmath.exp(-mpmath.mpf(l)))
                gaps[l, g] = mpmath.log(1 + m * mpmath.expm1(g)) - m * g
    assert divergence._phi(x) == pytest.approx(float(phi), rel=2e-14)
    assert divergence._excess(x) == pytest.approx(float(excess), rel=2e-14)
    for arguments, gap in gaps.items():
        assert divergence._gap(*arguments) == pytest.approx(float(gap), rel=1e-12), arguments


def test_bad_input_is_refused(monkeypatch):
    """How long 2^26 states would take is told from 2^16 of them: half a second here, by a clock of our own."""
    monkeypatch.setattr(limits, "time", types.SimpleNamespace(perf_counter=iter([0.0, 0.5]).__next__))
    machine, zeros = rbm(3, 4), np.zeros((2, 7))
    with pytest.raises(ValueError, match="logit_m must have the shape"):
        exact.kl(machine, zeros, zeros[:, 1:])
    with pytest.raises(ValueError, match="as many rows, got 2 and 1"):
        exact.kl(machine, zeros, zeros[1:])
    with pytest.raises(ValueError, match=r"26 units enumerated for 1 row .* takes about 8\.5 minutes"):
        exact.kl(RBM(np.zeros(56), np.zeros((26, 30))), np.zeros((1, 56)), np.zeros((1, 56)))
