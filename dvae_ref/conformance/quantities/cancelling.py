"""What cancels in the gradients of whole models where formulas stand as in the paper: the size of what rounds.

Formulas here are written so that nothing cancels; who differentiates the paper's automatically loses digits at logits
of 40 and at zeta within 1e-6 of a vertex, without having made a mistake. In float64 the tolerance of a gradient allows
for that: it is computed once more with what is subtracted standing by itself, and the difference to the right gradient,
times the unit roundoff, is what the subtraction may cost. In float32 nothing would be left of such digits: there it is
not allowed for (`tolerances`).
"""

import numpy as np

from dvae_ref.conformance.quantities.changes import with_posterior, with_prior
from dvae_ref.conformance.quantity import is_gradient
from dvae_ref.model.priors import Relaxed
from dvae_ref.theory.elementary import sigmoid


def with_slope_times(factor):
    """A change of a method: dzeta/dlogit q (Eq. 9) times factor(logit q)."""

    def derived(posterior):
        class Scaled(posterior):
            def draw_backward(self, d, sample, noise, extra=()):
                d_out, d_extra = super().draw_backward(d, sample, noise, extra)
                units = sample.logit_q.shape[1]  # of outputs, of which a unit may have several
                by_zeta = d_out[:, :units] - d.logit_q
                d_out[:, :units] = d.logit_q + by_zeta * factor(sample.logit_q)
                return d_out, d_extra

        return Scaled

    return with_posterior(derived)


def by_q(logit_q):
    """1 / (q (1 - q)), which is in Eq. 9. Backpropagation through a sigmoid s has s (1 - s), off by the rounding of 1
    where s is nearly 1, be it q or 1 - q."""
    return 1 / (sigmoid(logit_q) * sigmoid(-logit_q))


def by_rest(logit_q):
    """1 / (1 - q), for the spike, from which 1 - q alone leads to zeta."""
    return 1 / sigmoid(-logit_q)


class Apart(Relaxed):
    """The slope that log p(zeta) and log q(zeta|x) share, of max(r(zeta|0), r(zeta|1)), as the former has it: near a
    vertex it is large.

    In zeta it is (1 - 1/beta) / distance to the vertex for the power function, 2e6 at 2^-21; here it stands in t,
    multiplied by dzeta/dt. It drops out on paper. Who takes both densities as they stand subtracts it from itself.
    """

    def term_backward(self, d_term, cache, extra=()):
        d_rbm, d_sample, d_extra = super().term_backward(d_term, cache, extra)
        shared = d_term[:, None] * self.posterior.smoothing.d_log_r_max(cache.sample.t)
        return d_rbm, d_sample._replace(t=d_sample.t + shared), d_extra


CHANGES = {  # by the prior's name in a Baseline: what is subtracted
    "spike_joint": [with_slope_times(by_rest)],
    "overlapping_joint": [with_slope_times(by_q)],
    "gaussian_integral": [with_slope_times(by_q)],
    "relaxed": [with_slope_times(by_q), with_prior(Apart)],
}


def unchanged(method):
    """The method as it is."""
    return method


def sizes(compute, prior):
    """{gradient: the size of what cancels in it}; compute(change) -> outputs; prior: its name in a Baseline.

    Element by element, the sum over the CHANGES of that prior of |gradient with the change - right gradient|.
    """
    right, found = compute(unchanged), {}
    for change in CHANGES[prior]:
        for name, value in compute(change).items():
            if is_gradient(name):
                found[name] = found.get(name, 0.0) + np.abs(value - right[name])
    return found
