"""Plain enumeration at 50 digits: E(z) = -a·z - z J z / 2 with the symmetric J."""

import itertools

import mpmath
import numpy as np
import witness

DIGITS = 50


def states(d):
    return list(itertools.product([0, 1], repeat=d))


def weights(a, J, off=None):
    """exp(-E(z)) exp(sum of off_i over the units that are 0), as mpf, for all states."""
    d = len(a)
    off = [0.0] * d if off is None else off
    a, off = [mpmath.mpf(x) for x in a], [mpmath.mpf(float(x)) for x in off]
    J = [[mpmath.mpf(float(x)) for x in row] for row in J]

    def log_weight(z):
        on = [i for i in range(d) if z[i]]
        terms = [a[i] if z[i] else off[i] for i in range(d)] + [J[i][j] for i in on for j in on if i < j]
        return mpmath.fsum(terms)

    return [mpmath.exp(log_weight(z)) for z in states(d)]


def log_z(a, J, off=None):
    return mpmath.log(mpmath.fsum(weights(a, J, off)))


def probabilities(a, J, off=None):
    """(P(z_i = 1), P(z_i = 0)), (D,) each, and E[z z'] (D, D), each rounded once."""
    w, d = weights(a, J, off), len(a)
    total = mpmath.fsum(w)

    def mean(choose):
        return float(mpmath.fsum(x for x, z in zip(w, states(d), strict=True) if choose(z)) / total)

    on = np.array([mean(lambda z, i=i: z[i]) for i in range(d)])
    off = np.array([mean(lambda z, i=i: not z[i]) for i in range(d)])
    both = np.array([[mean(lambda z, i=i, j=j: z[i] and z[j]) for j in range(d)] for i in range(d)])
    return on, off, both


def kl(a, W, b, logit_m):
    """KL(m || p^) by its definition."""
    sign = [[1 if bit else -1 for bit in z] for z in states(len(a))]
    l = [mpmath.mpf(float(x)) for x in logit_m]
    log_m = [-mpmath.fsum(mpmath.log1p(mpmath.exp(-s * x)) for s, x in zip(row, l, strict=True)) for row in sign]
    w = weights([mpmath.mpf(float(x)) + mpmath.mpf(float(y)) for x, y in zip(a, b, strict=True)], witness.couplings(W))
    log_z = mpmath.log(mpmath.fsum(w))
    return mpmath.fsum(mpmath.exp(x) * (x - mpmath.log(y) + log_z) for x, y in zip(log_m, w, strict=True))
