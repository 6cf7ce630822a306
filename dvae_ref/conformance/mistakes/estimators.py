"""Other bounds and other gradients than Eq. 3's, in the bound alone and in whole models.

Some are no mistakes: DReG (Tucker et al. 2019) and, at K = 1, sticking the landing (Roeder et al. 2017) estimate the
same gradient on purpose by other means, and GumBolt's term (Khoshaman & Amin 2018) is another method's. Who has them
should know that they are not Eq. 3's. At K > 1 sticking the landing is biased.

A mean over pixels or units in place of a sum weighs likelihood and prior against each other: 784 pixels in a mean are a
KL with the weight 784, and q collapses onto the prior.
"""

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.objectives import RELAXED
from dvae_ref.conformance.mistakes.registry import mistake, replaced
from dvae_ref.conformance.quantities.changes import with_prior
from dvae_ref.model import layers
from dvae_ref.model.priors import Relaxed
from dvae_ref.theory import bounds, mixture
from dvae_ref.theory.boltzmann import energy, energy_backward
from dvae_ref.theory.elementary import sigmoid, softplus

BOUND = "bound_importance_weighted"


@mistake("the mean over pixels in place of the sum", "objective_*", "own_networks_*")
def mean_over_pixels(case):
    """log p(x|zeta) and its gradient over the number of pixels."""
    value, backward, pixels = layers.bernoulli, layers.bernoulli_backward, case.inputs["x"].shape[1]

    def scaled_value(x, logits):
        found, cache = value(x, logits)
        return found / pixels, cache

    def scaled_backward(d, cache):
        return backward(d / pixels, cache)

    with replaced(layers, bernoulli=scaled_value, bernoulli_backward=scaled_backward):
        return case.again()


@mistake("the mean over units in place of the sum", "objective_*")
def mean_over_units(case):
    """Of log p(zeta) - log q(zeta|x), or the KL."""
    return case.again({"kappa": case.inputs["kappa"] / case.inputs["zeta"].shape[1]})


class Stuck(Relaxed):
    """log q(zeta|x) moves with zeta alone: its derivative in q at fixed zeta, of mean 0 at K = 1, is left out."""

    def term_backward(self, d_term, cache, extra=()):
        d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
        return d_rbm, d_sample._replace(logit_q=0 * d_sample.logit_q), d_extra


@mistake("sticking the landing: log q(zeta|x) moves with zeta alone (on purpose? it is not Eq. 3's gradient)", RELAXED)
def stuck(case):
    """d log q(zeta|x) = (d log q/dzeta) dzeta, at fixed q."""
    return case.again(change=with_prior(Stuck))


@mistake("DReG: the encoder's gradient has squared weights (on purpose? it is not Eq. 3's gradient)", RELAXED)
def doubly_reparameterised(case):
    """sum_k (w_k / sum w)^2 dlog w_k, at fixed q, in the encoder's gradients alone."""

    def squared(log_w):
        value, weights = formulas.RIGHT(log_w)
        return value, weights**2

    with replaced(bounds, importance_weighted=squared):
        found = case.again(change=with_prior(Stuck))
    return {name: value for name, value in found.items() if name.startswith("d_encoder")}


@mistake("GumBolt's term: -E(zeta), and zeta log q + (1 - zeta) log(1 - q) for log q(zeta|x)", RELAXED)
def gumbolt(case):
    """-E(zeta) - sum_i zeta_i log q_i + (1 - zeta_i) log(1 - q_i)."""

    class Term(Relaxed):
        def term(self, rbm, sample, extra=()):
            log_q = sample.zeta * sample.logit_q - softplus(sample.logit_q)
            return -energy(rbm, sample.zeta) - log_q.sum(-1), (rbm, sample)

        def term_backward(self, d_term, cache, extra=()):
            rbm, sample = cache
            d_rbm, d_zeta = energy_backward(-d_term, rbm, sample.zeta)
            d = d_term[:, None]
            d_logit_q = -d * (sample.zeta - sigmoid(sample.logit_q))
            return d_rbm, type(sample)(d_logit_q, np.zeros_like(d_zeta), d_zeta - d * sample.logit_q), ()

    return case.again(change=with_prior(Term))


@mistake("kappa multiplies log p(zeta) alone", BOUND)
def kappa_on_log_p(case):
    """log w = kappa log p(zeta) - log q(zeta|x) + log p(x|zeta): as with log q / kappa."""
    kappa = case.inputs["kappa"]
    found = case.again({"log_q": case.inputs["log_q"] / kappa})
    return found | {"d_log_q": found["d_log_q"] / kappa}


@mistake("kappa multiplies log p(zeta) alone", RELAXED)
def kappa_on_log_p_in_model(case):
    """log w = kappa log p(zeta) - log q(zeta|x) + log p(x|zeta)."""
    kappa = float(case.inputs["kappa"])

    class Whole(Relaxed):
        def term(self, rbm, sample, extra=()):
            value, cache = super().term(rbm, sample, extra)
            return value + (1 - 1 / kappa) * log_q_of(sample, self.posterior.smoothing)[0], cache

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            more = log_q_of(cache.sample, self.posterior.smoothing)[1](d_term * (1 - 1 / kappa))
            return d_rbm, d_sample._replace(logit_q=d_sample.logit_q + more[0], t=d_sample.t + more[1]), d_extra

    return case.again(change=with_prior(Whole))


def log_q_of(sample, smoothing):
    """log q(zeta|x) of each row, not relative to r_max, and its backward in logit q and t."""
    value, cache = mixture.log_q(sample.logit_q, smoothing.log_ratio(sample.t))

    def backward(d):
        d_logit_q, d_b = mixture.log_q_backward(d, cache)
        d_t = d_b * smoothing.d_log_ratio(sample.t) + d[:, None] * smoothing.d_log_r_max(sample.t)
        return d_logit_q, d_t

    return value + smoothing.log_r_max(sample.t).sum(-1), backward
