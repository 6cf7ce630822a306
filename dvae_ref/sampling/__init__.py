"""Samples of an RBM and estimates of its log Z.

pcd, population_annealing   the negative phase: init, step(key, state, rbm) -> (state, info), samples, moments
ais                         log Z with its standard error; population_annealing.anneal is another way to it
bracket, trajectory         log Z from both sides: along temperature, along the snapshots of a training run
paths                       the inverse temperatures and the base that annealing starts from
modes                       a lower bound of log Z, which contradicts an estimate that has missed a mode
gibbs                       block Gibbs sweeps of many chains, under all of these (engines: for any CPU, for AVX-512)
philox                      keys and random numbers
fields                      why all of it is the same to the bit on any number of cores, and on a GPU
"""

from typing import TYPE_CHECKING

from dvae_ref import lazy

if TYPE_CHECKING:  # for editors and mypy
    from dvae_ref.sampling import ais as ais
    from dvae_ref.sampling import backend as backend
    from dvae_ref.sampling import bracket as bracket
    from dvae_ref.sampling import fields as fields
    from dvae_ref.sampling import gibbs as gibbs
    from dvae_ref.sampling import modes as modes
    from dvae_ref.sampling import paths as paths
    from dvae_ref.sampling import pcd as pcd
    from dvae_ref.sampling import philox as philox
    from dvae_ref.sampling import population_annealing as population_annealing
    from dvae_ref.sampling import trajectory as trajectory
    from dvae_ref.sampling.ais import AISResult as AISResult

_MODULES = ("ais", "backend", "bracket", "fields", "gibbs", "modes", "paths", "pcd", "philox")
_MODULES += ("population_annealing", "trajectory")
if not TYPE_CHECKING:  # who would take it for: any name
    __getattr__, __dir__, __all__ = lazy.names(__name__, {"ais": ("AISResult",)}, _MODULES)
