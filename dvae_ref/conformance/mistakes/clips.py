"""Clipped probabilities: those of the authors' release (docs/errata.md) and the usual ones."""

import functools

import numpy as np

from dvae_ref.conformance.mistakes.objectives import with_fields
from dvae_ref.conformance.mistakes.registry import mistake
from dvae_ref.model.priors import GaussianIntegral, SpikeJoint
from dvae_ref.theory.elementary import sigmoid, softplus

LARGEST = {"0.999": 0.999, "1 - 1e-4": 1 - 1e-4, "1 - 1e-7": 1 - 1e-7}


def in_log_q(largest, case):
    """min(q, largest), beyond which nothing moves with q."""
    q = case.inputs["q"]
    found = case.again({"q": np.minimum(q, largest)})
    return found | {"d_q": np.where(q > largest, 0, found["d_q"])}


def in_objective(largest, case):
    most = np.log(largest) - np.log1p(-largest)

    def change(method):
        class Clipped(type(method.posterior)):
            def draw(self, out, noise, *extra):
                units = noise.rho.shape[1]
                return super().draw(
                    np.concatenate([np.minimum(out[:, :units], most), out[:, units:]], 1), noise, *extra
                )

            def draw_backward(self, d, sample, noise, *extra):
                d_out, d_extra = super().draw_backward(d, sample, noise, *extra)
                d_out[:, : sample.logit_q.shape[1]] *= sample.logit_q < most
                return d_out, d_extra

        return method._replace(posterior=with_fields(Clipped, method.posterior))

    return case.again(change=change)


for _name, _largest in LARGEST.items():
    for _clip, _where in ((in_log_q, "log_q_*"), (in_objective, "objective_*")):
        mistake(f"q is clipped: min(q, {_name})", _where)(functools.partial(_clip, _largest))


@mistake("q <= 1 - 1e-4 in log(1 - q), in front of both components: the authors' release", "objective_dvaes_gi_*")
def clipped_logarithm(case):
    """log q(zeta|x) is too large by softplus(logit q) - log 10^4 where that is positive."""

    class Clipped(GaussianIntegral):
        def term(self, rbm, sample, extra):
            value, cache = super().term(rbm, sample, extra)
            return value - np.maximum(softplus(sample.logit_q) - np.log(1e4), 0).sum(-1), cache

        def term_backward(self, d_term, cache, extra):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            logit_q = cache.sample.logit_q
            more = d_term[:, None] * np.where(softplus(logit_q) > np.log(1e4), sigmoid(logit_q), 0)
            return d_rbm, d_sample._replace(logit_q=d_sample.logit_q - more), d_extra

    return case.again(change=lambda method: method._replace(prior=with_fields(Clipped, method.prior)))


@mistake("the gradient passes through min(0.999, q): the authors' release", "objective_dvae_*")
def clipped_gradient(case):
    """With one group the release has the KL in closed form, unclipped."""

    class Clipped(SpikeJoint):
        def term_backward(self, d_term, cache, extra=()):
            d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
            stopped = (sigmoid(cache.logit_q) > 0.999) & (self.groups > 1)
            return d_rbm, d_sample._replace(logit_q=np.where(stopped, 0, d_sample.logit_q)), d_extra

    return case.again(change=lambda method: method._replace(prior=with_fields(Clipped, method.prior)))
