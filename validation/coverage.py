"""How often a bracket of log Z contains it, and how often it is closed and wrong, on the hard machines.

    python -m validation.coverage --out docs/bracket_coverage.csv     all rows, an hour or so of one core
    python -m validation.coverage "golf hole" glass --runs 20         two machines, on the terminal
    python -m validation.coverage --table docs/bracket_coverage.csv   a file of rows as a table

A row is a machine, a path (temperature from one of the bases, or the snapshots of a training run) and what annealing
down starts from: exact samples; replicas of population annealing along the same path; fresh chains, 1,000 sweeps of
block Gibbs from uniform states. Each run has a key of its own; the rows of a path share their ends from below.
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
    for path in ("uniform", "bias", *(["snapshots"] if machine.name == "first-order" else [])):
        annealed = _Snapshots() if path == "snapshots" else _Temperature(machine, path)
        keys = [philox.fold_in(philox.key(seed), i) for i in range(runs)]
        found = [_brackets(machine, annealed, key) for key in keys]
        for start in STARTS:
            yield summary(machine, path, start, [run[start] for run in found], [run["effective"] for run in found])


def _brackets(machine, annealed, key):
    """A Bracket for each of STARTS, one below for all of them, and the effective sample size of that."""
    below, effective = annealed.below(philox.fold_in(key, _UP))
    starts = {start: _start(machine, annealed, start, philox.fold_in(key, _DRAWS, n)) for n, start in enumerate(STARTS)}
    ends = {
        name: annealed.above(philox.fold_in(key, _DOWN, n), start) for n, (name, start) in enumerate(starts.items())
    }
    return {name: Bracket(below, end) for name, end in ends.items()} | {"effective": effective}


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
        return bracket.End(*result[:2], CHAINS, self.base, True), result.effective_sample_size

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
        """Of a training run that takes the snapshots for its updates."""
        state = population_annealing.init(key, self.rbms[0], self.chains)
        for rbm in self.rbms:
            state, _ = population_annealing.step(key, state, rbm, REPLICA_SWEEPS)
        return population_annealing.samples(state)


def summary(machine, path, start, brackets, effective):
    """The Row of many runs."""
    log_z = machine.log_z
    ends = np.array([(*b.below[:2], *b.above[:2], b.low, b.high) for b in brackets]).T
    below, below_error, above, above_error, low, high = ends
    verdicts = np.array([b.verdict for b in brackets])
    inside = (low <= log_z) & (log_z <= high)
    far = (below - log_z > FAR * below_error) | (log_z - above > FAR * above_error)
    closed = verdicts == "closed"
    held = (inside, closed, verdicts == "open", verdicts == "contradictory", closed & ~inside, closed & far, far)
    ais_alone = np.abs(below - log_z) <= 1.96 * below_error
    nats = (effective, below - log_z, below_error, above - log_z, above_error)
    totals = [int(np.sum(which)) for which in (*held, ais_alone)]
    return Row(machine.name, path, start, len(brackets), *totals, *(float(np.median(values)) for values in nats))


HEAD = ("machine", "path", "down from", "contains", "closed", "open", "contradictory", "closed, outside (far)",
        "AIS alone", "ESS", "below", "above")  # fmt: skip


def table(found):
    """Markdown: counts in percent of the runs."""
    return counts.markdown(HEAD, 3, map(cells, found))


def cells(row):
    shares = [counts.percent(count, row.runs, 1) for count in row[4:8]]
    outside, far = (counts.percent(count, row.runs, 1) for count in (row.closed_outside, row.closed_far))
    alone, effective = counts.percent(row.ais_contains, row.runs, 1), f"{row.effective:.0f}".replace("nan", "")
    nats = f"{row.below:+.2f} ± {row.below_error:.2f}", f"{row.above:+.2f} ± {row.above_error:.2f}"
    return row.machine, row.path, row.start, *shares, f"{outside} ({far})", alone, effective, *nats


def main(argv=None):
    warnings.simplefilter("ignore")  # that few chains count is among what is counted here
    return counts.main(argv, "coverage", __doc__, Row, rows, table)


if __name__ == "__main__":
    sys.exit(main())
