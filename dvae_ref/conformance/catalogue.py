"""All quantities by name, and which contain which."""

from dvae_ref.conformance.quantities import (
    bounds,
    discrete,
    machines,
    objectives,
    optimizers,
    own_networks,
    parts,
    relaxations,
    smoothings,
)
from dvae_ref.model.baselines import BASELINES
from dvae_ref.theory.smoothing import Gaussian, named

GAUSSIAN_INTEGRAL = ("log_p_gaussian_integral", *(f"log_q_{kind}" for kind in named(Gaussian)))
OWN_NETWORKS = {
    "dvaes_power": ("log_p_overlapping_power", "log_q_power", "bound_importance_weighted"),
    "dvaepp_power": ("kl_dvaepp_power", "bound_variational"),
    "dvae_spike_exp": ("kl_dvae", "bound_variational"),
}
_THEMES = (machines, smoothings, relaxations, bounds, parts, objectives, own_networks, discrete, optimizers)
QUANTITIES = {quantity.name: quantity for theme in _THEMES for quantity in theme.QUANTITIES}


def needed_by(name):
    """The quantities that a quantity contains, and those that these contain: mend them first."""
    direct = _direct(name)
    return set(direct).union(*map(needed_by, direct))


def _direct(name):
    if name in ("log_z", "gibbs", "mean_field", "log_p_gaussian_integral"):
        return ("energy",)
    if name in ("free_energy", "ising", "kl_dvae"):
        return ("energy",)
    if name == "ais_weights":
        return ("free_energy",)
    if name.startswith("kl_dvaepp"):
        return ("energy", f"smoothing_{name.rsplit('_', 1)[-1]}")
    if name.startswith("own_networks"):
        return OWN_NETWORKS[name.removeprefix("own_networks_")]
    if name == "log_w_discrete":
        return ("energy", "log_z")
    kind = name.rsplit("_", 1)[-1]
    if name.startswith("log_q_"):
        return (f"smoothing_{kind}",)
    if name.startswith("log_p_overlapping"):
        return ("mean_field", f"smoothing_{kind}")
    return _of_objective(name.removeprefix("objective_")) if name.startswith("objective") else ()


def _of_objective(name):
    """With one group, linear networks and K = 1 comes first."""
    baseline, structure, k = name.rsplit("_", 2)
    simplest, kind = "1lin_k1", BASELINES[baseline].law.name
    first = () if f"{structure}_{k}" == simplest else (f"objective_{baseline}_{simplest}",)
    blocks = {
        "relaxed": (f"log_p_overlapping_{kind}", f"log_q_{kind}", "log_z", "bound_importance_weighted"),
        "gaussian_integral": (*GAUSSIAN_INTEGRAL, "log_z", "bound_importance_weighted"),
        "overlapping_joint": (f"smoothing_{kind}", "log_z", "bound_variational"),
        "spike_joint": ("smoothing_spike", "log_z", "bound_variational"),
    }
    return (*blocks[BASELINES[baseline].prior], *first)
