"""How often the error bars of log Z hold it, and how often a warning came where they do not, on the hard machines.

    python -m validation.error_bars --out docs/error_bars.csv    all rows, a quarter of an hour of one core
    python -m validation.error_bars "golf hole" --runs 20        a machine, on the terminal
    python -m validation.error_bars --table docs/error_bars.csv  a file of rows as a table

A row is a machine and an estimate: AIS of 1,000 temperatures and 100 chains from either base, and in a batch;
population annealing with 10 sweeps a step, of 100 replicas from either base and of 20; the same with temperatures that
the estimating replicas choose, as it was before 0.2; its `step` along 20 machines, as a training run reports it. An
estimate counts as wrong that is off by more than 3 of its standard errors.
"""

import sys
import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.sampling import ais, paths, philox, replicas
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory.boltzmann import RBM
from validation import counts

TEMPERATURES, CHAINS, FEW, SWEEPS, STEPS = 1000, 100, 20, 10, 20
WRONG = 3.0  # standard errors


class Row(NamedTuple):
    """Counts over the runs; nats are medians."""

    machine: str
    estimate: str
    runs: int
    within_one: int  # of its standard errors
    within_two: int  # 1.96
    wrong: int
    wrong_and_warned: int
    right_and_warned: int
    ratio: float  # mean of Z^ / Z
    ratio_error: float
    error: float  # estimate less log Z
    standard_error: float


def of_ais(base):
    return lambda key, rbm: ais.log_z(key, rbm, TEMPERATURES, CHAINS, base)[:2]


def in_a_batch(key, rbm):
    found = ais.log_z_batch(key, rbm.W, rbm.a[None], TEMPERATURES, CHAINS)
    return found.log_z[0], found.standard_error[0]


def annealed(size, base="uniform"):
    return lambda key, rbm: pa.anneal(key, rbm, size, SWEEPS, base=base)[:2]


def with_own_schedule(size):
    """As `anneal` was: the replicas that estimate choose the temperatures."""

    def estimate(key, rbm):
        path = paths.annealing_path(rbm, "uniform")
        following = pa._adaptive(pa.OVERLAP_ANNEAL, 10_000)
        state, _, record = pa._walk(key, path, size, SWEEPS, following, "cpu")
        effective, _, families, _ = np.array(record).T
        replicas.warn_if_collapsed(size, effective.min(), families[-1], families=100, reason="")
        return float(state.log_z), replicas.standard_error(state)

    return estimate


def along_training(key, rbm):
    """What `step` reports after 20 machines on the way from zero."""
    state = pa.init(key, rbm, CHAINS)
    for t in np.linspace(0, 1, STEPS + 1)[1:]:
        state, info = pa.step(key, state, RBM(t * rbm.a, t * rbm.W), SWEEPS)
    return info.log_z, info.standard_error


ESTIMATES = {
    "AIS, uniform": of_ais("uniform"),
    "AIS, bias": of_ais("bias"),
    "AIS batch": in_a_batch,
    "PA 100, uniform": annealed(CHAINS),
    "PA 100, bias": annealed(CHAINS, "bias"),
    "PA 20, uniform": annealed(FEW),
    "PA 100, before": with_own_schedule(CHAINS),
    "PA 20, before": with_own_schedule(FEW),
    "PA 100, step": along_training,
}


def rows(machine, runs, seed=0):
    """The Rows of a Machine."""
    for name in ESTIMATES:
        yield row(machine, name, runs, seed)


def row(machine, name, runs, seed=0):
    """The Row of an estimate on a Machine."""
    keys = [philox.fold_in(philox.key(seed), i) for i in range(runs)]
    found, warned = [], []
    for key in keys:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found.append(ESTIMATES[name](key, machine.rbm))
        warned.append(bool(said))
    return summary(machine, name, np.array(found), np.array(warned))


def summary(machine, name, found, warned):
    """The Row of estimates (runs, 2), and of whether each came with a warning."""
    estimate, bar = found.T
    error = estimate - machine.log_z
    away, ratio = np.abs(error), np.exp(error)
    wrong = away > WRONG * bar
    return Row(
        machine=machine.name,
        estimate=name,
        runs=len(found),
        within_one=int(np.sum(away <= bar)),
        within_two=int(np.sum(away <= 1.96 * bar)),
        wrong=int(np.sum(wrong)),
        wrong_and_warned=int(np.sum(wrong & warned)),
        right_and_warned=int(np.sum(~wrong & warned)),
        ratio=float(ratio.mean()),
        ratio_error=float(ratio.std(ddof=1) / np.sqrt(len(ratio))),
        error=float(np.median(error)),
        standard_error=float(np.median(bar)),
    )


HEAD = ("machine", "estimate", "68% holds", "95% holds", "wrong", "of these warned", "right, and warned", "Z^ / Z",
        "log Z^ - log Z")  # fmt: skip


def table(found):
    """Markdown: counts in percent of the runs, warnings of those that were wrong or right."""
    return counts.markdown(HEAD, 2, map(cells, found))


def cells(row):
    return (
        row.machine,
        row.estimate,
        counts.percent(row.within_one, row.runs),
        counts.percent(row.within_two, row.runs),
        counts.percent(row.wrong, row.runs),
        counts.percent(row.wrong_and_warned, row.wrong),
        counts.percent(row.right_and_warned, row.runs - row.wrong),
        f"{row.ratio:.3f} ± {row.ratio_error:.3f}",
        f"{row.error:+.3f} ± {row.standard_error:.3f}",
    )


def main(argv=None):
    return counts.main(argv, "error_bars", __doc__, Row, rows, table)


if __name__ == "__main__":
    sys.exit(main())
