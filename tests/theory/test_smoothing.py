"""The smoothings against scipy.stats, quadrature, and mpmath with 50 digits and more."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import witness
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.mirror import RealLine
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Gaussian, Power, UniformExponential, named
from validation.laws import exact

CASES = [(name, beta) for name in SMOOTHINGS for beta in (float(LAWS[name].drawn[0]), 40.0)]
BLUNTEST = [(name, 1.01 if SMOOTHINGS[name] is Power else 1.0) for name in SMOOTHINGS]  # of which accuracy is promised
MIXED, LINE = named(UniformExponential), named(RealLine)
LEAST = {np.float32: 2.0**-24, np.float64: 2.0**-53}  # the smallest uniform number; the largest is 1 less it
each_case = pytest.mark.parametrize(("name", "beta"), CASES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random_numbers(dtype):
    """The smallest and the largest uniform numbers, 0 and 1 themselves, and some in between, on both sides of 0.05."""
    return np.array([0, LEAST[dtype], 0.05, 0.0500001, 0.3, 0.999, 1 - LEAST[dtype], 1], dtype)


def coordinates(smoothing, dtype):
    """Every t that random_numbers draw, given z = 0 and z = 1, and some in the middle."""
    t = smoothing.sample0(random_numbers(dtype))
    middle = np.array([-0.6, -0.3, 0, 0.01, 0.5], dtype) * (1 if isinstance(smoothing, RealLine) else 5)
    return np.concatenate([t, -t, middle])


POSITIVE = ["cdf0", "cdf1", "survival0", "survival1", "cdf_gap", "d_zeta", "d_log_r0", "d_log_ratio"]
POSITIVE += ["d_beta_cdf0", "d_beta_cdf1"]  # of one sign, or zero at a single point that floating point hits exactly
SIGNED = ["log_r0", "log_r1", "log_ratio", "log_f0", "log_f1", "log_r_max", "d_beta_log_r0", "d_beta_log_ratio"]


def tolerance(function, value, dtype):
    """Bound of the error, from how the functions are computed.

    POSITIVE ones are products of few factors good to an ulp or two and of exponentials e^x, whose x carries a relative
    error of up to four eps (three roundings, doubled by the square in the Gaussian's): 4 (4 + |log value|) eps of it,
    however small the value is, down to the smallest normal number. SIGNED ones are sums of terms of which the largest
    is of the size of 1 or of the result: 8 eps of that.
    """
    info = np.finfo(dtype)
    if function in SIGNED:
        return float(info.eps) * 8 * max(1, abs(value))
    size = max(abs(value), float(info.tiny))
    return float(info.eps) * 4 * (4 + abs(math.log(size))) * size


@each_dtype
@pytest.mark.parametrize(("name", "beta"), CASES + BLUNTEST)
def test_every_function_at_every_random_number(name, beta, dtype):
    """Finite, of the dtype of t, and accurate, for all t that can be drawn."""
    smoothing = SMOOTHINGS[name](beta)
    ts = coordinates(smoothing, dtype)
    ts = ts[np.abs(ts) < 1500]  # rho = 0 in float64 and the power function: 300 digits a factor; finite is tested below
    worst = {}
    for function in POSITIVE + SIGNED:
        values = getattr(smoothing, function)(ts)
        assert values.dtype == dtype, function
        for t, value in zip(ts, values, strict=True):
            expected = exact(name, function, t, beta)
            error = float(abs(mpmath.mpf(float(value)) - expected)) / tolerance(function, float(expected), dtype)
            worst[function] = max(worst.get(function, 0), error)
            assert error <= 1, (function, t, value, float(expected))
    most = max(worst, key=worst.get)
    print(f"{name} beta = {beta:g} {dtype.__name__}: at most {worst[most]:.2f} of the tolerance, by {most}")


@each_dtype
@pytest.mark.parametrize("beta", [1e-8, 1e-3, 0.3])
def test_draws_of_a_nearly_uniform_exponential(beta, dtype):
    """log(1 - rho) and its counterpart nearly cancel: they left float32 no digit at beta = 1e-6, and NaN at 1e-8.

    Tolerance: t is good to 2 eps of itself, up to 37, and moves R by as much."""
    rho, smoothing = random_numbers(dtype)[1:-1], Exponential(beta)
    np.testing.assert_allclose(smoothing.cdf0(smoothing.sample0(rho)), rho, rtol=80 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("beta", [700.0, 1e3, 1e6])
@pytest.mark.parametrize("kind", [Exponential, UniformExponential])
def test_slope_in_beta_of_a_sharp_exponential(kind, beta):
    """Where e^beta is no float64, 1 / (e^beta - 1) is nothing: 1/beta - zeta is left, times the exponential's share."""
    smoothing, zeta = kind(beta), np.array([0.1, 2, 5]) / beta
    density = beta * np.exp(-beta * zeta)
    epsilon = getattr(smoothing, "epsilon", 0.0)
    share = (1 - epsilon) * density / ((1 - epsilon) * density + epsilon)
    slope = smoothing.d_beta_log_r0(smoothing.t(zeta))
    np.testing.assert_allclose(slope, share * (1 / beta - zeta), rtol=1e-9, atol=1e-14)


@each_case
def test_slope_of_log_r_max(name, beta):
    """That of log r(zeta|0) below the middle and of log r(zeta|1) above, with a corner between them."""
    smoothing, t = SMOOTHINGS[name](beta), np.array([-2.0, -0.3, 0.3, 2.0])
    expected = [float(exact(name, "d_log_r0", -abs(s), beta)) * -np.sign(s) for s in t]
    np.testing.assert_allclose(smoothing.d_log_r_max(t), expected, rtol=1e-12)
    kink = smoothing.d_log_r_max(np.zeros(1))  # the side on which b counts as not positive, and -(b > 0) as 0
    np.testing.assert_allclose(kink, smoothing.d_log_r0(np.zeros(1)), rtol=1e-12)
    assert np.all(kink != 0)


def test_a_gaussian_takes_a_beta_for_each_unit():
    betas, t = np.array([4.0, 25.0, 40.0]), np.linspace(-1, 1, 15).reshape(5, 3)
    several = Gaussian(betas)
    for function in ["zeta", "log_d_zeta", *POSITIVE, *SIGNED, "d_log_r_max"]:
        columns = [getattr(Gaussian(beta), function)(t[:, i]) for i, beta in enumerate(betas.tolist())]
        np.testing.assert_allclose(getattr(several, function)(t), np.stack(columns, 1), rtol=1e-12, err_msg=function)
    rho = np.full((2, 3), 0.3)
    np.testing.assert_allclose(several.cdf0(several.sample0(rho)), rho, rtol=1e-13)
    with pytest.raises(ValueError, match="beta > 0"):
        Gaussian(np.array([4.0, -1.0]))


def test_control_a_subtraction_is_seen():
    """1 - R(zeta|0) in the place of a survival function, for a draw near the end of the interval."""
    smoothing, t = Power(40.0), np.array([8.0])
    expected = float(exact("power", "survival0", 8.0, 40.0))
    allowed = tolerance("survival0", expected, np.float64)
    assert abs(smoothing.survival0(t)[0] - expected) <= allowed
    assert abs((1 - smoothing.cdf0(t))[0] - expected) > 10 * allowed


@each_dtype
@each_case
def test_finite_for_zero_and_one(name, beta, dtype):
    smoothing = SMOOTHINGS[name](beta)
    t = smoothing.sample0(np.array([0, 1], dtype))
    for function in ["zeta", "log_d_zeta", *POSITIVE, *SIGNED]:
        for sign in (1, -1):
            assert np.all(np.isfinite(getattr(smoothing, function)(sign * t))), function


@pytest.mark.parametrize("name", SMOOTHINGS)
@settings(deadline=None, derandomize=True)
@given(n=st.integers(0, 2**23 - 1), beta=st.floats(1.01, 50))
def test_finite_for_every_float32_uniform_number(name, n, beta):
    """(n + 1/2) / 2^23: all that Philox's 23 bits can make; and every probability keeps its order."""
    smoothing = SMOOTHINGS[name](beta)
    t = smoothing.sample0(np.array([(n + 0.5) / 2**23], np.float32))
    for function in ["zeta", "log_d_zeta", *POSITIVE, *SIGNED]:
        for sign in (1, -1):
            assert np.all(np.isfinite(getattr(smoothing, function)(sign * t))), function
    assert 0 <= smoothing.cdf1(t) <= smoothing.cdf0(t) <= 1
    assert smoothing.cdf_gap(t) >= 0


# -- densities and distributions -----------------------------------------------------------------------------------


@each_case
def test_density_integrates_to_the_distribution(name, beta):
    """In t, where the power function is no singularity: quadrature to 1e-10, in pieces around the modes."""
    smoothing = SMOOTHINGS[name](beta)
    for log_f, cdf in ((smoothing.log_f0, smoothing.cdf0), (smoothing.log_f1, smoothing.cdf1)):
        total = 0.0
        ends = np.array([-2000, -400, -100, -20, -5, -1, 0, 1, 5, 20, 100, 400, 2000.0])
        ends = ends / 20 if name in LINE else ends
        for low, high in itertools.pairwise(ends):
            total += integrate.quad(lambda t, f=log_f: math.exp(f(np.float64(t))), low, high, epsabs=1e-12)[0]
            assert total == pytest.approx(cdf(np.float64(high)), abs=1e-10)
        assert total == pytest.approx(1, abs=1e-10)


@each_case
def test_against_scipy_stats(name, beta):
    """In zeta, where it is held well: beta(1/beta, 1), truncexpon and norm, the uniform share added."""
    smoothing = SMOOTHINGS[name](beta)
    zeta = np.linspace(-1, 2, 31) if name in LINE else np.array([1e-9, 1e-4, 0.02, 0.1, 0.37, 0.5, 0.8, 0.99])
    t = smoothing.t(zeta)
    for z, log_r, cdf in ((0, smoothing.log_r0, smoothing.cdf0), (1, smoothing.log_r1, smoothing.cdf1)):
        np.testing.assert_allclose(log_r(t), np.log(witness.density(name, beta, zeta, z)), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(cdf(t), witness.distribution(name, beta, zeta, z), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(smoothing.zeta(t), zeta, rtol=1e-13)
    law = witness.law0(name, beta)
    if name not in MIXED:
        np.testing.assert_allclose(np.exp(smoothing.log_r0(t)), law.pdf(zeta), rtol=1e-10)
        rho = np.array([1e-10, 0.01, 0.3, 0.6, 0.999])
        np.testing.assert_allclose(smoothing.zeta(smoothing.sample0(rho)), law.ppf(rho), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", named(Exponential, UniformExponential))
def test_the_paper_s_b_and_c_of_the_exponential(name):
    """Below Eq. 4: b = beta (2 zeta - 1), c = -beta zeta - log Z; by r' = (1 - eps) r + eps the uniform is added."""
    beta, zeta = 10.0, np.array([0.1, 0.4, 0.9])
    b, c = beta * (2 * zeta - 1), -beta * zeta - np.log((1 - np.exp(-beta)) / beta)
    smoothing = SMOOTHINGS[name](beta)
    if name in MIXED:
        r0, r1 = 0.95 * np.exp(c) + 0.05, 0.95 * np.exp(c + b) + 0.05
        b, c = np.log(r1 / r0), np.log(r0)
    np.testing.assert_allclose(smoothing.log_ratio(smoothing.t(zeta)), b, rtol=1e-12)
    np.testing.assert_allclose(smoothing.log_r0(smoothing.t(zeta)), c, rtol=1e-12)


@each_case
def test_draws_follow_the_distribution(name, beta):
    """Midpoints of n cells as rho: a quantile function puts the i-th draw into the i-th cell of R(.|0), and the two
    parts of uniform + exponential put as many draws below any zeta as R says, up to one cell each."""
    n = 2000
    rho = (np.arange(n) + 0.5) / n
    smoothing = SMOOTHINGS[name](beta)
    levels = np.sort(smoothing.cdf0(smoothing.sample0(rho)))
    if name in MIXED:
        assert np.abs(levels - rho).max() < 1.5 / n
    else:
        np.testing.assert_allclose(levels, rho, rtol=1e-12)
    wrong = np.sort(smoothing.cdf0(-smoothing.sample0(rho)))  # the control: draws given z = 1
    assert np.abs(wrong - rho).max() > 0.1


@each_case
def test_quantile_bounds_enclose_the_quantile(name, beta):
    rho = np.array([1e-300, 1e-12, 0.01, 0.049, 0.0501, 0.3, 0.9, 1 - 1e-12])
    smoothing = SMOOTHINGS[name](beta)
    low, high = smoothing.quantile0_bounds(rho)
    assert np.all(smoothing.cdf0(low) <= rho * (1 + 1e-11))
    assert np.all(smoothing.cdf0(high) >= rho * (1 - 1e-11))


def test_why_there_is_no_guard():
    """At beta = 30, 58% of the power-function draws lie within 1e-7 of the vertex, and the usual density
    lam (zeta + 1e-7)^(lam - 1) integrates to 0.42.

    In float32 more than half of the draws given z = 1 are zeta = 1, while t tells nearly all of them apart.
    """
    power, lam = Power(30.0), 1 / 30
    rho = (np.arange(100_000) + 0.5) / 100_000
    assert np.mean(power.zeta(power.sample0(rho)) < 1e-7) == pytest.approx(0.584, abs=1e-3)
    ends = [0, *np.logspace(-10, 0, 21)]
    pieces = itertools.pairwise(ends)
    guarded = sum(integrate.quad(lambda zeta: lam * (zeta + 1e-7) ** (lam - 1), *piece)[0] for piece in pieces)
    assert guarded == pytest.approx(0.416, abs=1e-3)
    zeta1 = power.zeta(-power.sample0(rho.astype(np.float32)))
    assert np.mean(zeta1 == 1) > 0.5
    t = power.sample0(rho.astype(np.float32))
    assert len(np.unique(t)) > 0.99 * len(np.unique(rho.astype(np.float32)))


@pytest.mark.parametrize("name", SMOOTHINGS)
@pytest.mark.parametrize("number", [np.float64, np.uint8, np.int8, np.array], ids=lambda number: number.__name__)
def test_any_number_is_a_beta(name, number):
    """-beta of np.uint8(20) is 236, and its square 144; float64 numbers of NumPy turned a float32 t into float64."""
    plain, other, t = SMOOTHINGS[name](20.0), SMOOTHINGS[name](number(20)), np.float32([-0.7, 0.3])
    for function in ["zeta", "log_d_zeta", *POSITIVE, *SIGNED]:
        found = getattr(other, function)(t)
        assert found.dtype == np.float32, function
        np.testing.assert_array_equal(found, getattr(plain, function)(t), err_msg=function)
    assert other == plain


def test_any_numbers_are_betas_and_an_epsilon():
    t = np.array([[-0.7, 0.3]])
    np.testing.assert_array_equal(Gaussian(np.uint8([20, 30])).log_r0(t), Gaussian(np.array([20.0, 30.0])).log_r0(t))
    assert UniformExponential(20.0, np.float64(0.05)).cdf0(np.float32(t)).dtype == np.float32


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Power(1.0), "Power takes a finite beta > 1, got 1"),
        (lambda: Power(0.5), "beta > 1"),
        (lambda: Exponential(0.0), "Exponential takes a finite beta > 0, got 0"),
        (lambda: Gaussian(-1.0), "beta > 0"),
        (lambda: Gaussian(math.inf), "finite"),
        (lambda: UniformExponential(math.nan), "UniformExponential takes a finite beta"),
        (lambda: UniformExponential(10.0, epsilon=0.0), "epsilon"),
        (lambda: UniformExponential(10.0, epsilon=1.0), "epsilon"),
    ],
)
def test_bad_parameters_are_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


@pytest.mark.parametrize(
    ("name", "law"), [("gauss", stats.norm(scale=1 / math.sqrt(7))), ("logistic", stats.logistic(scale=1 / 7))]
)
def test_deviation(name, law):
    """Of the laws on the real line, with beta = 7."""
    assert SMOOTHINGS[name](7.0).deviation == pytest.approx(law.std(), rel=1e-14)
