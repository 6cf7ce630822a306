"""Fig. 2(b): KL(m || p^) at random zetas during training, for exponential and power-function smoothing, several betas.

Five mean-field iterations as in training; zeta ~ q(zeta|x) at random training images, others at every snapshot.

log Z of p^ is annealed from the mean field, and once more from a uniform base, with `UNIFORM` times as many
temperatures: from the mean field alone, a second mode may be missed without a trace in the error. Where the two differ
by more than 4 standard errors the KL is drawn as a bar from one to the other.

The KL is what a bound of Eq. 6 with q(z|zeta) = m loses: log p(zeta) is too low by it, in nats, at this very zeta.
"""

import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.sampling import philox
from figures import divergence, snapshots, store, style
from figures.divergence import Annealing

SWEEPS = 5  # Sec. 4
PAPER = 0.2  # "typically below"
ROLE = 21
UNIFORM = 20
MEASURED = ("kl", "error", "uniform", "uniform_error")


class Scale(NamedTuple):
    """How many zetas there are, and how long log Z is annealed for each from the mean field."""

    zetas: int  # a snapshot
    annealing: Annealing


SCALES = {
    "quick": Scale(10, Annealing(30, 50)),
    "default": Scale(40, Annealing(50, 100)),
    "full": Scale(200, Annealing(200, 200)),
}
BETAS = {
    "quick": {"exp": (10, 16), "power": (15, 30)},
    "default": {"exp": (8, 10, 16), "power": (15, 30, 40)},
    "full": {"exp": (8, 10, 12, 16), "power": (15, 20, 30, 40)},
}


def compute(options):
    """KL in nats at T snapshots of N zetas each, for each curve <smoothing>_<beta>:

    iteration (T,), warm_up ()               of the snapshots; the iteration where kappa reaches 1
    <curve>_kl, <curve>_error (T, N)         from the mean field, with the standard error of log Z
    <curve>_uniform, _uniform_error (T, N)   the same from the uniform base
    """
    scale, data = SCALES[options.scale], {}
    for name, betas in BETAS[options.scale].items():
        for beta in betas:
            settings, iterations = snapshots.settings_for(f"dvaes_{name}", beta, options)
            rows = list(snapshots.measured("fig2b", "KL", settings, iterations, scale, options, measure))
            for key, values in store.stacked(rows).items():
                data[f"{name}_{beta}_{key}"] = values
    return data | {"iteration": np.array(iterations), "warm_up": np.array(settings.warm_up * settings.num_train_iter)}


def measure(settings, snapshot, images, scale, seed):
    """MEASURED, (N,) each, at a snapshot: both ways for the same zetas, with random numbers of their own."""
    key = philox.fold_in(philox.key(seed), ROLE, snapshot.iteration)
    rbm = snapshot.params.rbm
    b = divergence.log_ratios(snapshot, settings, images, philox.fold_in(key, 0), scale.zetas)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "log Z = .* is too low")  # by a mode that was missed: the other base shows it
        kl, error = divergence.kl(philox.fold_in(key, 1), rbm, b, [SWEEPS], scale.annealing)
    longer = scale.annealing._replace(temperatures=UNIFORM * scale.annealing.temperatures)
    uniform, uniform_error = divergence.kl(philox.fold_in(key, 2), rbm, b, [SWEEPS], longer, uniform=True)
    return {"kl": kl[0], "error": error, "uniform": uniform[0], "uniform_error": uniform_error}


def two(data, prefix):
    """KL of every zeta from the mean field and from the uniform base, (T, N): equal where there is one number."""
    kl, error, uniform, uniform_error = [data[f"{prefix}_{name}"] for name in MEASURED]
    return kl, np.where(divergence.agree(kl, error, uniform, uniform_error), kl, uniform)


def curves(data):
    """(smoothing, beta, prefix) of each curve, betas rising."""
    found = []
    for key in data:
        if key.endswith("_kl"):
            prefix = key.removesuffix("_kl")
            name, _, beta = prefix.rpartition("_")
            found.append((name, float(beta), prefix))
    return found


def plot(data):
    """A panel for each smoothing on one logarithmic scale; the warm-up is shaded."""
    figure, ((left, right),) = style.panels(1, 2, (9, 3.9), sharey=True)
    highest = PAPER
    for axes, name in ((left, "exp"), (right, "power")):
        highest = max(highest, draw_smoothing(axes, data, name))
        axes.axhline(PAPER, color="0.3", linewidth=1, linestyle=":")
        axes.axvspan(0, data["warm_up"], color=style.GREY, alpha=0.6, linewidth=0, label="KL warm-up")
        style.iterations(axes, data["iteration"][-1])
        axes.set_yscale("log")
        axes.set_title(style.TITLES[name], fontsize=11)
        style.legend_below(axes, columns=3)
    place = {"ha": "right", "va": "bottom", "fontsize": 8}
    left.text(data["iteration"][-1], PAPER * 1.05, "paper: typically below 0.2", **place)
    left.set_ylim(divergence.ROUNDING, 2 * highest)
    left.set_ylabel("KL(m ‖ p̂), nats, five iterations")
    return figure


def draw_smoothing(axes, data, smoothing):
    """The curves of a smoothing, darker for larger betas. Returns the largest mean KL of them, from either base."""
    own = [(beta, prefix) for name, beta, prefix in curves(data) if name == smoothing]
    colors, highest = style.shades(style.COLORS[smoothing], len(own)), 0.0
    for i, (beta, prefix) in enumerate(own):
        kl, other = two(data, prefix)
        draw(axes, data["iteration"], kl, other, color=colors[i], i=i, label=f"β = {beta:g}")
        highest = max(highest, kl.mean(1).max(), other.mean(1).max())
    return highest


def draw(axes, iteration, kl, other, *, color, i, label):
    """The mean over zetas in a band of two standard errors of it; thin bars: the middle 80% of the zetas; a thick bar
    from the mean to the `other` one where they differ."""
    error = kl.std(1, ddof=1) / np.sqrt(kl.shape[1])
    shift = 1 + 0.012 * (i - 1)  # so that the bars stand side by side
    low, high = np.quantile(np.maximum(kl, divergence.ROUNDING), (0.1, 0.9), axis=1)
    axes.vlines(iteration * shift, low, high, color=color, linewidth=0.8, alpha=0.7)
    ambiguous = np.any(kl != other, 1)
    ends = np.maximum(kl[ambiguous].mean(1), divergence.ROUNDING)
    others = np.maximum(other[ambiguous].mean(1), divergence.ROUNDING)
    axes.vlines(iteration[ambiguous] * shift, ends, others, color=color, linewidth=4, alpha=0.5)
    look = {"marker": style.MARKERS[i], "markersize": 4, "linestyle": style.DASHES[i], "linewidth": 1.4}
    style.band(axes, iteration * shift, kl.mean(1), error, color=color, **look, label=label)
    style.at_the_foot(axes, iteration * shift, kl.mean(1), divergence.ROUNDING, color=color)


HEADING = (
    "mean KL in nats over zetas, first snapshot -> largest -> last (its standard error); zetas below 0.2;",
    "zetas at which log Z from the uniform base makes it larger, and smaller, by more than 4 standard errors:",
)


def summary(data):
    """A line for each curve: how the KL goes, the share of zetas below the paper's 0.2, and where both bases part."""
    lines = list(HEADING)
    for name, beta, prefix in curves(data):
        kl, other = two(data, prefix)
        mean, error, uniform = kl.mean(1), data[f"{prefix}_error"][-1], data[f"{prefix}_uniform_error"][-1]
        last = kl[-1].std(ddof=1) / np.sqrt(kl.shape[1])
        lines.append(
            f"  {name} beta {beta:g}: {mean[0]:.3g} -> {mean.max():.3g} -> {mean[-1]:.3g} ({last:.1g}); "
            f"{np.mean(np.maximum(kl, other) < PAPER):.1%}; {np.sum(other > kl)}, {np.sum(other < kl)} of {kl.size}; "
            f"standard error of log Z of a zeta {np.median(error):.1g}, from the uniform base {np.median(uniform):.1g}"
        )
    return "\n".join(lines)
