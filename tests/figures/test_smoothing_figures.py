"""Fig. 1 and the variance of dzeta/dq: against CDFs written down anew, in mpmath and by sampling."""

import mpmath
import numpy as np
import pytest

from figures import fig1, gradient_variance
from validation.laws import exact_law


def zeta_at(name, beta, q, rho):
    """zeta with (1 - q) R(zeta|0) + q R(zeta|1) = rho, by bisection in t to 30 digits."""
    law, beta = exact_law(name), mpmath.mpf(float(beta))
    low, high = mpmath.mpf(-200), mpmath.mpf(200)
    while high - low > mpmath.mpf(10) ** -30:
        t = (low + high) / 2
        below = (1 - q) * law.cdf0(t, beta) + q * law.cdf1(t, beta) < rho
        low, high = (t, high) if below else (low, t)
    return law.zeta((low + high) / 2)


def slope_at(name, beta, rho):
    """dzeta/dq at q = 1/2 by a central difference."""
    h = mpmath.mpf(10) ** -9
    return (zeta_at(name, beta, 0.5 + h, rho) - zeta_at(name, beta, 0.5 - h, rho)) / (2 * h)


@pytest.mark.parametrize("name", fig1.BETAS)
def test_curves_of_fig1_against_mpmath(name, options):
    """zeta to 1e-11 and dzeta/dq, by a central difference in 40 digits, to 1e-9 of itself: the inverse is solved to
    1e-14 in the CDF, whose slope at the sharpest beta is 1/186. A beta 1% off shows at rho = 0.08."""
    data = fig1.compute(options)
    with mpmath.workdps(40):
        for i, beta in enumerate(data[f"{name}_beta"]):
            for j in (30, 222):
                rho = mpmath.mpf(float(data["rho"][j]))
                assert abs(data[f"{name}_zeta"][i, j] - float(zeta_at(name, beta, 0.5, rho))) < 1e-11
                assert data[f"{name}_gradient"][i, j] == pytest.approx(
                    float(slope_at(name, beta, rho)), rel=1e-9, abs=0
                )
        rho = mpmath.mpf(float(data["rho"][30]))
        assert data[f"{name}_gradient"][-1, 30] != pytest.approx(
            float(slope_at(name, 1.01 * beta, rho)), rel=1e-3, abs=0
        )


def gradients(name, beta, q, rng, n):
    """dzeta/dq of n ancestral samples, by Eq. 9 in zeta: densities and CDFs written in NumPy."""
    rho, z = rng.random(n), rng.random(n) < q
    if name == "exp":
        zeta0 = -np.log1p(rho * np.expm1(-beta)) / beta
        cdf, density = (
            (lambda x: np.expm1(-beta * x) / np.expm1(-beta)),
            lambda x: beta * np.exp(-beta * x) / -np.expm1(-beta),
        )
    else:
        zeta0 = rho**beta
        cdf, density = (lambda x: x ** (1 / beta)), lambda x: x ** (1 / beta - 1) / beta
    zeta0 = np.clip(zeta0, 1e-300, None)
    low, high = np.where(z, 1 - zeta0, zeta0), np.where(z, zeta0, 1 - zeta0)  # zeta and 1 - zeta, each without rounding
    with np.errstate(divide="ignore"):
        return (cdf(low) + cdf(high) - 1) / ((1 - q) * density(low) + q * density(high))


@pytest.mark.parametrize(("name", "beta", "logit_q"), [("exp", 8.0, 0.0), ("power", 30.0, 0.0), ("power", 5.0, 1.5)])
def test_variances_against_sampling(name, beta, logit_q):
    """400,000 samples: 4.5 standard errors of their variance, which are below 2% of it; a beta 20% off shows."""
    q = 1 / (1 + np.exp(-logit_q))
    g = gradients(name, beta, q, np.random.default_rng(5), 400_000)
    error = np.sqrt((np.mean((g - g.mean()) ** 4) - g.var() ** 2) / len(g))
    variance, _ = gradient_variance.moments(gradient_variance.SMOOTHINGS[name](beta), logit_q)
    other, _ = gradient_variance.moments(gradient_variance.SMOOTHINGS[name](1.2 * beta), logit_q)
    assert error < 0.02 * variance
    assert abs(g.var() - variance) < 4.5 * error
    assert abs(g.var() - other) > 4.5 * error


def test_distances_are_the_known_means():
    """E|zeta - z|: 1/beta - 1/(e^beta - 1) for the exponential, 1/(1 + beta) for the power function, 2 log 2 / beta for
    the logistic."""
    for beta in (3.0, 15.0, 100.0):
        known = {"exp": 1 / beta - 1 / np.expm1(beta), "power": 1 / (1 + beta), "logistic": 2 * np.log(2) / beta}
        for name, value in known.items():
            _, distance = gradient_variance.moments(gradient_variance.SMOOTHINGS[name](beta))
            assert distance == pytest.approx(value, rel=2e-6)  # |zeta| has a corner, which costs a step squared


def test_the_quadrature_error_is_what_is_stated(options):
    data = gradient_variance.compute(options)
    assert 0 < data["quadrature_error"] < 1e-6
    ten = np.flatnonzero(data["exp_grid_beta"] == 10)[0]
    middle = len(data["logit_q"]) // 2
    assert data["exp_by_logit"][middle] == pytest.approx(data["exp_grid_variance"][ten] / 16, rel=1e-9)
