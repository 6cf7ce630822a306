"""The K-sample bound of Eq. 3: it rises with K towards log p(x), and its gap falls as Var(w) / 2K.

Oracle: log p(x) and the moments of w / E[w] by quadrature over four units, with the exact log p(zeta) and with the mean
field's; the gap of L_K from the first four of them, which is all of it to order 1/K^2. Posteriors are near the prior,
so that the series is short: for weights whose variance is infinite, as a bad q has them, nothing is said.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from dvae_ref import bounds, exact, mean_field, tree
from dvae_ref.model import autoencoder, methods
from dvae_ref.model.posteriors import Noise
from dvae_ref.model.priors import Relaxed
from dvae_ref.theory.smoothing import SMOOTHINGS, Exponential, Power, named
from validation import expectation, oracles
from validation.claim import Claim, at_most, mean_score, standard_error
from validation.claims.gradients import small_model

SAMPLES = (1, 5, 25, 125, 625)
NAMES = named(Power) + named(Exponential)
NODES = 11  # a unit
PRIORS = ("exact", "mean field")
COUPLING = 1.5  # of the small model's: strong enough for the mean field's KL to show


@dataclass(frozen=True)
class ExactlyRelaxed(Relaxed):
    """The prior's term with log p(zeta) by enumeration in place of the mean field's lower bound."""

    def term(self, rbm, sample, extra=()):
        value, cache = super().term(rbm, sample, extra)
        log_p, _ = exact.log_p(rbm, cache.log_p.b)
        return value - mean_field.log_partition_bound(*cache.log_p) + log_p, cache


def check(quick, seed, names=NAMES):
    """Bounds of nested samples against exact limits by quadrature, with the exact log p(zeta) and the mean field's."""
    findings, curves = [], {}
    for name in names:
        rng = oracles.generator(seed, f"iw_bounds {name}")
        config, params, statistics, x = small_model(rng, f"dvaes_{name}", 2, 1)
        params = mild(params)
        x = x[:1]
        for prior in PRIORS:
            oracle = Oracle(params, x[0], statistics.mean_x, name, prior)
            log_w = log_weights(rng, config, params, statistics, x, name, prior, 200 if quick else 1000)
            by_k = {k: nested(log_w, k) for k in SAMPLES}
            findings += judge(f"{name}, {prior}", by_k, oracle)
            curves[name, prior] = {k: gaps(v, oracle).mean() for k, v in by_k.items()}, oracle
        findings.append(ordered(curves, name))
    return findings, curves


def mild(params):
    """A posterior close to the prior, so that the moments of w that make the gap are small; stronger couplings."""
    encoder = tree.map(lambda leaf: 0.4 * leaf, params.encoder)
    return params._replace(encoder=encoder, rbm=params.rbm._replace(W=COUPLING * params.rbm.W))


class Oracle:
    """log p(x), the bound for K = 1, and the moments of w / E[w] that the gap begins with, by quadrature.

    With the mean field's H(m) - E^(m) for log p(zeta) + log Z, what the bound tends to is log E[w] of that.
    """

    def __init__(self, params, image, mean_x, name, prior):
        rule = expectation.rule(f"dvaes_{name}")
        nodes = expectation.product_grid(rule.grid(rule.beta, NODES), 4)
        setting = expectation.Setting(f"dvaes_{name}", rule.beta, 1, 1.0, mean_x, NODES)
        log_q, _ = expectation.posterior(params, image, nodes, setting)
        if prior == "mean field":
            log_prior = expectation.log_mean_field(params.rbm, nodes, sweeps=5)
        else:
            log_prior = sum_over_z(params.rbm, nodes)
        log_p = log_prior - oracles.log_z(params.rbm)
        log_w = log_p - log_q + expectation.log_likelihood(params, image, nodes, setting)
        q = np.exp(log_q)
        self.normalisation = float(q.sum())
        self.log_px = logsumexp(log_q + log_w)
        self.first = float(q @ log_w)
        away = np.exp(log_w - self.log_px) - 1
        self.second = float(q @ away**2)
        self.third = float(q @ away**3)
        self.fourth = float(q @ away**4)

    def gap(self, k):
        """log p(x) - L_K = E[-log(1 + d)], d the mean of K independent w / E[w] - 1, to d^4: O(1/K^3) is left out."""
        v, s, f = self.second, self.third, self.fourth
        return v / (2 * k) - s / (3 * k**2) + (3 * (k - 1) * v**2 + f) / (4 * k**3)


def sum_over_z(rbm, nodes):
    z = oracles.states(rbm.a.size)
    log_r = np.log(nodes.w1) @ z.T + np.log(nodes.w0) @ (1 - z).T
    return logsumexp(oracles.minus_energy(rbm, z) + log_r, 1)


def log_weights(rng, config, params, statistics, x, name, prior, repeats):
    """log w of independent samples by dvae_ref's objective, in groups of the largest K: (repeats, K)."""
    method = methods.relaxed(SMOOTHINGS[name](expectation.rule(f"dvaes_{name}").beta))
    if prior == "exact":
        method = method._replace(prior=ExactlyRelaxed(method.posterior))
    config = autoencoder.Config(config.structure, method, 1)
    log_w, at_once = [], 20
    for _ in range(repeats // at_once):
        u, rho = rng.random((2, at_once * SAMPLES[-1], 4))
        noise = Noise(u, rho)
        images = np.repeat(x, len(u), 0)
        log_w.append(autoencoder.objective(params, statistics, images, noise, config=config)[0])
    return np.concatenate(log_w).reshape(repeats, -1) - oracles.log_z(params.rbm)


def nested(log_w, k):
    """The K-sample bound of each repeat's groups of k samples, by dvae_ref's own bound: (repeats, groups)."""
    return bounds.importance_weighted(log_w.reshape(-1, k))[0].reshape(len(log_w), -1)


def judge(label, by_k, oracle):
    """The bound for K = 1, the gap's coefficient, and the order.

    The gap is estimated by d - log(1 + d) with d the mean of w / p(x) - 1, whose own mean is 0 where w is unbiased (a
    finding of its own): that takes most of the noise off. The terms of the gap beyond the first are the allowance for
    those beyond the third.
    """
    yield at_most(f"probability of the nodes less 1, {label}", abs(oracle.normalisation - 1), 1e-6, "quadrature")
    yield mean_score(f"L_1, {label}", by_k[1].mean(1), oracle.first, 1e-6)
    mean_w = np.exp(by_k[SAMPLES[-1]][:, 0] - oracle.log_px)
    yield mean_score(f"mean of w over its limit, {label}", mean_w, 1.0)
    for k in SAMPLES[-2:]:
        gap = gaps(by_k[k], oracle)
        allowance = abs(oracle.gap(k) - oracle.second / (2 * k))
        yield mean_score(f"limit less L_{k}, {label}", gap, oracle.gap(k), allowance)
    above = max((v.mean() - oracle.log_px) / standard_error(v.mean(1)) for v in by_k.values())
    yield at_most(f"largest L_K less the limit, {label}", above, 5.0, "standard errors")
    by_repeat = np.array([bound.mean(1) for bound in by_k.values()])
    largest_fall = -np.min(np.diff(by_repeat, axis=0))
    yield at_most(f"largest fall of L_K as K rises, {label}", largest_fall, 1e-9, "Jensen, every repeat")


def gaps(bound, oracle):
    """An estimate of limit - L_K from each repeat: -log(1 + d) + d, averaged over its groups."""
    return np.mean(oracle.log_px - bound + np.expm1(bound - oracle.log_px), 1)


def ordered(curves, name):
    """The mean field lowers the limit, as every weight is too small by e^-KL."""
    lost = curves[name, "mean field"][1].log_px - curves[name, "exact"][1].log_px
    return at_most(f"limit with mean field less log p(x), {name}", lost, 0.0, "Eq. 6: KL is not negative")


def picture(curves, figure):
    """How far the bound is below its limit, over K, beside the first term of its expansion, Var(w) / 2K."""
    for axes, name in zip(figure.subplots(1, 2, sharey=True), NAMES, strict=True):
        for prior, colour in zip(PRIORS, ("#2b5c8a", "#c9822b"), strict=True):
            gaps, oracle = curves[name, prior]
            axes.plot(list(gaps), list(gaps.values()), "o", color=colour, label=prior)
            k = np.array([5, 1000])
            axes.plot(k, oracle.second / 2 / k, color=colour, lw=1)
        axes.set(xscale="log", yscale="log", xlabel="K", title=f"{name}, lines: Var(w) / 2K")
        axes.legend(frameon=False, title=r"$\log p(\zeta)$")
    figure.axes[0].set_ylabel(r"limit $-\,L_K$, nats")


CLAIM = Claim(
    name="iw_bounds",
    statement="L_1 <= L_5 <= L_25 <= ... <= log p(x), and the gap falls as Var(w) / 2K.",
    equations=(
        r"L_K=\mathbb{E}\left[\log\dfrac{1}{K}\sum_{k=1}^K w_k\right]\ \leq\ \log p(x),\qquad "
        r"w=\dfrac{p(\zeta)\,p(x|\zeta)}{q(\zeta|x)}\qquad\mathrm{(3)}",
        r"\log p(x)-L_K=\dfrac{\mathrm{Var}(w/\mathbb{E}w)}{2K}+O(K^{-2})",
    ),
    check=check,
    picture=picture,
    seconds=(3, 15),
)
