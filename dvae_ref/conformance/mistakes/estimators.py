"""Other bounds and other gradients than Eq. 3's, in the bound alone and in whole models.

Some are no mistakes: sticking the landing and DReG estimate the same gradient on purpose by other means, and GumBolt's
term is another method's. Who has them should know that they are not Eq. 3's.
"""

import numpy as np

from dvae_ref.conformance.mistakes import formulas
from dvae_ref.conformance.mistakes.objectives import RELAXED, with_fields
from dvae_ref.conformance.mistakes.registry import mistake, replaced
from dvae_ref.model import layers
from dvae_ref.model.priors import Relaxed
from dvae_ref.theory import bounds, mixture
from dvae_ref.theory.boltzmann import energy, energy_backward
from dvae_ref.theory.elementary import sigmoid, softplus

BOUND, EVERY = "bound_importance_weighted", "objective_dvaes_*"
IN_BOTH = (formulas.of_losses, formulas.best_sample, formulas.log_k_twice, formulas.over_the_batch)


def in_models(name, wrong):
    """Register a function in the place of bounds.importance_weighted, in whole models."""

    def inside(case):
        with replaced(bounds, importance_weighted=wrong):
            return case.again()

    mistake(name, EVERY)(inside)


def register(name, wrong):
    """What bounds.py and objectives.py have by other means is not registered again."""
    if wrong in IN_BOTH:
        mistake(name, BOUND)(lambda case: case.again(bound=wrong))
    if wrong in (*IN_BOTH, formulas.equal_weights):
        in_models(name, wrong)


for _name, _wrong in formulas.IMPORTANCE_WEIGHTED.items():
    register(_name, _wrong)


@mistake("the mean over pixels in place of the sum", "objective_*", "own_networks_*")
def mean_over_pixels(case):
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


def with_prior(case, kind):
    return case.again(change=lambda method: method._replace(prior=with_fields(kind, method.prior)))


class Stuck(Relaxed):
    """log q(zeta|x) moves with zeta alone."""

    def term_backward(self, d_term, cache, extra=()):
        d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
        return d_rbm, d_sample._replace(logit_q=0 * d_sample.logit_q), d_extra


@mistake("sticking the landing: log q(zeta|x) moves with zeta alone (on purpose? it is not Eq. 3's gradient)", *RELAXED)
def stuck(case):
    return with_prior(case, Stuck)


@mistake("DReG: the encoder's gradient has squared weights (on purpose? it is not Eq. 3's gradient)", *RELAXED)
def doubly_reparameterised(case):
    def squared(log_w):
        value, weights = formulas.RIGHT(log_w)
        return value, weights**2

    with replaced(bounds, importance_weighted=squared):
        found = with_prior(case, Stuck)
    return case.outputs | {name: value for name, value in found.items() if name.startswith("d_encoder")}


@mistake("GumBolt's term: -E(zeta), and zeta log q + (1 - zeta) log(1 - q) for log q(zeta|x)", *RELAXED)
def gumbolt(case):
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

    return with_prior(case, Term)


@mistake("kappa multiplies log p(zeta) alone", BOUND)
def kappa_on_log_p(case):
    kappa = case.inputs["kappa"]
    found = case.again({"log_q": case.inputs["log_q"] / kappa})
    return found | {"d_log_q": found["d_log_q"] / kappa}


@mistake("kappa multiplies log p(zeta) alone", *RELAXED)
def kappa_on_log_p_in_model(case):
    kappa = float(case.inputs["kappa"])

    class Whole(Relaxed):
        def term(self, rbm, sample, extra=()):
            value, cache = super().term(rbm, sample, extra)
            return value + (1 - 1 / kappa) * log_q_of(sample, self.posterior.smoothing)[0], cache

        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            more = log_q_of(cache.sample, self.posterior.smoothing)[1](d_term * (1 - 1 / kappa))
            return d_rbm, d_sample._replace(logit_q=d_sample.logit_q + more[0], t=d_sample.t + more[1]), d_extra

    return with_prior(case, Whole)


def log_q_of(sample, smoothing):
    """log q(zeta|x) of each row, not relative to r_max, and its backward in logit q and t."""
    value, cache = mixture.log_q(sample.logit_q, smoothing.log_ratio(sample.t))

    def backward(d):
        d_logit_q, d_b = mixture.log_q_backward(d, cache)
        d_t = d_b * smoothing.d_log_ratio(sample.t) + d[:, None] * smoothing.d_log_r_max(sample.t)
        return d_logit_q, d_t

    return value + smoothing.log_r_max(sample.t).sum(-1), backward
