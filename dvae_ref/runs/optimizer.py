"""Adam with TensorFlow's epsilon, the learning-rate schedule, the KL warm-up, and weight decay.

Adam (Kingma & Ba 2015) of a parameter p with gradient g at iteration t = 1, 2, ..., m and v zero at first:

    m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,
    p <- p - rate m / (sqrt(v) + epsilon),    rate = lr sqrt(1 - beta2^t) / (1 - beta1^t).

The rate makes up for the zeros that m and v start from. Weight decay is an L2 penalty in the loss: its gradient goes
through the moments (AdamW would leave these alone, and shrink p directly).
"""

import functools
import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from dvae_ref import tree
from dvae_ref.fast.threads import may_share, submit
from dvae_ref.twins import twinned

DECAYED = {"kernel", "scale", "W"}  # weights of dense layers, batch norm's scale, the RBM's couplings; no biases


class Adam(NamedTuple):
    """First and second moment of the gradient, trees like the parameters."""

    m: tuple
    v: tuple


def init(params):
    """The Adam before the first step: zeros."""
    return Adam(tree.map(np.zeros_like, params), tree.map(np.zeros_like, params))


def update(params, gradient, state, *, iteration, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-3, decay=0.0):
    """One step of Adam down the gradient and that of weight_decay of strength `decay`: new (params, state).

    iteration counts from 1. FloatingPointError names an array that is not finite.

    theta <- theta - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon): epsilon is added to the
    *uncorrected* sqrt(v), as TensorFlow does. Elsewhere it is added to sqrt(v / (1 - beta2^t)); there, the same step
    needs epsilon / sqrt(1 - beta2^t).
    """
    rate = learning_rate * math.sqrt(1 - beta2**iteration) / (1 - beta1**iteration)
    paths = tree.paths(tree.structure(params))
    decays = [decay * applies for applies in _decayed(paths)]
    arrays = tree.leaves(params), tree.leaves(gradient), tree.leaves(state.m), tree.leaves(state.v), decays
    p, m, v, finite = _all_steps(arrays, (rate, beta1, beta2, epsilon))
    if not finite:
        _raise_not_finite(paths, p)
    return tree.unflatten(params, p), Adam(tree.unflatten(params, m), tree.unflatten(params, v))


def _all_steps(arrays, constants):
    """`steps`, the second half of the arrays by another core, if there is one."""
    if not may_share():
        return steps(*arrays, *constants)
    half = _half(arrays[0])
    second = [part[half:] for part in arrays]
    others = submit(steps, *second, *constants)
    first = [part[:half] for part in arrays]
    p, m, v, finite = steps(*first, *constants)
    more_p, more_m, more_v, others_finite = others.result()
    return p + more_p, m + more_m, v + more_v, finite and others_finite


def _half(leaves):
    """The number of arrays that hold as nearly half of the numbers as can be."""
    held = np.cumsum([p.size for p in leaves])  # by the first one, the first two, ...
    return 1 + int(np.argmin(np.abs(held - held[-1] / 2)))


def _raise_not_finite(paths, leaves):
    """FloatingPointError: the first that is not."""
    for path, leaf in zip(paths, leaves, strict=True):
        if not np.all(np.isfinite(leaf)):
            raise FloatingPointError(f"{path or 'the parameter'} is not finite")


@twinned
def steps(p, g, m, v, decays, rate, beta1, beta2, epsilon):
    """Tuples (p, m, v) of the arrays after `step`, each with its own decay, and whether all of p are finite."""
    moved = [step(*each, rate, beta1, beta2, epsilon) for each in zip(p, g, m, v, decays, strict=True)]
    p, m, v = zip(*moved, strict=True)
    return p, m, v, all(np.all(np.isfinite(a)) for a in p)


def step(p, g, m, v, decay, rate, beta1, beta2, epsilon):
    """(p, m, v) after a step of one array, down g + decay p."""
    g = g + decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    return p - rate * m / (np.sqrt(v) + epsilon), m, v


def weight_decay(params, gradient, strength=1e-4):
    """The gradient plus that of strength/2 sum w^2 over the DECAYED leaves: part of the loss, not of the update."""
    added = []
    for (path, w), g in zip(tree.items(params), tree.leaves(gradient), strict=True):
        if _decays(path):
            g = g + strength * w
        added.append(g)
    return tree.unflatten(gradient, added)


@functools.cache
def _decayed(paths):
    """Whether each of them decays; kept, as every step asks for the same paths."""
    return tuple(map(_decays, paths))


def _decays(path):
    """By the last part of "encoder.0.hidden.1.dense.kernel"."""
    return path.rsplit(".", 1)[-1] in DECAYED


def learning_rate(iteration, total, *, base, boundaries, factors):
    """base * factors[i], i the number of boundaries, as fractions of total, below iteration (counted from 0).

    So the iteration at a boundary still has the rate before it.
    """
    starts = [boundary * total for boundary in boundaries]
    return base * factors[bisect_left(starts, iteration)]


def warm_up(iteration, total, fraction=0.3):
    """The KL coefficient kappa = min(iteration / (fraction total), 1), from 0 at iteration 0; without a warm-up, 1."""
    length = fraction * total  # iterations
    if length <= 0:
        return 1.0
    return min(iteration / length, 1.0)
