"""The mixture q(zeta|x): inverse CDF, Eq. 9 and its counterpart in beta, ancestral samples, density."""

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
import witness
from autograd import elementwise_grad
from scipy import stats
from test_smoothing import CASES

from dvae_ref import mixture
from dvae_ref.theory.smoothing import SMOOTHINGS, Gaussian, Logistic
from validation.laws import exact_law

each_case = pytest.mark.parametrize(("name", "beta"), CASES)
LOGITS = np.array([-800, -40, -9, -2, 0, 0.7, 6, 30, 800.0])
RHO = np.array([1e-300, 2.0**-53, 2.0**-24, 1e-3, 0.2, 0.5, 0.501, 0.9, 1 - 2.0**-24, 1 - 2.0**-53])
GRID = tuple(a.ravel() for a in np.meshgrid(LOGITS, RHO))


# -- inverse CDF ---------------------------------------------------------------------------------------------------


@each_case
def test_inverse_cdf_undoes_the_cdf(name, beta):
    """Eq. 8 at every pair of logit q and rho, q = 0 and 1 included: relative in the nearer tail of rho.

    The root is one of log CDF - log rho, found to the last bits of t. log CDF has the error (1 + |log CDF|) eps, up to
    700 eps = 1.5e-13, and t the error |t| eps, which moves log CDF by |t| eps / beta and the like.
    """
    smoothing = SMOOTHINGS[name](beta)
    logit_q, rho = GRID
    t = mixture.inverse_cdf(logit_q, rho, smoothing)
    lower = mixture.cdf(t, logit_q, smoothing)
    upper = mixture.cdf(-t, -logit_q, smoothing)  # 1 - CDF, by the mirror image
    error = np.where(rho < 0.5, lower / rho, upper / (1 - rho)) - 1
    reachable = np.maximum(np.abs(logit_q), np.abs(t)) < 700  # elsewhere the CDF itself is below the least float
    assert np.abs(error[reachable]).max() < 4e-13
    assert np.all(np.isfinite(t))


@each_case
def test_inverse_cdf_keeps_the_shape_the_dtype_and_the_order(name, beta):
    smoothing = SMOOTHINGS[name](beta)
    rho = np.linspace(0.01, 0.99, 9, dtype=np.float32)
    logit_q = np.float32([[-2], [0], [3]])
    t = mixture.inverse_cdf(logit_q, rho, smoothing)
    assert (t.shape, t.dtype) == ((3, 9), np.float32)
    assert np.all(np.diff(t, axis=1) > 0)  # in rho
    assert np.all(np.diff(t, axis=0) > 0)  # in q: mass moves to zeta = 1


def test_inverse_cdf_by_hand():
    """q = 0 and q = 1 give the quantiles of r(.|0) and r(.|1); q = 1/2 at rho = 1/2 gives zeta = 1/2."""
    for name, beta in CASES[::2]:  # the softer ones: at 40, zeta near 1 has lost its digits
        smoothing = SMOOTHINGS[name](beta)
        rho = np.array([0.1, 0.5, 0.9])
        zeta = [smoothing.zeta(mixture.inverse_cdf(np.full(3, logit), rho, smoothing)) for logit in (-800.0, 0, 800)]
        assert zeta[1][1] == pytest.approx(0.5, abs=1e-12)
        np.testing.assert_allclose(witness.distribution(name, beta, zeta[0], 0), rho, rtol=1e-9)
        np.testing.assert_allclose(witness.distribution(name, beta, zeta[2], 1), rho, rtol=1e-9)


def test_the_closed_form_of_two_logistics_is_the_solution():
    """Against the root that is bracketed for any smoothing, at every pair, in the CDF; and not that of another beta."""
    logit_q, rho = (a[GRID[1] <= 0.5] for a in GRID)
    for beta in (0.2, 8.0, 150.0):
        logistic, solved = Logistic(beta), mixture._solve(logit_q, rho, Logistic(beta))
        closed = logistic.mixture_quantile(logit_q, rho)
        np.testing.assert_allclose(
            mixture.cdf(closed, logit_q, logistic), mixture.cdf(solved, logit_q, logistic), 4e-13
        )
        off = Logistic(1.001 * beta).mixture_quantile(logit_q, rho)
        assert np.abs(mixture.cdf(off, logit_q, logistic) / rho - 1).max() > 1e-4


def test_inverse_cdf_reads_the_end_points_as_the_nearest_numbers_and_refuses_others():
    smoothing = SMOOTHINGS["power"](4.0)
    t = mixture.inverse_cdf(np.zeros(2), np.array([0.0, 1.0]), smoothing)
    assert np.all(np.isfinite(t))
    nearest = np.array([np.finfo(float).tiny, 1 - 2.0**-53])
    np.testing.assert_array_equal(t, mixture.inverse_cdf(np.zeros(2), nearest, smoothing))
    assert t[0] < -1000
    assert 30 < t[1] < 150
    for logit_q, rho in ((0, -1e-9), (0, 1.1), (0, np.nan), (np.nan, 0.5), (np.inf, 0.5)):
        with pytest.raises(ValueError, match=r"inverse_cdf takes a finite|rho is a uniform"):
            mixture.inverse_cdf(np.array([logit_q]), np.array([rho]), smoothing)


# -- reparameterisation --------------------------------------------------------------------------------------------


def five_points(f, h):
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_slopes_are_those_of_the_inverse_cdf(name):
    """dt/dlogit(q) and dt/dbeta at fixed rho, by central differences of the solved inverse CDF at a moderate beta.

    The estimated error: the change of the five-point formula on doubling the step (15 times its truncation), and the
    solution's 1e-14 (1 + |t|) / step. (At a high beta t switches over faster than any step; see the test below.)
    """
    build, beta = SMOOTHINGS[name], 4.0
    logit_q, rho = (a.ravel() for a in np.meshgrid(LOGITS[2:-2], RHO[2:-1]))
    t = mixture.inverse_cdf(logit_q, rho, build(beta))
    for slope, moved in (
        (mixture.d_t_d_logit_q, lambda h: mixture.inverse_cdf(logit_q + h, rho, build(beta))),
        (mixture.d_t_d_beta, lambda h: mixture.inverse_cdf(logit_q, rho, build(beta + h))),
    ):
        found = slope(t, logit_q, build(beta))
        fine, rough = five_points(moved, 2e-3), five_points(moved, 4e-3)
        error = np.abs(fine - rough) + 1e-14 * (1 + np.abs(t)) / 2e-3
        assert np.all(np.abs(found - fine) <= error)
        assert np.all(error < 1e-6 * (1 + np.abs(found)))


def exact_slopes(name, beta, t, logit_q):
    """dt/dlogit(q) and dt/dbeta at the rho that t solves, without Eq. 9, with enough digits for every tail.

    At fixed rho, Eq. 8 gives q as a function of t: logit q = log((R0 - rho) / (rho - R1)). The slope in beta is that of
    the level line CDF(t, beta) = rho. Both by numerical differentiation.
    """
    exact = exact_law(name)
    with mpmath.workdps(100 + int(2 * exact.nats_of_tail(t, beta) / np.log(10))):
        t, beta, logit_q = (mpmath.mpf(float(a)) for a in (t, beta, logit_q))
        q, p = 1 / (1 + mpmath.exp(-logit_q)), 1 / (1 + mpmath.exp(logit_q))

        def cdf(t, beta):
            return p * exact.cdf0(t, beta) + q * exact.cdf1(t, beta)

        def logit(t):
            return mpmath.log((exact.cdf0(t, beta) - rho) / (rho - exact.cdf1(t, beta)))

        rho = cdf(t, beta)
        in_beta = -mpmath.diff(lambda beta: cdf(t, beta), beta) / mpmath.diff(lambda t: cdf(t, beta), t)
        return float(1 / mpmath.diff(logit, t)), float(in_beta)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_case
def test_slopes_at_the_extremes(name, beta, dtype):
    """For the smallest, middle and largest random numbers and q from 0 to 1, against mpmath.

    Tolerance: exp(-log f) has the error (1 + |log f|) eps for each of its large terms, which add up to 100 nats here:
    400 eps covers them. The slope in beta can cancel between z = 0 and 1: 40 eps absolute in addition.
    """
    smoothing = SMOOTHINGS[name](beta)
    info = np.finfo(dtype)
    eps, tiny, least = float(info.eps), float(info.tiny), info.epsneg
    t0 = smoothing.sample0(np.array([least, 0.4, 0.97, 1 - least], dtype))
    for logit_q in np.array([-50, -3, 0.5, 20], dtype):
        for t in (*t0, *-t0):
            arguments = np.array([t]), np.array([logit_q]), smoothing
            in_q, in_beta = mixture.d_t_d_logit_q(*arguments)[0], mixture.d_t_d_beta(*arguments)[0]
            assert in_q.dtype == in_beta.dtype == dtype
            expected = exact_slopes(name, beta, t, logit_q)
            assert float(in_q) == pytest.approx(expected[0], rel=400 * eps, abs=tiny), (t, logit_q)
            assert float(in_beta) == pytest.approx(expected[1], rel=400 * eps, abs=40 * eps), (t, logit_q)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slope_in_beta_of_a_gaussian_at_its_vertices(dtype):
    """(nu - zeta) / (2 beta) at zeta = 0, where nu is e^-24, and at zeta = 1, where 1 - nu is: nothing is subtracted.

    Tolerance: exp(x) has the error |x| eps, and x is up to 24 nats."""
    t, logit_q = np.array([-0.5, 0.5], dtype), np.array([-20, 20], dtype)
    slope = mixture.d_t_d_beta(t, logit_q, Gaussian(8.0))
    assert slope.dtype == dtype
    expected = 1 / (1 + np.exp(24.0)) / 16
    np.testing.assert_allclose(slope, [expected, -expected], rtol=100 * float(np.finfo(dtype).eps))


def test_control_eq_9_with_the_sum_of_the_distributions_is_seen():
    """(R0 + R1) in the place of (R0 - R1)."""
    smoothing, t, logit_q = SMOOTHINGS["exp"](8.0), np.array([0.5]), np.array([0.3])
    wrong = (
        (smoothing.cdf0(t) + smoothing.cdf1(t)) / smoothing.cdf_gap(t) * mixture.d_t_d_logit_q(t, logit_q, smoothing)
    )
    fine = five_points(lambda h: mixture.inverse_cdf(logit_q + h, mixture.cdf(t, logit_q, smoothing), smoothing), 2e-3)
    assert abs(wrong - fine) > 1e-1 * abs(fine)


@pytest.mark.parametrize("name", SMOOTHINGS)
@pytest.mark.parametrize("rho", [0.0, 2.0**-24, 1 - 2.0**-24, 1.0])
def test_finite_in_float32_for_every_q(name, rho):
    """q from 0 to 1 to the last bit, with the random numbers at the ends of their range (u is never 0 or 1)."""
    smoothing = SMOOTHINGS[name](40.0)
    logit_q = np.float32([-1e4, -200, -88, -17, -1, 0, 1, 17, 88, 200, 1e4])
    for u in (2.0**-24, 1 - 2.0**-24):
        t = mixture.sample(logit_q, np.full(11, u, np.float32), np.full(11, rho, np.float32), smoothing)
        b = smoothing.log_ratio(t)
        value, cache = mixture.log_q(logit_q[:, None], b[:, None])
        gradients = mixture.log_q_backward(np.ones(11, np.float32), cache)
        slopes = mixture.d_t_d_logit_q(t, logit_q, smoothing), mixture.d_t_d_beta(t, logit_q, smoothing)
        for result in (t, value, *gradients, *slopes):
            assert result.dtype == np.float32
            assert np.all(np.isfinite(result))


@pytest.mark.parametrize("beta", [2.0, 10.0])
def test_slopes_of_the_logistic_against_autograd(beta):
    """By the quadratic equation that e^(beta t) solves, written plainly: at moderate numbers."""

    def t_of(logit_q, beta):
        h, q, rest = anp.exp(beta / 2), 1 / (1 + anp.exp(-logit_q)), 1 / (1 + anp.exp(logit_q))
        linear = rest * h + q / h - rho * (h + 1 / h)
        return anp.log((-linear + anp.sqrt(linear**2 + 4 * rho * (1 - rho))) / (2 * (1 - rho))) / beta

    logit_q, rho = (a.ravel() for a in np.meshgrid([-2.0, 0.3, 1.5], [0.05, 0.3, 0.5, 0.8]))
    t, smoothing = t_of(logit_q, beta), Logistic(beta)
    np.testing.assert_allclose(t, mixture.inverse_cdf(logit_q, rho, smoothing), rtol=1e-11, atol=1e-11)
    in_q = elementwise_grad(t_of, 0)(logit_q, beta)
    in_beta = elementwise_grad(t_of, 1)(logit_q, np.full_like(logit_q, beta))
    np.testing.assert_allclose(mixture.d_t_d_logit_q(t, logit_q, smoothing), in_q, rtol=1e-10)
    np.testing.assert_allclose(mixture.d_t_d_beta(t, logit_q, smoothing), in_beta, rtol=1e-9, atol=1e-11)
    assert np.abs(mixture.d_t_d_logit_q(t, -logit_q, smoothing) / in_q - 1).max() > 0.1  # the control: 1 - q for q


# -- ancestral samples ---------------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("logit_q", [-2.0, 0.4])
def test_ancestral_samples_follow_the_cdf(name, beta, logit_q):
    """Kolmogorov-Smirnov with n = 60,000: the critical distance at p = 1e-6 is 2.69 / sqrt(n) = 0.011.

    A q that is off by 0.05 moves the CDF by 0.05 (R0 - R1), 0.02 at least in the middle, and is caught: the control.
    """
    n, smoothing = 60_000, SMOOTHINGS[name](beta)
    rng = np.random.default_rng(61)
    t = mixture.sample(np.full(n, logit_q), rng.random(n), rng.random(n), smoothing)
    distances = []
    for shifted in (logit_q, np.log((witness.sigmoid(logit_q) + 0.05) / (witness.sigmoid(-logit_q) - 0.05))):
        levels = mixture.cdf(t, np.float64(shifted), smoothing)
        distances.append(stats.kstest(levels, "uniform").statistic)
    assert distances[0] < 2.69 / np.sqrt(n) < distances[1]


def test_u_below_q_is_z_equal_one():
    smoothing = SMOOTHINGS["power"](10.0)
    rho = np.full(2, 0.3)
    t = mixture.sample(np.zeros(2), np.array([0.49, 0.51]), rho, smoothing)
    np.testing.assert_allclose(smoothing.zeta(t), [1 - 0.3**10, 0.3**10], rtol=1e-12)


# -- density -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_log_q_is_the_density_relative_to_the_larger_r(name):
    rng = np.random.default_rng(62)
    beta, smoothing = 6.0, SMOOTHINGS[name](6.0)
    zeta, logit_q = rng.uniform(0.02, 0.98, (5, 7)), rng.normal(0, 2, (5, 7))
    q = witness.sigmoid(logit_q)
    r0, r1 = (witness.density(name, beta, zeta, z) for z in (0, 1))
    expected = np.log((1 - q) * r0 + q * r1) - np.log(np.maximum(r0, r1))
    value, _ = mixture.log_q(logit_q, smoothing.log_ratio(smoothing.t(zeta)))
    np.testing.assert_allclose(value, expected.sum(1), rtol=1e-11)


def test_log_q_near_the_corner_and_far_out():
    """Of one unit to 1e-15 max(1, |value|), at 60 digits: relatively it is no better where b is nearly 0."""
    rng = np.random.default_rng(64)
    logit_q = rng.normal(size=200) * 10 ** rng.uniform(-6, 2.5, 200)
    b = rng.normal(size=200) * 10 ** rng.uniform(-12, 3.5, 200)
    value, _ = mixture.log_q(logit_q[:, None], b[:, None])
    with mpmath.workdps(60):
        for found, l, ratio in zip(value, map(mpmath.mpf, logit_q.tolist()), map(mpmath.mpf, b.tolist()), strict=True):
            off, on = 1 / (1 + mpmath.exp(l)), 1 / (1 + mpmath.exp(-l))
            expected = mpmath.log(off * mpmath.exp(-max(ratio, 0)) + on * mpmath.exp(-max(-ratio, 0)))
            assert abs(mpmath.mpf(float(found)) - expected) <= 1e-15 * max(1, abs(expected)), (l, ratio)


def test_log_q_backward():
    rng = np.random.default_rng(63)
    logit_q, b = rng.normal(0, 2, (5, 7)), rng.normal(0, 3, (5, 7))
    b[np.abs(b) < 0.1] = 0.2  # clear of the corner at b = 0
    _, cache = mixture.log_q(logit_q, b)
    witness.check_backward(
        rng,
        lambda logit_q, b: mixture.log_q(logit_q, b)[0],
        lambda d: mixture.log_q_backward(d, cache),
        (logit_q, b),
    )


def test_log_q_backward_at_the_corner():
    """At b = 0 the gradient in b is nu, that of the side b < 0, as in the factors that are left out of log p."""
    logit_q, b = np.array([[-0.7, 0.0, 1.3]]), np.zeros((1, 3))
    d_logit_q, d_b = mixture.log_q_backward(np.ones(1), mixture.log_q(logit_q, b)[1])
    np.testing.assert_allclose(d_b, 1 / (1 + np.exp(-logit_q)), rtol=1e-15)
    np.testing.assert_allclose(d_logit_q, 0, atol=1e-15)


def test_log_q_of_certain_units():
    """q = 1 and b = -300: log((1-q) r0 + q r1) - log r0 = b, not -infinity; and 0 where q and b agree."""
    logit_q, b = np.float32([[1e4, -1e4, 1e4, -1e4]]), np.float32([[-300, 300, 300, -300]])
    value, _ = mixture.log_q(logit_q.T, b.T)
    np.testing.assert_allclose(value, [-300, -300, 0, 0], atol=1e-30)
