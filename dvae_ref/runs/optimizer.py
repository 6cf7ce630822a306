"""Adam with TensorFlow's epsilon, the learning-rate schedule, the KL warm-up, and weight decay."""

import functools
import itertools
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
):
    """One step of Adam down the gradient and that of weight_decay of strength `decay`: new (params, state).

    iteration counts from 1. FloatingPointError names an array that is not finite.

    theta <- theta - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon): epsilon is added to the
    *uncorrected* sqrt(v), as TensorFlow does. Elsewhere it is added to sqrt(v / (1 - beta2^t)); there, the same step
    needs epsilon / sqrt(1 - beta2^t).
    """
    rate = learning_rate * math.sqrt(1 - beta2**iteration) / (1 - beta1**iteration)
    paths = tree.paths(tree.structure(params))
    leaves = [tree.leaves(part) for part in (params, gradient, state.m, state.v)]
    arrays = (*leaves, [decay * applies for applies in _decayed(paths)])
    constants = (rate, beta1, beta2, epsilon)
    p, m, v, finite = _in_halves(arrays, constants) if may_share() else steps(*arrays, *constants)
    if not finite:
        _raise_not_finite(zip(paths, p, strict=True))
    return tree.unflatten(params, p), Adam(tree.unflatten(params, m), tree.unflatten(params, v))


def _in_halves(arrays, constants):
    """steps, the second half of the arrays by another core, if there is one."""
    half = _half(arrays[0])
    others = submit(steps, *(part[half:] for part in arrays), *constants)
    p, m, v, finite = steps(*(part[:half] for part in arrays), *constants)
    more_p, more_m, more_v, others_finite = others.result()
    return p + more_p, m + more_m, v + more_v, finite and others_finite


def _half(leaves):
    """The number of arrays that hold as nearly half of the numbers as can be."""
    sizes = list(itertools.accumulate(p.size for p in leaves))
    return 1 + min(range(len(sizes)), key=lambda n: abs(sizes[n] - sizes[-1] / 2))


def _raise_not_finite(named):
    path = next(path for path, p in named if not np.all(np.isfinite(p)))
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

    def add(path, w, g):
        return g + strength * w if _decays(path) else g

    triples = zip(tree.items(params), tree.leaves(gradient), strict=True)
    return tree.unflatten(gradient, [add(path, w, g) for (path, w), g in triples])


@functools.cache
def _decayed(paths):
    return tuple(map(_decays, paths))


def _decays(path):
    return path.rsplit(".", 1)[-1] in DECAYED


def learning_rate(iteration, total, *, base, boundaries, factors):
    """base * factors[i], i the number of boundaries, as fractions of total, below iteration (counted from 0)."""
    return base * factors[bisect_left([b * total for b in boundaries], iteration)]


def warm_up(iteration, total, fraction=0.3):
    """The KL coefficient kappa = min(iteration / (fraction total), 1), from 0 at iteration 0."""
    return min(iteration / (fraction * total), 1.0) if fraction * total > 0 else 1.0
