"""What is measured, by name: the work of a case, who does it, and how their answers are compared.

All contenders of a case are given the same machine, as arrays, and as many chains, sweeps and temperatures; random
numbers are their own, so that answers agree to a few standard errors. Whose answer is off by more has done other work.
"""

import math

import numpy as np

from benchmarks import machines, training
from benchmarks.timing import Case
from dvae_ref import BoltzmannMachine

CHAINS = 1000


def gibbs(quick):
    """ns a spin: every unit of 1,000 chains drawn once more, both sides in turn."""
    sweeps = 10 if quick else 40
    return [_gibbs(machines.rbm(n), sweeps) for n in (100, 200)]


def _gibbs(rbm, sweeps):
    """The Case of a machine; the answer: its chains after the last sweep, (R, D)."""
    contenders = {"dvae_ref": ("benchmarks.ours:gibbs", rbm, CHAINS, sweeps)}
    for peer in ("torch", "jax", "thrml"):
        contenders[peer] = (f"benchmarks.peers_{peer}:gibbs", rbm.a, rbm.W, CHAINS, sweeps)
    name = f"Gibbs, {len(rbm.W)} x {rbm.W.shape[1]}, {CHAINS:,} chains"
    scale, agreement = 1e9 / (CHAINS * len(rbm.a) * sweeps), "standard errors, largest of all units"
    return Case(name, "ns/spin", scale, contenders, machines.deviation_of_means, agreement)


def ais(quick):
    """ms a temperature: a sweep of 1,000 chains and the increments of their log-weights; the answer: (log Z, error).

    Ours alone once more with 10,000 temperatures, as the paper evaluates: its tables are made once for all of them.
    """
    rbm, temperatures = machines.rbm(100), 100 if quick else 400
    contenders = {"dvae_ref": ("benchmarks.ours:ais", rbm, CHAINS, temperatures)}
    for peer in ("torch", "jax"):
        contenders[peer] = (f"benchmarks.peers_{peer}:ais", rbm.a, rbm.W, CHAINS, temperatures)
    name = f"AIS, 100 x 100, {CHAINS:,} chains"
    cases = [Case(name, "ms/temperature", 1e3 / (temperatures - 1), contenders, _deviation_of_log_z)]
    if not quick:
        run = {"dvae_ref": ("benchmarks.ours:ais", rbm, CHAINS, 10_000)}
        cases.append(Case(f"{name}, 10,000 temperatures", "s", 1, run, _deviation_of_log_z))
    return cases


def annealing(quick):
    """ms a temperature: weights, resampling and ten sweeps of 1,000 replicas; and pa beside pcd in an update."""
    rbm, sweeps = machines.rbm(100), 10
    temperatures = 10 if quick else 50
    contenders = {
        "dvae_ref": ("benchmarks.ours:anneal", rbm, CHAINS, temperatures, sweeps),
        "torch": ("benchmarks.peers_torch:population_annealing", rbm.a, rbm.W, CHAINS, temperatures, sweeps),
    }
    name = f"Population annealing, 100 x 100, {CHAINS:,} replicas, {sweeps} sweeps"
    cases = [Case(name, "ms/temperature", 1e3 / (temperatures - 1), contenders, _deviation_of_log_z)]
    if not quick:
        cases.append(_update_cost())
    return cases


def _update_cost():
    """An update of training's negative phase with each sampler, from a machine to one close by; the answer: E[z].

    What population annealing costs beside persistent chains: weights, resampling, and moments of the same size.
    """
    rbm, rng = machines.rbm(200), np.random.default_rng(1)
    close = rbm._replace(W=rbm.W + rng.normal(0, 1e-4, rbm.W.shape).astype(np.float32))
    runs = {f"dvae_ref {name}": ("benchmarks.ours:update", name, rbm, close, CHAINS) for name in ("pcd", "pa")}
    error = 0.5 * math.sqrt(2 / CHAINS)
    name = f"An update, 200 x 200, {CHAINS:,} chains, 40 sweeps"
    return Case(name, "ms", 1e3, runs, lambda ours, theirs: np.abs(ours - theirs).max() / error)


def enumeration(quick):
    """Seconds for log Z of a machine of 20 units, all coupled (16 if quick)."""
    units = 16 if quick else 20
    rng = np.random.default_rng(0)
    J = np.triu(rng.normal(0, 0.3, (units, units)), 1)
    machine = BoltzmannMachine(rng.normal(0, 0.5, units), J + J.T)
    contenders = {
        "dvae_ref": ("benchmarks.ours:log_z", machine),
        "dimod": ("benchmarks.peers_dimod:log_z", machine.a, machine.J),
    }
    return [Case(f"Enumeration, {units} units", "ms", 1e3, contenders, lambda a, b: abs(a / b - 1), "relative")]


CASES = {"gibbs": gibbs, "ais": ais, "annealing": annealing, "enumeration": enumeration, "training": training.cases}


def _deviation_of_log_z(ours, theirs):
    """In standard errors of both; where the other states none, it is taken to be ours."""
    error = ours[1] if math.isnan(theirs[1]) else theirs[1]
    return abs(ours[0] - theirs[0]) / math.hypot(ours[1], error)
