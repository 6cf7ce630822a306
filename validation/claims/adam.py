"""Adam, weight decay and schedules, against their definitions as sums: what turns a gradient into an update.

Oracle: m and v as weighted sums of all gradients there have been, where the library has recursions; schedules as lists
of numbers. The gradients are made up: that those of a model are right is for `gradients` and `training`.
"""

import numpy as np

from dvae_ref import tree
from dvae_ref.model import autoencoder, layers
from dvae_ref.model.structures import Structure
from dvae_ref.runs import optimizer
from validation import oracles
from validation.claim import Claim, at_most
from validation.claims import gradients

STEPS = 40
RATE, BETA1, BETA2, EPSILON, DECAY = 3e-3, 0.9, 0.999, 1e-3, 1e-2
BOUND = {np.float64: 1e-11, np.float32: 3e-5}  # of the distance walked: float32 rounds 40 steps of p to 1e-7 each


def check(quick, seed):
    """Forty updates in either precision, the schedules of a run of 1,000 iterations, moving averages."""
    findings, walks = [], {}
    for dtype in (np.float64, np.float32):
        rng = oracles.generator(seed, "adam")
        walks[dtype.__name__], error = walk(rng, dtype)
        quantity = f"parameters after {STEPS} updates, {dtype.__name__}"
        findings.append(at_most(quantity, error, BOUND[dtype], "of the distance walked; the worst leaf"))
    findings += schedules()
    findings.append(averages(oracles.generator(seed, "averages")))
    return findings, walks


def walk(rng, dtype):
    """(distance of the worst leaf by step, its error): `update` beside the definition, given the same gradients."""
    config = autoencoder.Config(Structure(2, 3, (5,)), gradients.method("dvaes_power", 3.0, 2))
    params, _ = autoencoder.init(rng, config, np.full(4, 0.5), dtype)
    params = gradients.perturbed(rng, params, dtype)
    state, gradients_given, path = optimizer.init(params), [], [params]
    options = {"beta1": BETA1, "beta2": BETA2, "epsilon": EPSILON, "decay": DECAY}
    for t in range(STEPS):
        gradient = tree.map(lambda leaf: dtype(0.01 * (1 + rng.standard_normal(leaf.shape))), params)
        params, state = optimizer.update(params, gradient, state, iteration=t + 1, learning_rate=RATE, **options)
        gradients_given.append(gradient)
        path.append(params)
    errors = {}
    for (name, _), along, given in zip(tree.items(params), by_leaf(path), by_leaf(gradients_given), strict=True):
        defined = by_definition(name, along, given)
        errors[name] = oracles.relative_norm(along[-1] - along[0], defined - along[0])
    worst = max(errors, key=errors.get)
    return worst, errors[worst]


def by_leaf(trees):
    """Of trees of one structure: for each leaf its arrays, tree by tree, in float64."""
    rows = zip(*map(tree.leaves, trees), strict=True)
    return [list(map(np.float64, row)) for row in rows]


def by_definition(name, along, given):
    """p_T = p_0 - sum_t lr m^_t / (sqrt(v_t) + epsilon) sqrt(1 - beta2^t): m_t and v_t as weighted sums of all g_s.

    Weights and the RBM's couplings decay, biases and offsets do not: by g + decay p, p as it was then.
    """
    decays = name.endswith(("kernel", "scale", "W"))
    g = [one + DECAY * decays * p for one, p in zip(given, along, strict=False)]
    p = along[0]
    for t in range(1, len(g) + 1):
        ages = t - np.arange(1, t + 1)
        m = sum((1 - BETA1) * BETA1**age * one for age, one in zip(ages, g, strict=False))
        v = sum((1 - BETA2) * BETA2**age * one**2 for age, one in zip(ages, g, strict=False))
        unbiased = m / (1 - BETA1**t)
        p = p - RATE * np.sqrt(1 - BETA2**t) * unbiased / (np.sqrt(v) + EPSILON)
    return p


def schedules():
    """The learning rate falls behind each boundary; kappa rises to 1 over the first part of a run."""
    rate, kappa = of_a_run(3.0)
    wanted = [3.0] * 601 + [0.9] * 150 + [0.3] * 200 + [0.09] * 49
    yield at_most("learning rate", float(np.max(np.abs(np.subtract(rate, wanted)))), 1e-12, "1,000 iterations")
    wanted = np.minimum(np.arange(1000) / 300, 1)
    yield at_most("KL warm-up", float(np.max(np.abs(kappa - wanted))), 1e-12, "1,000 iterations")


def of_a_run(base):
    """(learning rate, kappa) at each of 1,000 iterations, with the paper's schedules in round numbers."""
    options = {"base": base, "boundaries": (0.6, 0.75, 0.95), "factors": (1, 0.3, 0.1, 0.03)}
    rate = [optimizer.learning_rate(i, 1000, **options) for i in range(1000)]
    return rate, [optimizer.warm_up(i, 1000, 0.3) for i in range(1000)]


def averages(rng):
    """Of batch norm after 20 batches: 0.8^20 of the start and 0.2 0.8^age of each batch."""
    batches = rng.uniform(0, 2, (20, 2, 3))
    moving = start = layers.Averages(np.zeros(3), np.ones(3))
    for mean, variance in batches:
        moving = layers.update_averages(moving, layers.Averages(mean, variance))
    shares = 0.2 * 0.8 ** np.arange(19, -1, -1)
    wanted = 0.8**20 * np.array(start) + np.tensordot(shares, batches, 1)
    error = np.max(np.abs(np.array(moving) - wanted))
    return at_most("moving averages of 20 batches", float(error), 1e-13, "rounding")


def picture(walks, figure):
    axes, (rate, kappa) = figure.subplots(), of_a_run(1.0)
    axes.plot(rate, color="#2b5c8a", label="learning rate")
    axes.plot(kappa, color="#c9822b", label=r"$\kappa$")
    axes.set(xlabel="iteration of 1,000", title="schedules of a run")
    axes.legend(frameon=False)


CLAIM = Claim(
    name="adam",
    statement="An update is Adam's: unbiased moments, epsilon beside the uncorrected root, decay of weights alone.",
    equations=(
        r"\theta_t=\theta_{t-1}-\eta\,\dfrac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\,\dfrac{m_t}{\sqrt{v_t}+\epsilon},\qquad"
        r"m_t=(1-\beta_1)\sum_{s\leq t}\beta_1^{t-s}g_s,\quad v_t=(1-\beta_2)\sum_{s\leq t}\beta_2^{t-s}g_s^2",
    ),
    check=check,
    picture=picture,
    seconds=(0.5, 0.5),
)
