"""Cost of a Gibbs sweep over chains and over sizes, as figures: log-log, with the slope that it should have.

A sweep of R chains of n + n units takes 2 n^2 weights a chain: in proportion to R, and to n^2 where their sums are all.
Few chains cost more than their share, as they fill no vectors and what is done once a call counts; with few units, to
draw the spins, in proportion to n, is more than to sum their fields.
"""

import time
from pathlib import Path

import numba
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks import machines
from dvae_ref.sampling import gibbs, pcd, philox

CHAINS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
SIZES = (16, 32, 64, 128, 256, 512, 1024)
SWEEPS = 40


def measure(quick):
    """{"chains": [(R, seconds a sweep)], "sizes": [(units a side, seconds a sweep)]}."""
    count, seconds = (5, 0.02) if quick else (None, 0.5)  # of points, and for each
    return {
        "chains": [(r, _seconds_a_sweep(machines.rbm(100), r, seconds)) for r in CHAINS[:count]],
        "sizes": [(n, _seconds_a_sweep(machines.rbm(n), 1000, seconds)) for n in SIZES[:count]],
    }


def _seconds_a_sweep(rbm, chains, seconds):
    """The median of calls of as many sweeps as an update has in training; tables and checks are part of a call."""
    key = philox.key(0)
    state, spent = pcd.init(key, rbm, chains), []
    gibbs.sweep(key, state, rbm, 1)  # compiled
    while len(spent) < 5 or sum(spent) < seconds:
        before = time.perf_counter()
        gibbs.sweep(key, state, rbm, SWEEPS)
        spent.append(time.perf_counter() - before)
    return sorted(spent)[len(spent) // 2] / SWEEPS


def draw(found, folder, machine):
    """cost_over_chains.png and cost_over_sizes.png."""
    cores = numba.get_num_threads()
    title = f"Block Gibbs, {cores} core{'s' * (cores > 1)}, {machine['cpu']}"
    over_chains = _plot(found["chains"], 1, "proportional to chains", -1)
    over_chains.axes[0].set(title=title, xlabel="chains, 100 x 100 units")
    over_sizes = _plot(found["sizes"], 2, "proportional to units² (the fields)", SIZES.index(128))
    over_sizes.axes[0].set(title=title, xlabel="units a side, 1,000 chains")
    paths = []
    for name, figure in {"chains": over_chains, "sizes": over_sizes}.items():
        paths.append(Path(folder) / f"cost_over_{name}.png")
        FigureCanvasAgg(figure).print_png(paths[-1])
    return paths


def _plot(points, power, ideal, anchored):
    """The points, and a power law through one of them."""
    x, seconds = np.array(points).T
    milliseconds = 1e3 * seconds
    figure = Figure(figsize=(6, 4.5), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.loglog(x, milliseconds, "o-", color="#0072B2", label="measured")
    anchor = milliseconds[anchored] / x[anchored] ** power
    axes.loglog(x, anchor * x**power, "--", color="#D55E00", label=ideal)
    axes.set(ylabel="time a sweep (ms)")
    axes.title.set_fontsize(10)
    axes.set_xticks(x, [f"{value:,.0f}" for value in x])
    axes.minorticks_off()
    axes.grid(color="#E4E4E4", which="both", linewidth=0.6)
    axes.legend()
    return figure
