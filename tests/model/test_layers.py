"""Every layer's value by hand and its backward by central differences along random directions."""

import numpy as np
import pytest
import witness

from dvae_ref.model import layers
from dvae_ref.model.layers import Averages, BatchNorm, Dense

B, K, V, P, H = 3, 5, 4, 2, 6


@pytest.fixture
def rng():
    return np.random.default_rng(21)


@pytest.fixture
def dense_arguments(rng):
    """kernel (V + P, H), bias (H,), x (B, V), zeta (B K, P)."""
    return tuple(rng.standard_normal(shape) for shape in [(V + P, H), (H,), (B, V), (B * K, P)])


def dense_value(kernel, bias, x, zeta):
    return layers.dense(Dense(kernel, bias), x, zeta)[0]


def dense_gradients(arguments):
    _, cache = layers.dense(Dense(*arguments[:2]), *arguments[2:])

    def gradients(d_y):
        return (*layers.dense_gradient(d_y, cache), *layers.dense_backward(d_y, cache))

    return gradients


def test_dense_equals_the_repeated_form(dense_arguments):
    kernel, bias, x, zeta = dense_arguments
    expected = np.concatenate([np.repeat(x, K, axis=0), zeta], 1) @ kernel + bias
    np.testing.assert_allclose(dense_value(*dense_arguments), expected, rtol=1e-12, atol=1e-13)


def test_dense_backward(rng, dense_arguments):
    witness.check_backward(rng, dense_value, dense_gradients(dense_arguments), dense_arguments)


def test_control_samples_in_another_order_are_seen(rng, dense_arguments):
    """np.tile instead of np.repeat."""

    def tiled(kernel, bias, x, zeta):
        return np.concatenate([np.tile(x, (K, 1)), zeta], 1) @ kernel + bias

    with pytest.raises(AssertionError):
        witness.check_backward(rng, tiled, dense_gradients(dense_arguments), dense_arguments)


def test_dense_without_zeta(rng):
    kernel, bias, x = (rng.standard_normal(shape) for shape in [(V, H), (H,), (B, V)])
    y, cache = layers.dense(Dense(kernel, bias), x)
    np.testing.assert_allclose(y, x @ kernel + bias)

    def gradients(d_y):
        d_x, d_zeta = layers.dense_backward(d_y, cache)
        assert d_zeta is None
        return (*layers.dense_gradient(d_y, cache), d_x)

    witness.check_backward(rng, lambda k, b, x: layers.dense(Dense(k, b), x)[0], gradients, (kernel, bias, x))
    assert layers.dense_backward(y, cache, need_x=False)[0] is None


def test_batch_norm_by_hand():
    """Column (0, 4): mean 2, biased variance 4, so +-2 / sqrt(4.01); the unbiased variance would be 8."""
    y, cache = layers.batch_norm(BatchNorm(np.array([3.0]), np.array([0.5])), np.array([[0.0], [4.0]]))
    np.testing.assert_allclose(y[:, 0], [0.5 - 6 / np.sqrt(4.01), 0.5 + 6 / np.sqrt(4.01)], rtol=1e-14)
    assert cache.batch == (2, 4)


def test_batch_norm_backward(rng):
    scale, offset, x = rng.standard_normal(H), rng.standard_normal(H), rng.normal(1, 0.2, (7, H))
    _, cache = layers.batch_norm(BatchNorm(scale, offset), x)

    def gradients(d_y):
        d_params, d_x = layers.batch_norm_backward(d_y, cache)
        return (*d_params, d_x)

    witness.check_backward(rng, witness.batch_norm, gradients, (scale, offset, x))


def test_batch_norm_of_rows_repeated_is_the_same(rng):
    """The reason why the first group's encoder can run once an image: mean and biased variance do not change."""
    params, x = BatchNorm(rng.standard_normal(H), rng.standard_normal(H)), rng.standard_normal((B, H))
    y, cache = layers.batch_norm(params, x)
    repeated, cache_k = layers.batch_norm(params, np.repeat(x, K, axis=0))
    np.testing.assert_allclose(repeated, np.repeat(y, K, axis=0), rtol=1e-12)
    d_y = rng.standard_normal((B * K, H))
    d_params, d_x = layers.batch_norm_backward(d_y.reshape(B, K, H).sum(1), cache)
    d_params_k, d_x_k = layers.batch_norm_backward(d_y, cache_k)
    np.testing.assert_allclose(d_params, d_params_k, rtol=1e-12)
    np.testing.assert_allclose(d_x, d_x_k.reshape(B, K, H).sum(1), rtol=1e-11, atol=1e-12)
    assert not np.allclose(np.repeat(x, K, axis=0).var(0, ddof=1), x.var(0, ddof=1))  # the unbiased one would change


def test_moving_averages_and_evaluation(rng):
    params, x = BatchNorm(rng.standard_normal(H), rng.standard_normal(H)), rng.normal(2, 3, (50, H))
    y, cache = layers.batch_norm(params, x)
    moving = layers.update_averages(Averages(np.zeros(H), np.ones(H)), cache.batch)
    np.testing.assert_allclose(moving.mean, 0.2 * x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moving.variance, 0.8 + 0.2 * x.var(0), rtol=1e-12)
    linear = Dense(np.eye(H), np.zeros(H))
    assert not np.allclose(layers.dense(layers.folded(linear, params, moving), x)[0], y)
    for _ in range(200):  # 0.8^200 = 4e-20: on one batch again and again the averages become that batch's
        moving = layers.update_averages(moving, cache.batch)
    np.testing.assert_allclose(layers.dense(layers.folded(linear, params, moving), x)[0], y, rtol=1e-11, atol=1e-12)


def test_a_folded_layer_is_dense_and_then_batch_norm(rng):
    """By given averages, term by term. The control: the averages of something else."""
    (kernel, bias), x = (rng.standard_normal((V, H)), rng.standard_normal(H)), rng.standard_normal((B, V))
    (scale, offset), mean, variance = rng.standard_normal((2, H)), rng.standard_normal(H), rng.uniform(0.1, 2, H)
    expected = (x @ kernel + bias - mean) / np.sqrt(variance + 0.01) * scale + offset
    for averages, equal in ((Averages(mean, variance), True), (Averages(mean + 0.1, variance), False)):
        y, _ = layers.dense(layers.folded(Dense(kernel, bias), BatchNorm(scale, offset), averages), x)
        assert np.allclose(y, expected, rtol=1e-12, atol=1e-12) == equal


def test_tanh_backward(rng):
    x = rng.standard_normal((4, 3))
    _, y = layers.tanh(x)
    witness.check_backward(rng, lambda x: layers.tanh(x)[0], lambda d: (layers.tanh_backward(d, y),), (x,))


def test_bernoulli_is_the_log_likelihood(rng):
    x, logits = rng.uniform(0, 1, (B, V)), rng.standard_normal((B * K, V))
    p, images = 1 / (1 + np.exp(-logits)), np.repeat(x, K, axis=0)
    expected = np.sum(images * np.log(p) + (1 - images) * np.log(1 - p), 1)
    np.testing.assert_allclose(layers.bernoulli(x, logits)[0], expected, rtol=1e-12)


def test_bernoulli_backward(rng):
    x, logits = rng.uniform(0, 1, (B, V)), rng.standard_normal((B * K, V))
    _, cache = layers.bernoulli(x, logits)
    witness.check_backward(
        rng,
        lambda logits: layers.bernoulli(x, logits)[0],
        lambda d: (layers.bernoulli_backward(d, cache),),
        (logits,),
    )


def test_bernoulli_of_certain_pixels_is_finite():
    x, logits = np.array([[1.0, 0.0, 1.0]]), np.array([[1e4, -1e4, -1e4]])
    assert layers.bernoulli(x, logits)[0] == pytest.approx(-1e4)


def test_dense_bernoulli_is_both(rng):
    """Of B images by B K rows; the control: without the bias."""
    params, y = Dense(rng.standard_normal((H, V)), rng.standard_normal(V)), rng.standard_normal((B * K, H))
    x = rng.uniform(0, 1, (B, V))
    p, images = 1 / (1 + np.exp(-(y @ params.kernel + params.bias))), np.repeat(x, K, axis=0)
    expected = np.sum(images * np.log(p) + (1 - images) * np.log(1 - p), 1)
    np.testing.assert_allclose(layers.dense_bernoulli(params, y, x), expected, rtol=1e-12)
    without = params._replace(bias=0 * params.bias)
    assert not np.allclose(layers.dense_bernoulli(without, y, x), expected, rtol=1e-3)


@pytest.mark.parametrize(("logits", "noise"), [((0, 3), (0, 3)), ((2, 3), (4, 2)), ((2, 3), (5, 3))])
def test_noise_that_does_not_fit_the_logits_is_refused(logits, noise):
    """No rows, other units, no K rows an image: each by itself, in float64, which no twin takes."""
    with pytest.raises(ValueError, match="binary units take logit_q") as refused:
        layers.draw_binary(np.zeros(logits), np.zeros(noise))
    assert str(refused.value).endswith(f"got {logits} and {noise}")


def test_binary_units_are_drawn_with_their_probability(rng):
    """z is 1 where u < q, and log q(z) that of these z, unit by unit; B rows of logits serve B K rows of u."""
    logit_q, u = rng.normal(0, 2, (B, H)), rng.random((B * K, H))
    q = np.repeat(1 / (1 + np.exp(-logit_q)), K, axis=0)
    z, log_q = layers.draw_binary(logit_q, u)
    np.testing.assert_array_equal(z, u < q)
    np.testing.assert_allclose(log_q, np.sum(np.log(np.where(z == 1, q, 1 - q)), 1), rtol=1e-12)
    assert not np.allclose(log_q, np.sum(np.log(np.where(z == 0, q, 1 - q)), 1), rtol=1e-3)
