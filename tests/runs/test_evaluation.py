"""The importance-sampled likelihood against log p(x) of a small discrete model, enumerated in float64."""

import math

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from dvae_ref import tree
from dvae_ref.model.structures import STRUCTURES, Structure
from dvae_ref.runs import evaluation, training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM

D, PIXELS, BATCH_NORM_EPSILON = 8, 9, 1e-2
SMALL = {"one linear group": Structure(1, D), "two groups": Structure(2, D // 2, (5, 4)), "four": Structure(4, 2, (5,))}
KEY = philox.key(11)


class Case:
    """A model with skewed parameters, grey mean image, moving averages far from (0, 1); log p(x) by enumeration."""

    def __init__(self, structure, n=4):
        rng = np.random.default_rng(5)
        state = training.start(Settings(struct=structure, beta=3.0, chains=2), rng.uniform(0, 1, PIXELS))

        def noisy(leaf):
            return (leaf + 0.4 * rng.standard_normal(leaf.shape)).astype(np.float32)

        W = rng.normal(0.3, 0.6, (D // 2, D - D // 2)).astype(np.float32)
        rbm = RBM(rng.normal(-0.5, 0.6, D).astype(np.float32), W)
        params = tree.map(noisy, state.params)
        encoder = tree.map(lambda leaf: leaf * np.float32(0.5), params.encoder)  # broad: few samples do
        self.params = params._replace(encoder=encoder, rbm=rbm)
        moving = tree.map(lambda leaf: np.abs(noisy(leaf)) + np.float32(0.1), (state.statistics[1:]))
        self.statistics = type(state.statistics)(state.statistics.mean_x, *moving)
        self.images = (rng.uniform(0, 1, (n, PIXELS)) < 0.4).astype(np.uint8)
        self.log_z = logsumexp(self.log_weights_of_states())

    def states(self):
        return (np.arange(2**D)[:, None] >> np.arange(D) & 1).astype(float)

    def log_weights_of_states(self):
        """-E(z) of all 2^D states, term by term."""
        z, (a, W) = self.states(), (leaf.astype(float) for leaf in self.params.rbm)
        return z @ a + sum(W[i, j] * z[:, i] * z[:, D // 2 + j] for i in range(D // 2) for j in range(D // 2))

    def log_px(self):
        """log p(x) = log sum_z p(z) p(x|z) for each image."""
        y, mean_x = self.states(), np.clip(self.statistics.mean_x.astype(float), 0.001, 0.999)
        for layer, (mean, variance) in zip(self.params.decoder.hidden, self.statistics.decoder, strict=True):
            y = y @ layer.dense.kernel.astype(float) + layer.dense.bias
            y = (y - mean) / np.sqrt(variance.astype(float) + BATCH_NORM_EPSILON) * layer.norm.scale + layer.norm.offset
            y = np.tanh(y)
        out = self.params.decoder.out
        p = expit(y @ out.kernel.astype(float) + out.bias + np.log(mean_x / (1 - mean_x)))
        log_px = [np.sum(np.where(x == 1, np.log(p), np.log(1 - p)), 1) for x in self.images]
        return logsumexp(self.log_weights_of_states() - self.log_z + np.array(log_px), axis=1)

    def likelihood(self, samples, images=None, key=KEY, **options):
        images, options = self.images if images is None else images, {"log_z": self.log_z} | options
        return evaluation.log_likelihood(key, self.params, self.statistics, images, samples=samples, **options)


@pytest.fixture(params=SMALL)
def case(request, monkeypatch):
    monkeypatch.setitem(STRUCTURES, request.param, SMALL[request.param])
    return Case(request.param)


def deviations(result, samples, exact):
    """(estimate - exact) in standard errors: Var(log mean w) = (K / ESS - 1) / K to first order."""
    error = np.sqrt((samples / result.effective_sample_size - 1) / samples)
    return (result.log_px - exact) / error


def test_log_likelihood_converges_to_the_enumerated_one(case):
    """20,000 samples: within 4.5 standard errors, of 0.1 nats at most.

    Caught: a sum in place of the mean (log 20,000), log Z wrong or left out, log p(x|z) alone, weights upside down.
    """
    samples, exact = 20_000, case.log_px()
    result = case.likelihood(samples)
    assert np.all(result.effective_sample_size > 100)
    assert np.max(np.abs(deviations(result, samples, exact))) < 4.5
    as_sum = result._replace(log_px=result.log_px + math.log(samples))
    assert np.min(np.abs(deviations(as_sum, samples, exact))) > 10
    assert np.min(np.abs(deviations(case.likelihood(samples, log_z=case.log_z + 1), samples, exact))) > 10


def test_the_weights_are_unbiased_and_the_bounds_ordered(case):
    """E[(1/K) sum w] = p(x) already at K = 3, over 4,000 repetitions of an image; ELBO < E[log_px] < log p(x)."""
    repeated, exact = np.repeat(case.images[:1], 4000, 0), case.log_px()[0]
    result = case.likelihood(3, repeated)
    ratio = np.exp(result.log_px - exact)
    error = evaluation.standard_error(ratio)
    assert error < 0.1
    assert abs(ratio.mean() - 1) < 4.5 * error
    assert abs(np.exp(result.elbo - exact).mean() - 1) > 4.5 * error  # of mean log w: biased
    gaps = exact - result.log_px.mean(), (result.log_px - result.elbo).mean()
    assert min(gaps) > 4.5 * max(evaluation.standard_error(result.log_px), evaluation.standard_error(result.elbo))


def test_weights_that_are_all_equal_are_as_good_as_that_many_samples(monkeypatch):
    """q = p = uniform and p(x|z) without z: log w is constant, so ELBO = log p(x) and ESS = K."""
    monkeypatch.setitem(STRUCTURES, "linear", Structure(1, D))
    case = Case("linear")
    case.params = tree.map(np.zeros_like, case.params)
    result = case.likelihood(100, log_z=D * math.log(2))
    mean_x = np.clip(case.statistics.mean_x.astype(float), 0.001, 0.999)
    expected = np.log(np.where(case.images == 1, mean_x, 1 - mean_x)).sum(1)
    np.testing.assert_allclose(result.log_px, expected, rtol=1e-6)
    np.testing.assert_allclose(result.elbo, expected, rtol=1e-6)
    np.testing.assert_allclose(result.effective_sample_size, 100, rtol=1e-6)


def test_effective_sample_size_counts_the_samples_that_matter(monkeypatch):
    """Weights 3, 1, 0: (3 + 1)^2 / (9 + 1) = 1.6; log mean w = log(4/3)."""
    log_w = np.array([[math.log(3), 0, -200]], np.float32) + 90  # exp overflows float32 without its largest taken out
    monkeypatch.setattr(evaluation.autoencoder, "discrete_log_weights", lambda *_, **__: log_w)
    monkeypatch.setitem(STRUCTURES, "linear", Structure(1, D))
    result = Case("linear", n=1).likelihood(3)
    np.testing.assert_allclose(result.effective_sample_size, 1.6, rtol=1e-5)
    np.testing.assert_allclose(result.log_px, 90 + math.log(4 / 3), rtol=1e-6)
    np.testing.assert_allclose(result.elbo, log_w.mean(), rtol=1e-6)


def test_fewer_samples_are_parts_of_the_same_weights():
    """Weights 1 2 3 4 | 5 6 7 8 | 9 by hand: nine over all; of a quarter, two each, the ninth left over; of a
    sixteenth, which is less than one, each for itself."""
    log_w = np.log(np.arange(1.0, 10.0))[None] + np.array([[300.0], [-900.0]])  # beyond exp of float64
    level = np.array([300.0, -900.0])
    np.testing.assert_allclose(evaluation.in_parts(log_w, 1), level + math.log(5), rtol=1e-14)
    quarters = np.log([1.5, 3.5, 5.5, 7.5]).mean()
    np.testing.assert_allclose(evaluation.in_parts(log_w, 4), level + quarters, rtol=1e-14)
    np.testing.assert_allclose(evaluation.in_parts(log_w, 16), log_w.mean(1), rtol=1e-14)


def test_the_nll_falls_with_the_samples_to_the_enumerated_one(case):
    """16 times the samples, 4 times, and all: mean over images and repetitions, as Jensen has it; with 1,600 samples
    what is left is less than the last drift."""
    repeated = np.repeat(case.images, 50, 0)
    drawn, exact = case.likelihood(1600, repeated), np.repeat(case.log_px(), 50)
    gaps = [(exact - found).mean() for found in (drawn.log_px_sixteenth, drawn.log_px_quarter, drawn.log_px)]
    error = evaluation.standard_error(exact - drawn.log_px)
    assert gaps[0] > gaps[1] > gaps[2] > -4 * error
    assert drawn.summary()["nll_drift"] == pytest.approx(gaps[1] - gaps[2])
    assert gaps[2] - 4 * error < gaps[1] - gaps[2]
    separate = case.likelihood(100, repeated)  # other noise, the same law
    difference = drawn.log_px_sixteenth - separate.log_px
    assert abs(difference.mean()) < 4.5 * evaluation.standard_error(difference)


def test_threads_make_no_difference(case):
    """The same bytes: an image's samples do not depend on who draws or sums them."""
    images, done = np.repeat(case.images, 10, 0), []
    one = case.likelihood(333, images, threads=1)
    two = case.likelihood(333, images, threads=2, progress=done.append)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
    assert sum(done) == len(images)
    other = case.likelihood(333, images, key=philox.key(12))
    assert not np.any(other.log_px == one.log_px)


@pytest.mark.parametrize("rows", [1, 100, 333, 1000])
def test_chunks_make_no_difference(case, monkeypatch, rows):
    """Up to rounding: BLAS may sum the rows of a smaller product in another order."""
    whole = case.likelihood(333)
    monkeypatch.setattr(evaluation, "CHUNK_ROWS", rows)
    parts = case.likelihood(333)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_an_image_has_its_own_noise(case):
    """The same image at two places draws different samples, and a part of the images the same as the whole set."""
    result = case.likelihood(50, np.repeat(case.images[:1], 3, 0))
    assert len(set(result.log_px)) == 3
    np.testing.assert_allclose(
        case.likelihood(50, np.repeat(case.images[:1], 2, 0)).log_px, result.log_px[:2], rtol=1e-6
    )


def test_summary_means_and_standard_errors():
    """By hand: values 1, 2, 6 have mean 3 and variance 7, so a standard error of sqrt(7/3)."""
    values = np.array([1.0, 2.0, 6.0])
    drawn = evaluation.Likelihood(values, values - 1, np.array([10.0, 4.0, 5.0]), values - [0, 1, 5], values - 4)
    summary = drawn.summary()
    assert summary["nll"] == -3
    assert summary["elbo"] == 2
    assert summary["nll_standard_error"] == pytest.approx(math.sqrt(7 / 3))
    assert summary["elbo_standard_error"] == pytest.approx(math.sqrt(7 / 3))
    assert (summary["ess_mean"], summary["ess_median"], summary["ess_minimum"]) == (pytest.approx(19 / 3), 5, 4)
    assert summary["images"] == 3
    assert (summary["nll_quarter"], summary["nll_sixteenth"], summary["nll_drift"]) == (-1, 1, 2)
    assert summary["nll_drift_standard_error"] == pytest.approx(math.sqrt(7 / 3))
    assert evaluation.standard_error(np.ones(1)) is None


def test_weights_that_are_thousands_of_nats_apart_are_those_of_the_largest():
    """In any order; of the others nothing is left."""
    for log_w in ([0.0, -2000, -3000, 0], [-3000.0, 0, 0, -2000]):
        found = evaluation.of_log_weights(np.array([log_w]))
        assert (found.effective_sample_size, found.log_px) == (2, pytest.approx(-math.log(2), rel=1e-14))


def test_a_single_sample_is_all_of_its_weights(case):
    found = case.likelihood(1)
    for name in ("elbo", "log_px_quarter", "log_px_sixteenth"):
        np.testing.assert_array_equal(getattr(found, name), found.log_px)
    np.testing.assert_array_equal(found.effective_sample_size, 1)


def test_samples_must_be_positive(case):
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        case.likelihood(0)


def test_a_likelihood_is_of_all_weights_of_quarters_and_of_sixteenths():
    log_w = np.random.default_rng(6).normal(-90, 3, (3, 64))
    found = evaluation.of_log_weights(log_w)
    for name, parts in (("log_px", 1), ("log_px_quarter", 4), ("log_px_sixteenth", 16)):
        log_means = logsumexp(log_w.reshape(3, parts, -1), axis=2) - math.log(64 / parts)
        np.testing.assert_allclose(getattr(found, name), log_means.mean(1), rtol=1e-13)
    np.testing.assert_allclose(found.elbo, log_w.mean(1), rtol=1e-13)
    w = np.exp(log_w + 90)
    np.testing.assert_allclose(found.effective_sample_size, w.sum(1) ** 2 / (w**2).sum(1), rtol=1e-10)
