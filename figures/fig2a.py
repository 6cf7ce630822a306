"""Fig. 2(a): KL(m || p^) of a single zeta against the iterations of the mean field, for a trained model.

The model is Fig. 2(b)'s power function at beta = 30 at the end of its training, or that of any `dvae_ref train` with an
overlapping relaxation (--run-dir). Beside the large machine, whose log Z comes from AIS, a piece of it that can be
enumerated: there the same estimate stands beside the exact KL.

The error of a zeta's log Z is common to all sweeps and moves its curve as a whole: what the sweeps leave above the
converged mean field does not depend on it.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref import exact
from dvae_ref.model.baselines import BASELINES
from dvae_ref.runs import datasets, lifecycle
from dvae_ref.runs.plots import BLUE, ORANGE
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.mean_field import mean_field
from figures import divergence, snapshots, store, style
from figures.divergence import Annealing

BASELINE, BETA = "dvaes_power", 30
SWEEPS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10])
PAPER = 0.007  # after three iterations
ROLE = 20  # folded into the seed's key: what these random numbers are for


class Scale(NamedTuple):
    """How many zetas there are, and how long log Z is annealed for each."""

    zetas: int
    annealing: Annealing
    check: Annealing  # from the biases alone
    cut: tuple  # units of the piece, left and right


SCALES = {
    "quick": Scale(8, Annealing(50, 100), Annealing(100, 50), (8, 12)),
    "default": Scale(40, Annealing(200, 200), Annealing(1000, 200), (14, 22)),
    "full": Scale(200, Annealing(500, 1000), Annealing(10_000, 1000), (14, 22)),
}


def compute(options):
    """KL in nats at S numbers of sweeps for N zetas, each with the standard error of its log Z:

    sweeps (S,), kl (S, N), error (N,)       from the converged mean field
    check_kl (S, N), check_error (N,)        from the biases alone
    cut_kl (S, N), cut_error (N,)            of the piece, with cut_units (2,)
    cut_exact (S, N)                         the same by enumeration
    iteration, beta, baseline ()             of the model
    """
    scale = SCALES[options.scale]
    settings, snapshot = trained_model(options)
    images = datasets.load(settings.dataset, options.data_dir).train
    how = [settings.to_json(), snapshot.iteration, scale, SWEEPS.tolist(), options.seed]
    folder = options.out / "kept" / "fig2a"
    return store.kept(folder, "kl", how, measure, settings, snapshot, images, scale, options.seed)


def trained_model(options):
    """(Settings, Snapshot) of the model that is looked at."""
    if options.run_dir:
        settings, state = lifecycle.load(options.run_dir)
        if BASELINES[settings.baseline].prior != "relaxed":
            raise ValueError(f"fig2a takes a run with an overlapping relaxation, got {settings.baseline}")
        return settings, snapshots.Snapshot(state.iteration, state.params, state.statistics)
    settings, iterations = snapshots.settings_for(BASELINE, BETA, options)
    return settings, list(snapshots.trained(settings, iterations, options))[-1]


def measure(settings, snapshot, images, scale, seed):
    """What `compute` returns, of one model: three estimates with random numbers of their own, and the exact KL."""
    key = philox.fold_in(philox.key(seed), ROLE)
    rbm = snapshot.params.rbm
    b = divergence.log_ratios(snapshot, settings, images, philox.fold_in(key, 0), scale.zetas)
    left, right = scale.cut
    small, small_b = divergence.cut_out(rbm, b, left, right)
    kl, error = divergence.kl(philox.fold_in(key, 1), rbm, b, SWEEPS, scale.annealing)
    check_kl, check_error = divergence.kl_from_biases(philox.fold_in(key, 2), rbm, b, SWEEPS, scale.check)
    cut_kl, cut_error = divergence.kl(philox.fold_in(key, 3), small, small_b, SWEEPS, scale.annealing)
    small64 = RBM(small.a.astype(np.float64), small.W.astype(np.float64))
    exactly = [exact.kl(small, small_b, mean_field(small64, small_b, s)) for s in SWEEPS]
    model = {"iteration": snapshot.iteration, "beta": settings.beta, "baseline": settings.baseline}
    found = {"kl": kl, "error": error, "check_kl": check_kl, "check_error": check_error}
    piece = {"cut_kl": cut_kl, "cut_error": cut_error, "cut_exact": np.stack(exactly), "cut_units": scale.cut}
    return {"sweeps": SWEEPS} | model | found | piece


def single(data):
    """The zeta whose converged KL is the median one (the lower of two)."""
    return int(np.argsort(data["kl"][-1])[(data["kl"].shape[1] - 1) // 2])


def plot(data):
    """KL against sweeps, of one zeta and of all others: of the whole machine, and of the piece beside the exact one."""
    figure, ((whole, piece),) = style.panels(1, 2, (9, 3.9))
    draw(whole, data, "kl", "error")
    mark_paper(whole, data["kl"][-1, single(data)])
    kind = BASELINES[str(data["baseline"])].law.title
    whole.set_title(f"{kind}, β = {float(data['beta']):g}: log Z by AIS", fontsize=11)
    draw(piece, data, "cut_kl", "cut_error")
    exactly = data["cut_exact"].T[single(data)]
    piece.plot(data["sweeps"], exactly, "x", color="black", markersize=9, label="the same by enumeration")
    left, right = data["cut_units"]
    piece.set_title(f"{left} × {right} of its units: AIS beside enumeration", fontsize=11)
    for axes in (whole, piece):
        axes.set(xlabel="mean-field iterations", yscale="log")
    style.legends((whole, piece))
    whole.set_ylabel("KL(m ‖ p̂), nats")
    return figure


def mark_paper(axes, ours):
    """The paper's KL as a dotted line, its words on the side of it where our curve is not."""
    axes.axhline(PAPER, color="0.3", linewidth=1, linestyle=":")
    place, side = (PAPER * 1.1, "bottom") if ours < PAPER else (PAPER / 1.1, "top")
    axes.text(SWEEPS[-1], place, "paper, its ζ, from the third: 0.007", fontsize=8, ha="right", va=side)


def draw(axes, data, kl, error):
    """A curve for each zeta, none below ROUNDING; the single one with its error, twice, common to all its points."""
    chosen, sweeps = single(data), data["sweeps"]
    others = np.delete(data[kl], chosen, 1)
    look = {"color": style.shades(BLUE, 3)[0]}
    axes.plot(sweeps, np.maximum(others, divergence.ROUNDING), **look, linewidth=0.5)
    axes.plot([], [], **look, linewidth=0.5, label=f"{others.shape[1]} other ζ")
    bars = np.full(len(sweeps), 2 * data[error][chosen])
    look = {"color": ORANGE, "marker": "o", "markersize": 4, "capsize": 3, "linewidth": 1.6}
    axes.errorbar(sweeps, data[kl].T[chosen], bars, **look, label="one ζ, ± 2 standard errors of log Z")
    if np.min(data[kl]) <= divergence.ROUNDING:
        axes.set_ylim(divergence.ROUNDING, 3 * np.max(data[kl]))
        each = np.repeat(sweeps, others.shape[1])
        style.at_the_foot(axes, each, others.ravel(), divergence.ROUNDING, color=style.shades(BLUE, 3)[0])


def summary(data):
    """The single zeta beside the paper's, all zetas after the five sweeps of training, and both checks of log Z.

    The checks are of the converged KL: deviations over their standard errors, whose rms is 1 where these are right.
    """
    kl, error, check, chosen = data["kl"], data["error"], data["check_kl"], single(data)
    after = dict(zip(data["sweeps"].tolist(), kl, strict=True))
    curve = ", ".join(f"{after[s][chosen]:.5g} after {s}" for s in (0, 1, 2, 3, 5, 10))
    score = (check - kl)[-1] / np.hypot(data["check_error"], error)
    cut = (data["cut_kl"] - data["cut_exact"])[-1] / data["cut_error"]
    return (
        f"KL of one zeta, nats: {curve}; standard error {error[chosen]:.2g} (paper: 0.007 in three iterations)\n"
        f"what the third iteration leaves above the tenth: {(after[3] - after[10])[chosen]:.2g}\n"
        f"over {kl.shape[1]} zetas, after five: median {np.median(after[5]):.3g}, mean {after[5].mean():.3g}, "
        f"largest {after[5].max():.3g}; largest standard error {error.max():.2g}\n"
        f"AIS from the biases alone, whose errors are {data['check_error'].mean() / error.mean():.0f} times as large: "
        f"rms deviation {np.sqrt(np.mean(score**2)):.2f} of its standard error\n"
        f"the piece that can be enumerated: rms deviation {np.sqrt(np.mean(cut**2)):.2f} standard errors, which are "
        f"{np.median(data['cut_error'] / data['cut_exact'][-1]):.1%} of the KL"
    )
