"""Breaks of the Gibbs sampler, of AIS, and of the likelihood. What is compiled is broken by what it is given."""

import math
from types import SimpleNamespace

import numpy as np

from dvae_ref.model import autoencoder, networks
from dvae_ref.runs import evaluation
from dvae_ref.sampling import ais, fields, gibbs, paths, pcd
from dvae_ref.theory.boltzmann import RBM
from validation.sabotage import breaks


def stale_side(original):
    """Both sides drawn from the other's last state: two chains that take turns, not one."""

    def sweep(key, chains, rbm, sweeps, *backend):
        rbm = gibbs._exact(rbm)
        left, right = np.split(chains.z, [len(rbm.W)], 1)
        for t in range(int(chains.sweeps), int(chains.sweeps) + sweeps):
            new = gibbs.draw(key, t, gibbs.RIGHT, rbm.a_right + left @ rbm.W)
            left = gibbs.draw(key, t, gibbs.LEFT, rbm.a_left + right @ rbm.W.T)
            right = new
        return gibbs.chains_from(np.concatenate([left, right], 1), rbm.W.shape, chains.sweeps + sweeps)

    return sweep


def without_bias(original):
    def exact(*given):
        rbm = original(*given)
        return RBM(0 * rbm.a, rbm.W)

    return exact


def same_numbers_on_both_sides(original):
    """Random numbers of the right side for the left one too, in the plain form."""

    def sweep(key, chains, rbm, sweeps, *backend):
        left = gibbs.LEFT
        gibbs.LEFT = gibbs.RIGHT
        try:
            return gibbs.sweep_reference(key, chains, rbm, sweeps)
        finally:
            gibbs.LEFT = left

    return sweep


def shuffled_chains(original):
    """Moments of left units of one chain with right units of another."""

    def moments(state):
        return original(state._replace(right=np.roll(state.right, 1, 0)))

    return moments


def flipped(original):
    return lambda rbm: original(RBM(rbm.a, -np.asarray(rbm.W)))


def without_linear_term(original):
    """The left side's a·z left out of the increments of log w."""

    def kernel(backend):
        found = original(backend)

        def tables(path):
            given = found.tables(path)
            return given._replace(linear=0 * given.linear)

        return SimpleNamespace(tables=tables, anneal=found.anneal)

    return kernel


def at_the_wrong_temperature(original):
    """Each increment of log w after the sweep that it must precede."""

    def log_z(key, rbm, temperatures, chains, base="uniform", **rest):
        given, path = paths.schedule(temperatures), paths.annealing_path(rbm, base)
        base_left, base_right, *slopes = (x for pair in (path.base, path.slope) for x in np.split(pair, [len(path.W)]))
        left = gibbs.draw(key, 0, gibbs.LEFT, np.tile(base_left, (chains, 1)))
        log_w = np.full(chains, np.logaddexp(0, path.base.astype(np.float64)).sum())
        for k, t in enumerate(given[1:]):
            right = gibbs.draw(key, k + 1, gibbs.RIGHT, base_right + t * (slopes[1] + left @ path.W))
            left = gibbs.draw(key, k + 1, gibbs.LEFT, base_left + t * (slopes[0] + right @ path.W.T))
            h = slopes[1] + left @ path.W
            log_w += (t - given[k]) * (left @ slopes[0])
            log_w += np.sum(np.logaddexp(0, base_right + t * h) - np.logaddexp(0, base_right + given[k] * h), 1)
        return ais.summarize(log_w)

    return log_z


def shifted(nats):
    """log w of every chain off by some nats."""
    return lambda original: lambda log_weights: original(log_weights + nats)


def half_error_bars(original):
    def summarize(log_weights):
        found = original(log_weights)
        return found._replace(standard_error=found.standard_error / 2)

    return summarize


def sum_of_weights(original):
    def sample(params, statistics, x, noise, log_z):
        found = original(params, statistics, x, noise, log_z)
        return found._replace(log_px=found.log_px + math.log(noise.shape[1]))

    return sample


def without_log_q(original):
    """z ~ q(z|x) as if it came from a uniform distribution."""

    def log_weights(params, statistics, x, u, *, log_z):
        _, log_q = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
        log_w = original(params, statistics, x, u, log_z=log_z)
        return log_w + (log_q + u.shape[1] * math.log(2)).reshape(log_w.shape)

    return log_weights


def plus_log_z(original):
    return lambda *args, log_z: original(*args, log_z=-log_z)


BREAKS = (
    *breaks(
        "gibbs",
        gibbs,
        "sweep",
        {"Gibbs: stale side": stale_side, "Gibbs: both sides share random numbers": same_numbers_on_both_sides},
    ),
    *breaks("gibbs", gibbs, "_exact", {"Gibbs: bias left out of the fields": without_bias}),
    *breaks("gibbs", fields, "exact_fields", {"Gibbs: sign of W": flipped}),
    *breaks("gibbs", pcd, "_moments", {"moments across chains": shuffled_chains}),
    *breaks("ais", ais, "_engine", {"AIS: a·z left out of the increments": without_linear_term}),
    *breaks("ais", ais, "log_z", {"AIS: increments at the wrong temperature": at_the_wrong_temperature}),
    *breaks(
        "ais",
        ais,
        "summarize",
        {"AIS: log Z_0 off by log 2": shifted(math.log(2)), "AIS: error bars of half the size": half_error_bars},
    ),
    *breaks(
        "log_px", autoencoder, "discrete_log_weights", {"log q(z|x) left out": without_log_q, "+ log Z": plus_log_z}
    ),
    *breaks("log_px", evaluation, "_importance_sample", {"sum of the weights for their mean": sum_of_weights}),
)
