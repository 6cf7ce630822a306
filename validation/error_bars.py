"""How often the error bars of log Z hold it, and how often a warning came where they do not, on the hard machines.

    python -m validation.error_bars --out docs/error_bars.csv    all rows, a quarter of an hour of one core
    python -m validation.error_bars "golf hole" --runs 20        a machine, on the terminal
    python -m validation.error_bars --table docs/error_bars.csv  a file of rows as a table

A row is a machine and an estimate: AIS of 1,000 temperatures and 100 chains from either base, and in a batch;
population annealing with 10 sweeps a step, of 100 replicas from either base and of 20; the same with temperatures that
the estimating replicas choose, as it was before 0.2; its `step` along 20 machines, as a training run reports it. An
estimate counts as wrong that is off by more than 3 of its standard errors.
"""

import argparse
import csv
import sys
import warnings
from typing import NamedTuple

import numba
import numpy as np

from dvae_ref import blas
from dvae_ref.sampling import ais, philox, replicas
from dvae_ref.sampling import population_annealing as pa
from dvae_ref.theory.boltzmann import RBM
from validation import machines

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
        path, following = ais.annealing_path(rbm, "uniform"), pa._adaptive(pa.OVERLAP_ANNEAL, 10_000)
        state, _, record = pa._walk(key, path, size, SWEEPS, following, "cpu")
        columns = np.array(record).T
        replicas.warn_if_collapsed(size, columns[0].min(), columns[2, -1], families=100, reason="")
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


def row(machine, name, runs, seed=0):
    """The Row of an estimate on a Machine."""
    keys = [philox.fold_in(philox.key(seed), i) for i in range(runs)]
    found, warned = zip(*(_with_warnings(ESTIMATES[name], key, machine.rbm) for key in keys), strict=True)
    return summary(machine, name, np.array(found), np.array(warned))


def _with_warnings(estimate, key, rbm):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return estimate(key, rbm), bool(said)


def summary(machine, name, found, warned):
    """The Row of estimates (runs, 2), and of whether each came with a warning."""
    error, bar = found[:, 0] - machine.log_z, found[:, 1]
    away = np.abs(error)
    wrong, ratio = away > WRONG * bar, np.exp(error)
    counts = (away <= bar, away <= 1.96 * bar, wrong, wrong & warned, ~wrong & warned)
    totals = [int(np.sum(which)) for which in counts]
    spread = ratio.std(ddof=1) / np.sqrt(len(ratio))
    nats = (ratio.mean(), spread, np.median(error), np.median(bar))
    return Row(machine.name, name, len(found), *totals, *map(float, nats))


def write(file, rows):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Row._fields)
    for each in rows:
        writer.writerow([f"{value:.4g}" if isinstance(value, float) else value for value in each])
        file.flush()


def read(file):
    """The Rows of a file that `write` wrote."""
    kinds = Row.__annotations__.values()
    return [Row(*(kind(cell) for kind, cell in zip(kinds, line, strict=True))) for line in list(csv.reader(file))[1:]]


HEAD = ("machine", "estimate", "68% holds", "95% holds", "wrong", "of these warned", "right, and warned", "Z^ / Z",
        "log Z^ - log Z")  # fmt: skip


def table(rows):
    """Markdown: counts in percent of the runs, warnings of those that were wrong or right."""
    lines = [HEAD, ("---",) * 2 + ("--:",) * (len(HEAD) - 2)]
    for r in rows:
        held = (
            f"{100 * r.within_one / r.runs:.0f}",
            f"{100 * r.within_two / r.runs:.0f}",
            f"{100 * r.wrong / r.runs:.0f}",
        )
        warned = share(r.wrong_and_warned, r.wrong), share(r.right_and_warned, r.runs - r.wrong)
        nats = f"{r.ratio:.3f} ± {r.ratio_error:.3f}", f"{r.error:+.3f} ± {r.standard_error:.3f}"
        lines.append((r.machine, r.estimate, *held, *warned, *nats))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(part, whole):
    return f"{100 * part / whole:.0f}" if whole else ""


def main(argv=None):
    parser = argparse.ArgumentParser("python -m validation.error_bars", description=__doc__.splitlines()[0])
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help="names (default: all)")
    parser.add_argument("--runs", type=int, default=300, help="of each row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write rows here as CSV, each as soon as it is known")
    parser.add_argument("--table", metavar="FILE", help="print the table of a file of rows, and run nothing")
    options = parser.parse_args(argv)
    if options.table:
        with open(options.table, newline="", encoding="utf-8") as file:
            print(table(read(file)))
        return 0
    try:
        chosen = [machines.named(name) for name in options.machines] or machines.machines()
    except ValueError as error:
        parser.error(str(error))
    numba.set_num_threads(1)
    with blas.one_thread():
        found = (row(machine, name, options.runs, options.seed) for machine in chosen for name in ESTIMATES)
        if not options.out:
            print(table(found))
            return 0
        with open(options.out, "w", newline="", encoding="utf-8") as file:
            write(file, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
