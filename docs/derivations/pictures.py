"""The pictures of the derivations: `python docs/derivations/pictures.py [FOLDER]` draws them anew, to the same numbers.

The manner is that of `drawing`; `concepts` has the pictures that compute little.
"""

import sys
from pathlib import Path

import concepts
import numpy as np
from drawing import CORNER, MACHINE, STYLES, panels
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from dvae_ref import (
    RBM,
    Exponential,
    Gaussian,
    Power,
    UniformExponential,
    boltzmann,
    exact,
    mean_field,
    mixture,
    teaching_images,
    teaching_model,
)
from dvae_ref.sampling import philox, population_annealing

SMOOTHINGS = {
    "exponential, β = 8": Exponential(8.0),
    "uniform + exp, β = 16": UniformExponential(16.0),
    "power, β = 15": Power(15.0),
    "Gaussian, β = 20": Gaussian(20.0),
}


def smoothing():
    """r(zeta|0) and r(zeta|1), and the log-ratio b."""
    figure, (densities, ratios) = panels(2, (9, 3.4))
    zeta = np.linspace(0.002, 0.998, 500)
    line = np.linspace(-0.6, 1.6, 500)
    for (label, s), (color, style) in zip(SMOOTHINGS.items(), STYLES, strict=True):
        x = line if isinstance(s, Gaussian) else zeta
        densities.plot(x, np.exp(s.log_r0(s.t(x))), color=color, linestyle=style, label=label)
        densities.plot(x, np.exp(s.log_r1(s.t(x))), color=color, linestyle=style, linewidth=0.8, alpha=0.7)
        ratios.plot(x, s.log_ratio(s.t(x)), color=color, linestyle=style, label=label)
    densities.set(xlabel="ζ", ylabel="density", ylim=(0, 8), title="r(ζ|0), thick, and r(ζ|1), thin")
    ratios.set(xlabel="ζ", ylabel="b(ζ), nats", ylim=(-16, 16), title="log-ratio b = log r(ζ|1) − log r(ζ|0)")
    ratios.axhline(0, color="0.6", linewidth=0.6)
    ratios.legend(fontsize=8)
    return figure


def inverse_cdf():
    """zeta against rho at q = 1/2, and dzeta/dq there: the rows of the paper's Fig. 1, side by side."""
    figure, (curves, slopes) = panels(2, (9, 3.4))
    rho = np.linspace(0.0005, 0.9995, 1000)
    cases = {
        "exponential, β = 8": Exponential(8.0),
        "exponential, β = 16": Exponential(16.0),
        "power, β = 15": Power(15.0),
    }
    for (label, s), (color, style) in zip(cases.items(), STYLES, strict=False):
        t = mixture.inverse_cdf(np.zeros_like(rho), rho, s)
        slope = mixture.d_t_d_logit_q(t, np.zeros_like(rho), s) * s.d_zeta(t) * 4
        curves.plot(rho, s.zeta(t), color=color, linestyle=style, label=label)
        slopes.plot(rho, slope, color=color, linestyle=style, label=label)
    curves.set(xlabel="ρ", ylabel="ζ", title="inverse CDF of the mixture, q = 1/2")
    slopes.set(xlabel="ρ", ylabel="∂ζ/∂q", yscale="log", ylim=(1e-3, 400), title="its slope in q, at the same ρ")
    curves.legend(fontsize=8)
    return figure


def mean_field_kl():
    """Mean KL(m || p^) over 60 zetas against the number of sweeps, for the machine."""
    figure, (axes,) = panels(1, (5.4, 3.6))
    rng = np.random.default_rng(0)
    sweeps = np.arange(9)
    cases = {
        "exponential, β = 4": Exponential(4.0),
        "exponential, β = 8": Exponential(8.0),
        "power, β = 30": Power(30.0),
    }
    for (label, s), (color, style), marker in zip(cases.items(), STYLES, "os^", strict=False):
        b = s.log_ratio(mixture.sample(np.zeros((60, 5)), rng.random((60, 5)), rng.random((60, 5)), s))
        kl = [np.mean(exact.kl(MACHINE, b, mean_field.mean_field(MACHINE, b, n))) for n in sweeps]
        axes.plot(sweeps, kl, color=color, linestyle=style, marker=marker, markersize=4, label=label)
    axes.set(xlabel="mean-field sweeps", ylabel="KL(m ‖ p̂), nats, mean of 60", yscale="log")
    axes.set_title("the machine of page 1")
    axes.legend(fontsize=8)
    return figure


def population_annealing_log_z():
    """log Z along training: exact, and the two estimates of population annealing."""
    figure, (axes,) = panels(1, (5.4, 3.6))
    target = exact.moments(MACHINE)
    rbm, key, rate = RBM(np.zeros(5), np.zeros((2, 3))), philox.key(1), 0.1
    state, forward, history = population_annealing.init(key, rbm, 50), 5 * np.log(2), []
    for _ in range(400):
        now = population_annealing.moments(state)
        new = RBM(rbm.a + rate * (target.z - now.z), rbm.W + rate * (target.zz - now.zz))
        z = state.chains.z
        forward += np.log(np.mean(np.exp(boltzmann.energy(rbm, z) - boltzmann.energy(new, z))))
        rbm = new
        state, info = population_annealing.step(key, state, rbm, 10)
        history.append((exact.log_z(rbm), info.log_z, forward))
    labels = ("exact", "reversed estimate", "forward estimate")
    for values, label, (color, style) in zip(np.array(history).T, labels, STYLES, strict=False):
        axes.plot(np.arange(1, 401), values, color=color, linestyle=style, label=label)
    axes.set(xlabel="update", ylabel="log Z, nats", title="50 replicas, 10 sweeps an update, learning rate 0.1")
    axes.legend(fontsize=8)
    return figure


def relaxation():
    """log p(zeta) of the corner on the unit square, and log Z^ - F there."""
    figure, (prior, lack) = panels(2, (9, 3.8))
    axis = np.linspace(0.01, 0.99, 50)
    zeta = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    s = Exponential(5.0)
    b = s.log_ratio(s.t(zeta))
    relative = exact.log_p(CORNER, b)[0]
    log_p = relative + s.log_r_max(s.t(zeta)).sum(1) - exact.log_z(CORNER)
    short = exact.kl(CORNER, b, mean_field.mean_field(CORNER, b, 50))
    for axes, values, title in ((prior, log_p, "log p(ζ), nats"), (lack, short, "log Ẑ − F = KL(m ‖ p̂), nats")):
        drawn = axes.contourf(axis, axis, values.reshape(50, 50).T, levels=9, cmap="viridis")
        axes.set(xlabel="ζ, left", ylabel="ζ, right", title=f"{title}; exponential, β = 5")
        axes.set_aspect("equal")
        axes.grid(False)
        figure.colorbar(drawn, ax=axes)
    return figure


def trained():
    """Images, a z of each and what the decoder makes of it, in the trained model; and digits drawn from its prior."""
    figure = Figure(figsize=(8, 6.2), layout="constrained")
    model, images = teaching_model(), teaching_images()[1][[1, 3, 4, 5, 7, 8]]
    z = model.encode(images).reshape(-1, 10, 20)
    rows = {
        "images x": images,
        "a z of each: 100 left, 100 right units": z,
        "the decoder's E[x|z]": model.reconstruct(images),
        "drawn from the prior": model.sample(6, sweeps=1000),
    }
    for (title, values), all_axes in zip(rows.items(), figure.subplots(4, 6), strict=True):
        all_axes[0].set_title(title, loc="left", fontsize=9)
        for value, axes in zip(values, all_axes, strict=True):
            _pixels(axes, value if value.ndim == 2 else value.reshape(14, 14))
    return figure


def _pixels(axes, grey):
    """A square for each pixel that is not white, in eight shades."""
    row, column = np.nonzero(grey > 1 / 16)
    shades = np.round(grey[row, column] * 8)
    axes.scatter(column, row, c=shades, cmap="Greys", vmin=0, vmax=8, marker="s", s=20, linewidth=0)
    axes.set(xlim=(-0.5, grey.shape[1] - 0.5), ylim=(grey.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
    axes.set_aspect("equal")


PICTURES = {
    "relaxation": relaxation,
    "trained": trained,
    "machine": concepts.machine,
    "gaussian_mixture": concepts.gaussian_mixture,
    "bound_over_k": concepts.bound_over_k,
    "backward": concepts.backward,
    "annealing": concepts.annealing,
    "smoothing": smoothing,
    "inverse_cdf": inverse_cdf,
    "mean_field": mean_field_kl,
    "population_annealing": population_annealing_log_z,
}


def main(folder):
    for name, draw in PICTURES.items():
        with rc_context({"svg.hashsalt": name, "font.family": "DejaVu Sans"}):
            figure = draw()
            FigureCanvasSVG(figure)
            figure.savefig(Path(folder) / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
