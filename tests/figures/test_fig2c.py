"""The gradient in the logits of q, and its variance over noise."""

import numpy as np
import pytest

from dvae_ref import tree
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.theory.boltzmann import Moments
from figures import fig2c
from figures.snapshots import Snapshot

PIXELS = 7


def small_model(hidden, images, seed=4, baseline="dvaes_power", beta=4.0):
    """(Snapshot, Config, x, noise) in float64: two groups of three units, an RBM with couplings."""
    rng, structure = np.random.default_rng(seed), Structure(2, 3, hidden)
    config = autoencoder.Config(structure, methods.method(baseline, beta, 2, mean_field_sweeps=300))
    x = rng.integers(0, 2, (images, PIXELS)).astype(float)
    params, statistics = autoencoder.init(rng, config, np.linspace(0.2, 0.7, PIXELS), np.float64)
    params = tree.map(lambda leaf: leaf + rng.normal(0, 0.3, leaf.shape), params)
    noise = Noise(None, rng.uniform(0.05, 0.95, (images, 6)))
    return Snapshot(0, params, statistics), config, x, noise


def shifted(params, unit, h):
    """The parameters with the output bias of a unit's logit moved by h."""
    group, column = divmod(unit, 3)
    network = params.encoder[group]
    bias = network.out.bias.copy()
    bias[column] += h
    network = network._replace(out=network.out._replace(bias=bias))
    return params._replace(encoder=tuple(network if g == group else n for g, n in enumerate(params.encoder)))


@pytest.mark.parametrize(("baseline", "beta"), [("dvaes_power", 4.0), ("dvaes_exp", 6.0)])
def test_gradient_is_the_derivative_of_the_bound(baseline, beta):
    """One image, linear networks, zeta the inverse CDF at rho: moving an output bias moves that image's logit alone.

    Central differences of 1e-5 of a function with values of about 5: 1e-16 * 5 / 1e-5 of rounding and 1e-10 of
    curvature. The mean field is converged, as Eq. 5 supposes. What group 1 does to group 2 is about 1e-2.
    """
    snapshot, config, x, noise = small_model((), 1, baseline=baseline, beta=beta)
    g = fig2c.logit_gradient(snapshot, x, noise, config, kappa=0.7)
    assert g.shape == (1, 6)

    def bound(unit, h):
        params = shifted(snapshot.params, unit, h)
        return autoencoder.objective(params, snapshot.statistics, x, noise, config=config, kappa=0.7)[0].sum()

    numeric = np.array([(bound(i, 1e-5) - bound(i, -1e-5)) / 2e-5 for i in range(6)])
    np.testing.assert_allclose(g[0], numeric, rtol=1e-6, atol=1e-8)
    assert np.max(np.abs(fig2c.logit_gradient(snapshot, x, noise, config, kappa=1.0)[0] - numeric)) > 1e-3


def test_rows_add_up_to_the_gradient_of_the_output_bias():
    """With batch norm and several images, in the order of the units."""
    snapshot, config, x, noise = small_model((5,), 9)
    g = fig2c.logit_gradient(snapshot, x, noise, config, kappa=1.0)
    _, cache = autoencoder.objective(snapshot.params, snapshot.statistics, x, noise, config=config)
    zero = Moments(np.zeros(6), np.zeros((3, 3)))
    gradient = autoencoder.objective_backward(np.ones(9), cache, zero, config=config)
    expected = np.concatenate([network.out.bias for network in gradient.encoder])
    np.testing.assert_allclose(g.sum(0), expected, rtol=1e-12, atol=1e-14)
    assert np.max(np.abs(np.roll(g.sum(0), 3) - expected)) > 1e-2


def test_variances_within_and_between():
    """2,000 images, 6 units, 5 draws: Var within 4 (units of group 2) and 1, between 9: each to 4.5 standard errors.

    The population variance (divided by S, not S - 1) is 20% low; `between` without its correction 0.2 to 0.8 high.
    """
    rng, scale = np.random.default_rng(0), np.repeat([1.0, 2.0], 3)
    g = rng.normal(0, 3, (2000, 6)) + rng.normal(size=(5, 2000, 6)) * scale
    found = fig2c.summarize(g.sum(0), np.sum(g**2, 0), 5, 2)
    assert np.all(np.abs(found["variance"] - [1, 4, 2.5]) < 4.5 * found["error"])
    direct = g.var(0, ddof=1)[:, 3:].mean(1)
    assert found["variance"][1] == pytest.approx(direct.mean(), rel=1e-10)
    assert found["error"][1] == pytest.approx(direct.std(ddof=1) / np.sqrt(2000), rel=1e-8)
    assert np.all(np.abs(found["between"] - 9) < 4.5 * 9 * np.sqrt(2 / 2000 / 3) * 1.1)
    assert abs(found["variance"][1] * 0.8 - 4) > 4.5 * found["error"][1]


def test_fig2c_has_both_curves(options):
    data = fig2c.compute(options)
    for prefix in ("exp_10", "power_30"):
        assert data[f"{prefix}_variance_without"].shape == data[f"{prefix}_variance"].shape == (3, 3)
        assert np.all(data[f"{prefix}_variance"] > 0)
        assert np.all(data[f"{prefix}_variance_without"][0] != data[f"{prefix}_variance"][0])
        np.testing.assert_allclose(data[f"{prefix}_variance"][:, :2].mean(1), data[f"{prefix}_variance"][:, 2])
