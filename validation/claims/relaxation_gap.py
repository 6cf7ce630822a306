"""What F in place of log p(zeta) costs: how far it keeps Eq. 3 from log p(x), however many samples, over beta.

With F = log p(zeta) - KL(m || p^), a mean field, the bound's limit is

    log E_q[w e^-KL] = log p(x) + log E_{p(zeta|x)}[e^-KL].

Everything here is a sum over the nodes of a quadrature of a 1 + 1 machine: both sides of this are exact. Of two units
nothing follows for 400 but the identity itself: how large the KL of a trained model is, is measured for the figures
2a and 2b (`figures`), and the cost at few samples is `iw_bounds`.
"""

import itertools

import numpy as np
from scipy.special import logsumexp

from dvae_ref import bounds, overlapping
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import Claim, at_most, score
from validation.expectation import exponential, power

LAWS = {"exp": exponential, "power": power}
BETAS = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0)
COUPLINGS = (1.0, 3.0, 6.0)  # W, of fields that leave no unit a preference
NODES, SWEEPS = 80, 400
EXACT = 1e-9  # nats: rounding of 6,400 terms, and what is left of the mean field's sweeps


def check(quick, seed):
    """At every beta and coupling both sides of the identity, the bound by E[KL], and its fall; once by sampling."""
    findings, gaps = [], {}
    for law, coupling in itertools.product(LAWS, COUPLINGS):
        found = [gap(law, beta, coupling) for beta in BETAS]
        gaps[law, coupling] = np.array(found)
        findings += judge(law, coupling, gaps[law, coupling])
    findings.append(sampled(seed, 100 if quick else 1000))
    return findings, gaps


def gap(law, beta, coupling):
    """(log p(x), the limit with F, log E[e^-KL], E[KL]) under p(zeta|x)."""
    log_p, log_f, log_px, kl = nodes(law, beta, coupling)
    log_posterior = log_p + log_px - logsumexp(log_p + log_px)
    return (
        logsumexp(log_p + log_px),
        logsumexp(log_f + log_px),
        logsumexp(log_posterior - kl),
        float(np.exp(log_posterior) @ kl),
    )


def nodes(law, beta, coupling):
    """log p(zeta) dzeta exactly and with F, log p(x|zeta), KL(m || p^) state by state, at the nodes of both units."""
    rbm = RBM(np.full(2, -coupling / 2), np.full((1, 1), coupling))
    axis = LAWS[law](beta, NODES)
    index = np.array(list(itertools.product(range(len(axis.zeta)), repeat=2)))
    zeta, w0, w1 = (column[index] for column in axis)
    z = oracles.states(2)
    log_r = np.where(z == 1, np.log(w1)[:, None], np.log(w0)[:, None]).sum(-1)
    log_z = oracles.log_z(rbm)
    log_joint = oracles.minus_energy(rbm, z) + log_r
    log_p = logsumexp(log_joint, 1) - log_z
    mean_field, cache = overlapping.log_p(rbm, np.log(w1 / w0), SWEEPS)
    log_f = mean_field + np.log(np.maximum(w0, w1)).sum(1) - log_z
    return log_p, log_f, log_likelihood(zeta), divergence(cache.logit_m, log_joint, z)


def divergence(logit_m, log_joint, z):
    """KL(m || p^) of each row: the sum over the four states of m(z) log(m(z) / p^(z))."""
    log_m = -np.logaddexp(0, np.where(z == 1, -logit_m[:, None], logit_m[:, None])).sum(-1)
    log_p_hat = log_joint - logsumexp(log_joint, 1, keepdims=True)
    return np.sum(np.exp(log_m) * (log_m - log_p_hat), 1)


def log_likelihood(zeta):
    """log p(x|zeta) of three pixels, (1, 0, 1), that a linear decoder makes of zeta."""
    logits = zeta @ np.array([[2.0, -1.0, 0.5], [1.0, 1.5, -2.0]]) - 0.4
    return (np.array([1.0, 0, 1]) * logits - np.logaddexp(0, logits)).sum(1)


def judge(law, coupling, found):
    log_px, limit, log_mean, mean_kl = found.T
    label = f"{law}, W = {coupling:g}"
    error = np.max(np.abs(log_px - limit + log_mean))
    yield at_most(f"log p(x) - limit + log E[e^-KL]: {label}", float(error), EXACT, "nats; over beta")
    above = np.max(np.maximum(limit - log_px, (log_px - limit) - mean_kl))
    yield at_most(f"0 <= log p(x) - limit <= E[KL]: {label}", float(above), EXACT, "nats")
    costs = log_px - limit
    yield at_most(
        f"cost at beta = 30 over the largest: {label}", float(costs[-1] / costs.max()), 0.5, "falls with beta"
    )


def sampled(seed, runs):
    """The product's own bound with 4,000 samples goes to the limit with F, and not to log p(x)."""
    rng, law, beta, coupling = oracles.generator(seed, "relaxation_gap"), "exp", 5.0, 6.0
    log_p, log_f, log_px, _ = nodes(law, beta, coupling)
    log_q = log_p + log_px - logsumexp(log_p + log_px)  # q is the posterior: what is left is F's
    drawn = rng.choice(len(log_q), (runs, 4000), p=np.exp(log_q))
    bound, _ = bounds.importance_weighted((log_f + log_px - log_q)[drawn])
    error = float(bound.std(ddof=1) / np.sqrt(runs))
    limit = logsumexp(log_f + log_px)
    finding = score("L_4000 with F and q = p(zeta|x)", float(bound.mean()), float(limit), error, 1e-5)
    away = abs(limit - logsumexp(log_p + log_px)) / error
    return finding._replace(basis=f"standard errors; log p(x) is {away:.0f} away")


def picture(gaps, figure):
    """What F costs in the limit of many samples, over beta, for weak and strong couplings."""
    for axes, law in zip(figure.subplots(1, 2, sharey=True), LAWS, strict=True):
        for coupling, colour in zip(COUPLINGS, ("#9db8d2", "#2b5c8a", "#14304d"), strict=True):
            log_px, limit, *_ = gaps[law, coupling].T
            axes.plot(BETAS, log_px - limit, "o-", ms=3, color=colour, label=f"W = {coupling:g}")
        axes.set(xscale="log", yscale="log", xlabel=r"$\beta$", title=f"{law}, 1 + 1 units")
        axes.legend(frameon=False)
    figure.axes[0].set_ylabel(r"$\log p(x)-\lim\,\mathcal{L}_K$, nats")


CLAIM = Claim(
    name="relaxation_gap",
    statement="With F for log p(zeta) Eq. 3 stays below log p(x) by at most E[KL(m || p^)], which falls with beta.",
    equations=(
        r"\lim_{K\rightarrow\infty}\mathcal{L}_K=\log p(x)+\log\mathbb{E}_{p(\zeta|x)}\left[e^{-\mathrm{KL}(m||\hat p)}"
        r"\right]\ \geq\ \log p(x)-\mathbb{E}_{p(\zeta|x)}\left[\mathrm{KL}(m||\hat p)\right]",
    ),
    check=check,
    picture=picture,
    seconds=(2, 3),
)
