"""The fused Bernoulli likelihood against the readable one in float64."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dvae_ref import kernels, layers

# Rounding, relative to sum_v |l_v| + log 2, the size of the terms: log 2 because a product of factors 1 + e^-|l| near 2
# is rounded however small l is. One rounding is 6e-8; measured: 8e-8 at most over the cases below, 5e-8 at V = 784.
TOLERANCE = 2e-7


def case(n_pixels, scale, k=4):
    rng = np.random.default_rng([n_pixels, int(1e4 * scale)])
    x = rng.uniform(0, 1, (3, n_pixels)).astype(np.float32)
    x[0] = np.round(x[0])
    return x, (scale * rng.standard_normal((3 * k, n_pixels))).astype(np.float32)


def readable(x, logits):
    return layers.bernoulli(x.astype(np.float64), logits.astype(np.float64))[0]


def error(value, x, logits):
    expected, size = readable(x, logits), np.sum(np.abs(logits.astype(np.float64)) + np.log(2), 1)
    return np.max(np.abs(value - expected) / size)


# around the width of a vector (16), of a product (112) and of an image
@pytest.mark.parametrize("n_pixels", [1, 15, 16, 17, 784, 1023, 1024, 1025, 3000])
@pytest.mark.parametrize("scale", [0, 1e-4, 0.01, 0.3, 1, 5, 30, 200, 1e4])
def test_bernoulli_agrees_with_the_readable_form(n_pixels, scale):
    x, logits = case(n_pixels, scale)
    value = kernels.bernoulli(x, logits)
    assert value.dtype == np.float32
    assert error(value, x, logits) < TOLERANCE


def test_the_tolerance_sees_a_wrong_formula():
    """A pixel left out, samples of the wrong image, and a log1p without its sign are all far outside."""
    x, logits = case(784, 1)
    assert error(kernels.bernoulli(x[:, :-1], logits[:, :-1]), x, logits) > 100 * TOLERANCE
    assert error(kernels.bernoulli(x, np.roll(logits, 1, 0)), x, logits) > 100 * TOLERANCE
    unsigned = np.sum(np.repeat(x, 4, 0) * logits - np.log1p(np.exp(np.abs(logits))), 1)
    assert error(unsigned, x, logits) > 100 * TOLERANCE


def test_rows_do_not_depend_on_their_neighbours():
    """Chunks and threads then make no difference: the same bytes for each row alone, and from two threads at once."""
    x, logits = case(784, 3)
    whole = kernels.bernoulli(x, logits)
    alone = [kernels.bernoulli(x[i // 4 : i // 4 + 1], logits[i : i + 1]) for i in range(len(logits))]
    assert np.concatenate(alone).tobytes() == whole.tobytes()
    with ThreadPoolExecutor(2) as pool:
        assert all(v.tobytes() == whole.tobytes() for v in pool.map(lambda _: kernels.bernoulli(x, logits), range(20)))


def test_views_and_float64_are_converted():
    x, logits = case(40, 1)
    wide = np.repeat(logits.astype(np.float64), 2, 1)[:, ::2]
    assert kernels.bernoulli(x.astype(np.float64), wide).tobytes() == kernels.bernoulli(x, logits).tobytes()


@pytest.mark.parametrize("place", [0, 20, 39])
def test_nan_is_not_swallowed(place):
    x, logits = case(40, 1)
    logits[5, place] = np.nan
    value = kernels.bernoulli(x, logits)
    assert np.isnan(value[5])
    assert np.sum(np.isnan(value)) == 1
