"""The term of the bound that holds the prior: log p(zeta) - log q(zeta|x) of Eq. 3, or minus the KL of Eq. 2.

Each leaves out -log Z, whose gradient is the negative phase. Derived in docs/derivations/05-overlapping-relaxation.md,
06-gaussian-integral.md and 07-bounds.md.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.model.posteriors import Mixture, ShiftedGaussian, SpikeExponential, Spread
from dvae_ref.theory import gaussian_integral, joint, mixture, overlapping
from dvae_ref.theory.boltzmann import RBM


class Prior(Protocol):
    """What a prior has. sample: the posterior's Sample of (N, D) arrays; extra: the posterior's own parameters."""

    def term(self, rbm: RBM, sample: Any, extra: Any) -> tuple[Array, Any]:
        """The term of each row, (N,), nats, and its cache."""

    def term_backward(self, d_term: Array, cache: Any, extra: Any) -> tuple[RBM, Any, tuple[Array, ...]]:
        """Gradients (RBM, Sample, extra) of sum(d_term * term)."""


@dataclass(frozen=True)
class Relaxed:
    """log p(zeta) - log q(zeta|x) under the overlapping relaxation, by mean field (Sec. 3.1)."""

    posterior: Mixture
    mean_field_sweeps: int = 5

    def __post_init__(self):
        if self.mean_field_sweeps < 1 or self.mean_field_sweeps % 1:
            raise ValueError(f"mean_field_sweeps must be a whole number >= 1, got {self.mean_field_sweeps}")

    class Cache(NamedTuple):
        """What term_backward reads."""

        sample: Mixture.Sample
        log_q: mixture.LogQ
        log_p: overlapping.LogP

    def term(self, rbm: RBM, sample: Mixture.Sample, extra: tuple[()] = ()) -> tuple[Array, Cache]:
        """(log p(zeta) + log Z - log q(zeta|x), cache): (N,), nats; Eqs. 4 and 6."""
        b = mixture.log_ratio(sample.t, self.posterior.smoothing)
        log_q, q_cache = mixture.log_q(sample.logit_q, b)
        log_p, p_cache = overlapping.log_p(rbm, b, self.mean_field_sweeps)
        return log_p - log_q, self.Cache(sample, q_cache, p_cache)

    def term_backward(
        self, d_term: Array, cache: Cache, extra: tuple[()] = ()
    ) -> tuple[RBM, Mixture.Sample, tuple[()]]:
        """Gradients (RBM, Sample, extra) of sum(d_term * term): Eq. 5, m held fixed."""
        sample = cache.sample
        d_rbm, d_b_from_p = overlapping.log_p_backward(d_term, cache.log_p)
        d_logit_q, d_b_from_q = mixture.log_q_backward(-d_term, cache.log_q)
        d_t = d_b_from_p
        d_t += d_b_from_q
        d_t *= mixture.d_log_ratio(sample.t, self.posterior.smoothing)
        return d_rbm, Mixture.Sample(d_logit_q, d_t, _nothing(d_t)), ()


@dataclass(frozen=True)
class GaussianIntegral:
    """log p(zeta) - log q(zeta|x) with Eq. 7 and the shifted Gaussian posterior (Sec. 3.2)."""

    posterior: ShiftedGaussian
    beta: float

    def __post_init__(self):
        if not 0 < self.beta < np.inf:
            raise ValueError(f"GaussianIntegral takes a finite beta > 0, got {self.beta}")

    class Cache(NamedTuple):
        """What term_backward reads."""

        sample: ShiftedGaussian.Sample
        log_q: mixture.LogQ
        log_p: gaussian_integral.LogP

    def term(self, rbm: RBM, sample: ShiftedGaussian.Sample, extra: Spread) -> tuple[Array, Cache]:
        """(log p(zeta) + log Z - log q(zeta|x), cache): (N,), nats; Eq. 7."""
        smoothing = self.posterior.smoothing(extra)
        log_q, q_cache = mixture.log_q(sample.logit_q, mixture.log_ratio(sample.t, smoothing))
        log_q = log_q + smoothing.log_r_max(sample.t).sum(-1)
        log_p, p_cache = gaussian_integral.log_p(rbm, sample.zeta, gaussian_integral.precision(rbm, self.beta))
        return log_p - log_q, self.Cache(sample, q_cache, p_cache)

    def term_backward(self, d_term: Array, cache: Cache, extra: Spread) -> tuple[RBM, ShiftedGaussian.Sample, Spread]:
        """Gradients (RBM, Sample, extra) of sum(d_term * term), lam held fixed."""
        sample, smoothing = cache.sample, self.posterior.smoothing(extra)
        d = d_term[:, None]
        d_rbm, d_zeta = gaussian_integral.log_p_backward(d_term, cache.log_p)
        d_logit_q, d_b = mixture.log_q_backward(-d_term, cache.log_q)
        d_t = d_b * mixture.d_log_ratio(sample.t, smoothing) - d * smoothing.d_log_r_max(sample.t)
        d_beta = d_b * smoothing.d_beta_log_ratio(sample.t) - d * smoothing.d_beta_log_r0(-np.abs(sample.t))
        d_sample = ShiftedGaussian.Sample(d_logit_q, np.zeros_like(d_t), d_t, d_zeta)
        return d_rbm, d_sample, self.posterior.d_s(d_beta.sum(0), extra)


@dataclass(frozen=True)
class OverlappingJoint:
    """DVAE++: minus the KL of Eq. 2 under overlapping smoothing."""

    posterior: Mixture
    groups: int

    class Cache(NamedTuple):
        """What term_backward reads."""

        sample: Mixture.Sample
        joint: joint.Overlapping

    def term(self, rbm: RBM, sample: Mixture.Sample, extra: tuple[()] = ()) -> tuple[Array, Cache]:
        """(-KL + log Z, cache): (N,), nats; Eq. 2."""
        b = mixture.log_ratio(sample.t, self.posterior.smoothing)
        value, cache = joint.overlapping_term(rbm, sample.logit_q, b, self.groups)
        return value, self.Cache(sample, cache)

    def term_backward(
        self, d_term: Array, cache: Cache, extra: tuple[()] = ()
    ) -> tuple[RBM, Mixture.Sample, tuple[()]]:
        """Gradients (RBM, Sample, extra) of sum(d_term * term)."""
        sample = cache.sample
        d_rbm, d_logit_q, d_b = joint.overlapping_term_backward(d_term, cache.joint, self.groups)
        d_t = d_b * mixture.d_log_ratio(sample.t, self.posterior.smoothing)
        return d_rbm, Mixture.Sample(d_logit_q, d_t, _nothing(d_t)), ()


@dataclass(frozen=True)
class SpikeJoint:
    """DVAE: minus the KL of Eq. 2 under spike-and-exponential smoothing; its gradient is an unbiased estimate."""

    groups: int

    def term(self, rbm: RBM, sample: SpikeExponential.Sample, extra: tuple[()] = ()) -> tuple[Array, joint.Spike]:
        """(-KL + log Z, cache): (N,), nats; Eq. 2."""
        return joint.spike_term(rbm, sample.logit_q, sample.zeta, self.groups)

    def term_backward(
        self, d_term: Array, cache: joint.Spike, extra: tuple[()] = ()
    ) -> tuple[RBM, SpikeExponential.Sample, tuple[()]]:
        """Gradients (RBM, Sample, extra), an unbiased estimate."""
        d_rbm, d_logit_q = joint.spike_term_backward(d_term, cache)
        return d_rbm, SpikeExponential.Sample(d_logit_q, np.zeros_like(d_logit_q)), ()


def _nothing(like):
    """The cotangent of what is not read: zeros of that shape, which take no memory."""
    return np.broadcast_to(np.zeros((), like.dtype), like.shape)
