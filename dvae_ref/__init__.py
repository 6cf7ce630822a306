"""DVAE#: discrete variational autoencoders with relaxed Boltzmann priors (Vahdat et al., NeurIPS 2018).

The public names, each loaded when it is first asked for: `import dvae_ref` itself costs nothing.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "boltzmann": ("RBM", "BoltzmannMachine", "Moments"),
    "smoothing": ("Exponential", "UniformExponential", "Power", "Gaussian"),
    "structures": ("Structure", "STRUCTURES"),
    "methods": ("method",),
    "posteriors": ("Noise",),
    "model": ("Config", "Params", "Statistics", "objective", "objective_backward"),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
_MODULES = (
    *("bounds", "elementary", "exact", "gaussian_integral", "joint", "layers", "mean_field", "mixture", "networks"),
    *("overlapping", "priors", "sampling", "spike", "tree"),
)
__all__ = sorted([*_HOME, *_PUBLIC, *_MODULES])


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"dvae_ref.{_HOME[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"dvae_ref.{name}")
    raise AttributeError(f"module 'dvae_ref' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
