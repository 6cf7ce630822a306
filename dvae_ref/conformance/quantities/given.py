"""Posteriors that take zeta for their noise: no sampler has to be shared. rho = CDF(zeta) is what they find.

A random draw in somebody else's library cannot be repeated here. But by Eq. 9 how zeta moves with q at fixed rho
depends on zeta and q alone, and not on how zeta was drawn. So a whole model is computed at given zeta, with the
gradient that a draw would have had.
"""

import numpy as np

from dvae_ref.conformance.quantities.smoothings import spike_rho, spike_slope
from dvae_ref.model import posteriors
from dvae_ref.theory import mixture
from dvae_ref.theory.elementary import sigmoid


class GivenMixture(posteriors.Mixture):
    """The mixture at a given zeta, which stands in the place of rho."""

    def draw(self, out, noise, extra=()):
        return self.Sample(out, self.smoothing.t(noise.rho), noise.rho)

    def rho(self, sample, extra):
        return mixture.cdf(sample.t, sample.logit_q, self.smoothing)


class GivenShiftedGaussian(posteriors.ShiftedGaussian):
    """N(zeta | z + shift, std^2), mixed, at a given zeta: t = zeta - shift - 1/2, shift = (sigmoid(raw) - 1/2) / 2.

    zeta is held, and t moves with raw; the gradient is that of the draw, where t is held and zeta moves (`posteriors`).
    """

    def draw(self, out, noise, extra):
        logit_q, raw = np.split(out, 2, -1)
        return self.Sample(logit_q, raw, noise.rho - 0.5 - (sigmoid(raw) - 0.5) / 2, noise.rho)

    def rho(self, sample, extra):
        return mixture.cdf(sample.t, sample.logit_q, self.smoothing(extra))


class GivenSpike(posteriors.SpikeExponential):
    """The spike and the exponential at a given zeta; dzeta/dlogit q = (1 - R(zeta|1)) / r(zeta|1) (1 - q), 0 on it.

    By zeta rather than by rho: above the spike rho = 1 - q (1 - R(zeta|1)), from which at small q no digit of R would
    come back.
    """

    def draw(self, out, noise, extra=()):
        return self.Sample(out, noise.rho)

    def draw_backward(self, d, sample, noise, extra=()):
        return d.logit_q + d.zeta * spike_slope(sample.zeta, self.beta) * sigmoid(-sample.logit_q), ()

    def rho(self, sample, extra):
        return spike_rho(sample.zeta, sigmoid(sample.logit_q), self.beta)


def given(posterior):
    """The posterior that takes zeta for its noise."""
    if isinstance(posterior, posteriors.Mixture):
        return GivenMixture(posterior.smoothing)
    if isinstance(posterior, posteriors.SpikeExponential):
        return GivenSpike(posterior.beta)
    return GivenShiftedGaussian()
