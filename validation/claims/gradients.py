"""The gradient estimator of every method, averaged over noise, against the exact gradient of the exact expectation.

For DVAE (spike and exponential) with several groups the estimate is not the gradient of the value that was sampled, for
DVAE# it leaves out the motion of m, and every zeta moves with q by Eq. 9: only the mean tells whether they are right.

Oracle: quadrature in every zeta with nodes that do not move, differentiated by autograd: no sample, no
reparameterisation, no Eq. 9. Two to four units, linear networks, a mean field that has converged: hidden layers and
batch norm are for `training`, and what it costs to hold m fixed where it has not converged is not in it. An estimate
with a larger variance than it need have passes.
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.stats import qmc

from dvae_ref import tree
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.runs.presets import BASELINES
from dvae_ref.theory.boltzmann import RBM
from validation import expectation, oracles
from validation.claim import OUT_OF_LUCK, STANDARD_ERRORS, Claim, Finding, at_most, mean_score

WEIGHTED = [name for name, baseline in BASELINES.items() if baseline.family == "DVAE#"]  # take K > 1
CELLS = list(itertools.product(BASELINES, (1, 2, 4), (1,))) + list(itertools.product(WEIGHTED, (1, 2), (2,)))
KAPPA = 0.7
ROUNDING = 1e-10  # least standard error: in one group the KL of DVAE and DVAE++ is exact, without noise
PIXELS, IMAGES = 3, 2
BATCHES, ROWS = 100, {True: 1024, False: 8192}  # rows of a batch, quick and full: a power of two for each image
SHARP = {True: 0.1, False: 0.05}  # the relative error that every cell must be able to see


class Outcome(NamedTuple):
    """A cell: the mean gradient's z-scores, and the variance of one sample's gradient by part of the model."""

    scores: np.ndarray
    variance: dict


def check(quick, seed, cells=None):
    """Every cell by `compare`; and that each would have seen a relative error of SHARP in any part of its gradient."""
    findings, outcomes = [], {}
    for baseline, groups, k in cells or CELLS:
        found, outcomes[baseline, groups, k] = compare(baseline, groups, k, quick, seed)
        findings += found
    least = max(f.would_have_caught for f in findings if f.quantity.startswith("gradient"))
    findings.append(at_most("least sharp gradient", least, SHARP[quick], "the relative error it would have caught"))
    return findings, outcomes


def compare(baseline, groups, k, quick, seed):
    """Findings of one cell."""
    rng = oracles.generator(seed, f"gradients {baseline} {groups} {k}")
    config, params, statistics, x = small_model(rng, baseline, groups, k)
    batches = np.array(list(sample(rng, config, params, statistics, x, ROWS[quick])))
    value, gradient = batches[:, 0], batches[:, 1:]
    (exact_value, exact), roughness = exact_gradient(params, x, baseline, k, statistics.mean_x)
    mean = gradient.mean(0)
    error = np.maximum(gradient.std(0, ddof=1) / np.sqrt(len(gradient)), ROUNDING)
    scores = np.maximum(np.abs(mean - exact) - roughness, 0) / error
    worst = np.argmax(scores)
    basis = f"standard errors; the worst of {exact.size}"
    caught = sharpness(exact, error, params)
    name = label(baseline, groups, k)
    findings = [
        Finding(f"gradient: {name}", mean[worst], exact[worst], scores[worst], STANDARD_ERRORS, basis, caught),
        mean_score(f"value: {name}", value - KAPPA * oracles.log_z(params.rbm), exact_value, 1e-5),
    ]
    sizes = by_part(params, ROWS[quick] * gradient.var(0, ddof=1))
    return findings, Outcome(scores, {part: float(v.sum()) for part, v in sizes.items()})


def label(baseline, groups, k):
    """A cell in words."""
    return f"{baseline}, {groups} group{'s' * (groups > 1)}, K = {k}"


def sharpness(exact, error, params):
    """The relative error of a part's gradient, as a whole, that this sample would have shown in any part."""
    in_errors = by_part(params, np.abs(exact) / error)
    least = min(np.max(scores) for scores in in_errors.values() if scores.size)
    return (STANDARD_ERRORS + OUT_OF_LUCK) / least


def by_part(params, flat):
    """Split a flat vector of parameters into those of encoder, decoder, RBM and posterior."""
    *ends, _ = np.cumsum([numbers_in(part) for part in params])
    return dict(zip(params._fields, np.split(flat, ends), strict=True))


def numbers_in(part):
    """How many there are in the arrays of a tree."""
    return sum(leaf.size for leaf in tree.leaves(part))


def small_model(rng, baseline, groups, k):
    """D = 4 for K = 1, D = 2 for K = 2; linear networks, whose rows do not see each other (batch norm's do).

    Where there is a mean field, couplings are weak enough for its 30 sweeps to converge: Eq. 5 is then the derivative
    of the bound.
    """
    d = 4 if k == 1 else 2
    made = method(baseline, expectation.rule(baseline).beta, groups)
    config = autoencoder.Config(Structure(groups, d // groups), made, k)
    mean_x = rng.uniform(0.2, 0.7, PIXELS)
    params, statistics = autoencoder.init(rng, config, mean_x, np.float64)
    params = perturbed(rng, params)
    params = params._replace(encoder=tuple(dependent(network) for network in params.encoder))
    W = couplings(rng, d // 2, 1.0 if baseline in WEIGHTED else 2.5)
    rbm = RBM(rng.normal(-0.4, 0.6, d), W)
    extra = tree.map(lambda s: rng.uniform(1.4, 2.0, s.shape), params.posterior)
    return config, params._replace(rbm=rbm, posterior=extra), statistics, np.eye(PIXELS)[:IMAGES]


def perturbed(rng, params, dtype=np.float64):
    """The parameters of fresh networks with noise, so that no bias is 0 and no scale 1."""
    return tree.map(lambda leaf: dtype(leaf + 0.3 * rng.standard_normal(leaf.shape)), params)


def couplings(rng, n, size):
    """W (n, n): a third of them negative, none near 0."""
    return size * rng.uniform(0.4, 1.2, (n, n)) * rng.choice([1, 1, -1], (n, n))


def dependent(network):
    """The network of a group with larger weights for the zeta of earlier groups: a posterior with correlations."""
    kernel = network.out.kernel.copy()
    kernel[PIXELS:] *= 2.5
    return network._replace(out=network.out._replace(kernel=kernel))


def moved(rng, statistics):
    """The statistics with moving averages of their own, as of a network in use, float32."""

    def later(average):
        return np.float32(average + rng.uniform(0, 0.5, average.shape))

    return statistics._replace(encoder=tree.map(later, statistics.encoder), decoder=tree.map(later, statistics.decoder))


def method(baseline, beta, groups):
    """A baseline's Method with a mean field that has converged, as Eq. 5 supposes."""
    return methods.method(baseline, beta, groups, mean_field_sweeps=expectation.SWEEPS)


def exact_gradient(params, x, baseline, k, mean_x):
    """((value, gradient), the gradient's error): by two quadratures, the coarser with two nodes less a unit."""
    rule = expectation.rule(baseline)
    nodes = rule.nodes + (6 if k == 2 else 0)
    fine = expectation.Setting(baseline, rule.beta, k, KAPPA, mean_x, nodes)
    value, gradient = expectation.bound(params, x, fine)
    _, rougher = expectation.bound(params, x, fine._replace(nodes=nodes - 2))
    flat = ravelled(gradient)
    return (float(value), flat), np.abs(flat - ravelled(rougher))


def ravelled(leaves):
    """Arrays as one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in leaves])


def sample(rng, config, params, statistics, x, rows):
    """Per batch: the mean over its rows of the bound, then of the gradient estimate, in the order of tree.leaves."""
    negative = oracles.moments(params.rbm)
    images = np.repeat(x, rows // len(x), axis=0)
    d_bound = np.full(len(images), 1 / len(images))
    for _ in range(BATCHES):
        u, rho = even(rng, len(x), rows // len(x), config.k, params.rbm.a.size)
        noise = Noise(u, rho)
        bound, cache = autoencoder.objective(params, statistics, images, noise, config=config, kappa=KAPPA)
        gradient = autoencoder.objective_backward(d_bound, cache, negative, config=config)
        yield ravelled([bound.mean(), *tree.leaves(gradient)])


def even(rng, images, rows, k, latents):
    """Uniform numbers (2, images rows K, latents): for each image scrambled Sobol points in all of a row's dimensions.

    Each point is uniform, so a batch is as unbiased as independent rows make it, with a smaller variance; batches are
    independent, and their scatter is the error.
    """
    points = [qmc.Sobol(2 * k * latents, rng=rng, bits=30).random(rows) for _ in range(images)]
    inside = np.clip(np.concatenate(points), 2.0**-31, 1 - 2.0**-31)
    return inside.reshape(images * rows * k, 2, latents).swapaxes(0, 1)


COLORS = {1: "#9db8d2", 2: "#2b5c8a", 4: "#14304d"}  # by groups of latents


def draw_variance(axes, outcomes, names, groups, offset):
    """Bars of the cells with K = 1 and so many groups, beside the places of their names."""
    places, heights = [], []
    for place, name in enumerate(names):
        if (name, groups, 1) in outcomes:
            places.append(place + offset)
            heights.append(outcomes[name, groups, 1].variance["encoder"])
    axes.bar(places, heights, 0.25, label=f"{groups} group{'s' * (groups > 1)}", color=COLORS[groups])


def picture(outcomes, figure):
    """On the left all components' scores beside the normal law, which they would follow if the estimates were exact in
    the mean; on the right what a single sample's gradient varies."""
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    scores = np.concatenate([o.scores for o in outcomes.values()])
    left.hist(scores, bins=np.arange(0, 6.1, 0.25), density=True, color="#2b5c8a")
    grid = np.linspace(0, 6, 200)
    left.plot(grid, np.sqrt(2 / np.pi) * np.exp(-(grid**2) / 2), color="#c9822b", lw=1.2, label="normal law")
    left.axvline(STANDARD_ERRORS, color="#b3261e", lw=0.8, ls="--")
    left.set(xlabel="|error| in standard errors", title=f"{scores.size} components of {len(outcomes)} gradients")
    left.legend(frameon=False)
    measured = {baseline for baseline, _, _ in outcomes}
    names = [name for name in BASELINES if name in measured]
    for offset, groups in ((-0.27, 1), (0.0, 2), (0.27, 4)):
        draw_variance(right, outcomes, names, groups, offset)
    right.set(yscale="log", title="variance of one sample's encoder gradient, K = 1", xticks=range(len(names)))
    right.set_xticklabels([n.replace("_", "\n", 1) for n in names], fontsize=7)
    right.legend(frameon=False, fontsize=7)


CLAIM = Claim(
    name="gradients",
    statement="Every method's gradient estimate is unbiased: its mean is the gradient of the expected bound.",
    equations=(
        r"\mathbb{E}_{\rho}\left[\hat g(\rho)\right]=\nabla\ \mathbb{E}_{q(\zeta^{1..K}|x)}\left["
        r"\log\dfrac{1}{K}\sum_k\left(\dfrac{p(\zeta^k)}{q(\zeta^k|x)}\right)^{\kappa}p(x|\zeta^k)\right]",
        r"\mathbb{E}_{q(\zeta|x)}\,[f]=\sum_{\mathrm{nodes}\ n}q(\zeta_n|x)\,\Delta\zeta_n\,f(\zeta_n):\quad"
        r"\mathrm{nothing\ is\ reparameterised\ in\ the\ oracle}",
    ),
    check=check,
    picture=picture,
    seconds=(25, 90),
)
