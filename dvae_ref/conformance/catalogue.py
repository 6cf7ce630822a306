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

OWN_NETWORKS = {
    "dvaes_power": ("log_p_overlapping_power", "log_q_power", "bound_importance_weighted"),
    "dvaepp_power": ("kl_dvaepp_power", "bound_variational"),
    "dvae_spike_exp": ("kl_dvae", "bound_variational"),
}
_THEMES = (machines, smoothings, relaxations, bounds, parts, objectives, own_networks, discrete, optimizers)
QUANTITIES = {quantity.name: quantity for theme in _THEMES for quantity in theme.QUANTITIES}
CONTAINED = {  # by the beginning of a name, with KIND for the smoothing that it ends with; the first that fits counts
    **dict.fromkeys(("log_z", "gibbs", "mean_field", "log_p_gaussian_integral"), ("energy",)),
    **dict.fromkeys(("free_energy", "ising"), ("energy",)),
    "ais_weights": ("free_energy",),
    "kl_dvaepp": ("energy", "smoothing_KIND"),
    "kl_dvae": ("energy",),
    "log_w_discrete": ("energy", "log_z"),
    "log_q_": ("smoothing_KIND",),
    "log_p_overlapping": ("mean_field", "smoothing_KIND"),
}
IN_PRIOR = {  # of a whole model, by the prior's name in a Baseline
    "relaxed": ("log_p_overlapping_KIND", "log_q_KIND", "log_z", "bound_importance_weighted"),
    "gaussian_integral": ("log_p_gaussian_integral", "log_q_KIND", "log_z", "bound_importance_weighted"),
    "overlapping_joint": ("smoothing_KIND", "log_z", "bound_variational"),
    "spike_joint": ("smoothing_spike", "log_z", "bound_variational"),
}


def needed_by(name):
    """The quantities that a quantity contains, and those that these contain: mend them first."""
    found = set()
    for other in _direct(name):
        found |= {other} | needed_by(other)
    return found


def _direct(name):
    """The quantities that stand in its formula."""
    if name.startswith("own_networks"):
        return OWN_NETWORKS[name.removeprefix("own_networks_")]
    if name.startswith("objective"):
        return _of_objective(name.removeprefix("objective_"))
    for beginning, others in CONTAINED.items():
        if name.startswith(beginning):
            return _of_kind(others, name.rpartition("_")[2])
    return ()


def _of_kind(names, kind):
    """Names with a kind of smoothing for KIND."""
    return [name.replace("KIND", kind) for name in names]


def _of_objective(name):
    """With one group, linear networks and K = 1 comes first."""
    baseline, structure, k = name.rsplit("_", 2)
    record = BASELINES[baseline]
    (gaussian,) = named(Gaussian)
    kind = gaussian if record.prior == "gaussian_integral" else record.law.name
    found = _of_kind(IN_PRIOR[record.prior], kind)
    if (structure, k) != ("1lin", "k1"):
        found.append(f"objective_{baseline}_1lin_k1")
    return found
