"""An RBM that learns a target that moves, with moments and log Z exact at every update: what samplers are tried on.

The machine is D_left = 10 by D_right = 40. Its parameters climb a log-likelihood, that of six patterns, each unit
flipped with probability 0.06, whose weights turn twice round, as the aggregate posterior moves while an encoder learns:

    theta <- theta + rate (target moments - model moments).

The units are independent given the pattern k, on with probability p_k: at update t the target's moments are

    E[z] = sum_k w_k p_k,    E[z_l z_r'] = sum_k w_k p_kl p_kr',    w_k ~ exp(1.5 sin(2 pi TURNS t/updates + phase_k)).
"""

import numpy as np

from dvae_ref import exact
from dvae_ref.theory.boltzmann import RBM, Moments

SHAPE, PATTERNS, FLIP, TURNS = (10, 40), 6, 0.06, 2.0
ROLE = 24


def targets_of(scale, seed):
    """The target's Moments at each update."""
    rng = np.random.default_rng([seed, ROLE])
    on = np.where(rng.random((PATTERNS, sum(SHAPE))) < 0.5, 1 - FLIP, FLIP)
    phase = rng.uniform(0, 2 * np.pi, PATTERNS)
    left, right = np.split(on, SHAPE[:1], axis=1)
    found = []
    for i in range(scale.updates):
        weight = np.exp(1.5 * np.sin(2 * np.pi * TURNS * i / scale.updates + phase))
        weight /= weight.sum()
        found.append(Moments(weight @ on, (left.T * weight) @ right))
    return found


def described(rbm, target):
    """(moments, log Z, likelihood), all exact; nats."""
    log_z = exact.log_z(rbm)
    return exact.moments(rbm), log_z, likelihood(rbm, target, log_z)


def likelihood(rbm, target, log_z):
    """E_target[log p(z)], nats, which takes the target's moments alone."""
    return rbm.a @ target.z + np.sum(rbm.W * target.zz) - log_z


def climb(targets, rate, model_moments, momentum=0.0):
    """The RBM after each update, float64; theta moves by v <- momentum v + rate (target - model_moments(theta)).

    model_moments: RBM -> Moments. It is called once an update, with the machine before it.
    """
    rbm = velocity = RBM(np.zeros(sum(SHAPE)), np.zeros(SHAPE))
    path = []
    for target in targets:
        model = model_moments(rbm)
        of_a = momentum * velocity.a + rate * (target.z - model.z)
        of_W = momentum * velocity.W + rate * (target.zz - model.zz)
        velocity = RBM(of_a, of_W)
        rbm = RBM(rbm.a + of_a, rbm.W + of_W)
        path.append(rbm)
    return path


def trajectory(targets, scale):
    """The RBM after each update with exact moments."""
    return climb(targets, scale.rate, exact.moments)


def averaged(decay):
    """Exact moments, averaged over the machines so far: the weight of each falls by the factor `decay` an update."""
    mean = None

    def model_moments(rbm):
        nonlocal mean
        now = exact.moments(rbm)
        if mean is None:
            mean = now
        else:
            mean = Moments(decay * mean.z + (1 - decay) * now.z, decay * mean.zz + (1 - decay) * now.zz)
        return mean

    return model_moments


def late():
    """Exact moments of the machine one update ago; at the first update, of the first."""
    previous = None

    def model_moments(rbm):
        nonlocal previous
        now = exact.moments(rbm)
        used = now if previous is None else previous
        previous = now
        return used

    return model_moments


def with_momentum(targets, rate):
    """The path with momentum 1/2 at half the rate: of each target - model the parameters move as far in the end."""
    return climb(targets, rate / 2, exact.moments, momentum=0.5)


def with_averages(targets, rate):
    """The path with moments averaged over about two updates."""
    return climb(targets, rate, averaged(0.5))


def with_delay(targets, rate):
    """The path with the moments of an update ago."""
    return climb(targets, rate, late())


VARIANTS = {"momentum": with_momentum, "averaged": with_averages, "late": with_delay}
