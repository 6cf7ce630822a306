"""Weights as whole numbers: how large, how small, and that those of the largest population add up exactly."""

import numpy as np
import pytest

from dvae_ref.sampling import weights


def test_the_largest_weight_is_2_to_the_31_and_4_million_of_them_are_exact_in_float64():
    largest = int(weights.whole(np.float32(0)))
    assert largest == 2**31
    assert 2**22 * largest == 2**53


def test_the_least_is_worth_no_copy():
    assert weights.whole(weights.LEAST_LOG_W) == 0
    assert np.exp(np.float64(weights.LEAST_LOG_W)) * 2**31 * 2**22 < 1e-20


def test_weights_are_in_proportion():
    found = weights.whole(np.log(np.float32([1, 0.5, 0.001])))
    assert found.dtype == np.int64
    assert found.tolist() == pytest.approx([2**31, 2**30, 2**31 / 1000], rel=1e-6)
