"""log Z of a trained RBM from above, beside the estimate from below that its NLL takes (`sampling.bracket`).

No exact samples of a trained RBM can be had. So annealing down starts from two places where training may have put
probability: its replicas, a few sweeps later, and z ~ q(z|x) of training images. Both are checks, no bounds: they show
what annealing up has missed if a start holds it. Half the chains each: together they take as long as AIS itself.

`along_training` anneals both ways through snapshots.npz instead of temperature (`sampling.trajectory`).
"""

from pathlib import Path

import numpy as np

from dvae_ref.model import networks
from dvae_ref.runs import snapshots, training
from dvae_ref.sampling import bracket, gibbs, modes, philox, trajectory
from dvae_ref.sampling.bracket import Bracket, Start
from dvae_ref.theory.boltzmann import RBM

GROUPS = 20  # of replicas along training
WORST_FIRST = ("contradictory", "open", "closed")
_REPLICAS, _IMAGES, _ALONG, _STATES = range(4)  # what a key is for


def checks(key, below, state, starts, temperatures, progress=None, backend="cpu"):
    """Records of annealing down from each Start, with their verdicts; below: the End from below."""
    found, rbm = [], state.params.rbm
    least = modes.lower_bound(rbm)
    for n, start in enumerate(starts):
        options = {"progress": bracket.part_of(progress, n, len(starts)), "backend": backend}
        end = bracket.above(philox.fold_in(key, n), rbm, start, temperatures, **options)
        found.append(_record(Bracket(below, end, least)))
    return found


def starts(key, settings, state, images, chains):
    """Two Starts of half as many chains each: at least 2, at most as many as there are."""
    half = max(2, chains // 2)
    trained = replicas(philox.fold_in(key, _REPLICAS, _STATES), settings, state, half)
    return [trained, posterior(philox.fold_in(key, _IMAGES, _STATES), state, images, half)]


def replicas(key, settings, state, number):
    """The training's chains after another update's sweeps, at these parameters."""
    rbm, z = state.params.rbm, training.SAMPLERS[settings.sampler].samples(state.sampler)
    z = z[np.arange(max(2, min(number, len(z)))) % len(z)]  # a single one twice
    chains = gibbs.chains_from(z, rbm.W.shape)
    return Start(gibbs.sweep(key, chains, rbm, settings.sweeps).z, "replicas of training")


def posterior(key, state, images, number):
    """z ~ q(z|x) of the first images."""
    params, statistics = state.params, state.statistics
    x = images[:number].astype(np.float32)
    u = philox.uniform(key, (len(x), len(params.rbm.a)))
    z, _ = networks.encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
    return Start(z, "z ~ q(z|x) of training images")


def along_training(key, folder, settings, state, backend="cpu"):
    """The record of both ways through the run's snapshots, up to the checkpoint's iteration, with as many replicas as
    the training had; None if there are no snapshots.

    The standard error is from the scatter of at most GROUPS groups, each of two replicas or more.
    """
    rbm = state.params.rbm
    try:
        path = snapshots.read(Path(folder) / "snapshots.npz", rbm)
    except FileNotFoundError:
        return None
    machines, divergences = _machines(path, state.iteration, rbm)
    steps = trajectory.steps_for(divergences)
    start = replicas(philox.fold_in(key, _ALONG, _STATES), settings, state, settings.chains)
    groups = max(2, min(GROUPS, len(start.z) // 2))
    each = len(start.z) // groups
    found = trajectory.log_z(philox.fold_in(key, _ALONG), machines, start, steps, groups, each, backend=backend)
    below = {"log_z": found.below.log_z, "standard_error": found.below.standard_error}
    return {"below": below, "above": _record(found), "machines": len(machines), "steps": int(steps.sum())}


def _machines(path, iteration, rbm):
    """The RBMs of a snapshots.Path before an iteration, then this one; and J in nats to each from the one before.

    The last J was never estimated; MOST stands for it, beyond which a snapshot would have been taken.
    """
    before = path.iteration < iteration
    machines = [RBM(a, W) for a, W in zip(path.a[before], path.W[before], strict=True)]
    return [*machines, rbm], np.append(path.jeffreys[before], snapshots.MOST)


def _record(found):
    """What evaluation.json says of a Bracket: its end from above, log Z in nats, and how far it is from that below."""
    end = found.above
    record = {"start": end.start, "chains": end.weights, "log_z": end.log_z, "standard_error": end.standard_error}
    return record | {"gap": found.gap, "gap_standard_error": found.gap_error, "verdict": found.verdict}


def worst(records):
    """The record with the worst verdict, and the largest gap of those."""
    return min(records, key=lambda record: (WORST_FIRST.index(record["verdict"]), -abs(record["gap"])))
