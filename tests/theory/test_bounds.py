"""The bound of Eq. 3: its value, its gradient, and weights that no exponential can hold."""

import math

import numpy as np
import pytest
import witness

from dvae_ref import bounds


@pytest.mark.parametrize("k", [1, 5])
def test_log_mean_of_the_weights(k):
    log_w = np.random.default_rng(k).normal(-3, 2, (4, k))
    value, weights = bounds.importance_weighted(log_w)
    np.testing.assert_allclose(value, np.log(np.exp(log_w).sum(1) / k), rtol=1e-13)
    np.testing.assert_allclose(weights, np.exp(log_w) / np.exp(log_w).sum(1, keepdims=True), rtol=1e-13)


@pytest.mark.parametrize("k", [1, 5])
def test_gradient_is_the_softmax(k):
    rng = np.random.default_rng(k)
    log_w = rng.normal(-3, 2, (4, k))
    weights = bounds.importance_weighted(log_w)[1]
    witness.check_backward(
        rng,
        lambda log_w: bounds.importance_weighted(log_w)[0],
        lambda d: (bounds.backward(d, weights),),
        (log_w,),
    )


@pytest.mark.parametrize("shift", [-1e5, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_weights_neither_overflow_nor_vanish(shift, dtype):
    log_w = (np.array([[0.0, 1.0, -2000.0], [-1.0, -1.0, -1.0]]) + shift).astype(dtype)
    value, weights = bounds.importance_weighted(log_w)
    expected = np.array([math.log(1 + math.e) - math.log(3), -1]) + shift
    np.testing.assert_allclose(value, expected, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(weights[0], [1 / (1 + math.e), math.e / (1 + math.e), 0], rtol=1e-6)
    np.testing.assert_allclose(weights[1], [1 / 3] * 3, rtol=1e-6)


def test_the_bound_rises_from_the_elbo_to_the_truth():
    """E L_1 <= E L_2 <= E L_5 <= log E w: exact means over 3 equally likely weights, 3^K outcomes."""
    log_w = np.array([-2.0, 0.5, 1.0])
    means = []
    for k in (1, 2, 5):
        outcomes = np.stack(np.meshgrid(*[log_w] * k), -1).reshape(-1, k)
        means.append(bounds.importance_weighted(outcomes)[0].mean())
    assert means[0] == pytest.approx(log_w.mean())
    assert means[0] < means[1] < means[2] < np.log(np.exp(log_w).mean())


def test_log_weights_and_their_gradient():
    rng = np.random.default_rng(3)
    parts = log_ratio, log_px = rng.standard_normal((2, 6))
    expected = 0.3 * log_ratio + log_px
    np.testing.assert_allclose(bounds.log_weights(*parts, kappa=0.3), expected, rtol=1e-13)
    witness.check_backward(
        rng,
        lambda *parts: bounds.log_weights(*parts, kappa=0.3),
        lambda d: bounds.log_weights_backward(d, kappa=0.3),
        tuple(parts),
    )


def test_the_variational_bound_is_the_mean():
    rng = np.random.default_rng(4)
    log_w = rng.normal(-3, 2, (4, 5))
    value, weights = bounds.variational(log_w)
    np.testing.assert_allclose(value, log_w.sum(1) / 5, rtol=1e-13)
    assert np.all(value < bounds.importance_weighted(log_w)[0])
    witness.check_backward(
        rng, lambda log_w: bounds.variational(log_w)[0], lambda d: (bounds.backward(d, weights),), (log_w,)
    )
