"""Functions of one number that are accurate over the whole float range and keep the dtype they are given.

Each is written readably in NumPy; contiguous float32 arrays go to its compiled form. Any shape, which is kept.
Accuracy: 4 ulp, of float64 and float32, where the result is tiny as well (tests/theory/test_elementary.py).
"""

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.twins import twinned


@twinned
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)). Relative error of a few ulp for every x, also where the result is tiny.

    1 - sigmoid(x) is sigmoid(-x): never subtract.

    >>> f"{sigmoid(np.array(-100.0)):.6e}"
    '3.720076e-44'
    """
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


@twinned
def softplus(x: Array) -> Array:
    """log(1 + exp(x)), nats; its derivative is sigmoid(x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@twinned
def logaddexp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)); unlike NumPy's, vectorised. Not for two equal infinities."""
    return np.maximum(x, y) + np.log1p(np.exp(-np.abs(x - y)))


@twinned
def bernoulli_entropy(logit: Array) -> Array:
    """H(p) = -p log p - (1-p) log(1-p) in nats at p = sigmoid(logit); dH/dlogit = -logit p (1-p).

    >>> bernoulli_entropy(np.array([0.0, 100.0])).round(4).tolist()
    [0.6931, 0.0]
    """
    size = np.abs(logit)
    e = np.exp(-size)
    return np.log1p(e) + size * e / (1 + e)


def per_row(d: Array, x: Array) -> Array:
    """Cotangents d (N,), one for each row of x (N, D), as a column (N, 1).  ValueError if they are not one a row."""
    if d.shape != x.shape[:-1]:
        raise ValueError(f"need one cotangent a row: got cotangents of shape {d.shape} for rows of shape {x.shape}")
    return d[..., None]
