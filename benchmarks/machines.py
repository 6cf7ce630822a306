"""RBMs to measure with, and how far two samples of one are apart."""

import numpy as np

from dvae_ref import RBM


def rbm(n_left, n_right=None, seed=0):
    """An RBM of random parameters, float32: a ~ N(-1/2, 1/4), W ~ N(0, 1.5^2 / left).

    Fields of a few nats, as after training: smaller ones would make every spin a coin, larger ones freeze it.
    """
    n_right, rng = n_right or n_left, np.random.default_rng(seed)
    a = rng.normal(-0.5, 0.5, n_left + n_right)
    return RBM(a.astype(np.float32), rng.normal(0, 1.5 / np.sqrt(n_left), (n_left, n_right)).astype(np.float32))


def deviation_of_means(ours, theirs):
    """Largest difference of unit means over two sets of chains (R, D) of binary states, in standard errors."""
    # both samples estimate p: the error of each mean is sqrt(p (1 - p) / R), of the difference sqrt(2) times that
    p = np.clip((ours.mean(0) + theirs.mean(0)) / 2, 1 / len(ours), 1 - 1 / len(ours))
    return np.max(np.abs(ours.mean(0) - theirs.mean(0)) / np.sqrt(2 * p * (1 - p) / len(ours)))
