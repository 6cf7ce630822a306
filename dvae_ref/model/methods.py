"""The eight columns of Table 1: a posterior, a prior's term, and the bound they are trained by."""

from typing import NamedTuple

from dvae_ref.model import posteriors, priors
from dvae_ref.theory.smoothing import SMOOTHINGS

BASELINES = (  # family_smoothing, in the order of Table 1
    *("dvae_spike_exp", "dvaepp_exp", "dvaepp_power"),
    *("dvaes_gi", "dvaes_gauss", "dvaes_exp", "dvaes_unexp", "dvaes_power"),
)


class Method(NamedTuple):
    posterior: object  # of dvae_ref.posteriors
    prior: object  # of dvae_ref.priors
    importance_weighted: bool  # Eq. 3, or else Eq. 2 averaged over the K samples


def relaxed(smoothing, mean_field_sweeps=5):
    """DVAE# with an overlapping relaxation."""
    posterior = posteriors.Mixture(smoothing)
    return Method(posterior, priors.Relaxed(posterior, mean_field_sweeps), True)


def gaussian_integral(beta):
    """DVAE# with the Gaussian integral trick."""
    posterior = posteriors.ShiftedGaussian()
    return Method(posterior, priors.GaussianIntegral(posterior, beta), True)


def overlapping_joint(smoothing, groups):
    """DVAE++."""
    posterior = posteriors.Mixture(smoothing)
    return Method(posterior, priors.OverlappingJoint(posterior, groups), False)


def spike_joint(beta, groups):
    """DVAE."""
    return Method(posteriors.SpikeExponential(beta), priors.SpikeJoint(groups), False)


def method(baseline, beta, groups, *, epsilon=0.05, mean_field_sweeps=5):
    """The Method of one of BASELINES.

    ValueError for another name, a beta outside the smoothing's domain (beta > 0, but > 1 for power and < 88 for
    spike_exp), and for groups < 1. epsilon is unexp's, mean_field_sweeps those of dvaes, gi excepted.
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}, expected one of {', '.join(BASELINES)}")
    if groups < 1 or groups % 1:
        raise ValueError(f"groups must be a whole number >= 1; got {groups}")
    family, kind = baseline.split("_", 1)
    if kind == "gi":
        return gaussian_integral(beta)
    if kind == "spike_exp":
        return spike_joint(beta, groups)
    smoothing = SMOOTHINGS[kind](beta, **({"epsilon": epsilon} if kind == "unexp" else {}))
    return relaxed(smoothing, mean_field_sweeps) if family == "dvaes" else overlapping_joint(smoothing, groups)
