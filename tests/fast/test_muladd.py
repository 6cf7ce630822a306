"""A product and a sum with one rounding, or two where the CPU cannot, of the product that was named."""

import numpy as np
import pytest

from dvae_ref.fast.elementary import OPTIONS
from dvae_ref.fast.jit import ENABLED, compiled
from dvae_ref.fast.muladd import muladd


@compiled(**OPTIONS)
def named_first(x, y, u, v, out):
    for i in range(out.size):
        out[i] = muladd(x[i], y[i], u[i] * v[i])


@compiled(**OPTIONS)
def named_second(x, y, u, v, out):
    for i in range(out.size):
        out[i] = muladd(u[i], v[i], x[i] * y[i])


@pytest.mark.skipif(not ENABLED, reason="without a compiler every product is rounded")
def test_the_product_that_is_named_is_the_one_that_is_not_rounded():
    """Of x y + u v, against float64, in which products of float32 are exact. A CPU without FMA rounds both."""
    x, y, u, v = np.random.default_rng(2).standard_normal((4, 1000)).astype(np.float32)
    both, (first, second) = x * y + u * v, np.empty((2, 1000), np.float32)
    named_first(x, y, u, v, first)
    named_second(x, y, u, v, second)
    of_first = (np.float64(x) * y + u * v).astype(np.float32)
    of_second = (np.float64(u) * v + x * y).astype(np.float32)
    if first.tobytes() == both.tobytes():
        assert second.tobytes() == both.tobytes()
    else:
        np.testing.assert_array_equal(first, of_first)
        np.testing.assert_array_equal(second, of_second)
        assert np.mean(of_first != of_second) > 0.1
