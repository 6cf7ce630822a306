"""Scalar functions against mpmath at 50 digits, over the whole range."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from dvae_ref import elementary
from dvae_ref.fast import elementary as elementwise

X = np.concatenate([[0.0], [s * m for s in (1, -1) for m in (1e-30, 1e-8, 0.1, 1, 3, 17, 36.7, 88, 300, 700)]])


def ulps(value, exact):
    """Error in units of eps * |exact|; below the smallest normal number, of eps times that."""
    info = np.finfo(value.dtype)
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(float(value)) - exact) / (float(info.eps) * max(abs(exact), float(info.tiny))))


EXACT = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "bernoulli_entropy": lambda x: (
        mpmath.log1p(mpmath.exp(x)) / (1 + mpmath.exp(x)) + mpmath.log1p(mpmath.exp(-x)) / (1 + mpmath.exp(-x))
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EXACT)
def test_every_result_is_good_to_four_ulps(name, dtype):
    """One rounding of exp, one or two of the sum, one of the quotient: four eps hold for sums of positive terms."""
    for x in X.astype(dtype):
        value = getattr(elementary, name)(np.array([x]))[0]
        assert value.dtype == dtype
        with mpmath.workdps(50):
            assert ulps(value, EXACT[name](mpmath.mpf(float(x)))) < 4, x


def test_control_subtraction_loses_the_small_side():
    x = np.float64(30)
    assert abs((1 - elementary.sigmoid(x)) / elementary.sigmoid(-x) - 1) > 1e-5


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_logaddexp_is_numpy_s(x, y):
    assert elementary.logaddexp(np.float64(x), np.float64(y)) == pytest.approx(np.logaddexp(x, y), rel=1e-15, abs=1e-15)


def test_slopes():
    """softplus' = sigmoid and dH/dlogit = -logit p (1 - p), by central differences: step 1e-5, error about 1e-10."""
    x, h = np.linspace(-6, 7, 40), 1e-5
    slope = (elementary.softplus(x + h) - elementary.softplus(x - h)) / (2 * h)
    np.testing.assert_allclose(slope, elementary.sigmoid(x), atol=1e-9)
    slope = (elementary.bernoulli_entropy(x + h) - elementary.bernoulli_entropy(x - h)) / (2 * h)
    np.testing.assert_allclose(slope, -x * elementary.sigmoid(x) * elementary.sigmoid(-x), atol=1e-9)


SHAPES = {"sigmoid": 1, "softplus": 1, "logaddexp": 2, "bernoulli_entropy": 1}


@pytest.mark.parametrize("name", SHAPES)
def test_compiled_and_readable_forms_agree(name):
    """On a fine grid, four ulp each; 1e-42 is the rounding of a subnormal times 100. NaN stays NaN, and what the kernel
    does not take goes the readable way."""
    function = getattr(elementary, name)
    grid = np.linspace(-100, 100, 20_001).astype(np.float32)
    arguments = (grid, grid[::-1].copy())[: SHAPES[name]]
    compiled, readable = function(*arguments), function.readable(*(a.astype(np.float64) for a in arguments))
    assert compiled.dtype == np.float32
    np.testing.assert_allclose(compiled, readable, rtol=4 * np.finfo(np.float32).eps, atol=1e-42)
    strided = function(*(a[::2] for a in arguments))
    np.testing.assert_allclose(strided, compiled[::2], rtol=8 * np.finfo(np.float32).eps, atol=1e-42)
    for bad in (np.nan, -np.nan):
        assert np.all(np.isnan(function(*(np.full(3, bad, np.float32) for _ in arguments))))
    assert function(*(a.reshape(-1, 3) for a in (b[:300] for b in arguments))).shape == (100, 3)


SCALARS = {  # name: grid, exact in float64, relative tolerance
    "log": (np.concatenate([np.geomspace(1e-45, 3e38, 4001), 1 + np.linspace(-0.3, 0.45, 301)]), np.log, 4),
    "rise": (np.concatenate([np.geomspace(1e-30, 300, 3001), np.linspace(0.4, 0.6, 301)]), lambda y: -np.expm1(-y), 4),
    "mean_decay": (np.geomspace(1e-12, 300, 3001), lambda y: -np.expm1(-y) / y, 4),
    "mean_decay_near": (np.linspace(1e-6, np.log(2), 301), lambda y: -np.expm1(-y) / y, 4),
    "decay": (np.linspace(0, 100, 4001), lambda y: np.exp(-np.minimum(y, 80)), 4),
    "growth": (np.linspace(0, 100, 4001), lambda y: np.exp(np.minimum(y, 80)), 4),
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_of_the_kernels(name):
    """To four ulp, over all that the kernels give them; ten times that is seen."""
    grid, exact, ulp = SCALARS[name]
    function, grid = getattr(elementwise, name), grid.astype(np.float32)

    @njit(**elementwise.OPTIONS)
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    value = np.empty_like(grid)
    run(grid, value)
    expected = exact(grid.astype(np.float64))
    eps = np.finfo(np.float32).eps
    np.testing.assert_allclose(value, expected, rtol=ulp * eps, atol=0)
    assert not np.allclose(value * np.float32(1 + 10 * ulp * eps), expected, rtol=ulp * eps, atol=0)
    assert name == "log" or np.isnan(_one(run, np.nan))


def _one(run, x):
    out = np.empty(1, np.float32)
    run(np.float32([x]), out)
    return out[0]
