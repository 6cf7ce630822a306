"""Eq. 5, the gradient of log p(zeta) at the mean-field m, against the exact gradient of the exact log p(zeta).

Oracle: the gradient by enumeration, itself held against differences of the exact log p(zeta); for the size of the
error, Pinsker's inequality, which bounds it by sqrt(KL / 2), row by row. A gradient that is wrong by less than that
passes where the KL is large; without couplings the KL is 0, and there is no room.
"""

import itertools

import numpy as np

from dvae_ref import exact, overlapping
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import SMOOTHINGS
from validation import oracles
from validation.claim import Claim, at_most
from validation.claims.mean_field import log_ratios

BETAS = {name: (LAWS[name].tried[0], LAWS[name].candidates[1]) for name in SMOOTHINGS}
COUPLINGS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
SWEEPS = 60  # where the mean field has converged
FLOOR = 1e-12  # rounding of either gradient


def check(quick, seed, names=tuple(BETAS)):
    """Eq. 5 in every direction against the exact gradient, whose own rightness is a finding: differences of the exact
    log p. What Eq. 5 may be off by is bounded by KL(m || p^), row by row.
    """
    rng = oracles.generator(seed, "gradient_of_log_p")
    base = oracles.random_rbm(rng, 5, 3, 1.0)
    rows = 8 if quick else 40
    findings, points = [], {}
    couplings = COUPLINGS[::2] if quick else COUPLINGS
    for name in names:
        worst = dict.fromkeys(("a and W", "zeta", "beta"), 0.0)
        for beta, coupling in itertools.product(BETAS[name], couplings):
            case = Case(base._replace(W=coupling * base.W), name, float(beta), rng, rows)
            points[name, beta, coupling] = case.kl, case.errors["a and W"]
            for part, error in case.errors.items():
                worst[part] = max(worst[part], np.max(error / np.sqrt(case.kl / 2 + FLOOR**2)))
        for part, value in worst.items():
            quantity = f"error in {part} over sqrt(KL/2), {name}"
            findings.append(at_most(quantity, value, 1 + 1e-9, "Pinsker's inequality, every row"))
    findings += [exact_gradient(rng, name) for name in names]
    findings += [envelope(rng), vanishing(base, rng, rows), negative_phase(rng)]
    return findings, points


class Case:
    """One machine and rows of zeta: KL(m || p^) and, row by row, the largest error of Eq. 5 in units of its bound.

    |E_m[f] - E_p^[f]| <= (max f - min f) sqrt(KL/2) for any f of z, by Pinsker's inequality. For a and W the f is z_i
    or z_i z_j, of range 1; for zeta_i it is b_i' z_i, of range |b_i'|; for beta sum_i z_i db_i/dbeta.
    """

    def __init__(self, rbm, name, beta, rng, rows):
        smoothing = SMOOTHINGS[name](beta)
        z = oracles.draw_states(rng, rbm, rows)
        t = smoothing.sample0(rng.random(z.shape))
        t = np.where(z == 1, -t, t)
        b = smoothing.log_ratio(t)
        _, cache = overlapping.log_p(rbm, b, SWEEPS)
        self.kl = exact.kl(rbm, b, cache.logit_m)
        p_hat = np.exp(oracles.log_joint(rbm, b) - exact.log_p(rbm, b)[0][:, None])
        true = oracles.moments(rbm, p_hat)
        found_a, found_W = np.empty_like(true.z), np.empty_like(true.zz)
        for i, row in enumerate(np.eye(rows)):
            (found_a[i], found_W[i]), _ = overlapping.log_p_backward(row, cache)
        d_b = overlapping.log_p_backward(np.ones(rows), cache)[1]
        self.errors = {
            "a and W": np.maximum(np.abs(found_a - true.z).max(1), np.abs(found_W - true.zz).max((1, 2))),
            "zeta": self.in_zeta(rbm, t, d_b, smoothing),
            "beta": self.in_beta(rbm, t, d_b, smoothing),
        }

    @staticmethod
    def in_zeta(rbm, t, d_b, smoothing):
        """In t = t(zeta): a change of coordinate scales both sides alike. The exact slope is that of log p(t)."""
        exact_slope, rough = np.empty_like(t), np.empty_like(t)
        for i, unit in enumerate(np.eye(t.shape[1])):
            slope = oracles.derivative(lambda h, unit=unit: marginal(rbm, t + h * unit, smoothing), step=1e-4)
            exact_slope.T[i], rough.T[i] = slope
        found = d_b * smoothing.d_log_ratio(t) + smoothing.d_log_r_max(t)
        return np.max((np.abs(found - exact_slope) - rough) / np.abs(smoothing.d_log_ratio(t)), 1)

    @staticmethod
    def in_beta(rbm, t, d_b, smoothing):
        """At t held fixed: db/dbeta and the change of r(zeta|0), whose exact slope log p's takes as well."""
        exact_slope, rough = oracles.derivative(
            lambda h: marginal(rbm, t, type(smoothing)(smoothing.beta + h)), 1e-3 * smoothing.beta
        )
        d_beta = smoothing.d_beta_log_ratio(t)
        found = np.sum(d_b * d_beta + smoothing.d_beta_log_r0(-np.abs(t)), 1)
        span = np.maximum(d_beta, 0).sum(1) - np.minimum(d_beta, 0).sum(1)
        return (np.abs(found - exact_slope) - rough) / span


def marginal(rbm, t, smoothing):
    """log p(zeta) + log Z of every row, with the whole density: by dvae_ref.exact."""
    return exact.log_p(rbm, smoothing.log_ratio(t))[0] + smoothing.log_r_max(t).sum(1)


def exact_gradient(rng, name):
    """The exact gradient is the derivative of the exact log p(zeta), log Z included."""
    rbm = oracles.random_rbm(rng, 5, 3, 1.0)
    b = log_ratios(rng, rbm, SMOOTHINGS[name](float(BETAS[name][0])), 4)
    direction = RBM(rng.standard_normal(8), rng.standard_normal((5, 3)))

    def log_p(h):
        moved = RBM(rbm.a + h * direction.a, rbm.W + h * direction.W)
        return np.sum(exact.log_p(moved, b)[0] - exact.log_z(moved))

    value, error = oracles.derivative(log_p)
    gradient, _ = exact.log_p_backward(np.ones(4), exact.log_p(rbm, b)[1])
    negative = exact.moments(rbm)
    found = np.sum((gradient.a - 4 * negative.z) * direction.a) + np.sum((gradient.W - 4 * negative.zz) * direction.W)
    return derivative_is(f"exact gradient less the derivative, {name}", found, value, error)


def derivative_is(quantity, found, expected, error):
    """The finding that a derivative is what differences, which have this error, say."""
    bound = error / abs(expected) + FLOOR
    return at_most(quantity, abs(found - expected) / abs(expected), bound, "error of the difference")


def envelope(rng):
    """Where the mean field has converged, Eq. 5 is the whole derivative of H(m) - E^(m), m's own motion included."""
    rbm, b = oracles.random_rbm(rng, 5, 3, 0.3), rng.normal(0, 2, (6, 8))
    direction = RBM(rng.standard_normal(8), rng.standard_normal((5, 3)))
    along = rng.standard_normal((6, 8))

    def value(h):
        moved = RBM(rbm.a + h * direction.a, rbm.W + h * direction.W)
        return np.sum(overlapping.log_p(moved, b + h * along, SWEEPS)[0])

    expected, error = oracles.derivative(value)
    gradient, d_b = overlapping.log_p_backward(np.ones(6), overlapping.log_p(rbm, b, SWEEPS)[1])
    found = np.sum(gradient.a * direction.a) + np.sum(gradient.W * direction.W) + np.sum(d_b * along)
    return derivative_is("Eq. 5 less the derivative of H(m) - E^(m)", found, expected, error)


def vanishing(base, rng, rows):
    """Without couplings KL = 0, and Eq. 5 is exact."""
    rbm = base._replace(W=0 * base.W)
    b = log_ratios(rng, rbm, SMOOTHINGS["power"](10.0), rows)
    found, d_b = overlapping.log_p_backward(np.ones(rows), overlapping.log_p(rbm, b)[1])
    true, true_d_b = exact.log_p_backward(np.ones(rows), exact.log_p(rbm, b)[1])
    error = max(oracles.relative_norm(x, y) for x, y in ((found.a, true.a), (found.W, true.W), (d_b, true_d_b)))
    return at_most("error in a, W and b where KL = 0, relative", error, FLOOR, "rounding")


def negative_phase(rng):
    """The score has mean 0: at zeta = z, far from the other vertices, m = z, and E_p[z] is what is to be taken off."""
    rbm = oracles.random_rbm(rng, 3, 2, 1.0)
    p, z = oracles.probabilities(rbm), oracles.states(5)
    gradient, _ = overlapping.log_p_backward(p, overlapping.log_p(rbm, 200 * (z - 0.5), SWEEPS)[1])
    negative = exact.moments(rbm)
    error = max(np.max(np.abs(gradient.a - negative.z)), np.max(np.abs(gradient.W - negative.zz)))
    return at_most("mean gradient over the vertices", error, FLOOR, "rounding: the score has mean 0")


def picture(points, figure):
    """Each row's error against its KL: all below sqrt(KL / 2)."""
    grid = figure.subplots(1, len(BETAS), sharex=True, sharey=True)
    line = np.logspace(-13, 0, 50)
    for axes, name in zip(grid, BETAS, strict=True):
        for beta in BETAS[name]:
            kl, error = np.concatenate([points[key] for key in points if key[:2] == (name, beta)], axis=1)
            axes.plot(np.maximum(kl, 1e-14), np.maximum(error, 1e-14), ".", ms=2.5, label=rf"$\beta={beta}$")
        axes.plot(line, np.sqrt(line / 2), color="0.4", lw=0.8, label=r"$\sqrt{KL/2}$")
        axes.set(xscale="log", yscale="log", title=name, xlabel=r"KL$(m\,\|\,\hat p)$, nats")
        axes.legend(frameon=False, fontsize=7)
    grid[0].set_ylabel("error of Eq. 5 in a and W")


CLAIM = Claim(
    name="gradient_of_log_p",
    statement="Eq. 5 is the gradient of log p(zeta) up to an error that vanishes with KL(m || p^).",
    equations=(
        r"\nabla\log p(\zeta)=-\mathbb{E}_{\hat p}[\nabla\hat E(z)]+\mathbb{E}_p[\nabla E(z)]"
        r"\ \approx\ -\nabla\hat E(m)+\mathbb{E}_p[\nabla E(z)]\qquad\mathrm{(5)}",
        r"|\mathbb{E}_m f-\mathbb{E}_{\hat p}f|\ \leq\ (\max f-\min f)\,\sqrt{\mathrm{KL}(m\,\|\,\hat p)/2}",
    ),
    check=check,
    picture=picture,
    seconds=(2, 15),
)
