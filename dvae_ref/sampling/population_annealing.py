"""Population annealing: replicas follow an RBM as its parameters change (Sec. 4; Hukushima & Iba 2003; Machta 2010).

From the machine E_old, whose samples the replicas are, to E_new in steps of t: E_t = E_old + t (E_new - E_old). A step
by delta weighs them by w = exp(-delta (E_new - E_old)(z)), resamples (`population.systematic`; always, as equal weights
leave everyone in place) and sweeps at t + delta. It is the whole way where the weights overlap enough, or part of it.

Two uses: `step`, from the parameters of the last training update to these (the paper's sampler), and `anneal`, from a
machine without couplings, as an estimator of log Z.

**log Z.** Two estimates of the change over a step are at hand, of equal standing if the machines are given in advance:

    forward:    log mean w          over the replicas before it,
    reversed:  -log mean 1/w        over the replicas after its sweeps.

`anneal` adds up the forward one: then Z itself is unbiased, and log Z is low by about half its variance. That holds for
a schedule that was chosen without these replicas: one that is chosen by looking at them stops where their weights
happen to be even, and Z is low by a fifth with 20 replicas on a machine with two modes, by a twentieth with 100
(docs/error_bars.md). So a pilot with replicas of its own chooses.

`step` must not add it up: an update subtracts the very moments of the replicas that the forward estimate averages over,
which raises E_new where they are. The estimate is too low every time, by the learning rate times the moments' variance,
and these errors have one sign. `step` therefore reports the reversed estimate. Its replicas still remember the old ones
as far as the sweeps do not mix (without sweeps both estimates are the same), so what is left of that bias is their
autocorrelation over the sweeps; the standard error does not contain it. Measured over the first 1,200 updates of a
2-layer-nonlin, 1,000 chains and 40 sweeps: log Z 310.94 +- 0.04 by AIS, reversed 309.9 +- 0.5, forward 267.8. So
`log_z` of a training run is for watching; for a number to publish, use `anneal` or `ais`.
Derived in docs/derivations/09-sampling.md.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, floats
from dvae_ref.sampling import fields, gibbs, modes, paths, pcd, philox, population, replicas
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM, Moments, energy
from dvae_ref.theory.elementary import softplus

OVERLAP_STEP, OVERLAP_ANNEAL = 0.5, 0.86
PILOT = 200  # replicas, at most, that choose a schedule
_START, _PILOT = 1, 2  # what a key is for, beside replicas.RESAMPLING


State = replicas.State


class Info(NamedTuple):
    """What a call of `step` estimates, and signs that it has gone wrong: that they are good does not show that the
    replicas are where they should be."""

    moments: Moments  # E[z] and E[z_left z_right'] over the replicas
    steps: int  # from the old parameters to the new: 1 unless the weights overlapped too little
    effective_sample_size: float  # of the weights, the least of the steps
    overlap: float  # mean min(1, tau), the least of the steps
    family_entropy: float  # in nats, of the families
    rho_t: float  # R sum nu^2
    log_z_change: float  # reversed estimate, nats
    log_z: float  # accumulated: errors add up, see above
    standard_error: float  # of log_z, statistical: without the bias


class Result(NamedTuple):
    """What `anneal` found; arrays have an entry for each of the T - 1 steps.

    Error, effective sample size, overlap and families describe the replicas that there are. A mode that none has found
    is in none of them (`bracket`).
    """

    log_z: float  # nats
    standard_error: float
    moments: Moments
    inv_temps: np.ndarray  # (T,): 0 = t_0 < ... < t_T-1 = 1
    effective_sample_size: np.ndarray
    overlap: np.ndarray
    family_entropy: np.ndarray
    rho_t: np.ndarray
    state: State


def init(key: philox.Key, shape: gibbs.Shape, chains: int = 1000) -> State:
    """Replicas in independent uniform states: exact samples of the RBM without parameters, log Z = D log 2.

    shape: (D_left, D_right), or an RBM, of which shape and dtype are taken. The first `step` goes from there.
    ValueError for a side without units and for chains < 1, TypeError for a key that is none.
    """
    n_left, n_right = gibbs.units(shape)
    dtype = shape.W.dtype if isinstance(shape, RBM) else np.float32
    zero = RBM(np.zeros(n_left + n_right, dtype), np.zeros((n_left, n_right), dtype))
    return replicas.fresh(pcd.init(key, zero, chains), zero, (n_left + n_right) * np.log(2))


def step(
    key: philox.Key,
    state: State,
    rbm: RBM,
    sweeps: int = 40,
    *,
    overlap: float = OVERLAP_STEP,
    most: int = 20,
    family_updates: int = 25,
    backend: str = "cpu",
) -> tuple[State, Info]:
    """(State at these parameters, Info): weights, resampling, `sweeps` sweeps.

    overlap: where the weights overlap less, machines in between are put in, up to `most` steps in all, each with its
    sweeps. Families are numbered anew every `family_updates` calls: what is 1,000 sweeps apart counts as independent.
    Random numbers are functions of (key, state): one key serves a whole run, and a state that was stored and read back
    continues with the same bytes. backend: of resampling and sweeps (`backend.resolve`). Raises ValueError for replicas
    that are no states of this RBM and for numbers out of place, TypeError for a key, state or RBM that is none.
    """
    philox.check(key)
    replicas.check(state)
    boltzmann.check(rbm)
    most, family_updates = domains.whole("most", most, 1), domains.whole("family_updates", family_updates, 1)
    if not 0 <= overlap < 1:
        raise ValueError(f"a step takes 0 <= overlap < 1; got {overlap}")
    shape = tuple(state.chains.shape.tolist())
    if shape != np.shape(rbm.W):
        raise ValueError(f"the replicas are of a machine {shape}, the RBM's W is {np.shape(rbm.W)}")
    if int(state.updates) % family_updates == 0:
        state = replicas.number_families(state)
    before = float(state.log_z)
    state, quality = _follow(key, state, rbm, sweeps, overlap, most, backend)
    effective, least_overlap = np.min(quality, 0).tolist()
    entropy = population.family_entropy(state.families)
    reason = "the parameters move too far in an update"
    replicas.warn_if_collapsed(len(state.families), effective, entropy, families=10, reason=reason)
    state = state._replace(updates=state.updates + 1)
    return state, Info(
        moments=moments(state),
        steps=len(quality),
        effective_sample_size=effective,
        overlap=least_overlap,
        family_entropy=entropy,
        rho_t=population.rho_t(state.families),
        log_z_change=float(state.log_z) - before,
        log_z=float(state.log_z),
        standard_error=replicas.standard_error(state),
    )


def _follow(key, state, rbm, sweeps, overlap, most, backend):
    """(State at these parameters, (effective sample, overlap) of each of the steps that led there)."""
    start, rbm = (RBM(*map(floats, machine)) for machine in (state.rbm, rbm))
    way = RBM(rbm.a - start.a, rbm.W - start.W)
    tables = population.energy_tables(way)
    score = population.minus_energy(state.chains, tables)
    t, quality = 0.0, []
    while t < 1:
        target = overlap if len(quality) + 1 < most else 0.0
        t_next = population.next_temperature(score, t, target)
        machine = rbm if t_next == 1 else _between(start, way, t_next)
        log_w = (t_next - t) * score
        quality.append(_quality(log_w))
        state = replicas.resample_and_sweep(key, state, machine, log_w, sweeps, backend)
        score = population.minus_energy(state.chains, tables)
        state = replicas.account(state, (t - t_next) * score, -1)  # reversed: from the new machine back
        t = t_next
    return state, quality


def _quality(log_w):
    """(effective sample size, overlap) of a step's log-weights (R,)."""
    tau = population.relative_weights(log_w)
    return population.effective_sample_size(tau), population.overlap(tau)


def anneal(
    key: philox.Key,
    rbm: RBM,
    chains: int = 1000,
    sweeps: int = 10,
    temperatures: paths.Temperatures | None = None,
    *,
    base: str | Array = "uniform",
    overlap: float = OVERLAP_ANNEAL,
    most: int = 10_000,
    backend: str = "cpu",
) -> Result:
    """Result for the RBM's log Z and moments, from the machine without couplings, base and errors as in `ais.log_z`.

    temperatures: how many inverse temperatures, evenly spaced, or the increasing array of them; by default those that a
    pilot of up to 200 replicas, other ones, chose, each step as long as left its weights an overlap of `overlap` (0.86
    means that 14% of the replicas are replaced): Z is unbiased. sweeps: block Gibbs sweeps at each. ValueError if more
    than `most` temperatures would be needed. For error bars beyond those of one run, repeat it with other keys: Z, not
    log Z, is to be averaged. backend: of resampling and sweeps (`backend.resolve`). Warns where log Z is certainly
    missing a mode (`modes`). log Z in nats, arrays (T - 1,). TypeError for a key or an RBM that is none.

    >>> found = anneal(philox.key(0), RBM(np.zeros(5), np.zeros((2, 3))), chains=200)  # 5 log 2
    >>> round(float(found.log_z / np.log(2)), 6), found.inv_temps.tolist()
    (5.0, [0.0, 1.0])
    """
    philox.check(key)
    chains, most = domains.whole("chains", chains, 2), domains.whole("most", most, 2)
    if temperatures is None and not 0 < overlap < 1:
        raise ValueError(f"an adaptive schedule takes 0 < overlap < 1; got {overlap}")
    path = paths.annealing_path(rbm, base)
    target = paths.target(path)
    fields.warn_of_rounding(rbm, target, fields.steps(fields.reach(*target)))  # log Z is corrected, moments are not
    if temperatures is None:
        pilot = philox.fold_in(key, _PILOT)
        _, inv_temps, _ = _walk(pilot, path, min(chains, PILOT), sweeps, _adaptive(overlap, most), backend)
    else:
        inv_temps = paths.schedule(temperatures).astype(np.float64)
    state, inv_temps, record = _walk(key, path, chains, sweeps, _given(inv_temps), backend)
    effective, overlaps, entropy, rho_t = np.array(record).T
    reason = "there are too few temperatures"
    replicas.warn_if_collapsed(chains, effective.min(), entropy[-1], families=100, reason=reason)
    log_z = float(state.log_z) + population.log_mean_exp(_correction(rbm, path, state.chains.z))
    error = replicas.standard_error(state)
    modes.warn_if_missed(log_z, error, chains, rbm)
    return Result(log_z, error, moments(state), np.array(inv_temps), effective, overlaps, entropy, rho_t, state)


def _adaptive(overlap, most):
    """The next temperature of a population: as far as its weights overlap by `overlap`."""

    def following(score, inv_temps):
        t = inv_temps[-1]
        if len(inv_temps) >= most:
            raise ValueError(
                f"{most} temperatures led to {t:.3g} of 1: the weights are large; raise `most`, or see base"
            )
        return population.next_temperature(score, t, overlap)

    return following


def _given(schedule):
    """The next temperature of a schedule."""
    return lambda score, inv_temps: float(schedule[len(inv_temps)])


def _walk(key, path, chains, sweeps, following, backend):
    """(State, inverse temperatures, (effective sample, overlap, family entropy, rho_t) of each step) of fresh replicas.

    following(score, inv_temps): the next temperature of replicas that score d log w / dt and have come this way.
    """
    state, way = _start(key, path, chains), RBM(path.slope, path.W)
    start, tables, inv_temps, record = state.rbm, population.energy_tables(way), [0.0], []
    while inv_temps[-1] < 1:
        score = population.minus_energy(state.chains, tables)
        t, t_next = inv_temps[-1], following(score, inv_temps)
        log_w = (t_next - t) * score
        state = replicas.account(state, log_w, 1)
        state = replicas.resample_and_sweep(key, state, _between(start, way, t_next), log_w, sweeps, backend)
        families = population.family_entropy(state.families), population.rho_t(state.families)
        record.append(_quality(log_w) + families)
        inv_temps.append(t_next)
    return state, inv_temps, record


def samples(state: State) -> Array:
    """The replicas' states z: (R, D), float32. TypeError for what is no State."""
    domains.instance("the state", state, State)
    return pcd.samples(state.chains)


def moments(state: State) -> Moments:
    """Moments over the replicas, as in `pcd`. TypeError for what is no State."""
    domains.instance("the state", state, State)
    return pcd.moments(state.chains)


def _start(key, path, chains):
    """Samples of the base, which is factorial."""
    key = philox.fold_in(key, _START)
    base_left, base_right = fields.sides(path.base, path.W)
    left = gibbs.draw(key, 0, gibbs.LEFT, np.tile(base_left, (chains, 1)))
    right = gibbs.draw(key, 0, gibbs.RIGHT, np.tile(base_right, (chains, 1)))
    state = gibbs.chains_from(np.concatenate([left, right], -1), path.W.shape)
    log_z = np.sum(softplus(path.base.astype(np.float64)))
    return replicas.fresh(state, RBM(path.base, 0 * path.W), log_z)


def _between(rbm, way, t):
    a = rbm.a + rbm.a.dtype.type(t) * way.a
    W = rbm.W + rbm.W.dtype.type(t) * way.W
    return RBM(a, W)


def _correction(rbm, path, z):
    """log p*(z) of the RBM as given minus that of the rounded one: (R,), float64."""
    rounded = paths.target(path)
    return energy(_double(rounded), z) - energy(_double(rbm), z)


def _double(rbm):
    return RBM(np.asarray(rbm.a, np.float64), np.asarray(rbm.W, np.float64))
