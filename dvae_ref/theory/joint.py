"""The KL term of Eq. 2, for priors that keep z: DVAE++ with overlapping and DVAE with spike-and-exponential smoothing.

KL(q(z, zeta|x) || p(z) r(zeta|z)) needs no density of zeta: r(zeta|z) is the same on both sides, so that

    -KL + log Z = sum_i H(q_i) + a·E[z] + E[z_left W z_right],

and with mu_i = q(z_i=1 | x, zeta_<g) what is left is to estimate the last two terms from a sample zeta ~ q(zeta|x).
Derived in docs/derivations/07-bounds.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, in_floats
from dvae_ref.theory.boltzmann import RBM, couple, split
from dvae_ref.theory.elementary import bernoulli_entropy, per_row, sigmoid


class Overlapping(NamedTuple):
    """What the backward of overlapping_term reads: (N, D) arrays, of nu (N, D_left)."""

    rbm: RBM
    logit_q: np.ndarray
    mu: np.ndarray
    logit_nu: np.ndarray  # of the left side
    nu: np.ndarray


@in_floats
def overlapping_term(rbm: RBM, logit_q: Array, b: Array, groups: int) -> tuple[Array, Overlapping]:
    """-KL + log Z of DVAE++ = sum H(mu) + a·mu + nu_left W mu_right, nats: (N, D) -> (N,), with its cache.

    nu = q(z=1|x, zeta) = sigmoid(logit q + b) stands for z on the left only: the right groups' mu depends on the left
    zeta, so E[z_left z_right] = E[nu_left mu_right], unbiased since all of left precedes right. In one group mu does
    not depend on zeta, nu = mu, and the term is exact. b = log r(zeta|1) - log r(zeta|0), (N, D). ValueError for arrays
    of other units than the RBM's. Error 1e-12 of the terms in float64 (tests/theory/test_joint.py).
    """
    mu = sigmoid(logit_q)
    left, right = split(mu, rbm)
    logit_nu = split(logit_q + b if groups > 1 else logit_q, rbm)[0]
    if groups > 1:
        left = sigmoid(logit_nu)
    value = np.sum(bernoulli_entropy(logit_q) + rbm.a * mu, -1) + np.sum((left @ rbm.W) * right, -1)
    return value, Overlapping(rbm, logit_q, mu, logit_nu, left)


@in_floats
def overlapping_term_backward(d_term: Array, cache: Overlapping, groups: int) -> tuple[RBM, Array, Array]:
    """Gradients (RBM, d_logit_q, d_b), the RBM's without the negative phase; (N, D) each.

    ValueError unless d_term is (N,). d_b = d_nu nu (1 - nu), 1 - nu by its logit: good to 1e-14 where nu is nearly 1.
    """
    rbm, logit_q, mu, logit_nu, nu = cache
    d, one_minus_mu = per_row(d_term, logit_q), sigmoid(-logit_q)
    d_mu = d * (rbm.a - logit_q)  # the entropy's derivative in mu is -logit
    d_mu_left, d_mu_right = split(d_mu, rbm)
    right = split(mu, rbm)[1]
    d_nu = d * (right @ rbm.W.T)
    d_mu_right += d * (nu @ rbm.W)
    d_b = np.zeros_like(logit_q)
    if groups > 1:
        d_left = d_nu * nu * sigmoid(-logit_nu)
        split(d_b, rbm)[0][:] = d_left
    else:
        d_mu_left += d_nu
    return RBM(d_term @ mu, (d * nu).T @ right), d_mu * mu * one_minus_mu + d_b, d_b


class Spike(NamedTuple):
    """What the backward of spike_term reads: (N, D) arrays."""

    rbm: RBM
    logit_q: np.ndarray
    z: np.ndarray
    last: int  # the first unit of the last group, from which on z = q


@in_floats
def spike_term(rbm: RBM, logit_q: Array, zeta: Array, groups: int) -> tuple[Array, Spike]:
    """-KL + log Z of DVAE = sum H(q) + a·q + z_left W z_right, nats: (N, D) -> (N,), with its cache.

    z = [zeta > 0], which the spike determines, but z = q in the last group, where no later group depends on it.
    Unbiased; exact for one group. ValueError for arrays of other units than the RBM's. Error 1e-12 of the terms, in
    float64 (tests/theory/test_joint.py).
    """
    if zeta.shape != logit_q.shape:
        raise ValueError(f"zeta and logit_q must be of one shape (N, D); got {zeta.shape} and {logit_q.shape}")
    q = sigmoid(logit_q)
    last = zeta.shape[1] * (groups - 1) // groups
    z = np.concatenate([(zeta[:, :last] > 0).astype(zeta.dtype), q[:, last:]], -1)
    left, right = split(z, rbm)
    value = np.sum(bernoulli_entropy(logit_q) + rbm.a * q, -1) + np.sum((left @ rbm.W) * right, -1)
    return value, Spike(rbm, logit_q, z, last)


@in_floats
def spike_term_backward(d_term: Array, cache: Spike) -> tuple[RBM, Array]:
    """An unbiased estimate (RBM, d_logit_q) of the gradient of E[spike_term]; not the gradient of its value, since z
    jumps.

    Moving q_i moves the threshold below which z_i = 0. At the threshold zeta_i = 0 whatever z_i is, so the later
    groups see no change, and d E[z_i z_j] / dq_i = E[z_j | zeta_i = 0] = E[(1 - z_i) z_j] / (1 - q_i), besides what
    flows through zeta_i > 0 into q_j, which is the encoder's part. With dq/dlogit = q (1 - q), for left i

        d/dlogit_i = (a_i - logit_i) q_i (1 - q_i) + (J z)_i (1 - z_i) q_i,

    and for right i, on which no left unit depends, the usual (J z)_i q_i (1 - q_i). ValueError unless d_term is (N,).
    """
    rbm, logit_q, z, last = cache
    q, one_minus_q = sigmoid(logit_q), sigmoid(-logit_q)
    d = per_row(d_term, logit_q)
    left, right = split(z, rbm)
    one_minus_z = np.concatenate([1 - left, split(one_minus_q, rbm)[1]], -1) if last else one_minus_q
    d_logit_q = d * q * ((rbm.a - logit_q) * one_minus_q + couple(rbm, z) * one_minus_z)
    return RBM(d_term @ q, (d * left).T @ right), d_logit_q
