"""The paper's Sec. 4: structures, posteriors, priors, networks, and the objective of a whole autoencoder.

Its names are those of `autoencoder`, each loaded when it is first asked for.
"""

from typing import TYPE_CHECKING

from dvae_ref import lazy

if TYPE_CHECKING:  # for editors and mypy
    from dvae_ref.model import autoencoder as autoencoder
    from dvae_ref.model import layers as layers
    from dvae_ref.model import methods as methods
    from dvae_ref.model import networks as networks
    from dvae_ref.model import posteriors as posteriors
    from dvae_ref.model import priors as priors
    from dvae_ref.model import structures as structures
    from dvae_ref.model.autoencoder import Config as Config
    from dvae_ref.model.autoencoder import Params as Params
    from dvae_ref.model.autoencoder import Statistics as Statistics
    from dvae_ref.model.autoencoder import decode_discrete as decode_discrete
    from dvae_ref.model.autoencoder import discrete_log_weights as discrete_log_weights
    from dvae_ref.model.autoencoder import init as init
    from dvae_ref.model.autoencoder import objective as objective
    from dvae_ref.model.autoencoder import objective_and_gradient as objective_and_gradient
    from dvae_ref.model.autoencoder import objective_backward as objective_backward
    from dvae_ref.model.autoencoder import output_bias as output_bias
    from dvae_ref.model.autoencoder import reconstruct as reconstruct
    from dvae_ref.model.autoencoder import update_statistics as update_statistics

_NAMES = (
    "Config",
    "Params",
    "Statistics",
    "init",
    "output_bias",
    "update_statistics",
    "objective",
    "objective_backward",
    "objective_and_gradient",
    "discrete_log_weights",
    "decode_discrete",
    "reconstruct",
)
_MODULES = ("autoencoder", "layers", "methods", "networks", "posteriors", "priors", "structures")
if not TYPE_CHECKING:  # who would take it for: any name
    __getattr__, __dir__, __all__ = lazy.names(__name__, {"autoencoder": _NAMES}, _MODULES)
