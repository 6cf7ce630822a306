"""The columns of Table 1 by name: a posterior, a prior's term, and the bound they are trained by."""

from typing import NamedTuple

from dvae_ref.model import posteriors, priors
from dvae_ref.model.baselines import BASELINES, LAWS
from dvae_ref.theory.mirror import Smoothing
from dvae_ref.theory.smoothing import SMOOTHINGS, build, parameters


class Method(NamedTuple):
    """A column of Table 1: a posterior, the prior's term that goes with it, and which bound."""

    posterior: posteriors.Posterior
    prior: priors.Prior
    importance_weighted: bool  # Eq. 3, or else Eq. 2 averaged over the K samples


def relaxed(smoothing: Smoothing, mean_field_sweeps: int = 5) -> Method:
    """DVAE# with an overlapping relaxation."""
    posterior = posteriors.Mixture(smoothing)
    return Method(posterior, priors.Relaxed(posterior, mean_field_sweeps), True)


def gaussian_integral(beta: float) -> Method:
    """DVAE# with the Gaussian integral trick."""
    posterior = posteriors.ShiftedGaussian()
    return Method(posterior, priors.GaussianIntegral(posterior, beta), True)


def overlapping_joint(smoothing: Smoothing, groups: int) -> Method:
    """DVAE++."""
    posterior = posteriors.Mixture(smoothing)
    return Method(posterior, priors.OverlappingJoint(posterior, groups), False)


def spike_joint(beta: float, groups: int) -> Method:
    """DVAE."""
    return Method(posteriors.SpikeExponential(beta), priors.SpikeJoint(groups), False)


def method(baseline: str, beta: float, groups: int, *, epsilon: float = 0.05, mean_field_sweeps: int = 5) -> Method:
    """The Method of one of BASELINES.

    ValueError for another name, a beta outside the smoothing's domain (beta > 0, but > 1 for power and < 88 for
    spike_exp), and for groups < 1. epsilon is that of the uniform part, mean_field_sweeps those of a relaxed prior;
    a baseline without them leaves them aside.

    >>> method("dvaes_power", 40.0, groups=1).posterior
    Mixture(smoothing=Power(beta=40.0))
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}, expected one of {', '.join(BASELINES)}")
    record = BASELINES[baseline]
    if groups < 1 or groups % 1:
        raise ValueError(f"groups must be a whole number >= 1; got {groups}")
    if record.prior == "gaussian_integral":
        return gaussian_integral(beta)
    if record.prior == "spike_joint":
        return spike_joint(beta, groups)
    smoothing = build(record.law.name, beta, epsilon=epsilon)
    return relaxed(smoothing, mean_field_sweeps) if record.prior == "relaxed" else overlapping_joint(smoothing, groups)


def agree() -> None:
    """Raise LookupError or ValueError unless every smoothing has its record, and the two say the same of it."""
    for name, cls in SMOOTHINGS.items():
        law = LAWS[name]
        found = law.least, law.most, law.parameters
        expected = cls.minimum_beta, cls.maximum_beta, parameters(name)
        if found != expected:
            raise ValueError(f"the Law {name!r} says least, most, parameters = {found}, its class {expected}")


agree()
