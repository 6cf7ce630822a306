"""Cost of a Gibbs sweep over chains and over sizes, as figures: log-log, with the slope that it should have."""

import time
from pathlib import Path

import numba
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks import machines
from dvae_ref.sampling import gibbs, pcd, philox

CHAINS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
SIZES = (16, 32, 64, 128, 256, 512, 1024)
SWEEPS = 40
SECONDS, SECONDS_QUICK = 0.5, 0.02  # for a point


def measure(quick):
    """{"chains": [(R, seconds a sweep)], "sizes": [(units a side, seconds a sweep)]}."""
    chains, sizes, seconds = (CHAINS[:5], SIZES[:5], SECONDS_QUICK) if quick else (CHAINS, SIZES, SECONDS)
    return {
        "chains": [(r, _seconds_a_sweep(machines.rbm(100), r, seconds)) for r in chains],
        "sizes": [(n, _seconds_a_sweep(machines.rbm(n), 1000, seconds)) for n in sizes],
    }


def _seconds_a_sweep(rbm, chains, seconds):
    """The median of calls of as many sweeps as an update has in training; tables and checks are part of a call."""
    key, state, spent = philox.key(0), pcd.init(philox.key(0), rbm, chains), []
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
    left = _plot(found["chains"], "chains, 100 x 100 units", 1, "proportional to chains", title, -1)
    right = _plot(
        found["sizes"], "units a side, 1,000 chains", 2, "proportional to units² (the fields)", title, SIZES.index(128)
    )
    paths = [Path(folder) / f"cost_over_{name}.png" for name in ("chains", "sizes")]
    for figure, path in zip((left, right), paths, strict=True):
        FigureCanvasAgg(figure).print_png(path)
    return paths


def _plot(points, label, power, ideal, title, anchored):
    """The points, and a power law through one of them."""
    x, y = zip(*points, strict=True)
    milliseconds = [1e3 * value for value in y]
    figure = Figure(figsize=(6, 4.5), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.loglog(x, milliseconds, "o-", color="#0072B2", label="measured")
    anchor = milliseconds[anchored] / x[anchored] ** power
    axes.loglog(x, [anchor * value**power for value in x], "--", color="#D55E00", label=ideal)
    axes.set(xlabel=label, ylabel="time a sweep (ms)", title=title)
    axes.title.set_fontsize(10)
    axes.set_xticks(x, [f"{value:,}" for value in x])
    axes.minorticks_off()
    axes.grid(color="#E4E4E4", which="both", linewidth=0.6)
    axes.legend()
    return figure
