"""Fig. 2(a): KL(m || p^) of a single zeta against the iterations of the mean field, for a trained model.

The model is Fig. 2(b)'s power function at beta = 30 at the end of its training, or that of any `dvae_ref train` with an
overlapping relaxation (--run-dir). Beside the large machine, whose log Z comes from AIS, a piece of it that can be
enumerated: there the same estimate stands beside the exact KL.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref import exact
from dvae_ref.model.baselines import BASELINES
from dvae_ref.runs import datasets, lifecycle
from dvae_ref.runs.plots import BLUE, ORANGE
from dvae_ref.sampling import philox
from dvae_ref.theory.mean_field import mean_field
from figures import divergence, snapshots, store, style
from figures.divergence import Annealing

BASELINE, BETA = "dvaes_power", 30
SWEEPS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10])
PAPER = 0.007  # after three iterations
ROLE = 20  # folded into the seed's key: what these random numbers are for


class Scale(NamedTuple):
    zetas: int
    annealing: Annealing
    check: Annealing  # from the biases alone
    cut: tuple  # units of the piece


SCALES = {
    "quick": Scale(8, Annealing(50, 100), Annealing(100, 50), (8, 12)),
    "default": Scale(40, Annealing(200, 200), Annealing(1000, 200), (14, 22)),
    "full": Scale(200, Annealing(500, 1000), Annealing(10_000, 1000), (14, 22)),
}


def compute(options):
    """kl (S, N) at `sweeps` (S,) with the standard error (N,) of each zeta; check_*: the same from the biases alone;
    cut_kl (S, N) and cut_error (N,): of the piece; cut_exact (S, N)."""
    scale = SCALES[options.scale]
    settings, snapshot = trained_model(options)
    images = datasets.load(settings.dataset, options.data_dir).train
    how = [settings.to_json(), snapshot.iteration, scale, SWEEPS.tolist(), options.seed]
    folder = options.out / "kept" / "fig2a"
    return store.kept(folder, "kl", how, lambda: measure(settings, snapshot, images, scale, options))


def trained_model(options):
    """(Settings, Snapshot) of the model that is looked at."""
    if options.run_dir:
        settings, state = lifecycle.load(options.run_dir)
        if BASELINES[settings.baseline].prior != "relaxed":
            raise ValueError(f"fig2a takes a run with an overlapping relaxation, got {settings.baseline}")
        return settings, snapshots.Snapshot(state.iteration, state.params, state.statistics)
    settings, iterations = snapshots.settings_for(BASELINE, BETA, options)
    *_, last = snapshots.trained(settings, iterations, options)
    return settings, last


def measure(settings, snapshot, images, scale, options):
    key = philox.fold_in(philox.key(options.seed), ROLE)
    rbm = snapshot.params.rbm
    b = divergence.log_ratios(snapshot, settings, images, philox.fold_in(key, 0), scale.zetas)
    small, small_b = divergence.cut_out(rbm, b, *scale.cut)
    kl, error = divergence.kl(philox.fold_in(key, 1), rbm, b, SWEEPS, scale.annealing)
    check_kl, check_error = divergence.kl_from_biases(philox.fold_in(key, 2), rbm, b, SWEEPS, scale.check)
    cut_kl, cut_error = divergence.kl(philox.fold_in(key, 3), small, small_b, SWEEPS, scale.annealing)
    exactly = [exact.kl(small, small_b, mean_field(as_float64(small), small_b, s)) for s in SWEEPS]
    return {
        "sweeps": SWEEPS,
        "iteration": np.array(snapshot.iteration),
        "beta": np.array(settings.beta),
        "baseline": np.array(settings.baseline),
        **{"kl": kl, "error": error, "check_kl": check_kl, "check_error": check_error},
        **{"cut_kl": cut_kl, "cut_error": cut_error, "cut_exact": np.stack(exactly), "cut_units": np.array(scale.cut)},
    }


def as_float64(rbm):
    return type(rbm)(*(leaf.astype(np.float64) for leaf in rbm))


def single(data):
    """The zeta whose converged KL is the median one (the lower of two)."""
    return int(np.argsort(data["kl"][-1])[(data["kl"].shape[1] - 1) // 2])


def plot(data):
    figure, axes = style.panels(1, 2, (9, 3.9))
    draw(axes[0, 0], data, "kl", "error")
    axes[0, 0].axhline(PAPER, color="0.3", linewidth=1, linestyle=":")
    axes[0, 0].text(SWEEPS[-1], PAPER / 1.1, "paper, its ζ, from the third: 0.007", fontsize=8, ha="right", va="top")
    kind = BASELINES[str(data["baseline"])].law.title
    axes[0, 0].set_title(f"{kind}, β = {float(data['beta']):g}: log Z by AIS", fontsize=11)
    draw(axes[0, 1], data, "cut_kl", "cut_error")
    exactly = data["cut_exact"][:, single(data)]
    axes[0, 1].plot(data["sweeps"], exactly, "x", color="black", markersize=9, label="the same by enumeration")
    left, right = data["cut_units"]
    axes[0, 1].set_title(f"{left} × {right} of its units: AIS beside enumeration", fontsize=11)
    for a in axes.flat:
        a.set(xlabel="mean-field iterations", yscale="log")
        a.legend(fontsize=8, framealpha=0.9)
    axes[0, 0].set_ylabel("KL(m ‖ p̂), nats")
    return figure


def draw(axes, data, kl, error):
    chosen, sweeps = single(data), data["sweeps"]
    others = np.delete(data[kl], chosen, 1)
    look = {"color": style.shades(BLUE, 3)[0]}
    axes.plot(sweeps, np.maximum(others, divergence.ROUNDING), **look, linewidth=0.5)
    axes.plot([], [], **look, linewidth=0.5, label=f"{others.shape[1]} other ζ")
    bars = np.full(len(sweeps), 2 * data[error][chosen])
    look = {"color": ORANGE, "marker": "o", "markersize": 4, "capsize": 3, "linewidth": 1.6}
    axes.errorbar(sweeps, data[kl][:, chosen], bars, **look, label="one ζ, ± 2 standard errors of log Z")
    if np.min(data[kl]) <= divergence.ROUNDING:
        axes.set_ylim(divergence.ROUNDING, 3 * np.max(data[kl]))
        each = np.repeat(sweeps, others.shape[1])
        style.at_the_foot(axes, each, others.ravel(), divergence.ROUNDING, color=style.shades(BLUE, 3)[0])


def summary(data):
    chosen, at = single(data), {s: i for i, s in enumerate(data["sweeps"])}
    kl, error, check = data["kl"], data["error"], data["check_kl"]
    score = (check - kl)[-1] / np.hypot(data["check_error"], error)
    cut = (data["cut_kl"] - data["cut_exact"])[-1] / data["cut_error"]
    curve = ", ".join(f"{kl[at[s], chosen]:.5g} after {s}" for s in (0, 1, 2, 3, 5, 10))
    return (
        f"KL of one zeta, nats: {curve}; standard error {error[chosen]:.2g} (paper: 0.007 in three iterations)\n"
        f"what the third iteration leaves above the tenth: {kl[at[3], chosen] - kl[at[10], chosen]:.2g}\n"
        f"over {kl.shape[1]} zetas, after five: median {np.median(kl[at[5]]):.3g}, mean {kl[at[5]].mean():.3g}, "
        f"largest {kl[at[5]].max():.3g}; largest standard error {error.max():.2g}\n"
        f"AIS from the biases alone, whose errors are {data['check_error'].mean() / error.mean():.0f} times as large: "
        f"rms deviation {np.sqrt(np.mean(score**2)):.2f} of its standard error\n"
        f"the piece that can be enumerated: rms deviation {np.sqrt(np.mean(cut**2)):.2f} standard errors, which are "
        f"{np.median(data['cut_error'] / data['cut_exact'][-1]):.1%} of the KL"
    )
