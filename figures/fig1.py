"""Fig. 1: the inverse CDF of q(zeta) = sum_z q(z) r(zeta|z) at q = 1/2, and its gradient in q, against rho.

    F(zeta) = (1 - q) R(zeta|0) + q R(zeta|1) = rho                  Eq. 8
    dzeta/dq = (R(zeta|0) - R(zeta|1)) / F'(zeta)                    Eq. 9

The betas are the candidates of Sec. 4, epsilon = 0.05; which ones the paper drew it does not say, but for power at 40.
"""

import numpy as np

from dvae_ref import mixture
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, UniformExponential, named
from figures import style

BETAS = {name: LAWS[name].candidates for name in SMOOTHINGS if LAWS[name].in_fig1}
TOP = 23.0  # of the lower row: above all of uniform + exponential and power, far below the sharpest exponential
POINTS = {"quick": 401, "default": 2001, "full": 2001}


def compute(options):
    """The curves, at P values of rho and, for each smoothing of the figure, its four betas:

    rho (P,), <name>_beta (4,), <name>_zeta (4, P), <name>_gradient (4, P): dzeta/dq
    """
    n = POINTS[options.scale]
    data = {"rho": (np.arange(n) + 0.5) / n}  # symmetric about 1/2, where the gradient peaks, and without 0 and 1
    for name, betas in BETAS.items():
        curves = [curve(SMOOTHINGS[name](float(beta)), data["rho"]) for beta in betas]
        data[f"{name}_beta"] = np.array(betas, float)
        data[f"{name}_zeta"], data[f"{name}_gradient"] = np.stack(curves, axis=1)
    return data


def curve(smoothing, rho, logit_q=0.0):
    """(zeta, dzeta/dq) at rho (P,): the inverse CDF (Eq. 8) and its gradient in q (Eq. 9).

    Both by way of the centred t: dzeta/dq = dt/dlogit q dzeta/dt / (q (1 - q)).
    """
    logit_q = np.full_like(rho, logit_q)
    t = mixture.inverse_cdf(logit_q, rho, smoothing)
    d_q = 1 / ((1 + np.exp(-logit_q)) * (1 + np.exp(logit_q)))  # dq/dlogit(q) = q (1 - q)
    return smoothing.zeta(t), mixture.d_t_d_logit_q(t, logit_q, smoothing) * smoothing.d_zeta(t) / d_q


def plot(data):
    """A column for each smoothing: above the inverse CDFs, below their gradients, all on one scale up to TOP."""
    figure, axes = style.panels(2, len(BETAS), (3 * len(BETAS), 5.2), sharex=True, sharey="row")
    for (above, below), name in zip(axes.T, BETAS, strict=True):
        betas = data[f"{name}_beta"]
        for i, color in enumerate(style.shades(style.COLORS[name], len(betas))):
            look = {"color": color, "linestyle": style.DASHES[i], "linewidth": 1.4, "label": f"β = {betas[i]:g}"}
            above.plot(data["rho"], data[f"{name}_zeta"][i], **look)
            below.plot(data["rho"], data[f"{name}_gradient"][i], **look)
        mixed = ", ε = 0.05" if "epsilon" in LAWS[name].parameters else ""
        above.set_title(style.TITLES[name] + mixed, fontsize=11)
        above.legend(fontsize=8, framealpha=0.9)
        below.set_xlabel("ρ")
        note_peaks(below, betas, data[f"{name}_gradient"].max(1))
    axes[0, 0].set_ylabel("ζ(ρ), inverse CDF")
    axes[1, 0].set_ylabel("∂ζ/∂q")
    axes[1, 0].set_ylim(-TOP / 20, TOP)
    return figure


def note_peaks(axes, betas, peaks):
    """Say how high the curves rise that leave the panel."""
    outside = [f"{peak:.0f} at β = {beta:g}" for beta, peak in zip(betas, peaks, strict=True) if peak > TOP]
    if outside:
        axes.text(0.54, 0.97 * TOP, "peaks outside:\n" + "\n".join(outside), fontsize=8, va="top")


def summary(data):
    """The heights of the peaks, and how little a uniform of weight epsilon moves an inverse CDF."""
    lines = ["peak of dzeta/dq, at zeta = rho = 1/2:"]
    for name in BETAS:
        peaks = data[f"{name}_gradient"].max(1)
        text = ", ".join(f"{peak:.3g} (beta {beta:g})" for beta, peak in zip(data[f"{name}_beta"], peaks, strict=True))
        lines.append(f"  {style.TITLES[name]}: {text}")
    (plain,), (mixed,) = named(Exponential), named(UniformExponential)
    apart = np.abs(zeta_at(data, plain, 16) - zeta_at(data, mixed, 16)).max()
    lines.append(f"with and without the uniform, the inverse CDFs at beta = 16 are at most {apart:.3f} apart")
    return "\n".join(lines)


def zeta_at(data, name, beta):
    """The inverse CDF (P,) of a smoothing at one of its betas."""
    return data[f"{name}_zeta"][data[f"{name}_beta"] == beta][0]
