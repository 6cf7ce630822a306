"""The numbers that a caller gets who gives none: each is written down here once more, to be changed on purpose only."""

import importlib
import inspect
import math
import pkgutil

ROOMS = ("theory", "model", "exact", "sampling", "runs", "table1")
TABLE = {
    "theory.bounds.log_weights": {"kappa": 1.0},
    "theory.bounds.log_weights_backward": {"kappa": 1.0},
    "theory.domains.whole": {"least": 0, "most": 2**62},
    "theory.mean_field.mean_field": {"sweeps": 5},
    "theory.overlapping.log_p": {"sweeps": 5},
    "theory.smoothing.UniformExponential": {"epsilon": 0.05},
    "model.autoencoder.Config": {"k": 1},
    "model.autoencoder.objective": {"kappa": 1.0},
    "model.autoencoder.objective_and_gradient": {"kappa": 1.0, "threads": 1},
    "model.baselines.Law": {"least": 0.0, "most": math.inf},
    "model.methods.relaxed": {"mean_field_sweeps": 5},
    "model.methods.method": {"epsilon": 0.05, "mean_field_sweeps": 5},
    "model.priors.Relaxed": {"mean_field_sweeps": 5},
    "sampling.ais.log_z": {"temperatures": 10000, "chains": 1000},
    "sampling.ais.log_z_batch": {"temperatures": 1000, "chains": 100},
    "sampling.ais.check_chains": {"machines": 1},
    "sampling.bracket.Bracket": {"least": -math.inf},
    "sampling.bracket.log_z": {"temperatures": 10000, "chains": 1000},
    "sampling.bracket.below": {"temperatures": 10000, "chains": 1000},
    "sampling.bracket.above": {"temperatures": 10000},
    "sampling.bracket.log_weights": {"temperatures": 10000},
    "sampling.gibbs.chains_from": {"sweeps": 0},
    "sampling.gibbs.draw": {"first": 0},
    "sampling.pcd.init": {"chains": 1000},
    "sampling.pcd.step": {"sweeps": 40},
    "sampling.population_annealing.init": {"chains": 1000},
    "sampling.population_annealing.step": {"sweeps": 40, "overlap": 0.5, "most": 20, "family_updates": 25},
    "sampling.population_annealing.anneal": {"chains": 1000, "sweeps": 10, "overlap": 0.86, "most": 10000},
    "sampling.trajectory.log_z": {"steps": 8, "groups": 20, "replicas": 100, "sweeps": 5},
    "sampling.trajectory.below": {"steps": 8, "groups": 20, "replicas": 100, "sweeps": 5},
    "sampling.trajectory.above": {"steps": 8, "groups": 20, "sweeps": 5},
    "sampling.trajectory.steps_for": {"each": 0.1},
    "runs.datasets.binarize": {"chunk": 1000},
    "runs.evaluation.log_likelihood": {"samples": 4000, "threads": 1},
    "runs.foreign.log_z": {"temperatures": 10000, "chains": 1000, "sweeps": 10000, "seed": 0},
    "runs.foreign.nll": {"log_z_error": 0.0},
    "runs.library.Trained.sample": {"number": 100, "sweeps": 10000, "seed": 0},
    "runs.library.Trained.encode": {"seed": 0},
    "runs.library.Trained.reconstruct": {"seed": 0},
    "runs.library.Trained.log_z": {"temperatures": 10000, "chains": 1000, "seed": 0},
    "runs.library.Trained.log_likelihood": {"samples": 4000, "seed": 0},
    "runs.lifecycle.Run": {"threads": 1},
    "runs.measuring.measure": {"samples": 4000, "temperatures": 10000, "ais_chains": 1000, "seed": 0, "threads": 1},
    "runs.metrics.Metrics": {"size": 0},
    "runs.optimizer.update": {"beta1": 0.9, "beta2": 0.999, "epsilon": 0.001, "decay": 0.0},
    "runs.optimizer.weight_decay": {"strength": 0.0001},
    "runs.optimizer.warm_up": {"fraction": 0.3},
    "runs.presets.Settings": {
        "k": 1,
        "epsilon": 0.05,
        "num_train_iter": 1000000,
        "seed": 0,
        "batch_size": 100,
        "learning_rate": 0.003,
        "lr_boundaries": (0.02, 0.6, 0.75, 0.95),
        "lr_factors": (0.1, 1.0, 1 / 3, 0.1, 1 / 33),
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 0.001,
        "weight_decay": 0.0001,
        "warm_up": 0.3,
        "mean_field_sweeps": 5,
        "chains": 1000,
        "sweeps": 40,
        "eval_samples": 100,
        "eval_temperatures": 1000,
        "checkpoint_every": 1000,
        "log_every": 100,
    },
    "runs.sizes.check_settings": {"threads": 1},
    "runs.sizes.check_measurement": {"threads": 1},
    "runs.snapshots.Snapshots": {"count": 0},
    "runs.training.validate": {"threads": 1},
    "table1.anywhere.train_table": {"threads": 1},
    "table1.grid.Measurement": {"samples": 4000, "temperatures": 10000, "ais_chains": 1000},
}


def is_numeric(value):
    if isinstance(value, tuple):
        return len(value) > 0 and all(map(is_numeric, value))
    return type(value) in (int, float)


def public_callables(module):
    """(name, function or class) of a module, and of the methods of its classes."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        yield name, value
        if inspect.isclass(value):
            methods = inspect.getmembers(value, inspect.isfunction)
            yield from ((f"{name}.{method}", f) for method, f in methods if not method.startswith("_"))


def numbers_of(function):
    """{parameter: default} where that is a number, or some."""
    if not callable(function) or (isinstance(function, type) and issubclass(function, Exception)):
        return {}
    parameters = inspect.signature(function).parameters.items()
    return {name: parameter.default for name, parameter in parameters if is_numeric(parameter.default)}


def found():
    defaults = {}
    for room in ROOMS:
        path = importlib.import_module(f"dvae_ref.{room}").__path__
        for module in pkgutil.iter_modules(path, f"{room}."):
            if not module.ispkg:
                names = public_callables(importlib.import_module(f"dvae_ref.{module.name}"))
                defaults |= {f"{module.name}.{name}": numbers_of(function) for name, function in names}
    return {name: numbers for name, numbers in defaults.items() if numbers}


def test_defaults_are_what_they_were():
    assert found() == TABLE


def test_control_a_default_is_seen_wherever_it_stands():
    def function(x, sweeps=5, *, kappa=1.0, on=True, name="", schedule=(0.1, 2)): ...

    assert numbers_of(function) == {"sweeps": 5, "kappa": 1.0, "schedule": (0.1, 2)}
