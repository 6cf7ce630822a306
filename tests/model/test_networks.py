"""Networks, the hierarchical encoder, and their initialisation."""

import numpy as np
import pytest
import witness
from autograd import value_and_grad

from dvae_ref import tree
from dvae_ref.model import networks
from dvae_ref.model.layers import Dense
from dvae_ref.model.posteriors import Mixture, Noise
from dvae_ref.theory.smoothing import SMOOTHINGS, Power

B, K, V, P = 4, 5, 6, 3


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def skewed(rng, params):
    """Parameters away from their symmetric start."""
    return tree.map(lambda a: a + 0.3 * rng.standard_normal(a.shape), params)


def fresh(rng, n_in, n_out, hidden):
    return skewed(rng, networks.init_network(rng, n_in, n_out, hidden, np.float64)[0])


def assert_same_leaves(tree_a, leaves_b, rtol=1e-10):
    floor = 1e-4 * np.sqrt(sum(np.sum(leaf**2) for leaf in leaves_b))
    for (path, a), b in zip(tree.items(tree_a), leaves_b, strict=True):
        assert witness.relative_error(a, b, floor) < rtol, path


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_network_against_autograd_on_repeated_inputs(rng, hidden):
    """Value and gradients in parameters, x and zeta, K samples an image."""
    params = fresh(rng, V + P, 2, hidden)
    x, zeta, d_y = (rng.standard_normal(shape) for shape in [(B, V), (B * K, P), (B * K, 2)])

    def total(leaves):
        *leaves, x, zeta = leaves
        rows = np.repeat(np.arange(B), K)
        inputs = witness.np.concatenate([x[rows], zeta], 1)
        return witness.np.sum(d_y * witness.network(tree.unflatten(params, leaves), inputs))

    value, expected = value_and_grad(total)([*tree.leaves(params), x, zeta])
    y, cache = networks.network(params, x, zeta)
    assert np.sum(d_y * y) == pytest.approx(value, rel=1e-11)
    assert_same_leaves(networks.network_backward(d_y, cache, need_x=True), expected)
    without_x = networks.network_backward(d_y, cache)
    assert without_x[1] is None
    np.testing.assert_array_equal(without_x[2], networks.network_backward(d_y, cache, need_x=True)[2])


def test_network_by_central_differences(rng):
    params = fresh(rng, V + P, 2, (5, 4))
    x, zeta = rng.standard_normal((B, V)), rng.standard_normal((B * K, P))
    _, cache = networks.network(params, x, zeta)

    def gradients(d_y):
        return tree.leaves(networks.network_backward(d_y, cache, need_x=True))

    def forward(*leaves):
        return networks.network(tree.unflatten(params, leaves[:-2]), *leaves[-2:])[0]

    witness.check_backward(rng, forward, gradients, (*tree.leaves(params), x, zeta), sharpness=1e-5)


def test_evaluation_by_the_batch_s_own_averages_is_training(rng):
    params, x, zeta = fresh(rng, V + P, 2, (5, 4)), rng.standard_normal((B, V)), rng.standard_normal((B * K, P))
    y, cache = networks.network(params, x, zeta)
    averages = networks.batch_averages(cache)
    np.testing.assert_allclose(networks.network_evaluate(params, averages, x, zeta), y, rtol=1e-11)
    other = tree.map(lambda a: a + 0.1, averages)
    assert not np.allclose(networks.network_evaluate(params, other, x, zeta), y, rtol=1e-3)


def encoder(rng, groups, width):
    return tuple(fresh(rng, V + g * width, width, (5, 4)) for g in range(groups))


def test_binary_draws_have_the_logarithm_of_their_own_probability(rng):
    """z_g = [u < q_g] and log q(z|x) = sum z log q + (1 - z) log(1 - q), q_g of x and the groups before; to 1e-12."""
    width = 2
    params = encoder(rng, 3, width)
    x, u = rng.standard_normal((B, V)), rng.uniform(0, 1, (B * K, 3 * width))
    moving = tuple(
        networks.batch_averages(networks.network(own, x, _before(rng, g * width))[1]) for g, own in enumerate(params)
    )
    z, log_q = networks.encode_discrete(params, moving, x, u)
    expected = np.zeros(B * K)
    for g, own in enumerate(params):
        columns = slice(g * width, (g + 1) * width)
        q = witness.sigmoid(networks.network_evaluate(own, moving[g], x, z[:, : g * width] if g else None))
        q = np.repeat(q, len(z) // len(q), axis=0)
        np.testing.assert_array_equal(z[:, columns], u[:, columns] < q)
        expected += np.sum(np.log(np.where(z[:, columns] == 1, q, 1 - q)), 1)
    np.testing.assert_allclose(log_q, expected, rtol=1e-12)
    assert np.std(log_q) > 0.1


def test_binary_draws_take_the_first_outputs_of_a_network(rng):
    """They are logit q; others, of a posterior that has more, are not looked at."""
    width, groups = 2, 3
    wide = tuple(fresh(rng, V + g * width, 2 * width, (5, 4)) for g in range(groups))
    narrow = tuple(own._replace(out=Dense(own.out.kernel[:, :width], own.out.bias[:width])) for own in wide)
    x, u = rng.standard_normal((B, V)), rng.uniform(0, 1, (B * K, groups * width))
    moving = tuple(
        networks.batch_averages(networks.network(own, x, _before(rng, g * width))[1]) for g, own in enumerate(wide)
    )
    expected = networks.encode_discrete(narrow, moving, x, u)
    for ours, theirs in zip(networks.encode_discrete(wide, moving, x, u), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def _before(rng, units):
    return rng.uniform(0, 1, (B * K, units)) if units else None


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_encoder_equals_the_repeated_form(rng, name):
    """What is computed once for all K equals the encoder of B K images, batch norm included: values and gradients."""
    posterior, width = Mixture(SMOOTHINGS[name](4.0)), 2
    params, x = encoder(rng, 3, width), rng.standard_normal((B, V))
    noise = Noise(rng.random((B * K, 6)), rng.random((B * K, 6)))
    once, cache = networks.encode(params, x, noise, posterior=posterior)
    again, cache_k = networks.encode(params, np.repeat(x, K, axis=0), noise, posterior=posterior)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    cotangents = rng.standard_normal((3, B * K, 6))
    gradient = networks.encode_backward(cotangents, cache, posterior=posterior)
    assert_same_leaves(gradient, tree.leaves(networks.encode_backward(cotangents, cache_k, posterior=posterior)))


def test_encoder_backward_does_not_touch_its_cotangents(rng):
    params, x, noise = encoder(rng, 2, 3), rng.standard_normal((B, V)), Noise(*rng.random((2, B, 6)))
    _, cache = networks.encode(params, x, noise, posterior=Mixture(Power(4.0)))
    cotangents = rng.standard_normal((3, B, 6))
    before = cotangents.copy()
    networks.encode_backward(cotangents, cache, posterior=Mixture(Power(4.0)))
    np.testing.assert_array_equal(cotangents, before)


def test_later_groups_see_all_earlier_ones(rng):
    """Turning over one unit of the first group moves logit q of groups 2 and 3, and of group 1 not."""
    params, x = encoder(rng, 3, 2), rng.standard_normal((B, V))
    noise = Noise(rng.uniform(0.3, 0.7, (B, 6)), rng.random((B, 6)))
    turned = noise._replace(u=noise.u.copy())
    turned.u[:, 0] = np.where(noise.u[:, 0] < 0.5, 1 - 1e-12, 1e-12)
    a, b = (networks.encode(params, x, n, posterior=Mixture(Power(4.0)))[0].logit_q for n in (noise, turned))
    np.testing.assert_array_equal(a[:, :2], b[:, :2])
    assert np.all(np.any(a[:, 2:] != b[:, 2:], axis=0))


def test_encoder_follows_the_inverse_cdf_along_the_parameters(rng):
    """With u = None, t is a smooth function of the parameters, and encode_backward its exact gradient."""
    posterior = Mixture(Power(4.0))
    params, x = encoder(rng, 2, 3), rng.standard_normal((B, V))
    noise = Noise(None, rng.uniform(0.1, 0.9, (B * 2, 6)))
    _, cache = networks.encode(params, x, noise, posterior=posterior)
    cotangents = rng.standard_normal((3, B * 2, 6))
    gradient, _ = networks.encode_backward(cotangents, cache, posterior=posterior)
    direction = tree.map(lambda a: 0.1 * rng.standard_normal(a.shape), params)

    def along(h):
        moved = tree.map(lambda a, v: a + h * v, params, direction)
        sample, _ = networks.encode(moved, x, noise, posterior=posterior)
        return np.sum(cotangents * np.stack(sample))

    difference = witness.derivative(along)
    slope = sum(np.sum(a * b) for a, b in zip(tree.leaves(gradient), tree.leaves(direction), strict=True))
    assert abs(slope - difference.value) <= difference.error < 1e-6 * abs(slope)


def test_truncated_normal_has_its_realised_variance():
    """Kernel std sqrt(2.6 / fan_in), cut at two of them: variance 0.7737 of it, 2.012 / fan_in.

    Cut at 2, a normal has the variance v = 1 - 4 phi(2) / Z = 0.77374, Z = 2 Phi(2) - 1, and the fourth moment
    3 v - 16 phi(2) / Z = 1.41619; so the mean square of n has the standard error sqrt(1.41619 - v^2) / sqrt(n) =
    0.904 / sqrt(n). Five of them at n = 392,000 are 0.0072: an uncut normal (1) or one of std sqrt(2 / fan_in) (0.595)
    would be seen.
    """
    n_in, n_out = 784, 500
    dense = networks.init_dense(np.random.default_rng(4), n_in, n_out, np.float64)
    std = np.sqrt(2.6 / n_in)
    n = dense.kernel.size
    assert np.abs(dense.kernel).max() <= 2 * std
    assert np.abs(dense.kernel).max() > 1.99 * std
    assert abs(np.mean(dense.kernel**2) / std**2 - 0.77374) < 5 * 0.904 / np.sqrt(n)
    assert abs(np.mean(dense.kernel) / std) < 5 * np.sqrt(0.77374 / n)
    assert np.mean(dense.kernel**2) * n_in == pytest.approx(2.01, abs=0.02)
    assert not np.any(dense.bias)


def test_fresh_batch_norm_is_the_identity_with_averages_0_and_1():
    params, moving = networks.init_network(np.random.default_rng(0), 4, 2, (3, 5), np.float32)
    assert [layer.norm.scale.tolist() for layer in params.hidden] == [[1] * 3, [1] * 5]
    assert not any(np.any(layer.norm.offset) for layer in params.hidden)
    assert [(a.mean.tolist(), a.variance.tolist()) for a in moving] == [([0] * 3, [1] * 3), ([0] * 5, [1] * 5)]
    assert {leaf.dtype for leaf in tree.leaves((params, moving))} == {np.dtype(np.float32)}
