"""Compensated sums of exponentials, against exactly rounded ones."""

import math

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
