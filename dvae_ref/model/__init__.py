"""The paper's Sec. 4: structures, posteriors, priors, networks, and the objective of a whole autoencoder.

Its names are those of `autoencoder`, each loaded when it is first asked for.
"""

import importlib

_NAMES = (
    *("Config", "Params", "Statistics", "init", "output_bias", "update_statistics"),
    *("objective", "objective_backward", "objective_and_gradient"),
    *("discrete_log_weights", "decode_discrete", "reconstruct"),
)


def __getattr__(name):
    if name in _NAMES:
        return getattr(importlib.import_module("dvae_ref.model.autoencoder"), name)
    raise AttributeError(f"module 'dvae_ref.model' has no attribute {name!r}")
