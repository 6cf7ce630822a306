"""Supplement: the variance of dzeta/dq over rho, exact, against the sharpness of each smoothing transformation.

With t the centred coordinate of zeta, f(t) the density of the mixture at q and gap = R(zeta|0) - R(zeta|1),

    E[(dzeta/dq)^k] = integral of (gap zeta'(t) / f)^k f dt,    E[dzeta/dq] = E[zeta|z=1] - E[zeta|z=0],

smooth integrands that vanish at both ends, for which the trapezoid rule is as good as any; the difference between
POINTS and twice as many, which the npz holds, is its error. Sharpness is compared as the distance
E|zeta - z| of zeta from its vertex, since a beta does not mean the same in two transformations.
"""

import numpy as np

from dvae_ref import mixture
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.mirror import UnitInterval
from dvae_ref.theory.smoothing import SMOOTHINGS
from figures import style

BETAS = {name: LAWS[name].drawn for name in SMOOTHINGS}  # of the curves
GRIDS = {name: LAWS[name].candidates for name in SMOOTHINGS}  # the markers: those of Sec. 4, for the logistic ours
PAIR = (("exp", 10.0), ("power", 30.0))  # Fig. 2(c)
CURVE = {"quick": 25, "default": 60, "full": 60}
POINTS = 20_001
REACH = 50.0  # of t: beyond, the integrands are below e^-45 of their peaks


def compute(options):
    """For each smoothing, at P betas of its curve and at its candidates of Sec. 4 (4,); for those of PAIR at L logits:

    <name>_beta, <name>_variance, <name>_distance (P,)                  Var(dzeta/dq) at q = 1/2, and E|zeta - z|
    <name>_grid_beta, <name>_grid_variance, <name>_grid_distance (4,)   the same at the candidates
    logit_q (L,), <name>_by_logit (L,)                                  Var(dzeta/dlogit q)
    quadrature_error ()                                                 the largest relative one
    """
    data, errors = {}, []
    for name, (first, last) in BETAS.items():
        betas = {name: np.geomspace(first, last, CURVE[options.scale]), f"{name}_grid": np.array(GRIDS[name], float)}
        for key, values in betas.items():
            rows = at_betas(SMOOTHINGS[name], values, POINTS)
            data[f"{key}_beta"] = values
            data[f"{key}_variance"], data[f"{key}_distance"] = rows.T
            errors.append(np.max(np.abs(rows / at_betas(SMOOTHINGS[name], values, 2 * POINTS - 1) - 1)))
    data["logit_q"] = np.linspace(-6, 6, 2 * CURVE[options.scale] + 1)
    slope = 1 / (2 + 2 * np.cosh(data["logit_q"]))  # dq/dlogit(q) = q (1 - q)
    for name, beta in PAIR:
        variance = [moments(SMOOTHINGS[name](beta), logit_q)[0] for logit_q in data["logit_q"]]
        data[f"{name}_by_logit"] = np.array(variance) * slope**2
    return data | {"quadrature_error": np.array(max(errors))}


def at_betas(smoothing, betas, points):
    """`moments` at q = 1/2 of a kind of smoothing at these betas: (P, 2)."""
    return np.array([moments(smoothing(float(beta)), points=points) for beta in betas])


def moments(smoothing, logit_q=0.0, points=POINTS):
    """(Var(dzeta/dq), E|zeta - z| given z = 0) by the trapezoid rule; both ends of the grid weigh nothing.

    (dzeta/dq)^2 f is dzeta/dq times gap zeta'(t), so that the density cancels where it is small.
    """
    t = grid(smoothing, points)
    step, weight = t[1] - t[0], smoothing.d_zeta(t)
    gradient = gradient_in_q(t, logit_q, smoothing)
    gap = smoothing.cdf_gap(t) * weight
    distance = np.sum(np.abs(smoothing.zeta(t)) * np.exp(smoothing.log_f0(t))) * step
    return np.sum(gradient * gap) * step - (np.sum(gap) * step) ** 2, distance


def gradient_in_q(t, logit_q, smoothing):
    """dzeta/dq (Eq. 9) at zeta(t), (points,): dt/dlogit q dzeta/dt / (q (1 - q))."""
    at = np.full_like(t, logit_q)
    d_q = 1 / (2 + 2 * np.cosh(logit_q))
    return mixture.d_t_d_logit_q(t, at, smoothing) * smoothing.d_zeta(t) / d_q


def grid(smoothing, points):
    """Where the integrands live: |t| <= REACH on the unit interval, up to quantiles of e^-40 on the line."""
    end = REACH if isinstance(smoothing, UnitInterval) else -smoothing.sample0(np.exp(-40.0))
    return np.linspace(-end, end, points)


def plot(data):
    """Var(dzeta/dq) against beta and against the distance from the vertex; Var(dzeta/dlogit q) against the logit."""
    figure, ((by_beta, by_distance, by_logit),) = style.panels(1, 3, (12, 3.9))
    draw_in_q(by_beta, data, "beta")
    draw_in_q(by_distance, data, "distance")
    for name, beta in PAIR:
        label, i = f"{style.TITLES[name]}, β = {beta:g}", list(BETAS).index(name)
        look = {"color": style.COLORS[name], "linestyle": style.dashes(i)}
        by_logit.plot(data["logit_q"], data[f"{name}_by_logit"], **look, label=label)
    by_beta.set(xlabel="β", ylabel="Var(∂ζ/∂q), q = 1/2")
    by_distance.set(xlabel="E|ζ − z| (sharper to the left)")
    by_logit.set(xlabel="logit q", ylabel="Var(∂ζ/∂logit q)", ylim=(0, 0.68))
    style.legends((by_beta, by_distance, by_logit))
    return figure


def draw_in_q(axes, data, key):
    """Var(dzeta/dq) of all smoothings against `key`: their curves, and marks at the candidates."""
    for i, name in enumerate(BETAS):
        look = {"color": style.COLORS[name], "linewidth": 1.5, "linestyle": style.dashes(i)}
        marks = {"color": style.COLORS[name], "marker": style.marker(i), "markersize": 4, "linestyle": "none"}
        axes.plot(data[f"{name}_{key}"], data[f"{name}_variance"], **look, label=style.TITLES[name])
        axes.plot(data[f"{name}_grid_{key}"], data[f"{name}_grid_variance"], **marks)
    axes.plot([], [], "k.", label="candidates")
    axes.set(xscale="log", yscale="log", ylim=(0.05, 1000))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")


def summary(data):
    """The candidates of each smoothing; of PAIR the largest variance of dzeta/dlogit q = q (1 - q) dzeta/dq."""
    lines = [f"Var(dzeta/dq) at q = 1/2 (and E|zeta - z|); quadrature error {float(data['quadrature_error']):.0e}:"]
    for name in BETAS:
        columns = data[f"{name}_grid_beta"], data[f"{name}_grid_variance"], data[f"{name}_grid_distance"]
        row = [f"{var:.3g} ({distance:.3f}) at {beta:g}" for beta, var, distance in np.transpose(columns)]
        lines.append(f"  {style.TITLES[name]}: {', '.join(row)}")
    peaks = [f"{data[f'{name}_by_logit'].max():.3g} ({name} beta {beta:g})" for name, beta in PAIR]
    lines.append(f"largest Var(dzeta/dlogit q): {', '.join(peaks)}")
    return "\n".join(lines)
