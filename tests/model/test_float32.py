"""Float32 is enough: importance log-weights at D = 400 and beta = 40 against the same in float64, within 1e-3 nats.

Run with `pytest -rP tests/model/test_float32.py` to see the histograms.

The noise and the parameters are float32 numbers, so both precisions are given exactly the same. The parameters are of
the size that training leaves: couplings of std 0.3, biases that switch most units off, logits of a few units. Errors
are of log w, that is of everything together, and of log p(zeta) - log q(zeta|x) alone, given the same logit q and t.
"""

import numpy as np
import pytest

from dvae_ref import mixture, overlapping, tree, twins
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import SMOOTHINGS

BETA, BATCH, K = 40.0, 20, 5
ALLOWED = 1e-3  # nats


def config(smoothing):
    """K = 1: each of the K samples of an image is given as an image of its own, so that its bound is its log weight."""
    return autoencoder.Config(STRUCTURES["2-layer-nonlin"], methods.relaxed(smoothing), k=1)


@pytest.fixture(scope="module")
def setting():
    """(params, statistics, images, noise) in float32: the 2-layer structure at its full size on 784 pixels."""
    rng = np.random.default_rng(71)
    mean_x = rng.beta(0.3, 1.5, 784).astype(np.float32)
    params, statistics = autoencoder.init(rng, config(SMOOTHINGS["power"](BETA)), mean_x)
    louder = [g._replace(out=g.out._replace(kernel=3 * g.out.kernel)) for g in params.encoder]
    W = rng.normal(0, 0.3, (200, 200)).astype(np.float32)
    a = rng.normal(-2, 1, 400).astype(np.float32)
    params = params._replace(encoder=tuple(louder), rbm=RBM(a, W))
    x = (rng.random((BATCH, 784)) < mean_x).astype(np.float32)
    u, rho = (rng.integers(0, 2**23, (2, BATCH * K, 400)) + 0.5) / 2**23
    assert np.array_equal(rho, rho.astype(np.float32))
    return params, statistics, x, Noise(u.astype(np.float32), rho.astype(np.float32))


def log_p_minus_log_q(rbm, logit_q, t, smoothing):
    b = smoothing.log_ratio(t)
    return overlapping.log_p(rbm, b)[0] - mixture.log_q(logit_q, b)[0]


def naive_log_p_minus_log_q(rbm, logit_q, t, smoothing):
    """The same with the factors r left in: log p with its c, and log q the log of a density, each summed over units."""
    b, c = smoothing.log_ratio(t), smoothing.log_r0(t)
    larger = np.sum(c + np.maximum(b, 0), 1)
    log_p = overlapping.log_p(rbm, b)[0] + larger
    log_q = np.sum(np.logaddexp(-np.logaddexp(0, logit_q) + c, -np.logaddexp(0, -logit_q) + c + b), 1)
    return log_p - log_q


def histogram(title, errors):
    """One line a decade of |error|."""
    errors = np.abs(errors)
    print(f"{title}: max {errors.max():.1e}, rms {np.sqrt(np.mean(errors**2)):.1e} nats of {errors.size} samples")
    for decade in range(-8, 0):
        n = np.sum((errors >= 10.0**decade) & (errors < 10.0 ** (decade + 1)))
        print(f"  1e{decade} .. 1e{decade + 1} {n:5d} {'#' * int(n * 60 / errors.size + 0.5)}")


def log_weights(params, statistics, x, noise, smoothing):
    """log w of every sample, (B K,), and the Sample of the posterior."""
    x = np.repeat(x, K, axis=0)
    log_w, cache = autoencoder.objective(params, statistics, x, noise, config=config(smoothing))
    assert log_w.dtype == x.dtype
    return log_w, cache.encoder.sample


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_log_weights_agree_with_float64(setting, name):
    smoothing = SMOOTHINGS[name](BETA)
    single, sample = log_weights(*setting, smoothing)
    double, sample64 = log_weights(*(tree.map(np.float64, part) for part in setting), smoothing)
    # A u between the two precisions' q would make another z: 40,000 draws, q good to about 1e-6, hardly one expected.
    assert np.array_equal(sample.t > 0, sample64.t > 0)
    histogram(f"{name}, log w", single - double)
    assert np.abs(single - double).max() < ALLOWED


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_densities_agree_with_float64_and_the_r_factors_must_cancel_on_paper(setting, name):
    """The control: log r summed into log p and log q, 14,000 nats a row for the power function, which misses the mark.

    (1,000 for the exponentials and 170 for the Gaussian, which would pass.)
    """
    smoothing = SMOOTHINGS[name](BETA)
    _, (logit_q, t, _) = log_weights(*setting, smoothing)
    rbm64 = RBM(*(np.float64(a) for a in setting[0].rbm))
    exact = log_p_minus_log_q(rbm64, np.float64(logit_q), np.float64(t), smoothing)
    own = log_p_minus_log_q(setting[0].rbm, logit_q, t, smoothing) - exact
    naive = naive_log_p_minus_log_q(setting[0].rbm, logit_q, t, smoothing) - exact
    histogram(f"{name}, log p - log q from the same logit q and t", own)
    histogram(f"{name}, the same with the r factors summed in p and in q", naive)
    assert np.abs(own).max() < ALLOWED
    assert name != "power" or np.abs(naive).max() > ALLOWED


def test_discrete_log_weights_agree_with_the_readable_form_in_float64(setting):
    """Of evaluation, all of whose twins are at work: z given by u = 1 - z, so that no rounding makes another.

    The control: moving averages that are off by 1%, which is what batch norm folded wrongly would be at the least.
    """
    params, statistics, x, noise = setting
    rng = np.random.default_rng(5)
    moving = tree.map(lambda a: (a + rng.uniform(0.1, 1, a.shape)).astype(np.float32), statistics)
    moving = moving._replace(mean_x=statistics.mean_x)
    u = np.float32(noise.u < 0.8)
    single = autoencoder.discrete_log_weights(params, moving, x, u, log_z=100.0)
    with twins.readable_only():
        given = (tree.map(np.float64, part) for part in (params, moving, x, u))
        double = autoencoder.discrete_log_weights(*given, log_z=100.0)
    assert single.dtype == np.float32
    histogram("discrete log w", (single - double).reshape(-1))
    assert np.abs(single - double).max() < ALLOWED
    off = tree.map(lambda a: np.float32(1.01) * a, moving)._replace(mean_x=statistics.mean_x)
    wrong = autoencoder.discrete_log_weights(params, off, x, u, log_z=100.0)
    assert np.abs(wrong - double).max() > 10 * ALLOWED
