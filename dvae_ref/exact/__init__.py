"""The theory's quantities by enumeration of all states: what everything else is held against.

log_z, moments      of an RBM or a general Boltzmann machine; sample of an RBM
log_p               log p(zeta) of an overlapping relaxation, with its gradient log_p_backward; posterior_moments, kl
log_px, elbo        of a whole small model on the discrete level
"""

from dvae_ref.exact.discrete import elbo, log_px
from dvae_ref.exact.divergence import kl
from dvae_ref.exact.machines import log_z, moments
from dvae_ref.exact.relaxation import log_p, log_p_backward, posterior_moments
from dvae_ref.exact.samples import sample

__all__ = ["elbo", "kl", "log_p", "log_p_backward", "log_px", "log_z", "moments", "posterior_moments", "sample"]
