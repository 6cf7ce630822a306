"""Single precision is enough: log-weights at D = 400 and beta = 40 against double precision.

Oracle: the same formulas in float64, at the same t. It sees what rounding does to them, compiled twins included, and
cannot see a formula that is wrong in both; nor whether t itself, drawn in float32, has the right distribution.
"""

import numpy as np

from dvae_ref import mixture, overlapping
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import SMOOTHINGS
from validation import oracles
from validation.claim import Claim, at_most

BETA, SIDE = 40.0, 200
ALLOWED = 3e-4  # nats: 400 terms of up to 60 nats, each good to eps / 2, add up to 4e-5 (rms)


def check(quick, seed):
    """The same t, drawn in float32, in both precisions: the error of log p - log q, and of its gradients, of every row.

    Rounding of t itself is not in it: whether t has the right distribution is the claim `reparameterisation`.
    """
    rng = oracles.generator(seed, "float32")
    rows, errors, findings = 50 if quick else 400, {}, []
    rbm = RBM(np.float32(rng.normal(-2, 1, 2 * SIDE)), np.float32(rng.normal(0, 0.3, (SIDE, SIDE))))
    exactly = RBM(np.float64(rbm.a), np.float64(rbm.W))
    for name in SMOOTHINGS:
        smoothing = SMOOTHINGS[name](BETA)
        logit_q = np.float32(rng.normal(-1, 3, (rows, 2 * SIDE)))
        u, rho = np.float32((rng.integers(0, 2**23, (2, rows, 2 * SIDE)) + 0.5) / 2**23)
        t = mixture.sample(logit_q, u, rho, smoothing)
        value, *slopes = terms(rbm, logit_q, t, smoothing)
        true, *true_slopes = terms(exactly, np.float64(logit_q), np.float64(t), smoothing)
        errors[name] = np.abs(value - true)
        worst, basis = float(errors[name].max()), f"nats; {rows} rows, D = 400"
        findings.append(at_most(f"log p(zeta) - log q(zeta|x), {name}", worst, ALLOWED, basis))
        worst = max(map(oracles.relative_norm, slopes, true_slopes))
        findings.append(at_most(f"its gradients in logit q and t, {name}", worst, 1e-5, "relative; 80 eps of float32"))
    return findings, errors


def terms(rbm, logit_q, t, smoothing):
    """log p(zeta) - log q(zeta|x) and its gradients in logit q and t."""
    b = smoothing.log_ratio(t)
    log_p, p_cache = overlapping.log_p(rbm, b)
    log_q, q_cache = mixture.log_q(logit_q, b)
    ones = np.ones_like(log_p)
    _, d_b = overlapping.log_p_backward(ones, p_cache)
    d_logit_q, d_b_q = mixture.log_q_backward(-ones, q_cache)
    return log_p - log_q, d_logit_q, (d_b + d_b_q) * smoothing.d_log_ratio(t)


def picture(errors, figure):
    """The distribution of a row's error, a curve a smoothing, and what is allowed."""
    axes = figure.subplots()
    for name, values in errors.items():
        axes.plot(np.sort(np.maximum(values, 1e-9)), (np.arange(len(values)) + 0.5) / len(values), label=name)
    axes.axvline(ALLOWED, color="#b3261e", lw=0.8, ls="--", label="allowed")
    axes.set(
        xscale="log",
        xlabel="|float32 - float64| of log p - log q, nats",
        ylabel="share of rows",
        title="D = 400, beta = 40",
    )
    axes.legend(frameon=False)


CLAIM = Claim(
    name="float32",
    statement="In float32 the log-weights of the paper's largest model are within 0.0003 nats of those in float64.",
    equations=(r"\log p(\zeta)-\log q(\zeta|x),\qquad D=400,\ \beta=40",),
    check=check,
    picture=picture,
    seconds=(0.3, 1),
)
