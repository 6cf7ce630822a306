"""An RBM of a few units, exactly: every state written out, in float64."""

import numpy as np

from dvae_ref.theory.boltzmann import RBM, Moments
from validation.boltzmann import states


def skewed_rbm(n_left=12, n_right=9, seed=0):
    """Biases and weights of non-zero mean, so that a flipped sign or a transposed W shows in every moment."""
    rng = np.random.default_rng(seed)
    a = np.concatenate([rng.normal(-0.6, 0.5, n_left), rng.normal(0.4, 0.5, n_right)])
    return RBM(a, rng.normal(0.15, 0.6, (n_left, n_right)))


def coarse_rbm():
    """Fields of its right units are good to 2**-13 only: weights of 1,000 to a left unit that is always on make up for
    biases of -1,000. log Z is about 1,000, and good to 1e-12."""
    rbm = skewed_rbm(8, 5)
    rbm.a[0] += 1000
    rbm.W[0] += 1000
    rbm.a[8:] -= 1000
    return rbm


def log_p_left(rbm):
    """Unnormalised log-probability of every state of the left side: a_left·z + sum_j log(1 +
    exp(field_j))."""
    z = states(len(rbm.W))
    return z @ rbm.a_left + np.sum(np.logaddexp(0, rbm.a_right + z @ rbm.W), -1)


def log_z(rbm):
    return np.logaddexp.reduce(log_p_left(rbm))


def moments(rbm):
    """E[z], E[z_left z_right'] as visible sums over the left side's states."""
    z_left = states(len(rbm.W))
    p = np.exp(log_p_left(rbm) - log_z(rbm))
    right = 1 / (1 + np.exp(-(rbm.a_right + z_left @ rbm.W)))
    return Moments(np.concatenate([p @ z_left, p @ right]), (p[:, None] * z_left).T @ right)
