"""The Boltzmann machine of Sec. 2 with every state listed: what claims and tests hold dvae_ref against.

Plain sums, which autograd differentiates. a (D,), W (left, right); z (..., D), binary. Natural logarithms.
"""

import itertools

import autograd.numpy as np
import numpy
from autograd.scipy.special import logsumexp


def states(d):
    """All 2^d binary vectors, (2^d, d), the last unit's the fastest to change."""
    return numpy.array(list(itertools.product([0.0, 1.0], repeat=d)))


def couplings(W):
    """J = [[0, W], [W', 0]], (D, D): the paper's W."""
    left, right = W.shape
    upper = np.concatenate([np.zeros((left, left)), W], 1)
    lower = np.concatenate([W.T, np.zeros((right, right))], 1)
    return np.concatenate([upper, lower], 0)


def minus_energy(a, W, z):
    """a·z + z J z / 2."""
    return np.dot(z, a) + np.sum(np.dot(z, couplings(W)) * z, -1) / 2


def mean_field(a, W, b, sweeps):
    """m (N, D) of the machine with biases a + b, row by row of b (N, D): sweeps from 1/2, the right side first."""
    n = len(W)
    bias = a + b
    bias_left, bias_right = bias[:, :n], bias[:, n:]
    left, right = np.full_like(bias_left, 0.5), np.full_like(bias_right, 0.5)
    for _ in range(sweeps):
        right = 1 / (1 + np.exp(-(bias_right + np.dot(left, W))))
        left = 1 / (1 + np.exp(-(bias_left + np.dot(right, W.T))))
    return np.concatenate([left, right], 1)


def entropy(m):
    """H(m), a row each."""
    return -np.sum(m * np.log(m) + (1 - m) * np.log(1 - m), 1)


def log_z(a, W):
    """log of the sum over every state."""
    return logsumexp(minus_energy(a, W, states(len(a))))


def probabilities(a, W):
    """p(z) of every state, in the order of `states`."""
    return np.exp(minus_energy(a, W, states(len(a))) - log_z(a, W))
