"""Training: a pure step from state to state, and the loop that logs, validates, checkpoints and resumes."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvae_ref import methods, model, tree
from dvae_ref.boltzmann import RBM, energy
from dvae_ref.experiment import datasets, evaluation, files, optimizer
from dvae_ref.posteriors import Noise
from dvae_ref.sampling import ais, pcd, philox
from dvae_ref.structures import STRUCTURES

ROLES = ("init", "noise", "chains", "sweeps", "ais", "evaluation")  # what a run's random numbers are for


class DivergedError(ArithmeticError):
    """A bound, gradient or parameter is not finite."""


class State(NamedTuple):
    """All that a run is at an iteration; nothing else is needed to continue it."""

    iteration: int
    params: model.Params
    statistics: model.Statistics
    adam: optimizer.Adam
    sampler: pcd.State
    log_z: float  # of log_z_rbm, carried along from update to update; renewed at every validation
    log_z_rbm: RBM
    bound_sum: float  # over the iterations since the last log record
    validated: int  # iteration of the last validation, 0 before the first
    best_nll: float
    best_iteration: int


SCALARS = ("iteration", "log_z", "bound_sum", "validated", "best_nll", "best_iteration")


def keys(seed):
    """Role -> key."""
    root = philox.key(seed)
    return {role: philox.fold_in(root, i) for i, role in enumerate(ROLES)}


def config_of(settings):
    """What the objective needs of the settings."""
    s, structure = settings, STRUCTURES[settings.struct]
    extra = {"epsilon": s.epsilon, "mean_field_sweeps": s.mean_field_sweeps}
    return model.Config(structure, methods.method(s.baseline, s.beta, structure.groups, **extra), s.k)


def start(settings, mean_x):
    """The State at iteration 0, for images with this mean."""
    role = keys(settings.seed)
    rng = np.random.Generator(np.random.Philox(key=np.array(role["init"], np.uint64)))
    params, statistics = model.init(rng, config_of(settings), mean_x)
    sampler = pcd.init(role["chains"], params.rbm, settings.chains)
    log_z = len(params.rbm.a) * math.log(2)  # exact: the RBM starts from zero
    return State(0, params, statistics, optimizer.init(params), sampler, log_z, params.rbm, 0.0, 0, math.inf, 0)


def iterate(state, x, settings, role):
    """One update: (State, bound), the bound averaged over the batch, in nats, with the tracked log Z."""
    config, i = config_of(settings), state.iteration
    kappa = optimizer.warm_up(i, settings.num_train_iter, settings.warm_up)
    shape = (len(x) * config.k, config.structure.latents)
    noise = Noise(*philox.uniform(philox.fold_in(role["noise"], i), (2, *shape)))
    bound, cache = model.objective(state.params, state.statistics, x, noise, config=config, kappa=kappa)
    if not np.all(np.isfinite(bound)):
        raise DivergedError(f"the bound is not finite at iteration {i + 1}")
    sampler, info = pcd.step(role["sweeps"], state.sampler, state.params.rbm, settings.sweeps)
    d_bound = np.full(len(x), -1 / len(x), x.dtype)
    gradient = model.objective_backward(d_bound, cache, info.moments, config=config)
    gradient = optimizer.weight_decay(state.params, gradient, settings.weight_decay)
    log_z = state.log_z + log_z_change(state.log_z_rbm, state.params.rbm, pcd.samples(sampler))
    value = float(bound.mean()) - kappa * log_z
    params, adam = optimizer.update(
        state.params,
        gradient,
        state.adam,
        iteration=i + 1,
        learning_rate=learning_rate(i, settings),
        beta1=settings.adam_beta1,
        beta2=settings.adam_beta2,
        epsilon=settings.adam_epsilon,
    )
    for name, leaf in tree.items(params):  # a gradient that is not finite shows here, too
        if not math.isfinite(leaf.sum()):
            raise DivergedError(f"the gradient in {name} is not finite at iteration {i + 1}")
    return state._replace(
        iteration=i + 1,
        params=params,
        statistics=model.update_statistics(state.statistics, cache),
        adam=adam,
        sampler=sampler,
        log_z=log_z,
        log_z_rbm=state.params.rbm,
        bound_sum=state.bound_sum + value,
    ), value


def learning_rate(iteration, settings):
    return optimizer.learning_rate(
        iteration,
        settings.num_train_iter,
        base=settings.learning_rate,
        boundaries=settings.lr_boundaries,
        factors=settings.lr_factors,
    )


def log_z_change(old, new, z):
    """log Z(new) - log Z(old) = -log E[exp(E_new - E_old)] over z from the new RBM.

    From the new one: the update to it was made against the samples of the old one, which therefore do not do. An
    estimate to show; its errors add up until the next validation replaces it by AIS.
    """
    loss = energy(RBM(new.a - old.a, new.W - old.W), z).astype(np.float64)
    return -float(loss.max() + np.log(np.mean(np.exp(loss - loss.max()))))


def validate(state, dataset, settings, role, threads=1, progress=None):
    """log Z by AIS and the validation NLL by importance sampling: (State, record for the metrics)."""
    i = state.iteration
    z = ais.log_z(philox.fold_in(role["ais"], i), state.params.rbm, settings.eval_temperatures, settings.chains)
    result = evaluation.log_likelihood(
        philox.fold_in(role["evaluation"], i),
        state.params,
        state.statistics,
        dataset.validation,
        log_z=z.log_z,
        samples=settings.eval_samples,
        threads=threads,
        progress=progress,
    ).summary()
    if not math.isfinite(result["nll"]):
        raise DivergedError(f"the validation log-likelihood is not finite at iteration {i}")
    best = {"best_nll": result["nll"], "best_iteration": i} if result["nll"] < state.best_nll else {}
    record = {"iteration": i, "log_z": z.log_z, "log_z_standard_error": z.standard_error}
    record |= {f"validation_{name}": value for name, value in result.items()}
    return state._replace(log_z=z.log_z, log_z_rbm=state.params.rbm, validated=i, **best), record


class Metrics:
    """metrics.jsonl: a JSON object a line, appended; what a checkpoint does not know of is cut off on resuming."""

    def __init__(self, path, size=0):
        self.path, self.size = path, size
        with open(path, "ab") as file:
            file.truncate(size)

    def write(self, record):
        with open(self.path, "ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            self.size = file.tell()


class Run:
    """A training run in its folder: config.json, metrics.jsonl, last.npz to resume from, best.npz to evaluate."""

    def __init__(self, folder, settings, dataset, threads=1):
        self.folder, self.settings, self.dataset, self.threads = Path(folder), settings, dataset, threads
        self.role = keys(settings.seed)
        self.state, self.metrics = start(settings, dataset.mean_x), None

    def begin(self):
        """Make the folder and its first checkpoint. FileExistsError if a run is there already."""
        if (self.folder / "last.npz").exists():
            raise FileExistsError(
                f"{self.folder} holds a run already: --resume continues it, another --run-dir starts one"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_json(self.folder / "config.json", self.settings.to_json())
        self.metrics = Metrics(self.folder / "metrics.jsonl")
        self.checkpoint()

    def resume(self):
        """Continue from last.npz."""
        files.remove_partial(self.folder)
        header, self.state = load_state(self.folder / "last.npz", self.state, self.settings)
        self.metrics = Metrics(self.folder / "metrics.jsonl", header["metrics_bytes"])

    def checkpoint(self, name="last.npz"):
        header = {"settings": self.settings.to_json(), "metrics_bytes": self.metrics.size}
        save_state(self.folder / name, self.state, header)

    def advance(self, stop=lambda: False, on_iteration=None, on_validation=None):
        """Train to the end, or until stop() says so; a checkpoint is written in either case. True at the end.

        DivergedError leaves the last checkpoint as it was.
        """
        total = self.settings.num_train_iter
        while self.state.iteration < total or self.state.validated < total:
            if stop():
                self.checkpoint()
                return False
            if self._validation_due():
                if not self._validate(stop, on_validation):
                    continue
            else:
                self._iterate(on_iteration)
            if self.state.iteration % self.settings.checkpoint_every == 0 or self.state.iteration == total:
                self.checkpoint()
        return True

    def _validation_due(self):
        i = self.state.iteration
        due = i % self.settings.eval_every == 0 or i == self.settings.num_train_iter
        return i > self.state.validated and due

    def _iterate(self, on_iteration):
        x = datasets.batch(self.dataset, self.settings.seed, self.state.iteration, self.settings.batch_size)
        self.state, bound = iterate(self.state, x, self.settings, self.role)
        i, every = self.state.iteration, self.settings.log_every
        if i % every == 0:
            kappa = optimizer.warm_up(i - 1, self.settings.num_train_iter, self.settings.warm_up)
            rate = learning_rate(i - 1, self.settings)
            record = {"iteration": i, "bound": self.state.bound_sum / every, "kappa": kappa, "learning_rate": rate}
            self.metrics.write(record | {"log_z_tracked": self.state.log_z})
            self.state = self.state._replace(bound_sum=0.0)
        if on_iteration:
            on_iteration(self.state, bound)

    def _validate(self, stop, on_validation):
        """False if it was stopped halfway: it is then done anew on resuming."""

        def progress(_):
            if stop():
                raise InterruptedError

        try:
            self.state, record = validate(self.state, self.dataset, self.settings, self.role, self.threads, progress)
        except InterruptedError:
            return False
        self.metrics.write(record)
        if self.state.best_iteration == self.state.iteration:
            self.checkpoint("best.npz")
        if on_validation:
            on_validation(self.state, record)
        return True


def save_state(path, state, header):
    trees = {name: value for name, value in state._asdict().items() if name not in SCALARS}
    files.save_checkpoint(path, header | {name: getattr(state, name) for name in SCALARS}, **trees)


def load_state(path, like, settings):
    """(header, State) of a checkpoint of a run with these settings; `like` is a State of the right shapes."""
    header, arrays = files.load_checkpoint(path)
    recorded = json.loads(json.dumps(settings.to_json()))
    differing = [name for name, value in recorded.items() if header["settings"].get(name) != value]
    if differing:
        raise ValueError(f"{path} belongs to a run with other settings: {', '.join(differing)} differ")
    trees = {
        name: files.restore(name, value, arrays, path) for name, value in like._asdict().items() if name not in SCALARS
    }
    return header, State(**trees, **{name: header[name] for name in SCALARS})
