"""The whole: a small model is trained, and its 4,000-sample likelihood is held against the sum over every z.

Oracle: log p(x) of each image as the sum over all 4,096 z (dvae_ref.exact), with log Z by enumeration. The parameters,
and the networks that make p(x|z) and q(z|x) of them, are the library's on both sides: a model that was trained by a
wrong gradient is evaluated rightly, and passes if it has learnt at all. What 4,000 samples leave out at D = 400 is not
seen at D = 12.
"""

import math

import numpy as np

from dvae_ref import exact
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.runs import datasets, evaluation, optimizer
from dvae_ref.sampling import ais, pcd, philox
from dvae_ref.theory.smoothing import Power
from validation import oracles
from validation.claim import STANDARD_ERRORS, Claim, Finding, at_most, score, standard_error

STRUCTURE = Structure(2, 6, (24,))  # D = 12
SAMPLES, BATCH, K = 4000, 50, 5
COARSE = 4  # pixels of 28 / 4: images of 7 x 7


def check(quick, seed):
    """Train, then evaluate: with log Z by enumeration and by AIS, and the lower bound; and that training has helped."""
    images = coarse_digits()
    training, test = images[200:], images[: 40 if quick else 200]
    params, statistics, history = train(training, 300 if quick else 2000, seed)
    true, log_z = exact.log_px(params, statistics, test), exact.log_z(params.rbm)
    estimate = evaluation.log_likelihood(philox.key(seed), params, statistics, test, log_z=log_z, samples=SAMPLES)
    findings = list(judge(estimate, true))
    findings += with_ais(params, statistics, test, seed, estimate, log_z)
    findings += elbo(params, statistics, test, estimate)
    findings.append(learned(true, training, test))
    return findings, (true, estimate, history)


def coarse_digits():
    """The bundled digits at 7 x 7, black and white."""
    side = 28 // COARSE
    squares = datasets.load("mnist5k").train.reshape(-1, side, COARSE, side, COARSE)
    grey = squares.mean((2, 4), dtype=np.float32)
    if grey.max() > 1:
        grey /= 255
    return (grey.reshape(len(grey), -1) > 0.25).astype(np.float32)


def train(images, iterations, seed):
    """(params, statistics, bound a step) by the project's own objective, sampler and optimizer; K = 5, DVAE# power."""
    config, key = autoencoder.Config(STRUCTURE, methods.relaxed(Power(15.0)), K), philox.key(seed)
    rng = oracles.generator(seed, "log_px")
    params, statistics = autoencoder.init(rng, config, images.mean(0))
    adam, sampler, history = optimizer.init(params), pcd.init(key, params.rbm, 200), []
    d_loss = np.full(BATCH, -1 / BATCH, np.float32)
    for i in range(iterations):
        x = images[np.arange(i * BATCH, (i + 1) * BATCH) % len(images)]
        u, rho = rng.random((2, BATCH * K, STRUCTURE.latents), np.float32)
        kappa = optimizer.warm_up(i, iterations)
        bound, cache = autoencoder.objective(params, statistics, x, Noise(u, rho), config=config, kappa=kappa)
        sampler, info = pcd.step(key, sampler, params.rbm, 10)
        gradient = autoencoder.objective_backward(d_loss, cache, info.moments, config=config)
        params, adam = optimizer.update(params, gradient, adam, iteration=i + 1, learning_rate=5e-3)
        statistics = autoencoder.update_statistics(statistics, cache)
        history.append(float(bound.mean()))
    return params, statistics, history


def weight_error(estimate):
    """Standard error of log mean w of each image, from its effective sample size."""
    return np.sqrt(np.maximum(SAMPLES / estimate.effective_sample_size - 1, 0) / SAMPLES)


def judge(estimate, true):
    """Every image, and the mean. log mean w is too low by half its variance: added back."""
    error = weight_error(estimate)
    scores = (estimate.log_px + error**2 / 2 - true) / (error + 1e-6)
    worst = np.argmax(np.abs(scores))
    basis = f"standard errors; the worst of {len(true)} images"
    found, wanted, caught = estimate.log_px[worst], true[worst], 6 * error[worst] / abs(true[worst])
    yield Finding("log p(x)", found, wanted, abs(scores[worst]), STANDARD_ERRORS, basis, float(caught))
    together = np.sqrt(np.sum(error**2)) / len(error)
    yield score("mean log p(x)", float(np.mean(estimate.log_px + error**2 / 2)), float(true.mean()), together, 1e-5)
    spread, most = float(np.mean(scores**2)), 1 + 5 * math.sqrt(2 / len(true))
    yield at_most("mean square of the scores", spread, most, "chi-square: honest error bars")


def with_ais(params, statistics, test, seed, estimate, log_z):
    """The same with log Z by AIS: every image moves by the same error of log Z."""
    found = ais.log_z(philox.fold_in(philox.key(seed), 7), params.rbm, 1000, 1000)
    yield score("log Z of the trained RBM by AIS", found.log_z, log_z, found.standard_error)
    few = test[:3]
    again = evaluation.log_likelihood(philox.key(seed), params, statistics, few, log_z=found.log_z, samples=SAMPLES)
    shift = np.max(np.abs(again.log_px - estimate.log_px[:3] + found.log_z - log_z))
    yield at_most("log p(x) moves as log Z does", float(shift), 1e-5, "rounding")


def elbo(params, statistics, test, estimate):
    """The mean of log w over samples is the discrete variational bound, itself summed over every z."""
    true = exact.elbo(params, statistics, test)
    above = np.max(true - exact.log_px(params, statistics, test))
    yield at_most("discrete bound above log p(x)", float(above), 1e-9, "KL(q || p(z|x)) is not negative")
    error = standard_error(estimate.elbo - true)
    yield score("discrete bound, mean over images", float(estimate.elbo.mean()), float(true.mean()), error, 1e-5)


def learned(true, training, test):
    """Training has made something of the model: a check that it is not a trivial one."""
    p = training.mean(0).clip(0.01, 0.99)
    independent = float(np.mean(test @ np.log(p) + (1 - test) @ np.log(1 - p)))
    ratio = float(true.mean()) / independent
    return at_most("NLL over that of independent pixels", ratio, 0.97, "a model worth testing")


def picture(data, figure):
    """The bound while it trains; what the estimate is off by, image by image, with five standard errors."""
    true, estimate, history = data
    left, right = figure.subplots(1, 2)
    left.plot(np.convolve(history, np.ones(20) / 20, "valid"), color="#2b5c8a", lw=1)
    left.set(xlabel="iteration", ylabel=r"bound $+\,\kappa\log Z$, nats", title="training on 7 x 7 digits")
    right.errorbar(true, estimate.log_px - true, 5 * weight_error(estimate), fmt=".", ms=3, lw=0.5, color="#2b5c8a")
    right.axhline(0, color="0.4", lw=0.8)
    right.set(
        xlabel=r"exact $\log p(x)$, nats",
        ylabel="estimate - exact",
        title="one point an image; bars: 5 standard errors",
    )


CLAIM = Claim(
    name="log_px",
    statement="The 4,000-sample estimate of log p(x) of a trained model is the sum over every z, image by image.",
    equations=(
        r"\log p(x)=\log\sum_z\dfrac{e^{-E(z)}}{Z}\,p(x|z)\ \approx\ \log\dfrac{1}{K}\sum_k"
        r"\dfrac{e^{-E(z_k)}\,p(x|z_k)}{\hat Z\,q(z_k|x)},\qquad z_k\sim q(z|x)",
    ),
    check=check,
    picture=picture,
    seconds=(5, 20),
)
