"""Adam with TensorFlow's epsilon, the learning-rate schedule, the KL warm-up, and weight decay."""

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from dvae_ref import team, tree
from dvae_ref.twins import twinned

DECAYED = {"kernel", "scale", "W"}  # weights of dense layers, batch norm's scale, the RBM's couplings; no biases


class Adam(NamedTuple):
    """First and second moment of the gradient, trees like the parameters."""

    m: tuple
    v: tuple


def init(params):
    return Adam(tree.map(np.zeros_like, params), tree.map(np.zeros_like, params))


def update(
    params,
    gradient,
    state,
    *,
    iteration,
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-3,
    decay=0.0,
    beside=team.at_once,
):
    """One step of Adam down the gradient and that of weight_decay of strength `decay`: new (params, state).

    iteration counts from 1; beside: who takes half of the arrays (team.Alone).

    theta <- theta - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon): epsilon is added to the
    *uncorrected* sqrt(v), as TensorFlow does. Elsewhere it is added to sqrt(v / (1 - beta2^t)); there, the same step
    needs epsilon / sqrt(1 - beta2^t).
    """
    rate = learning_rate * math.sqrt(1 - beta2**iteration) / (1 - beta1**iteration)
    leaves = list(zip(tree.items(params), *map(tree.leaves, (gradient, *state)), strict=True))

    def steps(leaves):
        return [step(p, *rest, rate, beta1, beta2, epsilon, decay * _decays(path)) for (path, p), *rest in leaves]

    sizes = np.cumsum([p.size for (_, p), *_ in leaves])
    half = np.argmin(np.abs(sizes - sizes[-1] / 2)) + 1
    others = beside(steps, leaves[half:])
    new = steps(leaves[:half]) + others()
    params, m, v = (tree.unflatten(params, part) for part in zip(*new, strict=True))
    return params, Adam(m, v)


@twinned
def step(p, g, m, v, rate, beta1, beta2, epsilon, decay=0.0):
    """(p, m, v) after a step of one array, down g + decay p."""
    g = g + decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    return p - rate * m / (np.sqrt(v) + epsilon), m, v


def weight_decay(params, gradient, strength=1e-4):
    """The gradient plus that of strength/2 sum w^2 over the DECAYED leaves: part of the loss, not of the update."""

    def add(path, w, g):
        return g + strength * w if _decays(path) else g

    triples = zip(tree.items(params), tree.leaves(gradient), strict=True)
    return tree.unflatten(gradient, [add(path, w, g) for (path, w), g in triples])


def _decays(path):
    return path.rsplit(".", 1)[-1] in DECAYED


def learning_rate(iteration, total, *, base, boundaries, factors):
    """base * factors[i], i the number of boundaries, as fractions of total, below iteration (counted from 0)."""
    return base * factors[bisect_left([b * total for b in boundaries], iteration)]


def warm_up(iteration, total, fraction=0.3):
    """The KL coefficient kappa = min(iteration / (fraction total), 1), from 0 at iteration 0."""
    return min(iteration / (fraction * total), 1.0) if fraction * total > 0 else 1.0
