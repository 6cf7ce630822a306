"""beta -> infinity: the continuous bound tends to that of the discrete model, E_q[log p(x, z) - log q(z|x)].

Oracle: the discrete bound as a sum over all z (dvae_ref.exact). There is no smoothing in it: with a log p(zeta) or
log q(zeta|x) that is off by a constant the bound tends to something else. What vanishes as 1/beta does is not seen, nor
is the gradient.
"""

import numpy as np

from dvae_ref import exact
from dvae_ref.model import autoencoder
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.networks import encode_discrete
from dvae_ref.model.posteriors import Noise
from validation import oracles
from validation.claim import Claim, at_most, mean_score, standard_error
from validation.claims.gradients import method, small_model

BETAS = (5.0, 20.0, 80.0, 300.0, 600.0)
SPIKE_BETAS = (5.0, 10.0, 20.0, 40.0, 80.0)  # it ends at 88, where e^beta does in float32
NAMES = ("dvae_spike_exp", "dvaepp_exp", "dvaepp_power", "dvaes_exp", "dvaes_power", "dvaes_gauss")


def check(quick, seed, baselines=NAMES):
    """Bounds at rising beta: they extrapolate to the exact discrete bound, and their distance falls as 1/beta."""
    findings, curves = [], {}
    for baseline in baselines:
        rng = oracles.generator(seed, f"beta_limit {baseline}")
        bounds, elbo = approach(rng, baseline, 20_000 if quick else 100_000)
        curves[baseline] = {beta: (b.mean() - elbo, standard_error(b)) for beta, b in bounds.items()}
        findings += judge(baseline, bounds, elbo)
    return findings, curves


def approach(rng, baseline, rows):
    """({beta: the bound of each sample, with the noise of the discrete bound taken off}, the exact discrete bound).

    The discrete bound at the same u has a known mean, and more and more is the same number: its error is subtracted.
    """
    config, params, statistics, x = small_model(rng, baseline, 2, 1)
    params = params._replace(rbm=params.rbm._replace(W=0.5 * params.rbm.W))
    x = x[:1]
    u, rho = rng.random((2, rows, params.rbm.a.size))
    noise = Noise(u, rho)
    if spiked(baseline):
        u = 1 - rho
    elbo = float(exact.elbo(params, statistics, x)[0])
    control = discrete_bound(params, statistics, x, u) - elbo
    images, log_z, bounds = np.repeat(x, rows, 0), oracles.log_z(params.rbm), {}
    for beta in betas(baseline):
        sharp = autoencoder.Config(config.structure, method(baseline, beta, 2), 1)
        bounds[beta] = autoencoder.objective(params, statistics, images, noise, config=sharp)[0] - log_z - control
    return bounds, elbo


def betas(baseline):
    """From dull to as sharp as float32 holds."""
    return SPIKE_BETAS if spiked(baseline) else BETAS


def spiked(baseline):
    """Is it DVAE, whose z = [zeta > 0] is a function of rho?"""
    return BASELINES[baseline].prior == "spike_joint"


def discrete_bound(params, statistics, x, u):
    """log p(x, z) - log q(z|x) of z ~ q(z|x) drawn with u."""
    z, log_q = encode_discrete(params.encoder, statistics.encoder, x - statistics.mean_x, u)
    logits = z @ params.decoder.out.kernel + params.decoder.out.bias + autoencoder.output_bias(statistics.mean_x)
    log_px = np.sum(x * logits - np.logaddexp(0, logits), 1)
    return oracles.minus_energy(params.rbm, z) - oracles.log_z(params.rbm) - log_q + log_px


def judge(baseline, bounds, elbo):
    """The deviation is c / beta + O(beta^-2): that of the two largest betas, extrapolated, must be 0.

    A third of the change between the two is allowed for the second order, and for logarithms of beta.
    """
    least, *_, half, full = betas(baseline)
    step = abs(bounds[full].mean() - bounds[half].mean())
    yield mean_score(f"bound extrapolated to beta = inf, {baseline}", 2 * bounds[full] - bounds[half], elbo, step / 3)
    first = abs(bounds[least].mean() - elbo)
    last = abs(bounds[full].mean() - elbo)
    ratio = max(last - 5 * standard_error(bounds[full]), 0) / first
    quantity = f"deviation at beta = {full:g} over that at {least:g}, {baseline}"
    basis = f"six times {least / full:.2g}, which 1/beta would make it"
    yield at_most(quantity, ratio, 6 * least / full, basis)


def picture(curves, figure):
    """|bound - discrete bound| over beta, with its error, beside 1/beta."""
    left, right = figure.subplots(1, 2)
    for axes, names, title in ((left, NAMES[:3], "DVAE and DVAE++"), (right, NAMES[3:], "DVAE#")):
        for name in names:
            gap, error = np.array(list(curves[name].values())).T
            axes.errorbar(list(curves[name]), np.abs(gap), error, fmt="o-", ms=3, lw=1, label=name)
        axes.plot(BETAS, 1 / np.array(BETAS), color="0.6", ls=":", label=r"$1/\beta$")
        axes.set(xscale="log", yscale="log", xlabel=r"$\beta$", title=title, ylim=(1e-5, 2))
        axes.legend(frameon=False, fontsize=7)
    left.set_ylabel("|bound - discrete bound|, nats")


CLAIM = Claim(
    name="beta_limit",
    statement="As beta grows the continuous bound tends to the bound of the discrete model, by about 1/beta.",
    equations=(
        r"\lim_{\beta\to\infty}\mathbb{E}_{q(\zeta|x)}\left[\log\dfrac{p(\zeta)\,p(x|\zeta)}{q(\zeta|x)}\right]"
        r"=\sum_z q(z|x)\,\log\dfrac{p(z)\,p(x|z)}{q(z|x)}",
    ),
    check=check,
    picture=picture,
    seconds=(1, 5),
)
