"""Plain formulas and exact sampling for small machines: what the claims hold dvae_ref against.

Written from the paper, in probabilities, with every state listed; of dvae_ref only the containers of parameters are
used. Larger machines are left to dvae_ref.exact, which the claim `enumeration` holds against these and mpmath.
"""

import numpy as np
from scipy.special import logsumexp

from dvae_ref.theory.boltzmann import RBM, Moments
from validation import boltzmann
from validation.boltzmann import states


def generator(seed, name):
    """The random numbers of a claim: those of one claim do not depend on whether another ran."""
    return np.random.default_rng([seed, *name.encode()])


def random_rbm(rng, n_left, n_right, coupling, bias=-0.3):
    """A skewed machine: couplings with mean coupling / 4 and standard deviation `coupling`."""
    W = coupling * (0.25 + rng.standard_normal((n_left, n_right)))
    return RBM(rng.normal(bias, 0.8, n_left + n_right), W)


def couplings(rbm):
    """J = [[0, W], [W', 0]], the paper's W."""
    return boltzmann.couplings(rbm.W)


def minus_energy(rbm, z):
    """a·z + z J z / 2."""
    return boltzmann.minus_energy(rbm.a, rbm.W, z)


def log_z(rbm):
    """By the sum over all states, nats."""
    return boltzmann.log_z(rbm.a, rbm.W)


def probabilities(rbm):
    """p(z) of every state, in the order of `states`."""
    return boltzmann.probabilities(rbm.a, rbm.W)


def moments(rbm, p=None):
    """Moments under p(z), or under given probabilities of the states, (..., 2^d)."""
    if p is None:
        p = probabilities(rbm)
    z = states(rbm.a.size)
    left, right = np.split(z, [len(rbm.W)], 1)
    return Moments(p @ z, np.einsum("...s,si,sj->...ij", p, left, right))


def flat(moments):
    """E[z], then E[z_left z_right'] row by row: (D + D_left D_right,)."""
    return np.concatenate([moments.z, moments.zz.ravel()])


def log_joint(rbm, b):
    """-E(z) + b·z - sum_i max(b_i, 0) of every row of b and state: (N, 2^d). p^(z) is its exponential, normalised."""
    z = states(rbm.a.size)
    return minus_energy(rbm, z) + b @ z.T - np.maximum(b, 0).sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw_states(rng, rbm, n):
    """n exact samples of p(z): the side with fewer units from the table of its probabilities, then the other."""
    n_left, n_right = rbm.W.shape
    if n_left > n_right:
        z = draw_states(rng, RBM(np.roll(rbm.a, n_right), rbm.W.T), n)
        return np.roll(z, n_left, 1)
    listed = states(n_left)
    log_p = listed @ rbm.a_left + np.logaddexp(0, rbm.a_right + listed @ rbm.W).sum(1)
    left = listed[rng.choice(len(listed), n, p=np.exp(log_p - logsumexp(log_p)))]
    right = rng.random((n, n_right)) < sigmoid(rbm.a_right + left @ rbm.W)
    return np.concatenate([left, right], 1).astype(np.float64)


def relative_norm(value, expected):
    """|value - expected| / |expected|, Euclidean."""
    value, expected = np.ravel(value), np.ravel(expected)
    return float(np.linalg.norm(value - expected) / np.linalg.norm(expected))


def derivative(f, step=1e-3):
    """(f'(0), a bound of its error) by the five-point formula, for an f that may be an array.

    Truncation: the formula is of fourth order, so its error is 1/15 of its change on doubling the step; the whole
    change is charged. Rounding: f is trusted to 32 eps of its largest value.
    """
    f1, f_1 = f(step), f(-step)
    f2, f_2 = f(2 * step), f(-2 * step)
    f4, f_4 = f(4 * step), f(-4 * step)
    fine = (8 * (f1 - f_1) - (f2 - f_2)) / (12 * step)
    coarse = (8 * (f2 - f_2) - (f4 - f_4)) / (24 * step)
    largest = np.max(np.abs([f1, f_1, f4, f_4]), axis=0)
    return fine, np.abs(fine - coarse) + 1.5 * 32 * 2.2e-16 * largest / step
