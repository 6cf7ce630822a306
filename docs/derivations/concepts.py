"""Pictures of what the pages speak of: a machine, a mixture, a bound, what flows back, annealing. See `pictures.py`."""

import numpy as np
from drawing import BLUE, CORNER, LABEL, MACHINE, ORANGE, STYLES, panels

from dvae_ref import RBM, boltzmann, bounds, exact, gaussian_integral
from dvae_ref.sampling import ais, gibbs, philox

GRADIENTS = ("encoder, Eq. 3", "encoder, DReG", "decoder")
STATIONS = {
    "x": (0, 2),
    "logit q": (2.2, 2),
    "t, ζ": (4.4, 2),
    "log p(x|ζ)": (6.6, 3.8),
    "log q(ζ|x)": (6.9, 2),
    "log p(ζ)": (6.6, 0.2),
    "log w, bound": (9.4, 2),
    "noise u, ρ": (4.4, 0.2),
}
FLOWS = {
    ("x", "logit q"): "weights: page 8",
    ("noise u, ρ", "t, ζ"): "",
    ("logit q", "t, ζ"): "Eq. 9: page 3",
    ("t, ζ", "log p(x|ζ)"): "decoder: page 8",
    ("t, ζ", "log q(ζ|x)"): "ν − [b > 0]: page 2",
    ("t, ζ", "log p(ζ)"): "Eq. 5, 7: pages 5, 6",
    ("log p(x|ζ)", "log w, bound"): "w̃: page 7",
    ("log q(ζ|x)", "log w, bound"): "−κ w̃",
    ("log p(ζ)", "log w, bound"): "κ w̃",
}


def machine():
    """The machine of page 1: its units and couplings, and the probabilities of its states."""
    figure, (graph, bars) = panels(2, (9, 3.4))
    places = [(0, 1.5), (0, 0.5), (2, 2), (2, 1), (2, 0)]
    for i, j in np.ndindex(2, 3):
        (x, y), (x2, y2), w = places[i], places[2 + j], MACHINE.W[i, j]
        color, style = STYLES[0] if w > 0 else STYLES[1]
        graph.plot([x, x2], [y, y2], color=color, linestyle=style, linewidth=0.6 + abs(w), zorder=1)
        at = 0.22 if i == 0 else 0.78  # of the way from left to right, so that labels keep apart
        graph.text(x + at * (x2 - x), y + at * (y2 - y), f"{w:g}", fontsize=8, ha="center", bbox=LABEL, zorder=2)
    for (x, y), a in zip(places, MACHINE.a, strict=True):
        graph.plot(x, y, "o", markersize=24, color="white", markeredgecolor="black", zorder=3)
        graph.text(x, y, f"{a:g}", ha="center", va="center", fontsize=8, zorder=4)
    graph.set(xlim=(-0.5, 2.5), ylim=(-0.5, 2.5), title="biases, and couplings W (negative: dashed)")
    graph.axis("off")
    states = np.array(list(np.ndindex(*[2] * 5)), float)
    p = np.exp(-boltzmann.energy(MACHINE, states) - exact.log_z(MACHINE))
    order = np.argsort(-p)[:12]
    bars.bar(range(12), p[order], color=BLUE)
    bars.set_axisbelow(True)
    names = ["".join(f"{unit:.0f}" for unit in states[state]) for state in order]
    bars.set_xticks(range(12), [f"{name[:2]} {name[2:]}" for name in names], rotation=60, fontsize=8)
    bars.set(ylabel="p(z)", title="its twelve most likely states, left and right")
    return figure


def gaussian_mixture():
    """p(zeta) of Eq. 7 for a corner of the machine: Gaussians on the vertices, narrower as lam grows."""
    figure, axes = panels(2, (9, 3.8))
    axis = np.linspace(-0.9, 1.9, 71)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    vertices = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    p = np.exp(-boltzmann.energy(CORNER, vertices) - exact.log_z(CORNER))
    for each, lam in zip(axes, (8.0, 30.0), strict=True):
        log_p = (gaussian_integral.log_p(CORNER, grid, lam)[0] - exact.log_z(CORNER)).reshape(71, 71)
        drawn = each.contourf(axis, axis, log_p.T, levels=np.arange(-8, 3, 2), cmap="viridis", extend="min")
        for (x, y), weight in zip(vertices, p, strict=True):
            each.text(x, y, f"{weight:.2f}", ha="center", va="center", fontsize=8, bbox=LABEL)
        each.set(xlabel="ζ, left", ylabel="ζ, right", title=f"log p(ζ), λ = {lam:g}; p(z) on the vertices")
        each.set_aspect("equal")
        each.grid(False)
        figure.colorbar(drawn, ax=each, label="nats")
    return figure


def bound_over_k():
    """Page 7's model of one zeta: the bound over K, and the signal-to-noise ratios of the gradients."""
    figure, (bound, ratios) = panels(2, (9, 3.6))
    theta, mu, s, x, draws = 1.4, 0.5, 0.9, 1.5, 60_000
    ks, values, snr = 2 ** np.arange(6), [], []
    for k in ks:
        noise = np.random.default_rng(k).normal(size=(draws, k))
        zeta = mu + s * noise
        log_w = -(zeta**2) / 2 - (x - theta * zeta) ** 2 / 2 + noise**2 / 2 + np.log(s) - np.log(2 * np.pi) / 2
        value, share = bounds.importance_weighted(log_w)
        path, direct = -zeta + theta * (x - theta * zeta) + noise / s, noise / s
        each = (share * (path - direct), share**2 * path, share * (x - theta * zeta) * zeta)
        values.append(value.mean())
        snr.append([abs(g.sum(1).mean()) / g.sum(1).std() for g in each])
    exact_value = -(x**2) / (1 + theta**2) / 2 - np.log(2 * np.pi * (1 + theta**2)) / 2
    bound.axhline(exact_value, color="black", linewidth=0.8, label="log p(x)")
    bound.plot(ks, values, color=BLUE, marker="o", markersize=4, label="bound of K samples")
    bound.set(xscale="log", xlabel="K", ylabel="nats", title="the bound rises with K, up to log p(x)")
    for values, label, (color, style), marker in zip(np.transpose(snr), GRADIENTS, STYLES, "os^", strict=False):
        ratios.plot(ks, values, color=color, linestyle=style, marker=marker, markersize=4, label=label)
    ratios.set(xscale="log", yscale="log", xlabel="K", ylabel="|mean| / standard deviation")
    ratios.set_title("one estimate's signal-to-noise ratio")
    for each in (bound, ratios):
        each.set_xticks(ks, ks)
        each.xaxis.minorticks_off()
        each.legend(fontsize=8)
    return figure


def backward():
    """What is computed forward, and what flows back: the stations of a training step."""
    figure, (axes,) = panels(1, (9, 4.2))
    axes.set(xlim=(-0.6, 10.2), ylim=(-0.2, 4.2), aspect="equal")
    axes.axis("off")
    for (start, end), label in FLOWS.items():
        here, there = np.array(STATIONS[start]), np.array(STATIONS[end])
        along = (there - here) / np.linalg.norm(there - here)
        across = 0.12 * np.array([-along[1], along[0]])
        arrow(axes, here + across, there + across, STYLES[0])
        if label:
            arrow(axes, there - across, here - across, STYLES[1])
            angle = np.degrees(np.arctan2(along[1], along[0]))
            place = (here + there) / 2 - 2.7 * across
            axes.text(*place, label, fontsize=7.5, ha="center", va="center", color=ORANGE, rotation=angle)
    for name, place in STATIONS.items():
        box = {"facecolor": "white", "boxstyle": "round,pad=0.5"}
        axes.text(*place, name, ha="center", va="center", fontsize=9, bbox=box)
    axes.set_title("forward: solid; what flows back, and the page that derives it: dashed")
    return figure


def arrow(axes, start, end, style):
    color, line = style
    look = {"arrowstyle": "->", "color": color, "linestyle": line, "shrinkA": 30, "shrinkB": 30, "linewidth": 1.4}
    axes.annotate("", end, start, arrowprops=look)


def annealing():
    """AIS log-weights, few and many temperatures; and chains that cross over, or do not."""
    figure, (weights, chains) = panels(2, (9, 3.6))
    rng = np.random.default_rng(5)
    rbm = RBM(rng.normal(0, 0.5, 40), rng.normal(0, 0.5, (20, 20)))
    for steps, (color, style) in zip((20, 100, 1000), STYLES, strict=False):
        log_w = ais.log_z(philox.key(1), rbm, temperatures=steps, chains=2000).log_weights - exact.log_z(rbm)
        label = f"{steps} temperatures"
        weights.hist(log_w, bins=np.linspace(-4, 3, 71), histtype="step", color=color, linestyle=style, label=label)
    weights.axvline(0, color="black", linewidth=0.8)
    weights.set(xlabel="log w − log Z, nats", ylabel="chains of 2,000", title="AIS: more temperatures, less scatter")
    for coupling, (color, style) in zip((0.2, 0.34), STYLES, strict=False):
        ferromagnet = RBM(np.full(40, -10 * coupling), np.full((20, 20), coupling))
        state, ones = gibbs.chains_from(np.zeros((1, 40), np.float32), ferromagnet.W.shape), []
        for _ in range(300):
            state = gibbs.sweep(philox.key(3), state, ferromagnet, 1)
            ones.append(state.z.mean())
        chains.plot(ones, color=color, linestyle=style, linewidth=1, label=f"couplings of {coupling:g}")
    chains.set(
        xlabel="sweep",
        ylabel="share of ones",
        ylim=(-0.05, 1.05),
        title="a chain from all 0; both modes weigh the same",
    )
    for each in (weights, chains):
        each.legend(fontsize=8)
    return figure
