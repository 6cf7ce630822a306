"""Supplement: persistent contrastive divergence and population annealing along a training, against enumeration.

The machine and what it learns are `moving_target`'s. *Led*: the model moments are exact, and both samplers are led
along these same parameters, which neither influences; its moments at a machine are what an update would have used.
*Own*: the sampler's moments make the updates, as in training; what counts is the exact log-likelihood of the target,
less that of the trajectory with exact moments. Exact moments with momentum, averaged over updates, or an update late,
say what of a lag gains.

Both samplers take an update's sweeps at the machine before the update, with a population of R chains; persistent chains
stay where they are, population annealing reweights and resamples them to the new machine first.
"""

import itertools
import warnings
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dvae_ref import exact
from dvae_ref.program.console import bar_style
from dvae_ref.runs.plots import BLUE, ORANGE
from dvae_ref.sampling import pcd, philox, population_annealing
from dvae_ref.theory.boltzmann import RBM, Moments
from figures import moving_target, store, style
from figures.moving_target import ROLE, SHAPE, VARIANTS, described, likelihood

SAMPLERS = {"pcd": pcd, "pa": population_annealing}
TITLES = {"pcd": "persistent chains (PCD)", "pa": "population annealing"}
COLORS = {"pcd": BLUE, "pa": ORANGE}
SWEEPS = (1, 2, 5, 10, 20, 40)
SHOWN = 5  # sweeps, in the panels along the way
TICKS = (0.01, 0.02, 0.05, 0.1)
EVERY = 10  # updates between comparisons


class Scale(NamedTuple):
    """The trajectory, and the samplers along it."""

    updates: int
    rate: float  # of the updates
    chains: int
    repeats: int  # M, with random numbers of their own


SCALES = {
    "quick": Scale(200, 0.2, 300, 3),
    "default": Scale(400, 0.2, 1000, 6),
    "full": Scale(400, 0.2, 1000, 40),
}


def compute(options):
    """Along the trajectory, at T updates, for S numbers of sweeps and M repeats:

    update (T,), sweeps (S,)            where it is looked at, and the sweeps an update
    log_z (T,), floor (T,)              exact, nats; the rms error of the moments of independent samples
    <sampler>_error (S, M, T)           rms over all moments, led
    <sampler>_gained (S, M, T)          nats of log-likelihood, with its own updates
    pa_log_z, _standard_error (S, M, T) log Z less the exact one, and the error that it says, led
    <variant>_gained (T,)               the same of exact moments (VARIANTS)
    """
    scale = SCALES[options.scale]
    targets = moving_target.targets_of(scale, options.seed)
    path = moving_target.trajectory(targets, scale)
    points = points_of(path, targets)
    data = {
        "update": np.array([point.index + 1 for point in points]),
        "sweeps": np.array(SWEEPS),
        "log_z": np.array([point.log_z for point in points]),
        "floor": np.array([floor(point.moments, scale.chains) for point in points]),
    }
    for name, variant in VARIANTS.items():
        data[f"{name}_gained"] = gained(variant(targets, scale.rate), targets, points)
    jobs, found = list(itertools.product(SAMPLERS, SWEEPS, range(scale.repeats))), defaultdict(list)
    for job in tqdm(jobs, desc="PCD, PA", unit="trajectory", **bar_style()):
        found[job[0]].append(kept(options, scale, path, targets, points, job))
    for name, rows in found.items():
        for key, values in store.stacked(rows).items():
            data[f"{name}_{key}"] = values.reshape(len(SWEEPS), scale.repeats, len(points))
    return data


def kept(options, scale, path, targets, points, job):
    """What `along` finds for a job (sampler, sweeps, repeat), computed once."""
    target = [SHAPE, moving_target.PATTERNS, moving_target.FLIP, moving_target.TURNS]
    how = ["led and own", scale, *target, EVERY, *job, options.seed]
    folder = options.out / "kept" / "pcd-vs-pa"
    return store.kept(folder, job[0], how, along, path, targets, points, scale, options.seed, *job)


class Point(NamedTuple):
    """What is exact at an update of the trajectory."""

    index: int
    moments: Moments
    log_z: float
    likelihood: float  # of the target, nats


def points_of(path, targets):
    """The Points of every EVERY-th update."""
    points = []
    for i in range(EVERY - 1, len(path), EVERY):
        points.append(Point(i, *described(path[i], targets[i])))
    return points


VARIANT_TITLES = {"momentum": "exact moments, momentum 1/2", "averaged": "exact moments, averaged over 2 updates"}


def gained(path, targets, points):
    """log-likelihood of the target along a path, less that along the trajectory: nats, (T,)."""
    gains = []
    for at in points:
        rbm = path[at.index]
        gains.append(likelihood(rbm, targets[at.index], exact.log_z(rbm)) - at.likelihood)
    return np.array(gains)


def floor(moments, chains):
    """The rms error of the moments of R independent samples, sqrt(mean of p (1 - p) / R).

    Each moment, of a unit or of a pair, is the mean p of a binary variable.
    """
    p = np.concatenate([moments.z, moments.zz.ravel()])
    return np.sqrt(np.mean(p * (1 - p)) / chains)


def along(path, targets, points, scale, seed, name, sweeps, repeat):
    """A sampler that is led along the path, and one that makes its own: what `compare` says of the first at each point,
    and `gained` of the second, (T,) each."""
    key = philox.fold_in(philox.key(seed), ROLE, sweeps, repeat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few families or replicas left: that is what is to be seen
        led = list(steps(SAMPLERS[name], philox.fold_in(key, 0), path, scale, sweeps))
        own = own_path(SAMPLERS[name], philox.fold_in(key, 1), targets, scale, sweeps)
    rows = [compare(led[point.index], point) for point in points]
    return store.stacked(rows) | {"gained": gained(own, targets, points)}


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

    return moving_target.climb(targets, scale.rate, model_moments)


def float32(rbm):
    """The RBM as samplers take it."""
    return RBM(rbm.a.astype(np.float32), rbm.W.astype(np.float32))


def compare(info, point):
    """A sampler's Info against what is exact: rms error over E[z] and E[z_l z_r']; of log Z, if it has one, nats."""
    found, exactly = info.moments, point.moments
    off = np.concatenate([found.z - exactly.z, np.ravel(found.zz - exactly.zz)])
    row = {"error": np.sqrt(np.mean(off**2))}
    if hasattr(info, "log_z"):
        row |= {"log_z": info.log_z - point.log_z, "standard_error": info.standard_error}
    return row


def plot(data):
    """Led above, own updates below; on the left along the way, on the right its mean against the sweeps an update."""
    figure, ((way, error), (log_z, gain)) = style.panels(2, 2, (9, 7))
    for i, name in enumerate(SAMPLERS):
        draw_sampler(way, error, gain, data, name, i)
    way.plot(data["update"], data["floor"], ":", **FLOOR)
    error.plot(data["sweeps"], np.full(len(data["sweeps"]), data["floor"].mean()), ":", **FLOOR)
    draw_log_z(log_z, data)
    way.set_title(f"led along: moments, {SHOWN} sweeps an update", fontsize=11)
    error.set_title("led along: moments, mean over the way", fontsize=11)
    draw_variants(gain, data)
    for axes in (way, log_z):
        style.iterations(axes, data["update"][-1])
        axes.set_xlabel("update")
    for axes in (error, gain):
        axes.set(xlabel="sweeps an update", xscale="log", xticks=SWEEPS, xticklabels=SWEEPS)
        axes.minorticks_off()
    for axes in (way, error):
        axes.set(yscale="log", ylabel="rms error of the moments", yticks=TICKS, yticklabels=TICKS)
        axes.minorticks_off()
    gain.axhline(0, color="0.3", linewidth=1, linestyle=":")
    gain.margins(y=0.08)
    style.legends((way, error, log_z, gain))
    return figure


FLOOR = {"color": "0.3", "linewidth": 1, "label": "independent samples"}


def draw_sampler(way, error, gain, data, name, i):
    """Sampler i in the three panels that have both: bands and bars are two standard errors over the repeats."""
    look = {"color": COLORS[name], "linestyle": style.DASHES[i], "label": TITLES[name]}
    mean, spread = over_repeats(data[f"{name}_error"][SWEEPS.index(SHOWN)])
    style.band(way, data["update"], mean, spread, **look)
    for axes, key in ((error, "error"), (gain, "gained")):
        mean, spread = over_repeats(data[f"{name}_{key}"].mean(2).T)
        axes.errorbar(data["sweeps"], mean, 2 * spread, marker=style.MARKERS[i], capsize=3, **look)


def draw_variants(axes, data):
    """What exact moments gain with momentum or averaged: a level each. That of `late`, far below, is not drawn."""
    axes.set_title("own updates less exact ones: mean", fontsize=11)
    axes.set_ylabel("log-likelihood gained, nats")
    for i, (name, title) in enumerate(VARIANT_TITLES.items()):
        axes.axhline(data[f"{name}_gained"].mean(), color="0.3", linewidth=1, dashes=(6 - 4 * i, 2), label=title)


def draw_log_z(axes, data):
    """Population annealing's log Z less the exact one along the way, with few sweeps and with most."""
    for i, (sweeps, color) in enumerate(zip((SHOWN, SWEEPS[-1]), style.shades(ORANGE, 2), strict=True)):
        mean, spread = over_repeats(data["pa_log_z"][SWEEPS.index(sweeps)])
        look = {"color": color, "linestyle": style.DASHES[i], "label": f"{sweeps} sweeps, mean ± 2 s.e."}
        style.band(axes, data["update"], mean, spread, **look)
    axes.axhline(0, color="0.3", linewidth=1, linestyle=":")
    axes.set_ylabel("accumulated log Z − exact, nats")
    axes.set_title("population annealing's log Z", fontsize=11)


def over_repeats(values):
    """Mean over the first axis, the repeats, and its standard error: (M, ...) -> two arrays (...)."""
    return values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))


def in_words(values, form):
    """Their mean and its standard error, to as many digits."""
    mean, spread = over_repeats(values)
    return f"{mean:{form}} +- {spread:{form.removeprefix('+')}}"


def summary(data):
    """A line for each number of sweeps: means over the way with standard errors over the repeats."""
    lines = [
        f"rms error of moments, mean over the way (independent samples: {data['floor'].mean():.3g}); log Z in nats, "
        f"exact at the end {data['log_z'][-1]:.1f}; log-likelihood in nats:"
    ]
    for at, sweeps in enumerate(data["sweeps"]):
        error = [in_words(data[f"{name}_error"][at].mean(1), ".4f") for name in SAMPLERS]
        gain = [in_words(data[f"{name}_gained"][at].mean(1), "+.2f") for name in SAMPLERS]
        last = in_words(data["pa_log_z"][at].T[-1], "+.2f")
        lines.append(
            f"  {sweeps:2d} sweeps: PCD {error[0]}, PA {error[1]}; PA's log Z at the end {last}; "
            f"gained by own updates: PCD {gain[0]}, PA {gain[1]}"
        )
    exactly = ", ".join(f"{name} {data[f'{name}_gained'].mean():+.2f}" for name in VARIANTS)
    lines.append(f"  gained by exact moments: {exactly}")
    return "\n".join(lines)
