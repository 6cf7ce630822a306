"""DVAE#: discrete variational autoencoders with relaxed Boltzmann priors (Vahdat et al., NeurIPS 2018).

The public names, each loaded when it is first asked for: `import dvae_ref` itself costs nothing.
"""

import importlib

__version__ = "0.2.0.dev0"

_PUBLIC = {
    "theory.boltzmann": ("RBM", "BoltzmannMachine", "Moments"),
    "theory.smoothing": ("Exponential", "UniformExponential", "Power", "Gaussian"),
    "model.structures": ("Structure", "STRUCTURES"),
    "model.methods": ("method",),
    "model.posteriors": ("Noise",),
    "model.autoencoder": ("Config", "Params", "Statistics", "objective", "objective_backward"),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
_THEORY = (
    *("boltzmann", "bounds", "elementary", "gaussian_integral", "joint", "mean_field", "mixture", "overlapping"),
    *("smoothing", "spike"),
)
_MODEL = ("autoencoder", "layers", "methods", "networks", "posteriors", "priors", "structures")
_MODULES = {
    **{name: f"theory.{name}" for name in _THEORY},
    **{name: f"model.{name}" for name in _MODEL},
    **{name: name for name in ("exact", "model", "sampling", "tree", "twins")},
}
__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"dvae_ref.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"dvae_ref.{_MODULES[name]}")
    raise AttributeError(f"module 'dvae_ref' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
