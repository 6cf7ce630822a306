"""Training as pure steps from state to state: an update, a record, a validation. Files and the loop are `lifecycle`'s.

An iteration i (from 0) goes up the gradient of the bound of Eq. 2, or of Eq. 3 with K samples, in which the KL terms
have a coefficient kappa(i), less an L2 penalty. log Z is not in it: its gradient, E_p[z] and E_p[z_l z_r'], is the
negative phase, from chains that go on from iteration to iteration. docs/architecture.md draws the way through a step.

BLAS has one thread for the duration of each (`blas.one_thread`): the same bytes in every process.
"""

import functools
import math
import warnings
from typing import NamedTuple

import numba
import numpy as np

from dvae_ref import blas, tree
from dvae_ref.fast.threads import cores, submit
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import evaluation, optimizer, snapshots
from dvae_ref.runs.roles import keys
from dvae_ref.sampling import ais, pcd, philox, population_annealing

LOG_Z_TEMPERATURES, LOG_Z_CHAINS = 100, 200  # of the AIS behind a record
SAMPLERS = {"pcd": pcd, "pa": population_annealing}


class DivergedError(ArithmeticError):
    """A bound, gradient or parameter is not finite, or the RBM too large to sample from."""


class State(NamedTuple):
    """All that a run is at an iteration; nothing else is needed to continue it. Random numbers are functions of the
    seed and the iteration; log Z and bounds are in nats."""

    iteration: int
    params: autoencoder.Params
    statistics: autoencoder.Statistics
    adam: optimizer.Adam
    sampler: pcd.State | population_annealing.State
    log_z: float  # the last estimate, for the bound that is shown
    bound_sum: float  # over the iterations since the last record, of bounds without their - kappa log Z
    validated: int  # iteration of the last validation, 0 before the first
    best_nll: float  # of all validations, inf before the first
    best_iteration: int  # when it was, 0 before the first
    kept: snapshots.Kept  # the RBM and its moments at the last snapshot


SCALARS = ("iteration", "log_z", "bound_sum", "validated", "best_nll", "best_iteration")


@functools.lru_cache(16)  # twice a step, each time from cold memory: 0.1 ms
def config_of(settings):
    """What the objective needs of the settings."""
    s, structure = settings, STRUCTURES[settings.struct]
    extra = {"epsilon": s.epsilon, "mean_field_sweeps": s.mean_field_sweeps}
    return autoencoder.Config(structure, methods.method(s.baseline, s.beta, structure.groups, **extra), s.k)


def start(settings, mean_x):
    """The State at iteration 0, for images with this mean."""
    role = keys(settings.seed)
    rng = np.random.Generator(np.random.Philox(key=np.array(role["init"], np.uint64)))
    params, statistics = autoencoder.init(rng, config_of(settings), mean_x)
    sampler = SAMPLERS[settings.sampler].init(role["chains"], params.rbm, settings.chains)
    log_z = len(params.rbm.a) * math.log(2)  # exact: the RBM starts from zero
    kept = snapshots.at_zero(params.rbm)
    return State(0, params, statistics, optimizer.init(params), sampler, log_z, 0.0, 0, math.inf, 0, kept)


@blas.one_thread()
def iterate(state, x, settings, role, backend="cpu"):
    """One update on the images x: (State, bound), the bound of the batch in nats, with the last estimate of log Z.

    DivergedError names the iteration. backend: where the sampler runs, here and below (`sampling.backend`).
    """
    i, kappa = state.iteration, kappa_at(state.iteration, settings)
    _require_finite("the RBM", state.params.rbm, i)  # before the sampler refuses it
    threads = numba.get_num_threads()
    noise = noise_of(i, len(x), settings, role)
    with cores(threads):
        sampler = submit(_negative_phase, state, settings, role, threads, backend)
        weights = np.full(len(x), -1 / len(x), x.dtype)  # of the images: minus their mean goes down
        options = {"config": config_of(settings), "kappa": kappa, "threads": threads}
        bound, gradient, statistics = autoencoder.objective_and_gradient(
            state.params, state.statistics, x, noise, weights, lambda: sampler.result()[1].moments, **options
        )
        _require_finite("the bound", bound, i)
        params, adam = update(state, gradient, settings)
    value = float(bound.mean())
    new = state._replace(
        iteration=i + 1,
        params=params,
        statistics=statistics,
        adam=adam,
        sampler=sampler.result()[0],
        bound_sum=state.bound_sum + value,
    )
    return new, value - kappa * state.log_z


def _negative_phase(state, settings, role, threads, backend):
    """(sampler, info) after an update of the sampler at these parameters, by as many threads."""
    numba.set_num_threads(threads)
    key, rbm = role["sweeps"], state.params.rbm
    try:
        return SAMPLERS[settings.sampler].step(key, state.sampler, rbm, settings.sweeps, backend=backend)
    except ValueError as error:  # finite, but too large to sample from
        raise DivergedError(f"iteration {state.iteration + 1}: {error}") from error


def _require_finite(what, arrays, iteration):
    """DivergedError, of which array, unless all are. One sum each: NaN and inf stay in it, whatever else it adds."""
    if math.isfinite(sum(float(leaf.sum()) for leaf in tree.leaves(arrays))):
        return
    for name, leaf in tree.items(arrays):
        if not math.isfinite(leaf.sum()):
            where = f", in {name}" if name else ""
            raise DivergedError(f"{what} is not finite at iteration {iteration + 1}{where}")


def noise_of(iteration, batch_size, settings, role):
    """The uniform numbers of an iteration, Noise of two arrays (B K, D): for z, and for zeta given z."""
    config = config_of(settings)
    shape = (2, batch_size * config.k, config.structure.latents)
    return Noise(*philox.uniform(philox.fold_in(role["noise"], iteration), shape))


def update(state, gradient, settings):
    """(params, adam) after a step of Adam down the gradient of minus the bound and the weight decay."""
    s, i = settings, state.iteration
    constants = {"beta1": s.adam_beta1, "beta2": s.adam_beta2, "epsilon": s.adam_epsilon, "decay": s.weight_decay}
    now = {"iteration": i + 1, "learning_rate": learning_rate(i, s)}
    try:
        return optimizer.update(state.params, gradient, state.adam, **now, **constants)
    except FloatingPointError as error:  # a gradient that is not finite shows in the parameters
        raise DivergedError(f"{error} at iteration {i + 1}") from error


def kappa_at(iteration, settings):
    """The coefficient of the KL terms at an iteration, counted from 0."""
    return optimizer.warm_up(iteration, settings.num_train_iter, settings.warm_up)


def learning_rate(iteration, settings):
    """Adam's rate at an iteration, counted from 0, before its corrections for the zeros that it starts from."""
    schedule = {"boundaries": settings.lr_boundaries, "factors": settings.lr_factors}
    return optimizer.learning_rate(iteration, settings.num_train_iter, base=settings.learning_rate, **schedule)


def snapshot(state, settings):
    """(State, J): where a snapshot is due, J from the last one in nats, and the RBM kept; elsewhere (State, None)."""
    i, total = state.iteration, settings.num_train_iter
    if not snapshots.is_look(i, total):
        return state, None
    moments = SAMPLERS[settings.sampler].moments(state.sampler)
    divergence = snapshots.jeffreys(state.kept, state.params.rbm, moments)
    if not (snapshots.is_whole(i, total) or divergence > snapshots.MOST):
        return state, None
    kept = snapshots.Kept(tree.map(np.array, state.params.rbm), moments)  # a copy
    return state._replace(kept=kept), divergence


@blas.one_thread()
def record(state, settings, role, backend="cpu"):
    """(State, record for metrics.jsonl) of the iterations since the last record: their mean bound, among others.

        bound = mean of (bound_i + kappa_i log Z) - mean kappa (log Z of the last record + log Z now) / 2,    nats

    The record: iteration, bound, the mean kappa, the learning rate of the last update, log_z_rough: log Z now.
    log Z comes from a short AIS, good to a few tenths of a nat. Following it from update to update by the chains would
    cost nothing, but they are what the updates are made against: that estimate falls behind by tens of nats.
    """
    i, every = state.iteration, settings.log_every
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few effective samples: for a picture they will do
        key = philox.fold_in(role["record_log_z"], i)
        log_z = ais.log_z(key, state.params.rbm, LOG_Z_TEMPERATURES, LOG_Z_CHAINS, backend=backend).log_z
    kappa = sum(kappa_at(j, settings) for j in range(i - every, i)) / every
    bound = state.bound_sum / every - kappa * (state.log_z + log_z) / 2
    entry = {"iteration": i, "bound": bound, "kappa": kappa, "learning_rate": learning_rate(i - 1, settings)}
    return state._replace(bound_sum=0.0, log_z=log_z), entry | {"log_z_rough": log_z}


@blas.one_thread()
def validate(state, dataset, settings, role, threads=1, progress=None, backend="cpu"):
    """log Z by AIS and the validation NLL by importance sampling: (State, record for the metrics).

    The record: iteration, log_z and its standard error, and `evaluation.Likelihood.summary`, its names with validation_
    before them; nats. The State notes whether it is the best so far. DivergedError for an NLL that is not finite.
    progress(n) is told as n images are done. Neither the updates nor their random numbers depend on validations.
    """
    i = state.iteration
    key, rbm = philox.fold_in(role["validation_log_z"], i), state.params.rbm
    z = ais.log_z(key, rbm, settings.eval_temperatures, settings.chains, backend=backend)
    key, images = philox.fold_in(role["validation"], i), dataset.validation
    options = {"log_z": z.log_z, "samples": settings.eval_samples, "threads": threads, "progress": progress}
    result = evaluation.log_likelihood(key, state.params, state.statistics, images, **options).summary()
    if not math.isfinite(result["nll"]):
        raise DivergedError(f"the validation log-likelihood is not finite at iteration {i}")
    if result["nll"] < state.best_nll:
        state = state._replace(best_nll=result["nll"], best_iteration=i)
    entry = {"iteration": i, "log_z": z.log_z, "log_z_standard_error": z.standard_error}
    entry |= {f"validation_{name}": value for name, value in result.items()}
    return state._replace(log_z=z.log_z, validated=i), entry
