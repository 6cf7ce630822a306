"""log Z along the machines of a training run instead of along temperature, from both sides (Béreux et al. 2024).

Where a mode appears all at once as temperature falls (a first-order transition), no schedule is slow enough. Training
has led the RBM round such places: its moments change little by little, and replicas that follow its snapshots
(`runs/snapshots.py`) always overlap with the next one. So the path goes from the machine without parameters,
whose log Z is D log 2, through the snapshots, in a straight line between neighbours, with chains that took no part in
training.

It is long and winds, with the noise of all updates in it: chains that are never exchanged (AIS) would end with weights
of a variance of tens. So these are populations, resampled at each step (`population_annealing`), in independent groups.
Each group's estimate of Z is unbiased, as the steps are given beforehand; the error is that of their mean, from their
scatter, whatever the replicas of a group have in common. A group is here what a chain is in `bracket`.

Weights are those of the parameters as given; sweeps are at parameters that `fields.exact_fields` has rounded, by 2e-6
where fields reach 50, which moves log Z by less than 1e-3 nats.
Derived in docs/derivations/09-sampling.md.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from dvae_ref.arrays import Array
from dvae_ref.sampling import ais, bracket, gibbs, modes, pcd, philox, population
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM

EACH = 0.1  # nats of Jeffreys divergence to a step: two populations overlap by 0.87
_UP, _DOWN, _RESAMPLING = 2, 3, 4  # what a key is for, beside those of bracket


class Groups(NamedTuple):
    """G groups of R replicas each, the machine whose samples they are, and log of each group's estimate of a ratio."""

    chains: gibbs.Chains  # G R chains, those of a group consecutive
    rbm: RBM
    log_ratio: np.ndarray  # (G,), float64
    steps: int  # so far


def log_z(
    key: philox.Key,
    machines: Iterable[RBM],
    start: bracket.Start,
    steps: int | Sequence[int] | Array = 8,
    groups: int = 20,
    replicas: int = 100,
    sweeps: int = 5,
    backend: str = "cpu",
) -> bracket.Bracket:
    """Bracket of the last machine's log Z. start: a Start of it, dealt out to the groups on the way down.

    machines: RBMs in their order, without the one that has no parameters. steps: from each to the next, one number or
    one for each of the machines (`steps_for`). sweeps: block Gibbs sweeps after each step. Nats. ValueError for
    machines of several shapes, or none, and for numbers of steps, groups or replicas that do not fit; TypeError for
    what is no RBM.
    """
    machines = _machines(machines)
    up = below(key, machines, steps, groups, replicas, sweeps, backend)
    down = above(key, machines, start, steps, groups, sweeps, backend)
    return bracket.Bracket(up, down, modes.lower_bound(machines[-1]))


def below(
    key: philox.Key,
    machines: Iterable[RBM],
    steps: int | Sequence[int] | Array = 8,
    groups: int = 20,
    replicas: int = 100,
    sweeps: int = 5,
    backend: str = "cpu",
) -> bracket.End:
    """End of the way up, from uniform states; nats. Errors (ValueError, TypeError) as of log_z."""
    key, machines = philox.fold_in(key, _UP), _machines(machines)
    groups, replicas = ais.check_chains(groups), domains.whole("replicas", replicas, 2)
    zero = _zero(machines[0])
    state = _begin(pcd.init(key, zero, groups * replicas), zero, groups)
    for machine, parts in zip(machines, _numbers(steps, machines), strict=True):
        state = _move(key, state, machine, parts, sweeps, backend)
    log_ratio, error, _ = ais.statistics(state.log_ratio)
    return bracket.End(_log_2(zero) + float(log_ratio), float(error), groups, "uniform states", True)


def above(
    key: philox.Key,
    machines: Iterable[RBM],
    start: bracket.Start,
    steps: int | Sequence[int] | Array = 8,
    groups: int = 20,
    sweeps: int = 5,
    backend: str = "cpu",
) -> bracket.End:
    """End of the way down from the states of a Start, as many as divide into the groups; nats.

    Errors (ValueError, TypeError) as of log_z.
    """
    key, machines, groups = philox.fold_in(key, _DOWN), _machines(machines), ais.check_chains(groups)
    last, zero = machines[-1], _zero(machines[0])
    z = bracket.states(start, last)
    z = z[: len(z) // groups * groups]
    state = _begin(gibbs.chains_from(z, last.W.shape), last, groups)
    for machine, parts in zip([*machines[-2::-1], zero], _numbers(steps, machines)[::-1], strict=True):
        state = _move(key, state, machine, parts, sweeps, backend)
    log_ratio, error, _ = ais.statistics(state.log_ratio)
    return bracket.End(_log_2(zero) - float(log_ratio), float(error), groups, start.origin, start.exact)


def steps_for(jeffreys: Array, each: float = EACH) -> Array:
    """Steps from each machine to the next, (M,): n of them have 1/n^2 of its Jeffreys divergence, nats, each.

    ValueError for divergences that are not finite, and for each <= 0.

    >>> steps_for(np.array([0.05, 0.9])).tolist()
    [1, 3]
    """
    if not (each > 0 and np.all(np.isfinite(jeffreys))):
        raise ValueError(f"steps take divergences of finite numbers of nats, and each > 0; got {jeffreys}, {each}")
    return np.maximum(1, np.ceil(np.sqrt(np.maximum(jeffreys, 0) / each))).astype(int)


def _machines(machines):
    """A list of RBMs of one shape, at least one; ValueError or TypeError if they are not."""
    machines = list(machines)
    for machine in machines:
        boltzmann.check(machine)
    if len(shapes := {machine.W.shape for machine in machines}) != 1:
        raise ValueError(f"a path goes through at least one RBM, all of one shape; got shapes {sorted(shapes)}")
    return machines


def _zero(rbm):
    return RBM(np.zeros_like(rbm.a), np.zeros_like(rbm.W))


def _log_2(rbm):
    return len(rbm.a) * math.log(2)


def _numbers(steps, machines):
    if np.shape(steps) not in ((), (len(machines),)):
        raise ValueError(f"steps are one number, or one for each of {len(machines)} machines; got {steps}")
    return [domains.whole("steps", n, 1) for n in np.broadcast_to(np.asarray(steps), len(machines))]


def _begin(chains, rbm, groups):
    if len(chains.left) < 2 * groups:
        raise ValueError(f"each of {groups} groups needs at least 2 replicas; got {len(chains.left)} in all")
    return Groups(chains, rbm, np.zeros(groups), 0)


def _move(key, state, rbm, parts, sweeps, backend):
    """The Groups at this machine, by equal steps on the straight line from theirs: weigh, resample, sweep."""
    way = RBM(*(np.subtract(new, old, dtype=np.float64) for new, old in zip(rbm, state.rbm, strict=True)))
    tables = population.energy_tables(way)
    for k in range(1, parts + 1):
        machine = rbm if k == parts else RBM(*(o + k / parts * d for o, d in zip(state.rbm, way, strict=True)))
        log_w = population.minus_energy(state.chains, tables).reshape(len(state.log_ratio), -1) / parts
        chains = population.gather(state.chains, _ancestors(key, log_w, state.steps), backend)
        chains = gibbs.sweep(key, chains, machine, sweeps, backend)
        log_ratio = state.log_ratio + logsumexp(log_w, 1) - math.log(log_w.shape[1])
        state = state._replace(chains=chains, log_ratio=log_ratio, steps=state.steps + 1)
    return state._replace(rbm=rbm)


def _ancestors(key, log_w, step):
    """The ancestors of all replicas, (G R,): each group is resampled by itself."""
    groups, replicas = log_w.shape
    u = philox.uniform(philox.fold_in(key, _RESAMPLING, step), groups)
    own = [population.systematic(row, number) for row, number in zip(log_w, u, strict=True)]
    return (np.array(own) + replicas * np.arange(groups)[:, None]).ravel()
