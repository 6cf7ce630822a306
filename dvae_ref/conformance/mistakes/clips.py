"""Clipped probabilities: those of the authors' release (docs/errata.md) and the usual ones.

Right is q by its logit, with 1 - q = sigmoid(-logit q), and no clip. A clip is there against log 0 and 1 / (1 - q). It
changes nothing inside; outside, at logits of q beyond 6.9 (0.999), 9.2 (1 - 1e-4) or 16 (1 - 1e-7), what is clipped
does not move with q. Units that are sure are common in a trained model: they are stuck there or, if a logit q beside
the clip moves on, pulled back by a force that is no gradient.
"""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.conformance.quantities.changes import with_posterior, with_prior
from dvae_ref.model.priors import GaussianIntegral, SpikeJoint
from dvae_ref.theory.elementary import sigmoid, softplus

LARGEST = {"0.999": 0.999, "1 - 1e-4": 1 - 1e-4, "1 - 1e-7": 1 - 1e-7}


def in_log_q(largest, case):
    """min(q, largest), beyond which nothing moves with q."""
    q = case.inputs["q"]
    found = case.again({"q": np.minimum(q, largest)})
    return found | {"d_q": np.where(q > largest, 0, found["d_q"])}


def in_objective(largest, case):
    """The same of logit q, the network's first outputs: a clip before zeta is drawn."""
    most = np.log(largest) - np.log1p(-largest)

    def derived(posterior):
        class Clipped(posterior):
            def draw(self, out, noise, *extra):
                logit_q, others = np.split(out, [noise.rho.shape[1]], axis=1)
                return super().draw(np.concatenate([np.minimum(logit_q, most), others], 1), noise, *extra)

            def draw_backward(self, d, sample, noise, *extra):
                d_out, d_extra = super().draw_backward(d, sample, noise, *extra)
                d_out[:, : sample.logit_q.shape[1]] *= sample.logit_q < most
                return d_out, d_extra

        return Clipped

    return case.again(change=with_posterior(derived))


for _name, _largest in LARGEST.items():
    mistake(f"q is clipped: min(q, {_name})", "log_q_*")(functools.partial(in_log_q, _largest))
    mistake(f"q is clipped: min(q, {_name})", "objective_*")(functools.partial(in_objective, _largest))


@mistake("q <= 1 - 1e-4 in log(1 - q), in front of both components: the authors' release", "objective_dvaes_gi_*")
def clipped_logarithm(case):
    """log q(zeta|x) is too large by softplus(logit q) - log 10^4 where that is positive.

    log(1 - q) stands in front of both components, so that its clip at q = 1 - 1e-4 weighs both: the density integrates
    to more than 1.
    """

    class Clipped(GaussianIntegral):
        def term(self, rbm, sample, extra):
            value, cache = super().term(rbm, sample, extra)
            return value - np.maximum(softplus(sample.logit_q) - np.log(1e4), 0).sum(-1), cache

        def term_backward(self, d_term, cache, extra):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            logit_q = cache.sample.logit_q
            more = d_term[:, None] * np.where(softplus(logit_q) > np.log(1e4), sigmoid(logit_q), 0)
            return d_rbm, d_sample._replace(logit_q=d_sample.logit_q - more), d_extra

    return case.again(change=with_prior(Clipped))


@mistake("the gradient passes through min(0.999, q): the authors' release", "objective_dvae_*")
def clipped_gradient(case):
    """With one group the release has the KL in closed form, unclipped."""

    class Clipped(SpikeJoint):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            stopped = (sigmoid(cache.logit_q) > 0.999) & (self.groups > 1)
            return d_rbm, d_sample._replace(logit_q=np.where(stopped, 0, d_sample.logit_q)), d_extra

    return case.again(change=with_prior(Clipped))
