"""What `evaluate` adds to log p(x): noise of its own for every image, the error over images, the mean image, parts.

That log p(x) itself is right is the claim `log_px`. Here the networks have hidden layers and moving averages, and the
log-weights are held against plain formulas of evaluation.

Oracle: those formulas in float64, the scatter that independent noise would have, and the definitions of what a summary
says. log Z is a number that is given; AIS has a claim of its own.
"""

import math

import numpy as np
from scipy import stats

from dvae_ref import tree
from dvae_ref.model import autoencoder
from dvae_ref.model.structures import Structure
from dvae_ref.runs import evaluation
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import Claim, Finding, at_most, close
from validation.claims import gradients

PIXELS, LATENTS = 12, 8
COPIES, SAMPLES = 400, 50
RARE = 1e-6


def check(quick, seed):
    """One image many times: each has noise of its own. Weights by plain formulas; the summary of made-up ones."""
    rng = oracles.generator(seed, "evaluation")
    params, statistics, x = model(rng)
    found = copies(seed, params, statistics, x[:1])
    findings = list(independent(found))
    findings += weights(rng, params, statistics, x)
    findings += summary(rng)
    return findings, found


def copies(seed, params, statistics, x):
    """(Likelihood of one image COPIES times, log-weights of it by plain formulas)."""
    many = np.repeat(x, COPIES, axis=0)
    found = evaluation.log_likelihood(philox.key(seed), params, statistics, many, log_z=0.0, samples=SAMPLES)
    u = oracles.generator(seed, "evaluation noise").random((20_000, LATENTS))
    return found, plain_log_weights(params, statistics, x, u)


def independent(found):
    """Means of log w over SAMPLES, one a copy, scatter as independent ones do: by std(log w) / sqrt(SAMPLES)."""
    likelihood, log_w = found
    ratio = float(likelihood.elbo.std(ddof=1) / (log_w.std() / math.sqrt(SAMPLES)))
    low, high = np.sqrt(stats.chi2.ppf([RARE, 1 - RARE], COPIES - 1) / (COPIES - 1))
    basis = f"chi-square: {low:.2f} to {high:.2f}"
    distance = max(ratio / high, low / max(ratio, 1e-9))
    yield Finding("scatter over copies of an image", ratio, 1.0, distance, 1.0, basis, float(high - 1))
    error = log_w.std() * math.sqrt(1 / len(log_w) + 1 / (COPIES * SAMPLES))
    score = float(abs(likelihood.elbo.mean() - log_w.mean()) / error)
    yield Finding("mean log w", float(likelihood.elbo.mean()), float(log_w.mean()), score, 5.0, "standard errors")


def weights(rng, params, statistics, x):
    """log w of given noise, parts of the samples, and the logits of p(x|z)."""
    u = np.float32(rng.uniform(0.001, 0.999, (len(x) * 64, LATENTS)))
    found = autoencoder.discrete_log_weights(params, statistics, x, u, log_z=1.25)
    wanted = plain_log_weights(params, statistics, x, np.float64(u)).reshape(len(x), -1) - 1.25
    yield at_most("log w less plain formulas", float(np.max(np.abs(found - wanted))), 1e-4, "nats, float32; 20 images")
    z = np.float32(rng.random((50, LATENTS)) < 0.5)
    logits = autoencoder.decode_discrete(params, statistics, z)
    error = float(np.max(np.abs(logits - plain_logits(params, statistics, np.float64(z)))))
    yield at_most("logits of p(x|z) less plain formulas", error, 1e-4, "float32; 50 states")
    parts = evaluation.of_log_weights(np.float64(found))
    sizes = np.exp(wanted).sum(1) ** 2 / np.exp(2 * wanted).sum(1)
    error = float(np.max(np.abs(parts.effective_sample_size / sizes - 1)))
    yield at_most("effective sample size less its definition", error, 1e-4, "relative")
    for name, count in (("log_px", 1), ("log_px_quarter", 4), ("log_px_sixteenth", 16)):
        groups = np.exp(wanted).reshape(len(x), count, -1)
        defined = np.log(groups.mean(2)).mean(1)
        error = float(np.max(np.abs(getattr(parts, name) - defined)))
        yield at_most(f"{name} less its definition", error, 1e-4, "nats")


def summary(rng):
    """The standard error over images, against the scatter of means over 4,000 draws of as many images."""
    values = rng.gamma(2.0, 15.0, 200) - 120
    likelihood = evaluation.Likelihood(values, values - 1, np.full(200, 9.0), values - 0.1, values - 0.3)
    told = likelihood.summary()
    drawn = values[rng.integers(0, 200, (4000, 200))].mean(1).std() * math.sqrt(200 / 199)
    basis = "relative: 5 / sqrt(2 x 4,000)"
    yield close("error over images, and that of draws", told["nll_standard_error"], float(drawn), 0.06, basis, True)
    yield close("NLL", told["nll"], -float(values.sum()) / 200, 1e-10, "rounding")
    yield close("drift of the NLL", told["nll_drift"], 0.1, 1e-10, "rounding")


def model(rng):
    """A float32 model with hidden layers, moving averages of their own, and a mean image that is uneven."""
    config = autoencoder.Config(Structure(2, LATENTS // 2, (10,)), gradients.method("dvaes_power", 3.0, 2))
    mean_x = rng.uniform(0.02, 0.9, PIXELS)
    params, statistics = autoencoder.init(rng, config, mean_x)
    params = gradients.perturbed(rng, params, np.float32)
    a = rng.normal(-0.3, 0.5, LATENTS)
    W = 0.4 * rng.standard_normal((LATENTS // 2, LATENTS // 2))
    rbm = RBM(np.float32(a), np.float32(W))
    statistics = gradients.moved(rng, statistics)
    x = np.float32(rng.random((20, PIXELS)) < mean_x)
    return params._replace(rbm=rbm), statistics, x


def plain_log_weights(params, statistics, x, u):
    """-E(z) - log q(z|x) + log p(x|z) with z = [u < q], group by group: (len(u),)."""
    params, statistics, x = tree.map(np.float64, params), tree.map(np.float64, statistics), np.float64(x)
    rows = np.repeat(x, len(u) // len(x), axis=0)
    z, log_q, width = np.empty((len(u), 0)), 0.0, LATENTS // len(params.encoder)
    of_groups = np.split(u, len(params.encoder), axis=1)
    for net, moving, own_u in zip(params.encoder, statistics.encoder, of_groups, strict=True):
        logit = plain_network(net, moving, np.concatenate([rows - statistics.mean_x, z], 1))[:, :width]
        q = oracles.sigmoid(logit)
        up = own_u < q
        log_q = log_q + np.log(np.where(up, q, 1 - q)).sum(1)
        z = np.concatenate([z, up], 1)
    p = oracles.sigmoid(plain_logits(params, statistics, z))
    log_px = (rows * np.log(p) + (1 - rows) * np.log(1 - p)).sum(1)
    return oracles.minus_energy(params.rbm, z) - log_q + log_px


def plain_logits(params, statistics, z):
    """What the decoder makes of z, and the clipped mean image's logit."""
    mean = np.clip(np.float64(statistics.mean_x), 0.001, 0.999)
    return plain_network(params.decoder, statistics.decoder, z) + np.log(mean / (1 - mean))


def plain_network(net, moving, x):
    for layer, (mean, variance) in zip(net.hidden, moving, strict=True):
        y = x @ np.float64(layer.dense.kernel) + layer.dense.bias
        x = np.tanh(layer.norm.scale * (y - mean) / np.sqrt(variance + np.float64(0.01)) + layer.norm.offset)
    return x @ np.float64(net.out.kernel) + net.out.bias


def picture(found, figure):
    """Means of log w of one image over and over: independent ones follow the normal law."""
    likelihood, log_w = found
    axes, spread = figure.subplots(), log_w.std() / math.sqrt(SAMPLES)
    scores = (likelihood.elbo - log_w.mean()) / spread
    axes.hist(scores, bins=np.arange(-4, 4.1, 0.4), density=True, color="#2b5c8a", alpha=0.8)
    grid = np.linspace(-4, 4, 200)
    axes.plot(grid, stats.norm.pdf(grid), color="#c9822b", label="normal law")
    axes.set(xlabel="mean of log w - its expectation, in standard errors", title=f"one image, {COPIES} times")
    axes.legend(frameon=False)


CLAIM = Claim(
    name="evaluation",
    statement="Evaluation draws noise for every image, weighs by the discrete model, and tells the error over images.",
    equations=(r"\log w=-E(z)-\log Z-\log q(z|x)+\log p(x|z),\qquad\mathrm{s.e.}=\mathrm{std}_x[\log p(x)]/\sqrt{n}",),
    check=check,
    picture=picture,
    seconds=(1, 1),
)
