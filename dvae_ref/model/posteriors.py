"""Families of q(zeta_g|x, zeta_<g): how zeta is drawn from a network's outputs, and what moves with them.

A family is a frozen dataclass that is a `Posterior`. The cotangents d are a Sample, too: in each field what those want
of it who read that very field. How a field depends on another one (zeta on t, t on logit q) is for draw_backward to
know, and for nobody else. Derived in docs/derivations/03-implicit-reparameterisation.md.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dvae_ref.arrays import Array, short
from dvae_ref.theory import mixture, spike
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mirror import Smoothing
from dvae_ref.theory.smoothing import Gaussian


class Noise(NamedTuple):
    """Uniform numbers on (0, 1), (N, D) each: z = [u < q], and zeta ~ r(zeta|z) from rho.

    With u = None, zeta is the inverse CDF of q at rho (Eq. 8): slower, but smooth in q, as central differences need it.
    """

    u: np.ndarray | None
    rho: np.ndarray

    def __repr__(self) -> str:
        return short(self)


class Posterior(Protocol):
    """What a family has. Its Sample is a NamedTuple of (N, units) arrays, the last of which is zeta."""

    @property
    def outputs(self) -> int:
        """How many of the network's outputs a unit takes."""

    @property
    def Sample(self) -> Any:  # noqa: N802 - a type
        """The type of its draws."""

    def init(self, latents: int, dtype: npt.DTypeLike) -> tuple[Array, ...]:
        """Its own trained parameters at first, `extra`: a NamedTuple of (D,) arrays, or ()."""

    def draw(self, out: Array, noise: Noise, extra: Any) -> Any:
        """The Sample for out (N, outputs * units) and Noise (N, units)."""

    def draw_backward(self, d: Any, sample: Any, noise: Noise, extra: Any) -> tuple[Array, tuple[Array, ...]]:
        """Gradients (d_out, d_extra)."""


@dataclass(frozen=True)
class Mixture:
    """The overlapping mixture (1 - q) r(zeta|0) + q r(zeta|1): logit q from the network (Sec. 3.3)."""

    smoothing: Smoothing
    outputs = 1

    class Sample(NamedTuple):
        """A draw, (N, D) each."""

        logit_q: np.ndarray
        t: np.ndarray  # the centred coordinate of zeta
        zeta: np.ndarray

    def init(self, latents: int, dtype: npt.DTypeLike) -> tuple[()]:
        """Its own parameters: none."""
        return ()

    def draw(self, out: Array, noise: Noise, extra: tuple[()] = ()) -> Sample:
        """Sample from the network's outputs (N, D), which are logit q (Eqs. 8, 9)."""
        return self.Sample(out, *_reparameterise(out, noise, self.smoothing))

    def draw_backward(self, d: Sample, sample: Sample, noise: Noise, extra: tuple[()] = ()) -> tuple[Array, tuple[()]]:
        """(d_out, d_extra) at fixed noise (Eq. 9)."""
        return mixture.draw_backward(*d, sample.t, sample.logit_q, self.smoothing), ()


class Spread(NamedTuple):
    """The shifted Gaussian's own parameters."""

    s: np.ndarray  # (D,): the standard deviation is |s| / 5 + 0.05


@dataclass(frozen=True)
class ShiftedGaussian:
    """r(zeta|z) = N(zeta | z + shift, std^2) (Sec. 4): logit q and shift from the network, std trained, one a unit.

    shift = (sigmoid(raw) - 1/2) / 2, within a quarter; std = |s| / 5 + 0.05, at first 1/4. t = zeta - shift - 1/2.
    """

    outputs = 2

    class Sample(NamedTuple):
        """A draw, (N, D) each."""

        logit_q: np.ndarray
        raw: np.ndarray
        t: np.ndarray
        zeta: np.ndarray

    def init(self, latents: int, dtype: npt.DTypeLike) -> Spread:
        """Its own parameters at first: s = 1, std = 1/4."""
        return Spread(np.ones(latents, dtype))

    def smoothing(self, extra: Spread) -> Gaussian:
        """The Gaussian smoothing of t + 1/2 = zeta - shift, with beta = 1 / std^2."""
        return Gaussian(1 / (np.abs(extra.s) / 5 + 0.05) ** 2)

    def d_s(self, d_beta: Array, extra: Spread) -> Spread:
        """Gradient in s (D,) from that in beta (D,); 0 at s = 0, where |s| has a kink and std is least."""
        std = np.abs(extra.s) / 5 + 0.05
        return Spread(d_beta * -2 / std**3 * np.sign(extra.s) / 5)

    def draw(self, out: Array, noise: Noise, extra: Spread) -> Sample:
        """Sample from the network's outputs (N, 2 D): logit q, and raw, the shift's.

        ValueError for noise outside [0, 1].
        """
        logit_q, raw = map(np.ascontiguousarray, np.split(out, 2, -1))
        t, _ = _reparameterise(logit_q, noise, self.smoothing(extra))
        return self.Sample(logit_q, raw, t, t + 0.5 + (sigmoid(raw) - 0.5) / 2)

    def draw_backward(self, d: Sample, sample: Sample, noise: Noise, extra: Spread) -> tuple[Array, Spread]:
        """(d_out, d_extra): zeta = t + 1/2 + shift, and t of logit q and std at fixed rho (Eq. 9 and below)."""
        smoothing, d_t = self.smoothing(extra), d.t + d.zeta
        d_logit_q = d.logit_q + d_t * mixture.d_t_d_logit_q(sample.t, sample.logit_q, smoothing)
        d_raw = d.raw + d.zeta * sigmoid(sample.raw) * sigmoid(-sample.raw) / 2
        d_beta = np.sum(d_t * mixture.d_t_d_beta(sample.t, sample.logit_q, smoothing), 0)
        return np.concatenate([d_logit_q, d_raw], -1), self.d_s(d_beta, extra)


@dataclass(frozen=True)
class SpikeExponential:
    """A spike at 0 and an exponential on (0, 1] (Eq. 1, left): logit q from the network. Only the noise rho is used."""

    beta: float
    outputs = 1

    class Sample(NamedTuple):
        """A draw, (N, D) each."""

        logit_q: np.ndarray
        zeta: np.ndarray

    def __post_init__(self):
        if not 0 < self.beta < 88:  # e^88 is the last that float32 holds
            raise ValueError(f"SpikeExponential takes 0 < beta < 88, got {self.beta}")

    def init(self, latents: int, dtype: npt.DTypeLike) -> tuple[()]:
        """Its own parameters: none."""
        return ()

    def draw(self, out: Array, noise: Noise, extra: tuple[()] = ()) -> Sample:
        """Sample from the network's outputs (N, D), which are logit q."""
        return self.Sample(out, spike.sample(out, noise.rho, self.beta))

    def draw_backward(self, d: Sample, sample: Sample, noise: Noise, extra: tuple[()] = ()) -> tuple[Array, tuple[()]]:
        """(d_out, d_extra): the inverse CDF above the spike, nothing on it."""
        return d.logit_q + d.zeta * spike.d_zeta_d_logit_q(sample.logit_q, noise.rho, self.beta), ()


def _reparameterise(logit_q, noise, smoothing):
    """(t, zeta) by ancestral sampling, or at rho by Eq. 8; with a beta for each unit that is solved unit by unit."""
    if noise.u is not None:
        return mixture.draw(logit_q, noise.u, noise.rho, smoothing)
    if np.ndim(smoothing.beta) == 0:
        t = mixture.inverse_cdf(logit_q, noise.rho, smoothing)
    else:
        units = zip(logit_q.T, noise.rho.T, smoothing.beta, strict=True)
        t = np.stack([mixture.inverse_cdf(l, rho, type(smoothing)(float(beta))) for l, rho, beta in units], -1)
    return t, smoothing.zeta(t)
