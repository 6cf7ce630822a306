"""What more samples do to the gradients: the encoder's drowns in noise as 1/sqrt(K), the prior's gains as sqrt(K).

Rainforth et al. (2018) for importance-weighted bounds; where the bound is a mean over K samples (DVAE, DVAE++), both
gain as sqrt(K). The gradients are those of the claim `gradients`, whose means are exact: what is measured here is their
size over their scatter, |E[g]| / sqrt(tr Var(g)), with the scatter's own share taken off |mean|^2.

Oracle: the exponent of K alone. A factor on the scatter, whatever its cause, is not seen.
"""

import numpy as np

from dvae_ref import tree
from dvae_ref.model import autoencoder
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.posteriors import Noise
from validation import oracles
from validation.claim import Claim, at_most, close
from validation.claims import gradients

SAMPLES = (1, 4, 8, 16, 32, 64, 128)
FITTED = {"encoder": (4, 32), "prior": (32, 128)}  # least and largest K of a slope: the laws are for large K, and
# beyond 32 samples little of the encoder's mean is left above its scatter
QUICK = ("dvaes_exp", "dvaepp_exp")
BATCHES, DRAWS = 50, {True: 400_000, False: 2_000_000}  # of zeta, over all rows of a batch
SLOPE = 0.1  # by which a fitted slope may be off: the next order in 1/K, and 10% of the ratio at the largest K


def check(quick, seed, baselines=None):
    """Ratios at each K of SAMPLES, and by `judge` the slopes of their logarithms in log K."""
    found = {}
    for baseline in baselines or (QUICK if quick else BASELINES):
        found[baseline] = np.array([ratio(baseline, k, quick, seed) for k in SAMPLES])
    findings = []
    for baseline, ratios in found.items():
        findings += judge(baseline, ratios)
    return findings, found


def ratio(baseline, k, quick, seed):
    """Signal over noise of one estimate with K samples: of the encoder, of the prior."""
    rng = oracles.generator(seed, f"signal {baseline}")
    groups = 2  # in one the KL of DVAE++ has no noise
    config, params, statistics, x = gradients.small_model(rng, baseline, groups, 2)
    config = autoencoder.Config(config.structure, config.method, k)
    rows = max(8, DRAWS[quick] // BATCHES // k)
    batches = np.array(list(sample(rng, config, params, statistics, x[:1], rows)))
    mean, variance = batches.mean(0), rows * batches.var(0, ddof=1)
    means, variances = gradients.by_part(params, mean), gradients.by_part(params, variance)
    return [signal(means[part], variances[part], BATCHES * rows) for part in ("encoder", "rbm")]


def signal(mean, variance, count):
    square = np.sum(mean**2) - np.sum(variance) / count
    return np.sqrt(max(square, 0) / np.sum(variance))


def sample(rng, config, params, statistics, x, rows):
    """Mean gradients of batches of one image, in the order of tree.leaves; rows are independent."""
    negative, images = oracles.moments(params.rbm), np.repeat(x, rows, axis=0)
    d_bound = np.full(rows, 1 / rows)
    for _ in range(BATCHES):
        u, rho = rng.random((2, rows * config.k, params.rbm.a.size))
        _, cache = autoencoder.objective(params, statistics, images, Noise(u, rho), config=config, kappa=1.0)
        gradient = autoencoder.objective_backward(d_bound, cache, negative, config=config)
        yield gradients.ravelled(tree.leaves(gradient))


def judge(baseline, ratios):
    """Slopes of log ratio over log K."""
    of_encoder = -0.5 if baseline in gradients.WEIGHTED else 0.5
    for part, column, law in (("encoder", 0, of_encoder), ("prior", 1, 0.5)):
        least, largest = FITTED[part]
        late = [i for i, k in enumerate(SAMPLES) if least <= k <= largest]
        values = ratios[late, column]
        basis = f"sqrt(K)^{2 * law:+.0f}, from K = {least} to {largest}"
        if np.min(values) <= 0:
            yield at_most(f"{part}'s gradient drowns: {baseline}", np.inf, 0.0, basis)
            continue
        slope = float(np.polyfit(np.log([SAMPLES[i] for i in late]), np.log(values), 1)[0])
        yield close(f"slope of the {part}'s signal to noise: {baseline}", slope, law, SLOPE, basis)


def picture(found, figure):
    """Signal over noise over K, log-log: slopes of -1/2 and 1/2."""
    for axes, part, column in zip(figure.subplots(1, 2), ("encoder", "prior"), (0, 1), strict=True):
        for baseline, ratios in found.items():
            axes.plot(SAMPLES, ratios[:, column], "o-", ms=3, lw=1, label=baseline)
        axes.set(xscale="log", yscale="log", xlabel="K", title=f"signal to noise of the {part}'s gradient")
    figure.axes[0].legend(frameon=False, fontsize=7)


CLAIM = Claim(
    name="signal_to_noise",
    statement="Importance weighting costs the encoder's gradient sqrt(K) of signal to noise, the prior's gains it.",
    equations=(
        r"\dfrac{|\mathbb{E}[\nabla_\phi]|}{\mathrm{std}[\nabla_\phi]}\propto\dfrac{1}{\sqrt{K}},\qquad"
        r"\dfrac{|\mathbb{E}[\nabla_\theta]|}{\mathrm{std}[\nabla_\theta]}\propto\sqrt{K}",
    ),
    check=check,
    picture=picture,
    seconds=(6, 60),
)
