"""Breaks of the Gibbs sampler, of AIS, and of the likelihood. What is compiled is broken by what it is given.

A kernel cannot be patched from outside, and need not be: other fields, other tables or other keys make of it the
sampler that a mistake in it would make.
"""

import math
from types import SimpleNamespace

import numpy as np

from dvae_ref.conformance.mistakes.registry import replaced
from dvae_ref.model import autoencoder, networks
from dvae_ref.runs import evaluation
from dvae_ref.sampling import ais, fields, gibbs, paths, pcd
from dvae_ref.theory.boltzmann import RBM
from validation.sabotage import breaks


def stale_side(original, key, chains, rbm, sweeps, *backend):
    """Both sides drawn from the other's last state: two chains that take turns, not one."""
    rbm = gibbs._exact(rbm)
    left, right = np.split(chains.z, [len(rbm.W)], 1)
    for t in range(int(chains.sweeps), int(chains.sweeps) + sweeps):
        new = gibbs.draw(key, t, gibbs.RIGHT, rbm.a_right + left @ rbm.W)
        left = gibbs.draw(key, t, gibbs.LEFT, rbm.a_left + right @ rbm.W.T)
        right = new
    return gibbs.chains_from(np.concatenate([left, right], 1), rbm.W.shape, chains.sweeps + sweeps)


def without_bias(original, *given):
    """Fields of W alone."""
    exact = original(*given)
    return RBM(0 * exact.a, exact.W)


def same_numbers_on_both_sides(original, key, chains, rbm, sweeps, *backend):
    """Random numbers of the right side for the left one too, in the plain form."""
    with replaced(gibbs, LEFT=gibbs.RIGHT):
        return gibbs.sweep_reference(key, chains, rbm, sweeps)


def shuffled_chains(original, state):
    """Moments of left units of one chain with right units of another."""
    return original(state._replace(right=np.roll(state.right, 1, 0)))


def flipped(original, rbm):
    """-W for W in the fields."""
    return original(RBM(rbm.a, -np.asarray(rbm.W)))


def without_linear_term(original, backend):
    """The left side's a·z left out of the increments of log w."""
    engine = original(backend)

    def tables(path):
        right = engine.tables(path)
        return right._replace(linear=0 * right.linear)

    return SimpleNamespace(tables=tables, anneal=engine.anneal)


def at_the_wrong_temperature(original, key, rbm, temperatures, chains, base="uniform", **rest):
    """Each increment of log w after the sweep that it must precede."""
    given, path = paths.schedule(temperatures), paths.annealing_path(rbm, base)
    base_left, base_right = np.split(path.base, [len(path.W)])
    slope_left, slope_right = np.split(path.slope, [len(path.W)])
    left = gibbs.draw(key, 0, gibbs.LEFT, np.tile(base_left, (chains, 1)))
    log_w = np.full(chains, np.logaddexp(0, path.base.astype(np.float64)).sum())
    for k, t in enumerate(given[1:]):
        right = gibbs.draw(key, k + 1, gibbs.RIGHT, base_right + t * (slope_right + left @ path.W))
        left = gibbs.draw(key, k + 1, gibbs.LEFT, base_left + t * (slope_left + right @ path.W.T))
        h = slope_right + left @ path.W
        log_w += (t - given[k]) * (left @ slope_left)
        log_w += np.sum(np.logaddexp(0, base_right + t * h) - np.logaddexp(0, base_right + given[k] * h), 1)
    return ais.summarize(log_w)


def log_2_too_much(original, log_weights):
    """log w of every chain off by log 2."""
    return original(log_weights + math.log(2))


def half_error_bars(original, log_weights):
    """AIS's standard error over 2: it holds log Z in two thirds of the runs, where it says 95%."""
    found = original(log_weights)
    return found._replace(standard_error=found.standard_error / 2)


def sum_of_weights(original, params, statistics, x, noise, log_z):
    """log sum_k w_k: an estimate of log p(x) that is log K too large, at every image alike."""
    found = original(params, statistics, x, noise, log_z)
    return found._replace(log_px=found.log_px + math.log(noise.shape[1]))


def without_log_q(original, params, statistics, x, u, *, log_z):
    """z ~ q(z|x) as if it came from a uniform distribution."""
    _, log_q = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
    log_w = original(params, statistics, x, u, log_z=log_z)
    return log_w + (log_q + u.shape[1] * math.log(2)).reshape(log_w.shape)


def plus_log_z(original, *args, log_z):
    """log w with log Z added where it is to be taken off."""
    return original(*args, log_z=-log_z)


BREAKS = [
    breaks("gibbs", "Gibbs: stale side", gibbs, "sweep", stale_side),
    breaks("gibbs", "Gibbs: both sides share random numbers", gibbs, "sweep", same_numbers_on_both_sides),
    breaks("gibbs", "Gibbs: bias left out of the fields", gibbs, "_exact", without_bias),
    breaks("gibbs", "Gibbs: sign of W", fields, "exact_fields", flipped),
    breaks("gibbs", "moments across chains", pcd, "_moments", shuffled_chains),
    breaks("ais", "AIS: a·z left out of the increments", ais, "_engine", without_linear_term),
    breaks("ais", "AIS: increments at the wrong temperature", ais, "log_z", at_the_wrong_temperature),
    breaks("ais", "AIS: log Z_0 off by log 2", ais, "summarize", log_2_too_much),
    breaks("ais", "AIS: error bars of half the size", ais, "summarize", half_error_bars),
    breaks("log_px", "log q(z|x) left out", autoencoder, "discrete_log_weights", without_log_q),
    breaks("log_px", "+ log Z", autoencoder, "discrete_log_weights", plus_log_z),
    breaks("log_px", "sum of the weights for their mean", evaluation, "_importance_sample", sum_of_weights),
]
