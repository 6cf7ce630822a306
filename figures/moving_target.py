"""An RBM that learns a target that moves, with moments and log Z exact at every update: what samplers are tried on.

The machine is D_left = 10 by D_right = 40. Its parameters climb a log-likelihood, that of six patterns, each unit
flipped with probability 0.06, whose weights turn twice round, as the aggregate posterior moves while an encoder learns:

    theta <- theta + rate (target moments - model moments).
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
    left, right, found = on[:, : SHAPE[0]], on[:, SHAPE[0] :], []
    for i in range(scale.updates):
        weight = np.exp(1.5 * np.sin(2 * np.pi * TURNS * i / scale.updates + phase))
        weight /= weight.sum()
        found.append(Moments(weight @ on, (weight[:, None] * left).T @ right))
    return found


def described(rbm, target):
    """(moments, log Z, E_target[log p(z)]), all exact."""
    log_z = exact.log_z(rbm)
    return exact.moments(rbm), log_z, rbm.a @ target.z + np.sum(rbm.W * target.zz) - log_z


def climb(targets, rate, model_moments, momentum=0.0):
    """The RBM after each update, float64; theta moves by v <- momentum v + rate (target - model_moments(theta))."""
    rbm = velocity = RBM(np.zeros(sum(SHAPE)), np.zeros(SHAPE))
    path = []
    for target in targets:
        model = model_moments(rbm)
        velocity = RBM(*(momentum * v + rate * (t - m) for v, t, m in zip(velocity, target, model, strict=True)))
        rbm = RBM(*(leaf + v for leaf, v in zip(rbm, velocity, strict=True)))
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
        mean = now if mean is None else Moments(*(decay * m + (1 - decay) * n for m, n in zip(mean, now, strict=True)))
        return mean

    return model_moments


def late():
    """Exact moments of the machine one update ago."""
    previous = None

    def model_moments(rbm):
        nonlocal previous
        now = exact.moments(rbm)
        used, previous = now if previous is None else previous, now
        return used

    return model_moments


# With momentum 1/2 the rate is halved: of each target - model the parameters move as far in the end.
VARIANTS = {
    "momentum": lambda targets, rate: climb(targets, rate / 2, exact.moments, momentum=0.5),
    "averaged": lambda targets, rate: climb(targets, rate, averaged(0.5)),
    "late": lambda targets, rate: climb(targets, rate, late()),
}
