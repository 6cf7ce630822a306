"""Annealed importance sampling of log Z on a 20 x 100 RBM: unbiased, with error bars that cover.

Oracle: log Z by enumeration of the smaller side. Seen are weights and error bars of many runs, that is, their mean and
their scatter. The machine has one broad mode. Where a mode is missed, error bars say nothing, and no mean over a few
hundred runs would show it: that is measured on other machines (docs/bracket_coverage.md).
"""

import warnings

import numpy as np
from scipy import stats

from dvae_ref import exact
from dvae_ref.sampling import ais, philox
from dvae_ref.theory.boltzmann import RBM
from validation import oracles
from validation.claim import RARE, Claim, Finding, at_most, mean_score, score, spread

SHAPE, COUPLING = (20, 100), 0.35
SHARP = 0.25  # the relative error of error bars that must be seen


def check(quick, seed):
    """From each base 700 runs: error bars cover log Z, by enumeration; their mean is log Z, and weights average to Z.

    Coverage alone would pass bars that are too long: the spread of (estimate - exact) / bar has to be sharp, too.
    """
    rng = oracles.generator(seed, "ais")
    rbm = oracles.random_rbm(rng, *SHAPE, COUPLING, bias=-0.6)
    log_z, runs = exact.log_z(rbm), 700
    temperatures, chains = (100, 100) if quick else (500, 200)
    findings, scores = [], {}
    for base in ("uniform", "bias"):
        keys = [philox.fold_in(philox.key(seed), i) for i in range(runs)]
        results = [ais.log_z(key, rbm, temperatures, chains, base)[:2] for key in keys]
        estimates, errors = np.array(results).T
        scores[base] = (estimates - log_z) / errors
        findings += coverage(base, scores[base])
        sharpness = findings[-1].would_have_caught
        findings.append(at_most(f"sharpness of the spread, {base} base", sharpness, SHARP, "asked for"))
        bias = np.mean(errors**2)  # log of a mean: about half its variance too low
        findings.append(mean_score(f"log Z, mean of {runs} runs, {base} base", estimates, log_z, bias))
        findings.append(unbiased(seed, base))
    findings.append(rounded(seed))
    return findings, (scores, log_z)


def coverage(base, scores):
    """The scores (estimate - exact) / error bar follow the normal law: share within 1.96, and mean square."""
    runs, missed = len(scores), int(np.sum(np.abs(scores) > 1.96))
    most = stats.binom.isf(RARE, runs, 0.05)
    quantity = f"runs beyond 1.96 error bars, {base} base"
    yield Finding(quantity, missed, 0.05 * runs, missed, most, f"binomial, of {runs}")
    yield spread(f"spread over error bar, {base} base", scores, 0.05)  # measured from the biases: 1.07 +- 0.02


def unbiased(seed, base):
    """E[w] = Z however few the temperatures: 20,000 chains on a machine where the weights still have a variance."""
    rbm = oracles.random_rbm(oracles.generator(seed, f"ais {base}"), 5, 7, 0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log_w = ais.log_z(philox.fold_in(philox.key(seed), 10**6), rbm, [0, 0.3, 1], 20_000, base).log_weights
    w = np.exp(log_w - exact.log_z(rbm))
    return mean_score(f"mean weight over Z, three temperatures, {base} base", w, 1.0)


def rounded(seed):
    """The RBM as given, not as rounded: a left unit that is always 1 ties 200 weights of 0.0004 to one of 8,000, beside
    which they are lost; they make 0.04 nats of log Z, and the correction puts them back."""
    rbm = RBM(np.zeros(208), np.zeros((4, 204)))
    rbm.W[0] = 4e-4
    rbm.W[0, 0], rbm.a[0], rbm.a[4] = 8000, 8000, -8000
    rbm.W[1:, 1:4] = 0.5
    found = ais.log_z(philox.fold_in(philox.key(seed), 10**7), rbm, 50, 400, "bias")
    return score("log Z where rounding loses weights", found.log_z, exact.log_z(rbm), found.standard_error, 1e-5)


def picture(data, figure):
    """The scores of all runs beside the normal law that error bars promise."""
    scores, _ = data
    grid = np.linspace(-4, 4, 200)
    for axes, (base, values) in zip(figure.subplots(1, 2, sharey=True), scores.items(), strict=True):
        axes.hist(values, bins=np.arange(-4, 4.1, 0.5), density=True, color="#2b5c8a", alpha=0.8)
        axes.plot(grid, stats.norm.pdf(grid), color="#c9822b", label="normal law")
        axes.set(xlabel=r"$(\log\hat Z-\log Z)$ / error bar", title=f"{len(values)} runs, {base} base")
        axes.legend(frameon=False)


CLAIM = Claim(
    name="ais",
    statement="AIS estimates Z without bias, and its error bars on log Z cover at their nominal rate.",
    equations=(
        r"Z=\mathbb{E}[w],\qquad \log w=\log Z_0+\sum_k\left[\log p^*_{t_{k+1}}(z_k)-\log p^*_{t_k}(z_k)\right]",
    ),
    check=check,
    picture=picture,
    seconds=(5, 30),
)
