"""Supplement: persistent contrastive divergence and population annealing along a training, against enumeration.

The machine and what it learns are `moving_target`'s. *Led*: the model moments are exact, and both samplers are led
along these same parameters, which neither influences; its moments at a machine are what an update would have used.
*Own*: the sampler's moments make the updates, as in training; what counts is the exact log-likelihood of the target,
less that of the trajectory with exact moments. Exact moments with momentum, averaged over updates, or an update late,
say what of a lag gains.
"""

import warnings
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dvae_ref.program.console import bar_style
from dvae_ref.runs.plots import BLUE, ORANGE
from dvae_ref.sampling import pcd, philox, population_annealing
from dvae_ref.theory.boltzmann import RBM, Moments
from figures import store, style
from figures.moving_target import (
    FLIP,
    PATTERNS,
    ROLE,
    SHAPE,
    TURNS,
    VARIANTS,
    climb,
    described,
    targets_of,
    trajectory,
)

SAMPLERS = {"pcd": pcd, "pa": population_annealing}
TITLES = {"pcd": "persistent chains (PCD)", "pa": "population annealing"}
COLORS = {"pcd": BLUE, "pa": ORANGE}
SWEEPS = (1, 2, 5, 10, 20, 40)
SHOWN = 5  # sweeps, in the panels along the way
TICKS = (0.01, 0.02, 0.05, 0.1)
EVERY = 10  # updates between comparisons


class Scale(NamedTuple):
    updates: int
    rate: float
    chains: int
    repeats: int


SCALES = {
    "quick": Scale(200, 0.2, 300, 3),
    "default": Scale(400, 0.2, 1000, 6),
    "full": Scale(400, 0.2, 1000, 40),
}


def compute(options):
    """update (T,), log_z (T,) and floor (T,), the rms error of independent samples; for the S numbers of sweeps and M
    repeats <sampler>_error (S, M, T), rms over all moments, and _gained (S, M, T), nats of log-likelihood where it
    makes its own updates; pa_log_z, less the exact one, and pa_standard_error; momentum_gained, averaged_gained and
    late_gained (T,), of exact moments (VARIANTS)."""
    scale = SCALES[options.scale]
    targets = targets_of(scale, options.seed)
    path = trajectory(targets, scale)
    points = [Point(i, *described(path[i], targets[i])) for i in range(EVERY - 1, len(path), EVERY)]
    data = {
        "update": np.array([point.index + 1 for point in points]),
        "sweeps": np.array(SWEEPS),
        "log_z": np.array([point.log_z for point in points]),
        "floor": np.array([floor(point.moments, scale.chains) for point in points]),
    }
    jobs = [(name, sweeps, repeat) for name in SAMPLERS for sweeps in SWEEPS for repeat in range(scale.repeats)]
    found = {name: [] for name in SAMPLERS}
    for name, sweeps, repeat in tqdm(jobs, desc="PCD, PA", unit="trajectory", **bar_style()):
        how = ["led and own", scale, SHAPE, PATTERNS, FLIP, TURNS, EVERY, name, sweeps, repeat, options.seed]
        kept = store.kept(
            options.out / "kept" / "pcd-vs-pa",
            f"{name}",
            how,
            lambda *job: along(path, targets, points, scale, options.seed, *job),
            name,
            sweeps,
            repeat,
        )
        found[name].append(kept)
    for name, variant in VARIANTS.items():
        data[f"{name}_gained"] = gained(variant(targets, scale.rate), targets, points)
    shape = (len(SWEEPS), scale.repeats, len(points))
    for name, rows in found.items():
        data |= {f"{name}_{key}": np.stack([row[key] for row in rows]).reshape(shape) for key in rows[0]}
    return data


class Point(NamedTuple):
    """What is exact at an update of the trajectory."""

    index: int
    moments: Moments
    log_z: float
    likelihood: float  # of the target, nats


VARIANT_TITLES = {"momentum": "exact moments, momentum 1/2", "averaged": "exact moments, averaged over 2 updates"}


def gained(path, targets, points):
    """log-likelihood of the target along a path, less that along the trajectory: nats, (T,)."""
    return np.array([described(path[at.index], targets[at.index])[2] - at.likelihood for at in points])


def floor(moments, chains):
    """The rms error of the moments of so many independent samples: each is the mean of a binary variable."""
    p = np.concatenate([moments.z, moments.zz.ravel()])
    return np.sqrt(np.mean(p * (1 - p)) / chains)


def along(path, targets, points, scale, seed, name, sweeps, repeat):
    """A sampler that is led along the path, and one that makes its own: arrays over the points."""
    key = philox.fold_in(philox.key(seed), ROLE, sweeps, repeat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few families or replicas left: that is what is to be seen
        led = list(steps(SAMPLERS[name], philox.fold_in(key, 0), path, scale, sweeps))
        own = own_path(SAMPLERS[name], philox.fold_in(key, 1), targets, scale, sweeps)
    rows = [compare(led[point.index], point) for point in points]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]} | {"gained": gained(own, targets, points)}


def steps(sampler, key, path, scale, sweeps):
    """The sampler's Info at each machine of a path."""
    state = sampler.init(philox.fold_in(key, 0), SHAPE, scale.chains)
    for rbm in path:
        state, info = sampler.step(philox.fold_in(key, 1), state, float32(rbm), sweeps)
        yield info


def own_path(sampler, key, targets, scale, sweeps):
    """The RBM after each update with the sampler's moments, which it takes before the update."""
    state = sampler.init(philox.fold_in(key, 0), SHAPE, scale.chains)

    def model_moments(rbm):
        nonlocal state
        state, info = sampler.step(philox.fold_in(key, 1), state, float32(rbm), sweeps)
        return info.moments

    return climb(targets, scale.rate, model_moments)


def float32(rbm):
    return RBM(*(leaf.astype(np.float32) for leaf in rbm))


def compare(info, point):
    off = [np.ravel(found - exactly) for found, exactly in zip(info.moments, point.moments, strict=True)]
    row = {"error": np.sqrt(np.mean(np.concatenate(off) ** 2))}
    if hasattr(info, "log_z"):
        row |= {"log_z": info.log_z - point.log_z, "standard_error": info.standard_error}
    return row


def plot(data):
    figure, axes = style.panels(2, 2, (9, 7))
    at = SWEEPS.index(SHOWN)
    for i, name in enumerate(SAMPLERS):
        look = {"color": COLORS[name], "linestyle": style.DASHES[i], "label": TITLES[name]}
        style.band(axes[0, 0], data["update"], *over_repeats(data[f"{name}_error"][at]), **look)
        for a, key in ((axes[0, 1], "error"), (axes[1, 1], "gained")):
            mean, spread = over_repeats(data[f"{name}_{key}"].mean(2).T)
            a.errorbar(data["sweeps"], mean, 2 * spread, marker=style.MARKERS[i], capsize=3, **look)
    axes[0, 0].plot(data["update"], data["floor"], ":", **FLOOR)
    axes[0, 1].plot(data["sweeps"], np.full(len(data["sweeps"]), data["floor"].mean()), ":", **FLOOR)
    draw_log_z(axes[1, 0], data)
    axes[0, 0].set_title(f"led along: moments, {SHOWN} sweeps an update", fontsize=11)
    axes[0, 1].set_title("led along: moments, mean over the way", fontsize=11)
    axes[1, 1].set_title("own updates less exact ones: mean", fontsize=11)
    axes[1, 1].set_ylabel("log-likelihood gained, nats")
    for i, (name, title) in enumerate(VARIANT_TITLES.items()):
        axes[1, 1].axhline(data[f"{name}_gained"].mean(), color="0.3", linewidth=1, dashes=(6 - 4 * i, 2), label=title)
    for a in (axes[0, 0], axes[1, 0]):
        style.iterations(a, data["update"][-1])
        a.set_xlabel("update")
    for a in axes[:, 1]:
        a.set(xlabel="sweeps an update", xscale="log", xticks=SWEEPS, xticklabels=SWEEPS)
        a.minorticks_off()
    for a in axes[0]:
        a.set(yscale="log", ylabel="rms error of the moments", yticks=TICKS, yticklabels=TICKS)
        a.minorticks_off()
    axes[1, 1].axhline(0, color="0.3", linewidth=1, linestyle=":")
    axes[1, 1].margins(y=0.08)
    for a in axes.flat:
        a.legend(fontsize=8, framealpha=0.9)
    return figure


FLOOR = {"color": "0.3", "linewidth": 1, "label": "independent samples"}


def draw_log_z(axes, data):
    shown = [SWEEPS.index(s) for s in (SHOWN, SWEEPS[-1])]
    for i, (at, color) in enumerate(zip(shown, style.shades(ORANGE, 2), strict=True)):
        look = {"color": color, "linestyle": style.DASHES[i], "label": f"{SWEEPS[at]} sweeps, mean ± 2 s.e."}
        style.band(axes, data["update"], *over_repeats(data["pa_log_z"][at]), **look)
    axes.axhline(0, color="0.3", linewidth=1, linestyle=":")
    axes.set_ylabel("accumulated log Z − exact, nats")
    axes.set_title("population annealing's log Z", fontsize=11)


def over_repeats(values):
    """Mean over the first axis and its standard error."""
    return values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))


def summary(data):
    lines = [
        f"rms error of moments, mean over the way (independent samples: {data['floor'].mean():.3g}); log Z in nats, "
        f"exact at the end {data['log_z'][-1]:.1f}; log-likelihood in nats:"
    ]
    for at, sweeps in enumerate(data["sweeps"]):
        pair = [over_repeats(data[f"{name}_error"][at].mean(1)) for name in SAMPLERS]
        gain = [over_repeats(data[f"{name}_gained"][at].mean(1)) for name in SAMPLERS]
        off, spread = over_repeats(data["pa_log_z"][at][:, -1])
        lines.append(
            f"  {sweeps:2d} sweeps: PCD {pair[0][0]:.4f} +- {pair[0][1]:.4f}, PA {pair[1][0]:.4f} +- {pair[1][1]:.4f}; "
            f"PA's log Z at the end {off:+.2f} +- {spread:.2f}; gained by own updates: "
            f"PCD {gain[0][0]:+.2f} +- {gain[0][1]:.2f}, PA {gain[1][0]:+.2f} +- {gain[1][1]:.2f}"
        )
    exactly = ", ".join(f"{name} {data[f'{name}_gained'].mean():+.2f}" for name in VARIANTS)
    lines.append(f"  gained by exact moments: {exactly}")
    return "\n".join(lines)
