"""The gradient that trains: float32, compiled, hidden layers, batch norm in shares, K samples; against autograd.

At fixed noise the bound is an ordinary function of the parameters, the mean field being converged; its derivative by
plain float64 formulas (validation.plain) is what every leaf of the gradient is held against. That the mean over noise
is right is the claim `gradients`.

Oracle: autograd's derivative, in which zeta moves by its CDF and Eq. 9 is not used; the sample itself is taken from the
library. DVAE, whose gradient is not that of its value, and DVAE++ are not in it. Biases in front of a batch norm are
left out, whose gradient is 0.
"""

import numpy as np

from dvae_ref import tree
from dvae_ref.model import autoencoder
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import Structure
from dvae_ref.theory import gaussian_integral
from dvae_ref.theory.boltzmann import RBM
from validation import expectation, oracles, plain
from validation.claim import Claim, at_most
from validation.claims import gradients

BASELINES = ("dvaes_power", "dvaes_exp", "dvaes_gauss", "dvaes_gi")
CELLS = tuple((baseline, groups, k) for baseline in BASELINES for groups, k in ((1, 1), (2, 5)))
PIXELS, LATENTS, HIDDEN = 12, 8, (10,)
ROWS = 500  # samples of zeta, which make a team of two
KAPPA = 0.7
RELATIVE = 3e-5  # of a leaf's norm: 250 eps of float32; 1.5e-6 where measured, more where 500 rows nearly cancel
VALUE = 3e-5  # nats, of bounds of some ten


def check(quick, seed, cells=CELLS):
    """Every cell of baseline, groups and K by `compare`: the gradient leaf by leaf, the bounds, the moving averages."""
    findings, errors = [], {}
    for baseline, groups, k in cells:
        found, errors[baseline, groups, k] = compare(baseline, groups, k, seed)
        findings += found
    return findings, errors


def compare(baseline, groups, k, seed):
    """Findings of a cell: the worst leaf of the gradient, the bounds, and the moving averages."""
    rng = oracles.generator(seed, f"training {baseline} {groups} {k}")
    config, params, statistics, x, noise = model(rng, baseline, groups, k)
    weights = rng.uniform(0.5, 1.5, len(x)).astype(np.float32) / len(x)
    double = tree.map(np.float64, params)
    negative = oracles.moments(double.rbm)
    bound, gradient, moved = autoencoder.objective_and_gradient(
        params, statistics, x, noise, weights, negative, config=config, kappa=KAPPA
    )
    setting = plain.setting(baseline, expectation.rule(baseline).beta, k, KAPPA, statistics.mean_x)
    zeta, one_less = drawn(params, statistics, x, noise, config)
    point = plain.Point(np.float64(x), zeta, one_less, None)
    if setting.integral:
        point = point._replace(lam=gaussian_integral.precision(double.rbm, setting.beta))
    value, averages, expected = plain.bound_and_gradient(double, point, np.float64(weights), setting)
    errors = dict(leaf_errors(gradient, expected))
    worst = max(errors, key=errors.get)
    label = gradients.label(baseline, groups, k)
    value_error = np.max(np.abs(bound - KAPPA * oracles.log_z(double.rbm) - value))
    basis = f"of its norm; the worst of {len(errors)}"
    finding = at_most(f"gradient: {label}, {worst}", errors[worst], RELATIVE, basis)
    return [
        finding._replace(would_have_caught=2 * RELATIVE),
        at_most(f"bounds: {label}", float(value_error), VALUE, f"nats; the worst of {len(x)} images"),
        at_most(f"moving averages: {label}", average_error(statistics, moved, averages), 1e-5, "float32 rounding"),
    ], errors


def leaf_errors(gradient, expected):
    """(path, relative error in the Euclidean norm) of every leaf of a gradient but those that batch norm makes 0."""
    for (name, found), wanted in zip(tree.items(gradient), tree.leaves(expected), strict=True):
        if name.endswith("dense.bias") and ".hidden." in name:
            continue  # batch norm takes it off: its gradient is 0, and found of rounding alone
        yield name, oracles.relative_norm(found, wanted)


def average_error(before, after, averages):
    """The moving averages against 0.8 of the old and 0.2 of the batch's."""
    errors = []
    for old, new, batch in zip(hidden_layers(before), hidden_layers(after), averages, strict=True):
        for was, now, of_batch in zip(old, new, batch, strict=True):
            errors.append(np.max(np.abs(now - (0.8 * was + 0.2 * of_batch))))
    return float(max(errors))


def hidden_layers(statistics):
    """The Averages of every hidden layer, in the order in which a batch comes through."""
    return [layer for network in (*statistics.encoder, statistics.decoder) for layer in network]


def drawn(params, statistics, x, noise, config):
    """zeta and 1 - zeta of the float32 sample, which the oracle takes as given: by its t where t is a logit."""
    _, cache = autoencoder.objective(params, statistics, x, noise, config=config, kappa=KAPPA)
    sample = cache.encoder.sample
    zeta, t = np.float64(sample.zeta), np.float64(sample.t)
    if np.max(np.abs(oracles.sigmoid(t) - zeta)) < 1e-6:
        return oracles.sigmoid(t), oracles.sigmoid(-t)
    return zeta, 1 - zeta


def model(rng, baseline, groups, k):
    """A float32 model with hidden layers, its moving averages not at their start, couplings that the mean field can
    take, and a batch whose samples make two shares."""
    structure = Structure(groups, LATENTS // groups, HIDDEN)
    method = gradients.method(baseline, expectation.rule(baseline).beta, groups)
    config, images = autoencoder.Config(structure, method, k), ROWS // k
    mean_x = rng.uniform(0.2, 0.7, PIXELS)
    params, statistics = autoencoder.init(rng, config, mean_x)
    params = gradients.perturbed(rng, params, np.float32)
    W = np.float32(gradients.couplings(rng, LATENTS // 2, 0.5))
    rbm = RBM(np.float32(rng.normal(-0.4, 0.6, LATENTS)), W)
    extra = tree.map(lambda s: np.float32(rng.uniform(1.4, 2.0, s.shape)), params.posterior)
    params = params._replace(rbm=rbm, posterior=extra)
    statistics = gradients.moved(rng, statistics)
    x = np.float32(rng.random((images, PIXELS)) < mean_x)
    u, rho = np.float32(rng.uniform(0.002, 0.998, (2, images * k, LATENTS)))
    return config, params, statistics, x, Noise(u, rho)


def picture(errors, figure):
    """The relative error of every leaf of the gradient, cell by cell."""
    axes = figure.subplots()
    for i, found in enumerate(errors.values()):
        axes.plot(np.full(len(found), i), list(found.values()), ".", color="#2b5c8a", ms=4)
    axes.axhline(RELATIVE, color="#b3261e", lw=0.8, ls="--", label="allowed")
    axes.set(yscale="log", ylabel="|float32 - autograd| / |autograd|", title="a point a leaf of the gradient")
    axes.set_xticks(range(len(errors)), [f"{b}\n{g} groups, K = {k}" for b, g, k in errors], fontsize=6)
    axes.legend(frameon=False)


CLAIM = Claim(
    name="training",
    statement="The gradient that trains (float32, compiled, batch norm in shares, K samples) is that of the bound.",
    equations=(
        r"\nabla\ \log\dfrac{1}{K}\sum_k\left(\dfrac{p(\zeta^k)}{q(\zeta^k|x)}\right)^{\kappa}p(x|\zeta^k),\qquad"
        r"\zeta^k=F^{-1}(\rho^k)\ \mathrm{of\ a\ network\ with\ batch\ norm}",
    ),
    check=check,
    picture=picture,
    seconds=(4, 4),
)
