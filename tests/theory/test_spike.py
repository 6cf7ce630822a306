"""Spike and exponential: the inverse CDF, its slope against mpmath, and the ends of q, rho and beta."""

import math

import mpmath
import numpy as np
import pytest
import witness
from scipy import stats

from dvae_ref import spike

LOGITS = np.array([-30, -9, -2, 0.1, 0.7, 6, 30, 800.0])
RHO = np.array([1e-300, 2.0**-24, 1e-3, 0.2, 0.5, 0.501, 0.9, 1 - 2.0**-24, 1 - 2.0**-53])
GRID = tuple(a.ravel() for a in np.meshgrid(LOGITS, RHO))
each_beta = pytest.mark.parametrize("beta", [1e-3, 1.0, 4.0, 8.0, 87.9])


def exact_sample(logit_q, rho, beta):
    """(zeta, dzeta/dlogit q) at fixed rho by the inverse CDF in mpmath, the slope by numerical differentiation."""

    def zeta(logit):
        q = 1 / (1 + mpmath.exp(-logit))
        above = (rho + q - 1) / q
        return mpmath.log((mpmath.exp(beta) - 1) * above + 1) / beta if above > 0 else mpmath.mpf(0)

    with mpmath.workdps(400 if logit_q > 100 else 60):
        logit_q, rho, beta = (mpmath.mpf(float(a)) for a in (logit_q, rho, beta))
        return float(zeta(logit_q)), float(mpmath.diff(zeta, logit_q, h=mpmath.mpf(10) ** -25))


def exact_samples(beta):
    return np.array([exact_sample(*point, beta) for point in zip(*GRID, strict=True)]).T


@each_beta
def test_inverse_cdf_and_slope_against_mpmath(beta):
    """s = 1 - (1 - rho) / q has four roundings, an error of 4 eps, absolute: so small an s may count as the spike.

    zeta moves by dzeta/ds = (e^beta - 1) / (beta ((e^beta - 1) s + 1)) times that, and so, relatively, does the slope.
    (rho at the very end of the spike is left out: zeta has a corner there.)
    """
    eps = np.finfo(float).eps
    zeta, slope = spike.sample(*GRID, beta), spike.d_zeta_d_logit_q(*GRID, beta)
    expected, expected_slope = exact_samples(beta)
    s = np.expm1(beta * expected) / np.expm1(beta)
    condition = np.expm1(beta) / (np.expm1(beta) * s + 1)
    assert not np.any((zeta > 0) & (expected == 0))
    assert not np.any((zeta == 0) & (s > 4 * eps))
    assert np.all(np.abs(zeta - expected) <= 8 * eps * (condition / beta + expected))
    relative = 8 * eps * (2 + condition)
    certain = (zeta > 0) | (expected == 0)
    assert np.all((np.abs(slope - expected_slope) <= relative * np.abs(expected_slope))[certain])
    assert np.all(slope[expected == 0] == 0)


@each_beta
def test_cdf_of_the_sample_is_rho(beta):
    """CDF(zeta) = 1 - q + q R(zeta|1), R by scipy.stats: r(zeta|1) is the mirror image of a truncated exponential."""
    logit_q, rho = np.meshgrid([-2.0, 0.3, 3.0], np.linspace(0.01, 0.99, 33))
    q = witness.sigmoid(logit_q)
    zeta = spike.sample(logit_q, rho, beta)
    above = zeta > 0
    np.testing.assert_array_equal(above, rho > 1 - q)
    cdf = 1 - q + q * stats.truncexpon(beta, scale=1 / beta).sf(1 - zeta)
    np.testing.assert_allclose(cdf[above], rho[above], rtol=1e-12)
    assert 0.2 < above.mean() < 0.8
    assert zeta.max() <= 1


def test_control_the_density_of_the_overlapping_exponential_is_another():
    """r(zeta|1) rises towards 1; the mirror image, r(zeta|0) of DVAE++, does not solve the CDF."""
    rho, beta = np.linspace(0.6, 0.99, 9), 4.0
    zeta = spike.sample(np.zeros(9), rho, beta)
    wrong = 0.5 + 0.5 * stats.truncexpon(beta, scale=1 / beta).cdf(zeta)
    assert np.abs(wrong - rho).max() > 0.1


def test_by_hand():
    """q = 3/4: the spike ends at rho = 1/4; at rho = 5/8, s = 1/2 and e^(beta zeta) is midway between 1 and e^beta."""
    logit_q, rho = np.full(3, np.log(3)), np.array([0.2, 0.625, 1 - 1e-16])
    zeta = spike.sample(logit_q, rho, 2.0)
    np.testing.assert_allclose(zeta, [0, np.log((np.exp(2) + 1) / 2) / 2, 1], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_beta
def test_every_q_and_rho_is_finite_and_keeps_the_dtype(beta, dtype):
    """Also where q or 1 - q is below the least float, and without a warning (which would be an error)."""
    eps = np.finfo(dtype).epsneg
    logits = [-3e38, -1e4, -745, -740, -104, -95, -88, -30, 0, 17, 40, 90, 1e4, 3e38]
    logit_q, rho = np.meshgrid(np.array(logits, dtype), np.array([0, eps, 0.3, 0.5, 1 - eps], dtype))
    zeta, slope = spike.sample(logit_q, rho, beta), spike.d_zeta_d_logit_q(logit_q, rho, beta)
    assert zeta.dtype == slope.dtype == dtype
    assert np.all((zeta >= 0) & (zeta <= 1 + 4 * eps))
    assert np.all(np.isfinite(slope) & (slope >= 0))
    assert not np.any(zeta[:, logit_q[0] < -50])  # the spike has all the mass
    assert np.all(zeta[2:, logit_q[0] > 10] > 0)
    assert not np.any(slope[:, np.abs(logit_q[0]) > 800])


def test_float32_agrees_with_float64():
    """At the paper's beta, on the same numbers: 4 eps of s times the condition, up to e^8 / 8 at the end of the spike,
    in the root mean square far less."""
    rng = np.random.default_rng(7)
    logit_q, rho = rng.normal(0, 3, 10_000).astype(np.float32), rng.uniform(0.001, 0.999, 10_000).astype(np.float32)
    for f in (spike.sample, spike.d_zeta_d_logit_q):
        single, double = f(logit_q, rho, 8.0), f(logit_q.astype(float), rho.astype(float), 8.0)
        assert witness.relative_error(single, double) < 1e-4, f.__name__
        assert witness.relative_error(single, double) > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beta_is_above_0_and_below_88(dtype):
    """Both ends are outside, in the twin and as it is read; what is next to them is inside."""
    logit_q, rho = np.zeros(3, dtype), np.array([0.2, 0.7, 1], dtype)
    for f in (spike.sample, spike.d_zeta_d_logit_q):
        for beta in (0, 88, 88.5, -1, np.nan, np.inf):
            with pytest.raises(ValueError, match=f"the spike-and-exponential takes 0 < beta < 88; got {beta}$"):
                f(logit_q, rho, beta)
        for beta in (1e-3, 87.9):
            assert np.all(np.isfinite(f(logit_q, rho, beta)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_last_rho_gives_1_whatever_beta(dtype):
    """Also where (e^beta - 1) s is 1, as it is for log 2: the twin takes log(1 + y) from there on, log1p(y) below."""
    for beta in (0.1, 0.69, math.log(2), 0.7, 8.0, 80.0):
        zeta = spike.sample(np.zeros(2, dtype), np.array([1, 1], dtype), beta)
        np.testing.assert_allclose(zeta, 1, rtol=4 * np.finfo(dtype).eps)
