"""DVAE#: discrete variational autoencoders with relaxed Boltzmann priors (Vahdat et al., NeurIPS 2018).

The public names, each loaded when it is first asked for: `import dvae_ref` itself costs nothing.
"""

from typing import TYPE_CHECKING

from dvae_ref import lazy

if TYPE_CHECKING:  # for editors and mypy, which do not see what is loaded later
    from dvae_ref import exact as exact
    from dvae_ref import model as model
    from dvae_ref import sampling as sampling
    from dvae_ref import tree as tree
    from dvae_ref import twins as twins
    from dvae_ref.arrays import Array as Array
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
    from dvae_ref.model.autoencoder import objective as objective
    from dvae_ref.model.autoencoder import objective_backward as objective_backward
    from dvae_ref.model.methods import method as method
    from dvae_ref.model.posteriors import Noise as Noise
    from dvae_ref.model.structures import STRUCTURES as STRUCTURES
    from dvae_ref.model.structures import Structure as Structure
    from dvae_ref.runs.library import Trained as Trained
    from dvae_ref.runs.library import load_run as load_run
    from dvae_ref.runs.library import train as train
    from dvae_ref.runs.presets import Settings as Settings
    from dvae_ref.runs.teaching import teaching_images as teaching_images
    from dvae_ref.runs.teaching import teaching_model as teaching_model
    from dvae_ref.theory import boltzmann as boltzmann
    from dvae_ref.theory import bounds as bounds
    from dvae_ref.theory import elementary as elementary
    from dvae_ref.theory import gaussian_integral as gaussian_integral
    from dvae_ref.theory import joint as joint
    from dvae_ref.theory import mean_field as mean_field
    from dvae_ref.theory import mixture as mixture
    from dvae_ref.theory import overlapping as overlapping
    from dvae_ref.theory import smoothing as smoothing
    from dvae_ref.theory import spike as spike
    from dvae_ref.theory.boltzmann import RBM as RBM
    from dvae_ref.theory.boltzmann import BoltzmannMachine as BoltzmannMachine
    from dvae_ref.theory.boltzmann import Moments as Moments
    from dvae_ref.theory.smoothing import Exponential as Exponential
    from dvae_ref.theory.smoothing import Gaussian as Gaussian
    from dvae_ref.theory.smoothing import Logistic as Logistic
    from dvae_ref.theory.smoothing import Power as Power
    from dvae_ref.theory.smoothing import UniformExponential as UniformExponential

__version__ = "0.2.0.dev0"

_PUBLIC = {
    "arrays": ("Array",),
    "theory.boltzmann": ("RBM", "BoltzmannMachine", "Moments"),
    "theory.smoothing": ("Exponential", "UniformExponential", "Power", "Gaussian", "Logistic"),
    "model.structures": ("Structure", "STRUCTURES"),
    "model.methods": ("method",),
    "model.posteriors": ("Noise",),
    "model.autoencoder": ("Config", "Params", "Statistics", "objective", "objective_backward"),
    "runs.presets": ("Settings",),
    "runs.library": ("Trained", "load_run", "train"),
    "runs.teaching": ("teaching_images", "teaching_model"),
}
_THEORY = (
    "boltzmann",
    "bounds",
    "elementary",
    "gaussian_integral",
    "joint",
    "mean_field",
    "mixture",
    "overlapping",
    "smoothing",
    "spike",
)
_MODEL = ("autoencoder", "layers", "methods", "networks", "posteriors", "priors", "structures")
_MODULES = {
    **{name: f"theory.{name}" for name in _THEORY},
    **{name: f"model.{name}" for name in _MODEL},
    **{name: name for name in ("exact", "model", "sampling", "tree", "twins")},
}
if not TYPE_CHECKING:  # who would take it for: any name
    __getattr__, __dir__, __all__ = lazy.names(__name__, _PUBLIC, _MODULES, dunder=["__version__"])
