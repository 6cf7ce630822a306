"""One iteration of training in numbers: the bound that it reports, the gradient that it follows, its step."""

import numba
import numpy as np
import pytest

from dvae_ref import tree
from dvae_ref.model import autoencoder
from dvae_ref.runs import training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import pcd

SETTINGS = Settings(
    struct="1-layer-lin", sampler="pcd", k=2, batch_size=6, chains=9, sweeps=3, num_train_iter=100, warm_up=0.5
)
ITERATION, BOUNDS, LOG_Z = 20, 7.5, 130.0  # counted from 0: kappa = 20 / (0.5 100) = 0.4
KAPPA, RATE = 0.4, 0.003


@pytest.fixture(scope="module")
def taken():
    """(the State before, its images, the State after, the bound), from parameters and moments that are not 0."""
    rng, before = np.random.default_rng(0), numba.get_num_threads()
    numba.set_num_threads(1)
    state = training.start(SETTINGS, np.full(784, 0.4, np.float32))
    noisy = lambda leaf: leaf + np.float32(0.05) * rng.standard_normal(leaf.shape, np.float32)  # noqa: E731
    small = lambda leaf: np.float32(0.01) * rng.random(leaf.shape, np.float32)  # noqa: E731
    adam = state.adam._replace(m=tree.map(small, state.adam.m), v=tree.map(small, state.adam.v))
    known = {"iteration": ITERATION, "bound_sum": BOUNDS, "log_z": LOG_Z}
    state = state._replace(params=tree.map(noisy, state.params), adam=adam, **known)
    x = (rng.random((6, 784)) < 0.4).astype(np.float32)
    after, bound = training.iterate(state, x, SETTINGS, training.keys(SETTINGS.seed))
    numba.set_num_threads(before)
    return state, x, after, bound


@pytest.fixture(scope="module")
def by_hand(taken):
    """(bound of each image, gradient of minus their mean), the sampler's moments as negative phase."""
    state, x, _, _ = taken
    role, config = training.keys(SETTINGS.seed), training.config_of(SETTINGS)
    noise = training.noise_of(ITERATION, len(x), SETTINGS, role)
    _, info = pcd.step(role["sweeps"], state.sampler, state.params.rbm, SETTINGS.sweeps)
    bound, cache = autoencoder.objective(state.params, state.statistics, x, noise, config=config, kappa=KAPPA)
    each = np.full(6, 1 / 6, np.float32)
    rising = autoencoder.objective_backward(each, cache, info.moments, config=config)
    return bound, tree.map(np.negative, rising)


def test_the_bound_is_the_mean_less_kappa_log_z(taken, by_hand):
    """A sum of some 800 float32 numbers: good to 1e-5 of it."""
    _, _, after, value = taken
    mean = np.mean(by_hand[0], dtype=np.float64)
    assert value == pytest.approx(mean - KAPPA * LOG_Z, rel=1e-5)
    assert after.bound_sum == pytest.approx(BOUNDS + mean, rel=1e-5)
    assert after.iteration == ITERATION + 1
    assert (after.log_z, after.best_iteration, after.validated) == (LOG_Z, 0, 0)


def test_adam_takes_in_the_gradient_of_minus_the_mean_bound_and_of_the_decay(taken, by_hand):
    """m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2, g with 1e-4 of each kernel: of a leaf, to 1e-4 of its largest g."""
    state, _, after, _ = taken
    trees = map(tree.leaves, (state.params, *state.adam, *after.adam))
    for (path, g), *leaves in zip(tree.items(by_hand[1]), *trees, strict=True):
        p, m, v, new_m, new_v = map(np.float64, leaves)
        g = g + 1e-4 * p * path.endswith(("kernel", "W"))
        size = np.abs(g).max() + 1e-9
        np.testing.assert_allclose(new_m, 0.9 * m + 0.1 * g, atol=1e-5 * size + 1e-9, err_msg=path)
        np.testing.assert_allclose(new_v, 0.999 * v + 1e-3 * g**2, rtol=1e-6, atol=1e-7 * size**2, err_msg=path)


def test_parameters_move_by_adam_s_rule(taken):
    """lr sqrt(1 - 0.999^21) / (1 - 0.9^21) m / (sqrt(v) + 1e-3), at iteration 21 of 100, whose factor is 1."""
    state, _, after, _ = taken
    rate = RATE * np.sqrt(1 - 0.999**21) / (1 - 0.9**21)
    for p, m, v, new in zip(*map(tree.leaves, (state.params, *after.adam, after.params)), strict=True):
        step = rate * np.float64(m) / (np.sqrt(np.float64(v)) + 1e-3)
        np.testing.assert_allclose(new, p - step, atol=1e-7 * (np.abs(p).max() + 1))
