"""log p(x) and the variational bound of whole small models on the discrete level."""

import itertools

import numpy as np
import pytest
import witness
from scipy.special import logsumexp

from dvae_ref import exact, tree
from dvae_ref.exact import discrete
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.structures import Structure
from dvae_ref.theory.boltzmann import RBM

PIXELS = 6
STRUCTURES = [Structure(1, 6), Structure(1, 6, (5, 4)), Structure(2, 3, (5, 4)), Structure(4, 2, (5, 4))]


def small_model(structure, dtype=np.float64, baseline="dvaes_power"):
    """(Params, Statistics), every leaf skewed and moved, variances positive."""
    config = autoencoder.Config(structure, methods.method(baseline, 30.0, structure.groups))
    rng = np.random.default_rng([structure.groups, structure.width, len(structure.hidden)])
    params, statistics = autoencoder.init(rng, config, rng.uniform(0.1, 0.9, PIXELS), np.float64)
    params = tree.map(lambda leaf: leaf + 0.5 * rng.standard_normal(leaf.shape), params)
    W = 0.4 + 0.8 * rng.standard_normal(params.rbm.W.shape)
    params = params._replace(rbm=RBM(rng.normal(-0.5, 1, structure.latents), W))
    statistics = tree.map(lambda leaf: leaf + rng.uniform(0, 0.5, leaf.shape), statistics)
    statistics = statistics._replace(mean_x=rng.uniform(0.1, 0.9, PIXELS))
    return tuple(tree.map(lambda leaf: leaf.astype(dtype), t) for t in (params, statistics))


def outputs(network, moving, x):
    """A network's outputs for one input vector, with batch norm's epsilon of 0.01, in plain formulas."""
    for layer, averages in zip(network.hidden, moving, strict=True):
        y = x @ layer.dense.kernel + layer.dense.bias
        y = (y - averages.mean) / np.sqrt(averages.variance + 0.01) * layer.norm.scale + layer.norm.offset
        x = np.tanh(y)
    return x @ network.out.kernel + network.out.bias


def bernoulli(p, x):
    return np.sum(np.log(np.where(x > 0, p, 1 - p)))


def plain(params, statistics, x):
    """(log p(x), ELBO) of one image: state by state, unit by unit."""
    prior, joint, log_q = witness.probabilities(*params.rbm), [], []
    width = params.rbm.a.size // len(params.encoder)
    for z, p_z in zip(witness.states(params.rbm.a.size), prior, strict=True):
        bias = np.log(statistics.mean_x / (1 - statistics.mean_x))
        p_x = witness.sigmoid(outputs(params.decoder, statistics.decoder, z) + bias)
        joint.append(np.log(p_z) + bernoulli(p_x, x))
        total = 0.0
        for g, (network, moving) in enumerate(zip(params.encoder, statistics.encoder, strict=True)):
            out = outputs(network, moving, np.concatenate([x - statistics.mean_x, z[: g * width]]))
            total += bernoulli(witness.sigmoid(out[:width]), z[g * width : (g + 1) * width])
        log_q.append(total)
    joint, log_q = np.array(joint), np.array(log_q)
    assert np.sum(np.exp(log_q)) == pytest.approx(1, rel=1e-12)
    return logsumexp(joint), np.sum(np.exp(log_q) * (joint - log_q))


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, PIXELS)).astype(float)


@pytest.mark.parametrize("baseline", ["dvaes_power", "dvaes_gi"])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_agrees_with_plain_enumeration(structure, baseline):
    """dvaes_gi has networks with outputs that the discrete level does not use."""
    params, statistics = small_model(structure, baseline=baseline)
    x = images(3)
    expected = np.array([plain(params, statistics, row) for row in x])
    np.testing.assert_allclose(exact.log_px(params, statistics, x), expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(exact.elbo(params, statistics, x), expected[:, 1], rtol=1e-12)
    wrong = params._replace(rbm=RBM(params.rbm.a, -params.rbm.W))
    assert np.min(np.abs(exact.log_px(wrong, statistics, x) - expected[:, 0])) > 1e-4
    assert np.min(np.abs(exact.elbo(wrong, statistics, x) - expected[:, 1])) > 1e-3


def test_p_of_x_sums_to_one_over_all_images():
    params, statistics = small_model(Structure(2, 3, (5, 4)))
    x = np.array(list(itertools.product([0.0, 1.0], repeat=PIXELS)))
    assert np.exp(exact.log_px(params, statistics, x)).sum() == pytest.approx(1, rel=1e-13)


def test_many_blocks_of_states_and_images(monkeypatch):
    """D = 12: 4 blocks. Other blocks give the same to rounding."""
    params, statistics = small_model(Structure(2, 6, (5,)))
    x = images(5)
    log_px, elbo = exact.log_px(params, statistics, x), exact.elbo(params, statistics, x)
    monkeypatch.setattr(discrete, "STATES", 512)
    monkeypatch.setattr(discrete, "ROWS", 700)
    np.testing.assert_allclose(exact.log_px(params, statistics, x), log_px, rtol=1e-13)
    np.testing.assert_allclose(exact.elbo(params, statistics, x), elbo, rtol=1e-13)
    assert np.all(elbo < log_px)


@pytest.mark.parametrize("structure", STRUCTURES[2:])
def test_importance_samples_estimate_them(structure):
    """20,000 samples: mean log w within 5 standard errors of the bound, mean w of p(x).

    The encoder is a mild one. Effective samples are checked to be many, so that the standard errors mean something;
    they are below 3% of p(x) and 0.02 nats: an error of 15% in p(x) or 0.1 nats in the bound would be caught.
    """
    params, statistics = small_model(structure)
    params = params._replace(encoder=tree.map(lambda leaf: 0.3 * leaf, params.encoder))
    x, k = images(3, seed=1), 20_000
    u = np.random.default_rng(2).uniform(size=(3 * k, structure.latents))
    log_w = autoencoder.discrete_log_weights(params, statistics, x, u, log_z=exact.log_z(params.rbm))
    log_px, elbo = exact.log_px(params, statistics, x), exact.elbo(params, statistics, x)
    error = log_w.std(1) / np.sqrt(k)
    assert np.all(error < 0.02)
    assert np.all(np.abs(log_w.mean(1) - elbo) < 5 * error)
    w = np.exp(log_w - log_px[:, None])
    assert np.all(w.sum(1) ** 2 / (w * w).sum(1) > 1000)
    error = w.std(1) / np.sqrt(k)
    assert np.all(error < 0.03)
    assert np.all(np.abs(w.mean(1) - 1) < 5 * error)


def test_with_the_exact_posterior_the_bound_is_log_p_of_x():
    """Without couplings and with a constant decoder, p(z|x) = p(z) is factorial; q set to it closes the gap."""
    params, statistics = small_model(Structure(1, 6))
    d, out = 6, params.decoder.out
    decoder = params.decoder._replace(out=out._replace(kernel=np.zeros_like(out.kernel)))
    encoder_out = params.encoder[0].out
    encoder = params.encoder[0]._replace(
        out=encoder_out._replace(kernel=np.zeros_like(encoder_out.kernel), bias=params.rbm.a)
    )
    closed = params._replace(encoder=(encoder,), decoder=decoder, rbm=RBM(params.rbm.a, np.zeros((d // 2, d // 2))))
    np.testing.assert_allclose(
        exact.elbo(closed, statistics, images(4)), exact.log_px(closed, statistics, images(4)), rtol=1e-13
    )
    open_gap = closed._replace(rbm=RBM(params.rbm.a + 1, closed.rbm.W))
    gap = exact.log_px(open_gap, statistics, images(4)) - exact.elbo(open_gap, statistics, images(4))
    assert np.all(gap > 0.1)


def test_an_impossible_state_adds_nothing():
    """q so extreme that it underflows to 0: those states count as 0 log 0 = 0."""
    params, statistics = small_model(Structure(1, 6))
    bias = params.encoder[0].out.bias.copy()
    bias[0] = -2000
    certain = params._replace(encoder=(params.encoder[0]._replace(out=params.encoder[0].out._replace(bias=bias)),))
    bias = bias.copy()
    bias[0] = -60  # as good as impossible, but representable
    nearly = params._replace(encoder=(params.encoder[0]._replace(out=params.encoder[0].out._replace(bias=bias)),))
    found = exact.elbo(certain, statistics, images(3))
    np.testing.assert_allclose(found, exact.elbo(nearly, statistics, images(3)), rtol=1e-12)


def test_float32_parameters_are_read_as_float64():
    params, statistics = small_model(Structure(2, 3, (5, 4)), np.float32)
    wide = [tree.map(lambda leaf: leaf.astype(np.float64), t) for t in (params, statistics)]
    x = images(2)
    assert exact.log_px(params, statistics, x.astype(np.float32)).dtype == np.float64
    np.testing.assert_array_equal(exact.log_px(params, statistics, x.astype(np.float32)), exact.log_px(*wide, x))


@pytest.mark.parametrize("function", [exact.log_px, exact.elbo])
def test_refusals(function):
    params, statistics = small_model(Structure(1, 6))
    with pytest.raises(ValueError, match=r"x must hold images of 6 pixels in rows, got shape \(3, 5\)"):
        function(params, statistics, np.zeros((3, 5)))
    params, statistics = small_model(Structure(1, 30, (5,)))
    with pytest.raises(ValueError, match=r"30 latent units would visit 1.1e\+09 states, which takes about"):
        function(params, statistics, images(2))
