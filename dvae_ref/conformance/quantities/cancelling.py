"""What cancels in the gradients of whole models where formulas stand as in the paper: the size of what rounds."""

import numpy as np

from dvae_ref.model.priors import Relaxed
from dvae_ref.theory.elementary import sigmoid


def with_slope_times(factor):
    """A change of a method: dzeta/dlogit q (Eq. 9) times factor(logit q)."""

    def change(method):
        class Scaled(type(method.posterior)):
            def draw_backward(self, d, sample, noise, extra=()):
                d_out, d_extra = super().draw_backward(d, sample, noise, extra)
                units = sample.logit_q.shape[1]
                moved = d_out[:, :units] - d.logit_q
                return np.concatenate([d.logit_q + moved * factor(sample.logit_q), d_out[:, units:]], 1), d_extra

        return method._replace(posterior=Scaled(**vars(method.posterior)))

    return change


def by_q(logit_q):
    """1 / (q (1 - q)), which is in Eq. 9. Backpropagation through a sigmoid s has s (1 - s), off by the rounding of 1
    where s is nearly 1, be it q or 1 - q."""
    return 1 / (sigmoid(logit_q) * sigmoid(-logit_q))


def by_rest(logit_q):
    """1 / (1 - q), for the spike, from which 1 - q alone leads to zeta."""
    return 1 / sigmoid(-logit_q)


class Apart(Relaxed):
    """The slope that log p(zeta) and log q(zeta|x) share, of max(r(zeta|0), r(zeta|1)), as the former has it: near a
    vertex it is large."""

    def term_backward(self, d_term, cache, extra=()):
        d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
        shared = d_term[:, None] * self.posterior.smoothing.d_log_r_max(cache.sample.t)
        return d_rbm, d_sample._replace(t=d_sample.t + shared), d_extra


def apart(method):
    """A change of a method whose prior is of an overlapping relaxation."""
    return method._replace(prior=Apart(**vars(method.prior)))


def sizes(compute, prior):
    """{gradient: the size of what cancels in it}; compute(change) -> outputs; prior: its name in a Baseline."""
    right = compute(lambda method: method)
    changes = [with_slope_times(by_rest if prior == "spike_joint" else by_q)] + [apart] * (prior == "relaxed")
    found = [compute(change) for change in changes]
    gradients = [name for name in right if name.startswith("d_")]
    return {name: sum(np.abs(other[name] - right[name]) for other in found) for name in gradients}
