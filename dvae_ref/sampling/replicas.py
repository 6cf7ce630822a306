"""The state of population annealing and what a step does to it: resampling, sweeps, and the accounts of log Z.

**Standard error.** Replicas of one family share an ancestor since the families were numbered; different families are
independent but for the normalisation. To first order, log Z deviates by the sum over families of (1/R) sum over steps
and members of (w / E[w] - 1). With mean w for E[w] that is C_f, whose sum is 0 and whose squares' sum estimates the
variance. Where sweeps mix perfectly it is the sum over steps of Var(w / mean w) / R; without sweeps it is the variance
of plain importance sampling.
"""

import warnings
from typing import NamedTuple

import numpy as np

from dvae_ref.fast import scalars
from dvae_ref.sampling import gibbs, philox, population
from dvae_ref.theory import boltzmann, domains
from dvae_ref.theory.boltzmann import RBM

RESAMPLING = 0  # what a key is for


class State(NamedTuple):
    """R replicas, the machine whose samples they are, and the accounts: nothing else is needed to go on."""

    chains: gibbs.Chains
    rbm: RBM
    families: np.ndarray  # (R,), int64: the ancestor of each replica when the families were last numbered
    deviations: np.ndarray  # (R,), float64: C_f of the families
    log_z: np.ndarray  # (), float64: estimate for `rbm`
    variance: np.ndarray  # (), float64: of log_z, from the families of earlier numberings
    updates: np.ndarray  # (), int64: updates of the parameters
    resamplings: np.ndarray  # (), int64


def fresh(chains, rbm, log_z):
    """The State of chains that are samples of the RBM with this log Z."""
    size, none = len(chains.left), np.array(0)
    return State(chains, rbm, np.arange(size), np.zeros(size), np.array(float(log_z)), np.array(0.0), none, none)


def check(state):
    """ValueError unless this State can be gone on with, TypeError for what is none."""
    domains.instance("the state", state, State)
    gibbs.check(state.chains)
    boltzmann.check(state.rbm)
    size = len(state.chains.left)
    _check_arrays(state, size)
    if state.families.dtype.kind not in "iu" or np.min(state.families) < 0 or np.max(state.families) >= size:
        raise ValueError(f"families are whole numbers from 0 to {size - 1}, for as many replicas")
    if state.variance < 0:
        raise ValueError(f"variance must be >= 0; got {state.variance}")
    for name in ("updates", "resamplings"):
        domains.whole(name, getattr(state, name))


def _check_arrays(state, size):
    """ValueError or TypeError unless what `account` adds to is finite, a number a replica or a number."""
    for name, shape in (("families", (size,)), ("deviations", (size,)), ("log_z", ()), ("variance", ())):
        values = np.array(getattr(state, name)) if shape == () else getattr(state, name)
        domains.real(name, values)
        domains.finite(name, values)
        if values.shape != shape:
            raise ValueError(f"{name} of {size} replicas has the shape {shape}; got {values.shape}")


def account(state, log_w, sign):
    """sign * log mean w added to log Z, and each family's part of the deviation."""
    size = len(log_w)
    excess = np.bincount(state.families, population.relative_weights(log_w) - 1, minlength=size)
    log_z = state.log_z + sign * population.log_mean_exp(log_w)
    return state._replace(log_z=log_z, deviations=state.deviations + sign * excess / size)


def resample_and_sweep(key, state, rbm, log_w, sweeps, backend):
    """The State at this RBM: replicas copied or dropped by their weights, then swept."""
    word = philox.fold_in(key, RESAMPLING, int(state.resamplings)).k0
    ancestors = population.systematic(log_w, scalars.uniform(np.uint64(word)), backend)
    chains = gibbs.sweep(key, population.gather(state.chains, ancestors, backend), rbm, sweeps, backend)
    return state._replace(chains=chains, rbm=rbm, families=state.families[ancestors], resamplings=state.resamplings + 1)


def number_families(state):
    """Each replica its own family from now on; what the old ones have deviated is settled."""
    size, variance = len(state.families), state.variance + np.sum(state.deviations**2)
    return state._replace(families=np.arange(size), deviations=np.zeros(size), variance=variance)


def standard_error(state):
    """Of state.log_z: sqrt(sum C_f^2), over the families of all numberings."""
    return float(np.sqrt(state.variance + np.sum(state.deviations**2)))


def warn_if_collapsed(size, effective, entropy, *, families, reason):
    """Warn if the effective sample is below a tenth of the population (or 100, if less), or too few families are left.

    The text is free of measured numbers, so that a training run says it once; they are in Info and Result.
    """
    least, families = min(100.0, size / 10), min(families, size / 10)
    if effective < least:
        _warn(
            f"the weights leave an effective sample below {least:.0f} of {size} replicas, as {reason}; take smaller "
            "steps or more replicas"
        )
    elif np.exp(entropy) < families:
        _warn(
            f"effectively fewer than {families:.0f} families are left among {size} replicas, so that neither log Z nor "
            "its standard error can be trusted; use more replicas, or more sweeps a step"
        )


def _warn(why):
    warnings.warn(f"the population collapsed: {why}", stacklevel=4)
