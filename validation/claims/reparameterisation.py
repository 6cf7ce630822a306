"""Eqs. 8 and 9 over the whole range of q, rho and beta, in float32 and float64, against the inverse CDF in mpmath.

mpmath solves CDF(t) = rho itself, at q and beta and a little beside them: its derivatives at fixed rho are those of the
solutions, not Eq. 9. They are compared at the rho that the floating-point t has exactly, so the rounding of t is not
counted twice.

Oracle: the densities and distribution functions of `laws`, in 60 digits. It cannot see whether samples have this
distribution, which takes u as well; that is in the tests and, in the mean, in `gradients`.
"""

import itertools

import mpmath
import numpy as np
from mpmath import mp

from dvae_ref import mixture, spike
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.smoothing import SMOOTHINGS
from validation import oracles
from validation.claim import Claim, at_most
from validation.laws import exact_law

SHARPEST = 100  # of the betas
LOGITS = (-20.0, -6.0, -1.5, 0.0, 0.7, 4.0, 12.0)
RHOS = (1e-30, 1e-9, 1e-4, 0.03, 0.2, 0.45, 0.5, 0.7, 0.96, 1 - 1e-4, 1 - 2.0**-23)
QUICK_LOGITS, QUICK_RHOS = (-6.0, 0.0, 4.0), (1e-9, 0.03, 0.7, 1 - 1e-4)
DIGITS = 60


def betas(name, quick):
    """From next to none to sharper than anybody trains with; the middle two are those of a quick check."""
    law = LAWS[name]
    middle = (law.tried[0], law.candidates[0])
    if quick:
        return middle
    return (law.least + 0.2, *middle, SHARPEST)


def check(quick, seed, names=tuple(SMOOTHINGS)):
    """The grid is fixed; the seed only shifts it a little."""
    shift = 0.01 * oracles.generator(seed, "reparameterisation").random()
    logits, rhos = (QUICK_LOGITS, QUICK_RHOS) if quick else (LOGITS, RHOS)
    findings, errors = [], {}
    with mp.workdps(DIGITS):
        for name, dtype in itertools.product(names, (np.float64, np.float32)):
            points = itertools.product(betas(name, quick), logits, rhos)
            rows = [compare(name, beta, dtype(logit + shift), dtype(rho), dtype) for beta, logit, rho in points]
            errors[name, dtype.__name__] = np.array(rows)
            findings += judge(name, dtype, np.array(rows))
        findings += [spike_errors(dtype, logits, rhos, shift) for dtype in (np.float64, np.float32)]
    return findings, errors


def spike_errors(dtype, logits, rhos, shift):
    """The spike and exponential: zeta and its slope, errors in eps of what one eps in rho and logit q moves them by."""
    worst, eps = 0.0, float(np.finfo(dtype).eps)
    for beta, logit, rho in itertools.product((1.0, 4.0, 8.0), logits, rhos):
        l, r = dtype(logit + shift), dtype(rho)
        for order, function in enumerate((spike.sample, spike.d_zeta_d_logit_q)):
            worst = max(worst, spike_error(float(function(l, r, beta)), order, l, r, beta))
    quantity = f"zeta and d zeta/d logit q, spike and exponential {dtype.__name__}"
    return at_most(quantity, worst, 40 * eps, "conditioning; 40 eps")


def spike_error(found, order, logit, rho, beta):
    """Of a derivative of zeta in logit q, in units of what relative changes of rho and logit q make of it."""
    l, r = mpmath.mpf(float(logit)), mpmath.mpf(float(rho))
    if r <= 1 / (1 + mpmath.exp(l)):
        return abs(found)

    def derivative(order, rho):
        return mpmath.diff(lambda l: spike_zeta(l, rho, beta), l, order)

    wanted = derivative(order, r)
    by_logit = derivative(order + 1, r)
    by_rho = mpmath.diff(lambda r: derivative(order, r), r)
    return float(abs(found - wanted) / (abs(wanted) + abs(by_logit * l) + abs(by_rho * r)))


def spike_zeta(logit, rho, beta):
    q = 1 / (1 + mpmath.exp(-logit))
    return mpmath.log(mpmath.expm1(beta) * (rho - 1 + q) / q + 1) / beta


def judge(name, dtype, rows):
    """Worst errors in eps of the type. CDF: a float64 solution, then t is rounded to the type, which is what moves it.

    The slopes are products of some ten factors, each exp(x) with a relative error of |x| eps, |x| up to 100 where the
    densities are tiny; in beta the terms of z = 0 and 1 may cancel, so there the larger of the two is the measure.
    """
    eps = float(np.finfo(dtype).eps)
    bounds = {"CDF(inverse(rho)) / rho - 1, beyond the rounding of t": 400, "dt/dlogit q": 400, "dt/dbeta": 400}
    bounds["dzeta/dt"] = 4
    for (quantity, bound), errors in zip(bounds.items(), rows.T, strict=True):
        yield at_most(f"{quantity}, {name} {dtype.__name__}", errors.max(), bound * eps, f"relative; {bound} eps")


def compare(name, beta, logit, rho, dtype):
    """Relative errors of (CDF of the solution, dt/dlogit q, dt/dbeta, dzeta/dt) at one point.

    dzeta/dq is (dt/dlogit q) (dzeta/dt) / (q (1 - q)).
    """
    smoothing = SMOOTHINGS[name](float(beta))
    t = mixture.inverse_cdf(logit[None], rho[None], smoothing)
    at, l, b = mpmath.mpf(float(t[0])), mpmath.mpf(float(logit)), mpmath.mpf(float(beta))
    by_beta, by_logit = slopes_of_solution(name, at, l, b)
    d_zeta = exact_law(name).d_zeta(at, b)
    return (
        error_in_cdf(name, at, l, b, mpmath.mpf(float(rho)), dtype),
        relative(mixture.d_t_d_logit_q(t, logit[None], smoothing), by_logit, by_logit, dtype),
        relative(mixture.d_t_d_beta(t, logit[None], smoothing), by_beta, scale_in_beta(name, at, l, b), dtype),
        relative(smoothing.d_zeta(t), d_zeta, d_zeta, dtype),
    )


def error_in_cdf(name, t, logit, beta, rho, dtype):
    """Of the CDF at t, or of 1 - CDF where that is the smaller, beyond what the rounding of t makes."""
    lower, upper = tails(name, t, logit, beta)
    found, wanted = (lower, rho) if rho <= 0.5 else (upper, 1 - rho)
    density = mpmath.diff(lambda t: min(tails(name, t, logit, beta)), t)
    rounding = abs(density * t) * np.finfo(dtype).eps / found
    return max(float(abs(found / wanted - 1) - rounding), 0.0)


def relative(found, expected, size, dtype):
    """|found - expected| / size of an array of one, where numbers below the type's smallest are 0."""
    away = abs(mpmath.mpf(float(found[0])) - expected)
    return float(max(away - float(np.finfo(dtype).tiny), 0) / abs(size))


def tails(name, t, logit, beta):
    """(CDF, 1 - CDF) of the mixture at t, each without cancellation."""
    q, one_minus_q = 1 / (1 + mpmath.exp(-logit)), 1 / (1 + mpmath.exp(logit))
    law = exact_law(name)
    (f0, s0), (s1, f1) = law.tails0(t, beta), law.tails0(-t, beta)
    return one_minus_q * f0 + q * f1, one_minus_q * s0 + q * s1


def slopes_of_solution(name, t, logit, beta):
    """(dt/dbeta, dt/dlogit q) at fixed rho: central differences of the root, with a step of 1e-20 in 60 digits."""
    lower, upper = tails(name, t, logit, beta)
    side, log_rho = (0, mpmath.log(lower)) if lower <= upper else (1, mpmath.log(upper))

    def solve(logit, beta):
        near = t * (1 + mpmath.mpf(10) ** -18) + mpmath.mpf(10) ** -18
        return mpmath.findroot(
            lambda x: mpmath.log(tails(name, x, logit, beta)[side]) - log_rho, (t, near), tol=1e-90, maxsteps=40
        )

    h = mpmath.mpf(10) ** -20
    by_beta = (solve(logit, beta + h) - solve(logit, beta - h)) / (2 * h)
    return by_beta, (solve(logit + h, beta) - solve(logit - h, beta)) / (2 * h)


def scale_in_beta(name, t, logit, beta):
    """|dt/dbeta| were the two terms of its numerator of one sign."""

    def numerator(sign, weight):
        return abs(weight * mpmath.diff(lambda beta: min(exact_law(name).tails0(sign * t, beta)), beta))

    q, one_minus_q = 1 / (1 + mpmath.exp(-logit)), 1 / (1 + mpmath.exp(logit))
    density = abs(mpmath.diff(lambda t: min(tails(name, t, logit, beta)), t))
    return (numerator(1, one_minus_q) + numerator(-1, q)) / density


def picture(errors, figure):
    """Relative errors at every point of the grid, by what is computed and in which precision."""
    labels = ("CDF", r"$\partial t/\partial\,\mathrm{logit}\,q$", r"$\partial t/\partial\beta$")
    for axes, name in zip(figure.subplots(1, len(SMOOTHINGS), sharey=True), SMOOTHINGS, strict=True):
        for place, colour in enumerate(("#2b5c8a", "#c9822b", "#5a8a3a")):
            for dtype, marker in (("float64", "o"), ("float32", "^")):
                values = np.maximum(errors[name, dtype][:, place], 1e-18)
                x = place + np.linspace(-0.3, 0.3, len(values))
                axes.plot(x, values, marker, ms=2, color=colour, alpha=0.6)
        for dtype in (np.float64, np.float32):
            axes.axhline(np.finfo(dtype).eps, color="0.6", lw=0.8, ls=":")
        axes.set(yscale="log", ylim=(1e-18, 1e-3), title=name, xticks=range(3))
        axes.set_xticklabels(labels, fontsize=7)
    figure.axes[0].set_ylabel("relative error (dots float64, triangles float32)", fontsize=8)


CLAIM = Claim(
    name="reparameterisation",
    statement="The inverse CDF and its slopes in q and beta at fixed rho are right to rounding, over the whole range.",
    equations=(
        r"(1-q)\,R(\zeta|0)+q\,R(\zeta|1)=\rho\qquad\mathrm{(8)}",
        r"\dfrac{\partial\zeta}{\partial q}=\dfrac{R(\zeta|0)-R(\zeta|1)}{(1-q)\,r(\zeta|0)+q\,r(\zeta|1)}"
        r"\ \mathrm{(9)},\quad\dfrac{\partial\zeta}{\partial\beta}="
        r"-\dfrac{(1-q)\,\partial_\beta R(\zeta|0)+q\,\partial_\beta R(\zeta|1)}{(1-q)\,r(\zeta|0)+q\,r(\zeta|1)}",
    ),
    check=check,
    picture=picture,
    seconds=(4, 45),
)
