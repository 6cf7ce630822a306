"""What is measured, by name: the work of a case, who does it, and how their answers are compared."""

import importlib
import math

import numpy as np

from benchmarks import machines
from benchmarks.timing import Case, optional
from dvae_ref import exact
from dvae_ref.boltzmann import BoltzmannMachine
from dvae_ref.sampling import ais as annealed
from dvae_ref.sampling import pcd, philox, population_annealing

KEY = philox.key(0)
CHAINS = 1000


def gibbs(quick):
    """ns a spin: every unit of 1,000 chains drawn once more, both sides in turn."""
    sweeps = 10 if quick else 40
    return [_gibbs(machines.rbm(n), sweeps) for n in (100, 200)]


def _gibbs(rbm, sweeps):
    contenders = {
        "dvae_ref": _our_gibbs(rbm, sweeps),
        "torch": _peer("torch", "gibbs", rbm, CHAINS, sweeps),
        "jax": _peer("jax", "gibbs", rbm, CHAINS, sweeps),
        "thrml": _peer("thrml", "gibbs", rbm, CHAINS, sweeps),
    }
    name = f"Gibbs, {len(rbm.W)} x {rbm.W.shape[1]}, {CHAINS:,} chains"
    scale, agreement = 1e9 / (CHAINS * len(rbm.a) * sweeps), "standard errors, largest of all units"
    return Case(name, "ns/spin", scale, contenders, machines.deviation_of_means, agreement)


def _our_gibbs(rbm, sweeps):
    state = [pcd.init(KEY, rbm, CHAINS)]

    def run():
        state[0], _ = pcd.step(KEY, state[0], rbm, sweeps)
        return pcd.samples(state[0])

    return run


def ais(quick):
    """ms a temperature: a sweep of 1,000 chains and the increments of their log-weights."""
    rbm, temperatures = machines.rbm(100), 100 if quick else 400
    contenders = {
        "dvae_ref": lambda: annealed.log_z(KEY, rbm, temperatures, CHAINS)[:2],
        "torch": _peer("torch", "ais", rbm, CHAINS, temperatures),
        "jax": _peer("jax", "ais", rbm, CHAINS, temperatures),
    }
    name = f"AIS, 100 x 100, {CHAINS:,} chains"
    cases = [Case(name, "ms/temperature", 1e3 / (temperatures - 1), contenders, _deviation_of_log_z)]
    if not quick:
        run = {"dvae_ref": lambda: annealed.log_z(KEY, rbm, 10_000, CHAINS)[:2]}
        cases.append(Case(f"{name}, 10,000 temperatures", "s", 1, run, _deviation_of_log_z))
    return cases


def annealing(quick):
    """ms a temperature: weights, resampling and ten sweeps of 1,000 replicas; and pa beside pcd in an update."""
    rbm, temperatures, sweeps = machines.rbm(100), 10 if quick else 50, 10
    contenders = {
        "dvae_ref": lambda: population_annealing.anneal(KEY, rbm, CHAINS, sweeps, temperatures)[:2],
        "torch": _peer("torch", "population_annealing", rbm, CHAINS, temperatures, sweeps),
    }
    name = f"Population annealing, 100 x 100, {CHAINS:,} replicas, {sweeps} sweeps"
    cases = [Case(name, "ms/temperature", 1e3 / (temperatures - 1), contenders, _deviation_of_log_z)]
    return cases if quick else [*cases, _update_cost()]


def _update_cost():
    """An update of training's negative phase with each sampler, which differ little in their machines."""
    rbm, rng = machines.rbm(200), np.random.default_rng(1)
    close = rbm._replace(W=rbm.W + rng.normal(0, 1e-4, rbm.W.shape).astype(np.float32))
    starts = {
        "pcd": (pcd, pcd.init(KEY, rbm, CHAINS)),
        "pa": (population_annealing, population_annealing.anneal(KEY, rbm, CHAINS, 2).state),
    }
    runs = {}
    for name, (sampler, start) in starts.items():
        runs[f"dvae_ref {name}"] = lambda sampler=sampler, start=start: sampler.step(KEY, start, close)[1].moments.z
    error = 0.5 * math.sqrt(2 / CHAINS)
    return Case(
        f"An update, 200 x 200, {CHAINS:,} chains, 40 sweeps", "ms", 1e3, runs, lambda a, b: np.abs(a - b).max() / error
    )


def enumeration(quick):
    """Seconds for log Z of a machine of 20 units, all coupled (16 if quick)."""
    units, rng = 16 if quick else 20, np.random.default_rng(0)
    J = np.triu(rng.normal(0, 0.3, (units, units)), 1)
    machine = BoltzmannMachine(rng.normal(0, 0.5, units), J + J.T)
    contenders = {"dvae_ref": lambda: exact.log_z(machine), "dimod": _peer("dimod", "log_z", machine)}
    return [Case(f"Enumeration, {units} units", "ms", 1e3, contenders, lambda a, b: abs(a / b - 1), "relative")]


CASES = {"gibbs": gibbs, "ais": ais, "annealing": annealing, "enumeration": enumeration}


def _peer(library, what, *arguments):
    def load():
        return getattr(importlib.import_module(f"benchmarks.peers_{library}"), what)(*arguments)

    return optional(load)


def _deviation_of_log_z(ours, theirs):
    """In standard errors of both; where the other states none, it is taken to be ours."""
    error = ours[1] if math.isnan(theirs[1]) else theirs[1]
    return abs(ours[0] - theirs[0]) / math.hypot(ours[1], error)
