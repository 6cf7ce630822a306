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
    """For each smoothing <name>_beta (P,), _variance and _distance of the curve, _grid_* of Sec. 4's betas; logit_q and
    <name>_by_logit, Var(dzeta/dlogit q), of PAIR; quadrature_error, the largest relative one."""
    data, errors = {}, []
    for name, ends in BETAS.items():
        for key, betas in ((name, np.geomspace(*ends, CURVE[options.scale])), (f"{name}_grid", np.array(GRIDS[name]))):
            rows = [moments(SMOOTHINGS[name](float(beta))) for beta in betas]
            finer = [moments(SMOOTHINGS[name](float(beta)), points=2 * POINTS - 1) for beta in betas]
            data[f"{key}_beta"] = betas.astype(float)
            data[f"{key}_variance"], data[f"{key}_distance"] = np.array(rows).T
            errors.append(np.max(np.abs(np.array(rows) / np.array(finer) - 1)))
    data["logit_q"] = np.linspace(-6, 6, 2 * CURVE[options.scale] + 1)
    slope = 1 / (2 + 2 * np.cosh(data["logit_q"]))  # dq/dlogit(q) = q (1 - q)
    for name, beta in PAIR:
        variance = [moments(SMOOTHINGS[name](beta), logit_q)[0] for logit_q in data["logit_q"]]
        data[f"{name}_by_logit"] = np.array(variance) * slope**2
    return data | {"quadrature_error": np.array(max(errors))}


def moments(smoothing, logit_q=0.0, points=POINTS):
    """(Var(dzeta/dq), E|zeta - z| given z = 0) by the trapezoid rule."""
    t = grid(smoothing, points)
    step, weight = t[1] - t[0], smoothing.d_zeta(t)
    gradient = gradient_in_q(t, logit_q, smoothing)
    gap = smoothing.cdf_gap(t) * weight
    distance = np.sum(np.abs(smoothing.zeta(t)) * np.exp(smoothing.log_f0(t))) * step
    return np.sum(gradient * gap) * step - (np.sum(gap) * step) ** 2, distance


def gradient_in_q(t, logit_q, smoothing):
    """dzeta/dq (Eq. 9) at zeta(t)."""
    at = np.full_like(t, logit_q)
    d_q = 1 / (2 + 2 * np.cosh(logit_q))
    return mixture.d_t_d_logit_q(t, at, smoothing) * smoothing.d_zeta(t) / d_q


def grid(smoothing, points):
    """Where the integrands live: |t| <= REACH on the unit interval, up to quantiles of e^-40 on the line."""
    ends = REACH if isinstance(smoothing, UnitInterval) else -smoothing.sample0(np.exp(-40.0))
    return np.linspace(-ends, ends, points)


def plot(data):
    figure, axes = style.panels(1, 3, (12, 3.9))
    for i, name in enumerate(BETAS):
        look = {"color": style.COLORS[name], "linewidth": 1.5, "linestyle": style.dashes(i)}
        marks = {"color": style.COLORS[name], "marker": style.marker(i), "markersize": 4, "linestyle": "none"}
        for a, key in zip(axes[0], ("beta", "distance"), strict=False):
            a.plot(data[f"{name}_{key}"], data[f"{name}_variance"], **look, label=style.TITLES[name])
            a.plot(data[f"{name}_grid_{key}"], data[f"{name}_grid_variance"], **marks)
    for name, beta in PAIR:
        label, i = f"{style.TITLES[name]}, β = {beta:g}", list(BETAS).index(name)
        look = {"color": style.COLORS[name], "linestyle": style.dashes(i)}
        axes[0, 2].plot(data["logit_q"], data[f"{name}_by_logit"], **look, label=label)
    for a in axes[0, :2]:
        a.set(xscale="log", yscale="log", ylim=(0.05, 1000))
        a.plot([], [], "k.", label="candidates")
        a.xaxis.set_major_formatter("{x:g}")
        a.yaxis.set_major_formatter("{x:g}")
    axes[0, 0].set(xlabel="β", ylabel="Var(∂ζ/∂q), q = 1/2")
    axes[0, 1].set(xlabel="E|ζ − z| (sharper to the left)")
    axes[0, 2].set(xlabel="logit q", ylabel="Var(∂ζ/∂logit q)", ylim=(0, 0.68))
    for a in axes.flat:
        a.legend(fontsize=8, framealpha=0.9)
    return figure


def summary(data):
    lines = [f"Var(dzeta/dq) at q = 1/2 (and E|zeta - z|); quadrature error {float(data['quadrature_error']):.0e}:"]
    for name in BETAS:
        keys = (f"{name}_grid_{key}" for key in ("beta", "variance", "distance"))
        row = ", ".join(
            f"{variance:.3g} ({distance:.3f}) at {beta:g}"
            for beta, variance, distance in zip(*(data[key] for key in keys), strict=True)
        )
        lines.append(f"  {style.TITLES[name]}: {row}")
    peaks = ", ".join(f"{data[f'{name}_by_logit'].max():.3g} ({name} beta {beta:g})" for name, beta in PAIR)
    return "\n".join([*lines, f"largest Var(dzeta/dlogit q): {peaks}"])
