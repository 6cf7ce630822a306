"""How often a bracket of log Z contains it, and how often it is closed and wrong, on the hard machines.

    python -m validation.coverage --out docs/bracket_coverage.csv     all rows, an hour or so of one core
    python -m validation.coverage "golf hole" glass --runs 20         two machines, on the terminal
    python -m validation.coverage --table docs/bracket_coverage.csv   a file of rows as a table

A row is a machine, a path (temperature from one of the bases, or the snapshots of a training run) and what annealing
down starts from: exact samples; replicas of population annealing along the same path; fresh chains, 1,000 sweeps of
block Gibbs from uniform states. Each run has a key of its own; the rows of a path share their ends from below. Verdicts
are of the gap alone: what two ways know, without the mean field that `bracket` holds against both.
"""

import sys
import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.sampling import ais, bracket, pcd, philox, population_annealing, trajectory
from dvae_ref.sampling.bracket import Bracket, Start
from validation import counts, machines

TEMPERATURES, CHAINS = 1000, 100
GROUPS, REPLICAS = 10, 30  # along snapshots: with 5 sweeps a step, about as many spins
FRESH_SWEEPS, REPLICA_SWEEPS = 1000, 10
FAR = 5.0  # standard errors
STARTS = ("exact samples", "replicas", "fresh chains")
_DRAWS, _UP, _DOWN = 10, 11, 12  # what a run's key is for


class Row(NamedTuple):
    """Counts over the runs; nats are medians."""

    machine: str
    path: str
    start: str
    runs: int
    contains: int  # log Z lies between the ends
    closed: int
    open: int
    contradictory: int
    closed_outside: int  # closed, and log Z is not between the ends
    closed_far: int  # closed, and log Z is beyond an end's estimate by more than 5 of its standard errors
    far: int  # the same of any verdict
    ais_contains: int  # AIS alone, +- 1.96 standard errors; along snapshots, the end from below
    effective: float  # effective sample size of AIS, of 100; nan along snapshots
    below: float  # estimate from below - log Z
    below_error: float
    above: float  # estimate from above - log Z
    above_error: float


def rows(machine, runs, seed=0):
    """The Rows of a Machine."""
    paths = {"uniform": _Temperature(machine, "uniform"), "bias": _Temperature(machine, "bias")}
    if machine.name == "first-order":
        paths["snapshots"] = _Snapshots()
    for path, annealed in paths.items():
        keys = [philox.fold_in(philox.key(seed), i) for i in range(runs)]
        found = [_brackets(machine, annealed, key) for key in keys]
        effective = [size for _, size in found]
        for start in STARTS:
            yield summary(machine, path, start, [brackets[start] for brackets, _ in found], effective)


def _brackets(machine, annealed, key):
    """({start: Bracket} for each of STARTS, one below for all of them; the effective sample size of that)."""
    below, effective = annealed.below(philox.fold_in(key, _UP))
    found = {}
    for n, name in enumerate(STARTS):
        start = _start(machine, annealed, name, philox.fold_in(key, _DRAWS, n))
        found[name] = Bracket(below, annealed.above(philox.fold_in(key, _DOWN, n), start))
    return found, effective


def _start(machine, annealed, name, key):
    if name == "exact samples":
        return Start(machine.samples(key, annealed.chains), name, exact=True)
    if name == "replicas":
        return Start(annealed.replicas(key), name)
    chains = pcd.init(key, machine.rbm, annealed.chains)
    return Start(pcd.step(key, chains, machine.rbm, FRESH_SWEEPS)[0].z, name)


class _Temperature:
    """The path of `ais` from a base."""

    chains = CHAINS

    def __init__(self, machine, base):
        self.rbm, self.base = machine.rbm, base

    def below(self, key):
        result = ais.log_z(key, self.rbm, TEMPERATURES, CHAINS, self.base)
        end = bracket.End(result.log_z, result.standard_error, CHAINS, self.base, True)
        return end, result.effective_sample_size

    def above(self, key, start):
        return bracket.above(key, self.rbm, start, TEMPERATURES, self.base)

    def replicas(self, key):
        annealed = population_annealing.anneal(key, self.rbm, CHAINS, REPLICA_SWEEPS, base=self.base)
        return population_annealing.samples(annealed.state)


class _Snapshots:
    """The path through the snapshots of a training run that ends at the first-order machine."""

    chains = GROUPS * REPLICAS

    def __init__(self):
        trained = machines.trained()
        self.rbms, self.steps = trained.rbms, trajectory.steps_for(trained.jeffreys)

    def below(self, key):
        return trajectory.below(key, self.rbms, self.steps, GROUPS, REPLICAS), np.nan

    def above(self, key, start):
        return trajectory.above(key, self.rbms, start, self.steps, GROUPS)

    def replicas(self, key):
        """States of replicas that went from snapshot to snapshot, as in a training run with these updates."""
        state = population_annealing.init(key, self.rbms[0], self.chains)
        for rbm in self.rbms:
            state, _ = population_annealing.step(key, state, rbm, REPLICA_SWEEPS)
        return population_annealing.samples(state)


def summary(machine, path, start, brackets, effective):
    """The Row of many runs."""
    log_z = machine.log_z
    below, below_error = np.array([(b.below.log_z, b.below.standard_error) for b in brackets]).T
    above, above_error = np.array([(b.above.log_z, b.above.standard_error) for b in brackets]).T
    inside = np.array([b.low <= log_z <= b.high for b in brackets])
    far = (below - log_z > FAR * below_error) | (log_z - above > FAR * above_error)
    verdicts = np.array([b.verdict for b in brackets])
    closed = verdicts == "closed"
    held = {
        "contains": inside,
        "closed": closed,
        "open": verdicts == "open",
        "contradictory": verdicts == "contradictory",
        "closed_outside": closed & ~inside,
        "closed_far": closed & far,
        "far": far,
        "ais_contains": np.abs(below - log_z) <= 1.96 * below_error,
    }
    nats = {
        "effective": effective,
        "below": below - log_z,
        "below_error": below_error,
        "above": above - log_z,
        "above_error": above_error,
    }
    totals = {name: int(np.sum(which)) for name, which in held.items()}
    medians = {name: float(np.median(values)) for name, values in nats.items()}
    return Row(machine.name, path, start, len(brackets), **totals, **medians)


HEAD = ("machine", "path", "down from", "contains", "closed", "open", "contradictory", "closed, outside (far)",
        "AIS alone", "ESS", "below", "above")  # fmt: skip


def table(found):
    """Markdown: counts in percent of the runs."""
    return counts.markdown(HEAD, 3, map(cells, found))


def cells(row):
    def percent(count):
        return counts.percent(count, row.runs, 1)

    return (
        row.machine,
        row.path,
        row.start,
        percent(row.contains),
        percent(row.closed),
        percent(row.open),
        percent(row.contradictory),
        f"{percent(row.closed_outside)} ({percent(row.closed_far)})",
        percent(row.ais_contains),
        f"{row.effective:.0f}".replace("nan", ""),
        f"{row.below:+.2f} ± {row.below_error:.2f}",
        f"{row.above:+.2f} ± {row.above_error:.2f}",
    )


def main(argv=None):
    warnings.simplefilter("ignore")  # that few chains count is among what is counted here
    return counts.main(argv, "coverage", __doc__, Row, rows, table)


if __name__ == "__main__":
    sys.exit(main())
