"""The fused Bernoulli likelihood and batch norm with tanh against the readable ones in float64."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dvae_ref import layers
from dvae_ref.fast import layers as kernels

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


@pytest.mark.parametrize("n_pixels", [1, 17, 784])
@pytest.mark.parametrize("scale", [0, 0.3, 5, 200])
def test_bernoulli_backward_agrees_with_the_readable_form(n_pixels, scale):
    """To three roundings of a number below 1, times |d|. The control: samples of the wrong image."""
    x, logits = case(n_pixels, scale)
    d = np.float32(np.random.default_rng(7).standard_normal(len(logits)))
    found = layers.bernoulli_backward(d, layers.bernoulli(x, logits)[1])
    exact = layers.bernoulli_backward(*double(d), double(x, logits))
    allowed = 3 * np.finfo(np.float32).eps * np.abs(d)[:, None]
    assert found.dtype == np.float32
    assert np.all(np.abs(found - exact) < allowed)
    assert not np.all(np.abs(layers.bernoulli_backward(d, (np.roll(x, 1, 0), logits)) - exact) < allowed)


def double(*arrays):
    return tuple(np.float64(a) for a in arrays)


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


# -- batch norm and tanh -------------------------------------------------------------------------------------------


def hidden(centre, spread, n=37, width=21):
    """(BatchNorm, x, d_y) in float32."""
    rng = np.random.default_rng(5)
    params = layers.BatchNorm(*np.float32(rng.normal(0.5, 1, (2, width))))
    x = np.float32(rng.normal(centre, spread, (n, width)) * rng.lognormal(0, 1, width))
    return params, x, np.float32(rng.standard_normal((n, width)))


# Relative to the norm: the mean is good to some eps of |x|, the normed inputs to |x| / std times that.
@pytest.mark.parametrize(("centre", "spread", "allowed"), [(0, 1, 2e-6), (3, 1, 5e-6), (0, 1e-3, 2e-6), (100, 1, 2e-4)])
def test_batch_norm_and_tanh_agree_with_the_readable_form(centre, spread, allowed):
    params, x, d_y = hidden(centre, spread)
    exact = layers.BatchNorm(*map(np.float64, params)), np.float64(x)
    y, cache = layers.batch_norm_tanh(params, x)
    wanted, exact_cache = layers.batch_norm_tanh(*exact)
    (d_scale, d_offset), d_x = layers.batch_norm_tanh_backward(d_y, cache)
    (exact_scale, exact_offset), exact_x = layers.batch_norm_tanh_backward(np.float64(d_y), exact_cache)
    pairs = [(y, wanted), (d_scale, exact_scale), (d_offset, exact_offset), (d_x, exact_x)]
    pairs += zip(cache[0].batch, exact_cache[0].batch, strict=True)
    for found, expected in pairs:
        assert found.dtype == np.float32
        assert np.linalg.norm(found - expected) < allowed * np.linalg.norm(expected)
    frozen = d_y * (1 - y * y) * params.scale * cache[0].inverse_std  # the control: statistics held fixed
    assert np.linalg.norm(frozen - exact_x) > 1e-2 * np.linalg.norm(exact_x)


def test_tanh_is_good_to_its_last_bits_from_the_smallest_to_the_largest():
    """Relative to 5e-7, eight eps. The control, 1 - 2 / (1 + e^2x), has lost all of them at 1e-8."""
    inner = np.concatenate([np.geomspace(1e-30, 50, 300), -np.geomspace(1e-12, 200, 100)]).astype(np.float32)[None]
    one, zero = np.ones(inner.shape[1], np.float32), np.zeros(inner.shape[1], np.float32)
    _, y = kernels.norm_tanh(inner, zero, one, one, zero)
    np.testing.assert_allclose(y, np.tanh(np.float64(inner)), rtol=5e-7)
    plain = 1 - 2 / (1 + np.exp(np.minimum(2 * inner, 80)))
    assert not np.allclose(plain, np.tanh(np.float64(inner)), 5e-7, 0)


def test_statistics_of_shares_are_those_of_the_whole():
    """Means of moments over equal shares; the variance is a small difference of them: in float64 that does no harm."""
    _, x, _ = hidden(100, 1, n=36)
    shares = np.mean([kernels.moments(part) for part in np.split(x, 4)], 0)
    exact = np.float64(x)
    np.testing.assert_allclose(shares[0], exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(shares[1] - shares[0] ** 2, exact.var(0), rtol=1e-4)
    single = np.mean(x * x, 0) - np.mean(x, 0) ** 2
    assert not np.allclose(single, exact.var(0), rtol=1e-4)
