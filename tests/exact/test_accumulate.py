"""Compensated sums of exponentials, against exactly rounded ones."""

import math

import mpmath
import numpy as np
import pytest

from dvae_ref.exact import accumulate


def added(terms, scales):
    sums = np.array([-np.inf, 0.0, 0.0])
    for term, scale in zip(terms, scales, strict=True):
        accumulate.add(sums, scale, term)
    return sums


def test_the_error_does_not_grow_with_the_number_of_terms():
    """Of a million terms: one rounding of the logarithm, 2e-15. Without the compensation 1e-14 and more."""
    terms = np.random.default_rng(0).random(10**6)
    sums, exact = added(terms, np.zeros(len(terms))), math.log(math.fsum(terms))
    assert accumulate.log_of(sums) == pytest.approx(exact, abs=2e-15)
    assert abs(sums[0] + math.log(sums[1]) - exact) > 1e-14  # the total alone


def test_scales_that_rise_and_fall_by_hundreds():
    """exp(scale) would overflow; the sum is that of its largest terms. Empty: -inf."""
    scales = [-900.0, 800.0, 799.0, -5.0, 800.5]
    exact = 800.5 + math.log(math.fsum(math.exp(s - 800.5) for s in scales))
    assert accumulate.log_of(added(np.ones(5), scales)) == pytest.approx(exact, rel=1e-15)
    assert accumulate.log_of(added([0.0], [3.0])) == -math.inf


@pytest.mark.parametrize("gap", [-2.0, 0.0, 1.0, 30.0, 46.0, 700.0])
def test_two_terms_keep_the_digits_of_the_smaller(gap):
    """log(1 + e^-gap) to 4e-16 of itself beside a reference of 0, in either order: by log(1 + x) it would be 0 from
    gap = 37 on, and off by a thousandth at 30."""
    with mpmath.workdps(400):
        exact = float(mpmath.log(1 + mpmath.exp(-gap)))
    assert accumulate.combine(0.0, np.array([-gap]))[0] == pytest.approx(exact, rel=4e-16, abs=0)
    both = accumulate.combine(np.array([5.0]), np.array([5.0 - gap]))[0]
    assert both == accumulate.combine(np.array([5.0 - gap]), np.array([5.0]))[0] == pytest.approx(5 + exact, rel=4e-16)


def test_logsumexp_of_rows_against_50_digits():
    """A hundred terms over 60 nats, 800 nats away from 0; a row of -inf is -inf, one finite term itself."""
    x = np.random.default_rng(1).uniform(-860, -800, (3, 100))
    x[1], x[2, 1:] = -np.inf, -np.inf
    found = accumulate.logsumexp(x)
    with mpmath.workdps(50):
        exact = float(mpmath.log(mpmath.fsum(mpmath.exp(v) for v in x[0])))
    assert found[0] == pytest.approx(exact, rel=2e-16)
    assert found[1] == -np.inf
    assert found[2] == x[2, 0]


def test_peaks_and_parts_of_kernels():
    """The largest anywhere in the array, and exponentials relative to it."""
    x = np.array([-3.0, 700.0, 5.0])
    assert [accumulate.largest(np.roll(x, k)) for k in range(3)] == [700.0] * 3
    assert accumulate.sum_exp(x, 700.0) == pytest.approx(1 + math.exp(-695) + math.exp(-703), rel=1e-15)
    accumulate.exp_in_place(x, 699.0)
    np.testing.assert_allclose(x, [math.exp(-702), math.e, math.exp(-694)], rtol=1e-15)
