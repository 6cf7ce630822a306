"""All quantities by name, and which contain which."""

from dvae_ref.conformance.quantities import (
    bounds,
    discrete,
    machines,
    objectives,
    optimizers,
    parts,
    relaxations,
    smoothings,
)

_THEMES = (machines, smoothings, relaxations, bounds, parts, objectives, discrete, optimizers)
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
    if name == "log_w_discrete":
        return ("energy", "log_z")
    kind = name.rsplit("_", 1)[-1]
    if name.startswith("log_q_"):
        return (f"smoothing_{kind}",)
    if name.startswith("log_p_overlapping"):
        return ("mean_field", f"smoothing_{kind}")
    return _of_objective(*name.split("_")[1:]) if name.startswith("objective") else ()


def _of_objective(family, kind, *variant):
    """With one group, linear networks and K = 1 comes first."""
    simplest, baseline = "1lin_k1", "_".join((family, kind, *variant[:-2]))
    first = () if "_".join(variant[-2:]) == simplest else (f"objective_{baseline}_{simplest}",)
    if family == "dvaes":
        prior = "log_p_gaussian_integral" if kind == "gi" else f"log_p_overlapping_{kind}"
        return (prior, "log_q_gauss" if kind == "gi" else f"log_q_{kind}", "log_z", "bound_importance_weighted", *first)
    return ("smoothing_spike" if family == "dvae" else f"smoothing_{kind}", "log_z", "bound_variational", *first)
