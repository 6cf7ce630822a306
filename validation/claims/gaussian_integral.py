"""Eq. 7: the relaxation by the Gaussian integral trick, against the sum over z that it replaces.

Oracle: the sum over all z of p(z) N(zeta | z, (J + lam I)^-1), up to five units; for more, identities that hold for any
density: its integral is 1, its score has the mean 0, and zeta·score the mean -D. lam is held fixed in the gradient, as
the method has it: that lam follows ||W|| in training, and is not differentiated, is no finding.
"""

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from dvae_ref import exact, gaussian_integral
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import Claim, at_most, close, mean_score, score

LAMBDAS = (5.0, 12.0, 40.0)
SUM_BOUND = 1e-12  # of 1 + |log p|: sums of 2^5 terms and a determinant, conditioned by (lam + |W|) / (lam - |W|)


def check(quick, seed):
    """log p and its gradient against sums over z; its integral by quadrature and importance sampling; many units by
    exact sampling; the limit of large lambda.
    """
    rng = oracles.generator(seed, "gaussian_integral")
    size = 20_000 if quick else 200_000
    findings = [sum_over_z(rng, lam) for lam in LAMBDAS]
    findings.append(margin())
    for lam in LAMBDAS:
        findings += gradients(rng, lam)
    grid, two_dimensions = quadrature(rng)
    findings += [two_dimensions, importance_sampling(rng, size)]
    findings += forty_dimensions(rng, size // 2)
    limit, deltas = delta_limit(rng)
    return findings + limit, (grid, deltas)


def margin():
    """lam = max(beta, ||W|| + 5): of J + lam I no eigenvalue is below 5, and lam is beta where it may be."""
    rng = oracles.generator(0, "margin")
    rbms = [oracles.random_rbm(rng, 5, 7, coupling) for coupling in np.linspace(0.1, 4, 40)]
    norms = np.array([np.linalg.eigvalsh(oracles.couplings(rbm))[-1] for rbm in rbms])
    found = np.array([gaussian_integral.precision(rbm, 12.0) for rbm in rbms])
    error = np.max(np.abs(found - np.maximum(12.0, norms + 5)))
    basis = f"rounding; 40 machines with ||W|| from {norms.min():.1f} to {norms.max():.1f}"
    return at_most("lam less max(beta, ||W|| + 5)", float(error), 1e-10, basis)


def precision_matrix(rbm, lam):
    """J + lam I, of every Gaussian N(zeta | z, (J + lam I)^-1)."""
    return oracles.couplings(rbm) + lam * np.eye(rbm.a.size)


def plain_log_p(rbm, zeta, lam):
    """log sum_z e^-E(z) N(zeta | z, (J + lam I)^-1): every z by its own Gaussian."""
    P, z = precision_matrix(rbm, lam), oracles.states(rbm.a.size)
    away = zeta[:, None, :] - z
    log_normal = np.linalg.slogdet(P / (2 * np.pi))[1] / 2 - np.einsum("nsi,ij,nsj->ns", away, P, away) / 2
    return logsumexp(oracles.minus_energy(rbm, z) + log_normal, 1)


def sum_over_z(rng, lam):
    """Eq. 7 against the sum over z that it replaces, around the hypercube and well outside of it."""
    rbm = oracles.random_rbm(rng, 3, 2, 1.0)
    zeta = np.concatenate([rng.uniform(-0.5, 1.5, (100, 5)), rng.normal(0.5, 4, (100, 5))])
    value, _ = gaussian_integral.log_p(rbm, zeta, lam)
    expected = plain_log_p(rbm, zeta, lam)
    error = np.max(np.abs(value - expected) / (1 + np.abs(expected)))
    return at_most(f"Eq. 7 less the sum over z, lam = {lam:g}", error, SUM_BOUND, "of 1 + |log p|, 200 points")


def gradients(rng, lam):
    """In W, a and zeta along random directions, against the derivative of the sum over z."""
    rbm, zeta = oracles.random_rbm(rng, 3, 2, 1.0), rng.uniform(-0.3, 1.3, (20, 5))
    weight = rng.uniform(0.5, 2, 20)
    gradient, d_zeta = gaussian_integral.log_p_backward(weight, gaussian_integral.log_p(rbm, zeta, lam)[1])
    here = {"W": rbm.W, "a": rbm.a, "zeta": zeta}
    for part, found in {"W": gradient.W, "a": gradient.a, "zeta": d_zeta}.items():
        direction = rng.standard_normal(found.shape)

        def value(h, part=part, direction=direction):
            moved = here | {part: here[part] + h * direction}
            return weight @ plain_log_p(RBM(moved["a"], moved["W"]), moved["zeta"], lam)

        expected, error = oracles.derivative(value, 1e-3 / lam**0.5)
        estimate = float(np.sum(found * direction))
        quantity = f"gradient in {part}, lam = {lam:g}"
        yield close(quantity, estimate, float(expected), float(error), "error of the five-point derivative")


def quadrature(rng):
    """D = 2: the trapezoidal rule converges geometrically for sums of Gaussians; 0.05 is a ninth of their width."""
    rbm, lam = oracles.random_rbm(rng, 1, 1, 1.5), 5.0
    axis = np.arange(-5, 6, 0.05)
    zeta = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    log_p = gaussian_integral.log_p(rbm, zeta.reshape(-1, 2), lam)[0] - oracles.log_z(rbm)
    density = np.exp(log_p).reshape(len(axis), -1)
    integral = float(density.sum() * 0.05**2)
    return (axis, density), close("integral of p(zeta), D = 2", integral, 1.0, 1e-12, "rounding; tails below e^-50")


def importance_sampling(rng, size):
    """D = 8: mean of p(zeta) / g(zeta) under a wider mixture g without correlations."""
    rbm, lam = oracles.random_rbm(rng, 5, 3, 0.6), 8.0
    z = oracles.draw_states(rng, rbm, 2000).mean(0).clip(0.05, 0.95)
    zeta, log_g = independent_mixture(rng, z, 1.4 / lam**0.5, size)
    w = np.exp(gaussian_integral.log_p(rbm, zeta, lam)[0] - exact.log_z(rbm) - log_g)
    return mean_score("integral of p(zeta), D = 8", w, 1.0)


def independent_mixture(rng, q, std, size):
    """zeta of the mixture below and its log density."""
    zeta = (rng.random((size, len(q))) < q) + std * rng.standard_normal((size, len(q)))
    return zeta, log_mixture(zeta, q, std)


def log_mixture(zeta, q, std):
    """log prod_i (1 - q_i) N(zeta_i | 0, std^2) + q_i N(zeta_i | 1, std^2) of each row."""
    off = np.log1p(-q) + stats.norm.logpdf(zeta, 0, std)
    on = np.log(q) + stats.norm.logpdf(zeta, 1, std)
    return np.logaddexp(off, on).sum(1)


def forty_dimensions(rng, size):
    """D = 12 + 28: zeta of the exact mixture, z from p(z) and then the Gaussian around it.

    Under it E[g / p] = 1 for a narrower density g, E[grad log p] = 0 in a and W (negative phase included), and
    E[zeta·d log p/dzeta] = -D by partial integration.
    """
    rbm, lam = oracles.random_rbm(rng, 12, 28, 0.12, bias=-1.0), 9.0
    z = oracles.draw_states(rng, rbm, size)
    factor = np.linalg.cholesky(precision_matrix(rbm, lam))
    zeta = z + np.linalg.solve(factor.T, rng.standard_normal(z.shape).T).T
    log_p, cache = gaussian_integral.log_p(rbm, zeta, lam)
    negative, log_z = exact.moments(rbm), exact.log_z(rbm)
    yield reverse_importance(rng, rbm, lam, zeta, log_p - log_z, negative.z)
    by_batch = [mean_gradient(cache, rows) for rows in np.array_split(np.arange(size), 100)]
    for name, mean in (("a", negative.z), ("W", negative.zz)):
        samples = np.stack([getattr(gradient, name) for gradient in by_batch]) - mean
        errors = samples.std(0, ddof=1) / np.sqrt(len(samples))
        scores = samples.mean(0) / errors
        worst = np.unravel_index(np.argmax(np.abs(scores)), scores.shape)
        quantity = f"mean score in {name}, worst of {mean.size} plus its E_p, D = 40"
        yield score(quantity, samples.mean(0)[worst] + mean[worst], mean[worst], errors[worst])
    d_zeta = gaussian_integral.log_p_backward(np.ones(size), cache)[1]
    stein = np.sum((zeta - 0.5) * d_zeta, 1)
    yield mean_score("E[(zeta - 1/2)·d log p/dzeta], D = 40", stein, -40.0)


def mean_gradient(cache, rows):
    """The gradient of the mean log p of these rows, in the RBM."""
    own = cache._replace(zeta=cache.zeta[rows], mean_z=cache.mean_z[rows])
    gradient, _ = gaussian_integral.log_p_backward(np.full(len(rows), 1 / len(rows)), own)
    return gradient


def reverse_importance(rng, rbm, lam, zeta, log_p, mean_z):
    """E_p[g / p] = 1 with the independent mixture g that has the means of p and slightly narrower components."""
    w = np.exp(log_mixture(zeta, mean_z, 0.9 / lam**0.5) - log_p)
    return mean_score("mean of g(zeta) / p(zeta), D = 40", w, 1.0)


def delta_limit(rng):
    """At a vertex z only its own Gaussian is left as lam grows: log p(zeta = z) - log det / 2 -> log p(z).

    The others add at most sum_z' p(z') / p(z) exp(-(lam - |W|) |z - z'|^2 / 2), which is summed exactly.
    """
    rbm = oracles.random_rbm(rng, 3, 2, 1.0)
    z, p = oracles.states(5), oracles.probabilities(rbm)
    norm, apart = np.linalg.norm(rbm.W, 2), np.sum((z[:, None] - z) ** 2, -1)
    findings, deltas = [], []
    for lam in (10.0, 20.0, 40.0, 80.0):
        log_p = gaussian_integral.log_p(rbm, z, lam)[0] - oracles.log_z(rbm)
        weight = log_p - np.linalg.slogdet(precision_matrix(rbm, lam) / (2 * np.pi))[1] / 2
        others = (np.exp(-(lam - norm) * apart / 2) - np.eye(len(z))) @ p / p
        error = np.abs(weight - np.log(p))
        deltas.append((lam, np.max(error), np.max(others)))
        i = np.argmax(error / (others + SUM_BOUND))
        quantity = f"log weight of the worst vertex, lam = {lam:g}"
        bound = others[i] + SUM_BOUND * lam
        findings.append(close(quantity, weight[i], np.log(p[i]), bound, "the other vertices' Gaussians"))
    return findings, deltas


def picture(data, figure):
    """The density of two units, with the vertices marked; how log p at a vertex tends to log p(z) as lam grows."""
    (axis, density), deltas = data
    left, right = figure.subplots(1, 2)
    keep = (axis > -1.2) & (axis < 2.2)
    left.contourf(axis[keep], axis[keep], density[np.ix_(keep, keep)].T, 20, cmap="Blues")
    left.set(aspect="equal", xlabel=r"$\zeta_1$", ylabel=r"$\zeta_2$", title=r"$p(\zeta)$ of Eq. 7, $D=2$, $\lambda=5$")
    left.plot([0, 0, 1, 1], [0, 1, 0, 1], "+", color="#b3261e")
    lam, found, bound = np.array(deltas).T
    right.plot(lam, np.maximum(found, 1e-16), "o", label=r"$|\log p(\zeta{=}z)-\frac{1}{2}\log\det-\log p(z)|$")
    right.plot(lam, np.maximum(bound, 1e-16), color="0.5", lw=1, label="bound")
    right.set(yscale="log", xlabel=r"$\lambda$", title="the delta limit, largest of 32 vertices")
    right.legend(frameon=False)


CLAIM = Claim(
    name="gaussian_integral",
    statement="Eq. 7 is the sum over z of p(z) N(zeta | z, (J + lam I)^-1): value, normalisation, gradient and limit.",
    equations=(
        r"p(\zeta)=\dfrac{1}{Z}\left|\dfrac{W+\lambda I}{2\pi}\right|^{1/2}"
        r"e^{-\frac{1}{2}\zeta^T(W+\lambda I)\zeta}\prod_i\left[1+e^{a_i+c_i-\lambda/2}\right],"
        r"\quad c=(W+\lambda I)\zeta\qquad\mathrm{(7)}",
    ),
    check=check,
    picture=picture,
    seconds=(1, 5),
)
