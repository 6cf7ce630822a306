"""Counts by AND and popcount are those of z_left' z_right, at the edges of words and nibbles."""

import numpy as np
import pytest

from dvae_ref.sampling import counts, fields


@pytest.mark.parametrize("chains", [1, 63, 64, 65, 200])
@pytest.mark.parametrize(("n_left", "n_right"), [(1, 1), (4, 5), (37, 130)])
def test_counts_are_those_of_the_product(chains, n_left, n_right):
    rng = np.random.default_rng([chains, n_left])
    left, right = ((rng.random((chains, n)) < 0.6).astype(np.int64) for n in (n_left, n_right))
    units, pairs = counts.counts(fields.pack(left), fields.pack(right), n_left, n_right)
    np.testing.assert_array_equal(units, np.concatenate([left.sum(0), right.sum(0)]))
    np.testing.assert_array_equal(pairs, left.T @ right)
    assert chains == 1 or not np.array_equal(pairs, np.roll(left, 1, 0).T @ right)  # the control: other chains
