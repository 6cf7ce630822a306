"""Population annealing: what it says of Z and of moments is unbiased, in numbers a schedule and a trajectory decide.

For given temperatures every estimate Z^ f^ (Z^ times a mean over the replicas) has the expectation Z E[f] however few
replicas and sweeps there are (Del Moral): no tolerance for finite populations is needed. That fails for weights of the
wrong sign, and where sweeps come before the resampling that they are to follow.

Oracle: log Z and moments by enumeration, of nine and of thirteen units. Being unbiased is a property of the mean over
runs: how far a single run is off, on a machine with modes that it may miss, is not seen.
"""

import warnings

import numba
import numpy as np

from dvae_ref import exact
from dvae_ref.sampling import philox, population
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import Claim, at_most, mean_score, spread, worst_score

SCHEDULE = [0, 0.2, 0.35, 0.5, 0.65, 0.8, 1]
REPLICAS, FEW = 50, 20
SHARP = 0.25  # the relative error of error bars that must be seen


def check(quick, seed):
    """`_check` on one thread, without the warnings that so few replicas bring."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)  # steps are short: a second thread would have to be woken for each
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so few replicas
            return _check(quick, seed)
    finally:
        numba.set_num_threads(threads)


def _check(quick, seed):
    """Annealing and training's steps on machines whose log Z and moments are known by enumeration, with few replicas:
    what is biased by 1/R then shows.
    """
    rbm = two_modes()
    key = philox.key(seed)
    runs = 400 if quick else 4000
    given = [pa.anneal(philox.fold_in(key, i), rbm, REPLICAS, 1, SCHEDULE) for i in range(runs)]
    findings = list(unbiased(rbm, given))
    findings += error_bars(key, 900 if quick else 4000)
    findings += trajectory(key, runs // 8)
    findings += [default_schedule(key, runs), families(given[0])]
    return findings, (given, exact.log_z(rbm))


def log_zs(results):
    """log Z^ of each, nats."""
    return np.array([result.log_z for result in results])


def two_modes():
    """5 + 4 units that are all up or all down, unequally: what a sweep hardly changes, weights have to."""
    W = 0.95 + 0.2 * oracles.generator(0, "population").standard_normal((5, 4))
    return RBM(0.3 - np.concatenate([W.sum(1), W.sum(0)]) / 2, W)


def unbiased(rbm, results):
    """E[Z^] / Z = 1, and E[Z^ E^[z]] / Z = E[z], every moment."""
    ratio = np.exp(log_zs(results) - exact.log_z(rbm))
    yield mean_score(f"Z^ / Z, {REPLICAS} replicas and given temperatures", ratio, 1.0)
    found = np.array([oracles.flat(r.moments) for r in results]) * ratio[:, None]
    yield worst_score("moments, weighed by Z^", found, oracles.flat(exact.moments(rbm)))


def error_bars(key, runs):
    """The spread of log Z^ over its error bar, of 200 replicas that a sweep hardly moves: their families matter."""
    rbm = two_modes()
    found = [pa.anneal(philox.fold_in(key, 1, i), rbm, 200, 1, 9) for i in range(runs)]
    scores = (log_zs(found) - exact.log_z(rbm)) / [r.standard_error for r in found]
    found = spread("spread of log Z over error bar", scores, 0.05)  # measured: 1.05 +- 0.03 and 1.01 +- 0.03
    yield found
    yield at_most("sharpness of the spread", found.would_have_caught, SHARP, "asked for")


def trajectory(key, runs):
    """`step` along 12 machines: moments of the last, and log Z by the reversed estimate."""
    end = oracles.random_rbm(oracles.generator(0, "population trajectory"), 6, 7, 0.8)
    moments, log_z = [], []
    for i in range(runs):
        own = philox.fold_in(key, 2, i)
        state = pa.init(own, end, 200)
        for t in np.linspace(0, 1, 13)[1:]:
            state, info = pa.step(own, state, RBM(t * end.a, t * end.W), 3)
        moments.append(oracles.flat(info.moments))
        log_z.append(info.log_z)
    bias = 2e-3  # of a finite population: 1/200
    yield worst_score("moments along a trajectory", np.array(moments), oracles.flat(exact.moments(end)), bias)
    yield mean_score("log Z along a trajectory", np.array(log_z), exact.log_z(end), 0.01)


def default_schedule(key, runs):
    """E[Z^] / Z = 1 with the default schedule, too. A schedule that these replicas chose themselves makes it 0.89."""
    rbm = two_modes()
    found = [pa.anneal(philox.fold_in(key, 3, i), rbm, FEW, 3) for i in range(runs)]
    ratio = np.exp(log_zs(found) - exact.log_z(rbm))
    return mean_score(f"Z^ / Z, {FEW} replicas and the default schedule", ratio, 1.0)


def families(result):
    """Effective number of families from their shares, counted anew."""
    shares = np.unique(result.state.families, return_counts=True)[1] / REPLICAS
    entropy = population.family_entropy(result.state.families) + np.sum(shares * np.log(shares))
    mean_square = population.rho_t(result.state.families) - REPLICAS * np.sum(shares**2)
    return at_most("families less their definition", float(max(abs(entropy), abs(mean_square))), 1e-10, "rounding")


def picture(data, figure):
    """Z^ / Z of all runs, and how far the weights of each step overlap."""
    given, log_z = data
    left, right = figure.subplots(1, 2)
    left.hist(np.exp(log_zs(given) - log_z), bins=30, color="#2b5c8a", alpha=0.8)
    left.axvline(1, color="#c9822b")
    left.set(xlabel=r"$\hat Z/Z$", title=f"{len(given)} runs of {REPLICAS} replicas")
    right.plot(SCHEDULE[1:], np.mean([r.overlap for r in given], 0), "o-", ms=3, color="#2b5c8a")
    right.set(xlabel="inverse temperature", ylabel="overlap of the weights")


CLAIM = Claim(
    name="population",
    statement="Population annealing estimates Z and moments without bias, by its default schedule and along training.",
    equations=(
        r"\mathbb{E}\left[\hat Z\,\hat f\right]=Z\,\mathbb{E}_p[f],\qquad\hat Z=Z_0\prod_k\dfrac{1}{R}\sum_r"
        r"e^{-(E_{k+1}-E_k)(z_r)}",
    ),
    check=check,
    picture=picture,
    seconds=(8, 60),
)
