"""Which quantities stand in the formula of another, and in theirs."""

import pytest

from dvae_ref.conformance.catalogue import QUANTITIES, needed_by

RELAXED = {
    "energy",
    "bound_importance_weighted",
    "log_p_overlapping_power",
    "mean_field",
    "log_q_power",
    "smoothing_power",
}
NEEDED = {
    "energy": set(),
    "adam": set(),
    "log_z": {"energy"},
    "ising": {"energy"},
    "ais_weights": {"free_energy", "energy"},
    "kl_dvae": {"energy"},
    "kl_dvaepp_exp": {"energy", "smoothing_exp"},
    "log_w_discrete": {"energy", "log_z"},
    "log_q_power": {"smoothing_power"},
    "log_p_overlapping_power": {"mean_field", "energy", "smoothing_power"},
    "log_p_gaussian_integral": {"energy"},
    "own_networks_dvaes_power": RELAXED,
    "objective_dvaes_power_1lin_k1": RELAXED | {"log_z"},
    "objective_dvaes_gi_1lin_k1": {
        *("energy", "log_z", "bound_importance_weighted", "log_p_gaussian_integral", "log_q_gauss", "smoothing_gauss")
    },
    "objective_dvaepp_exp_1lin_k1": {"smoothing_exp", "log_z", "energy", "bound_variational"},
    "objective_dvae_spike_exp_1lin_k1": {"smoothing_spike", "log_z", "energy", "bound_variational"},
}


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_quantity_contains(name):
    assert needed_by(name) == NEEDED[name]


@pytest.mark.parametrize("variant", ["1lin_k3", "2lin_k1", "4nonlin_k3"])
def test_the_simplest_variant_of_an_objective_comes_first(variant):
    first = "objective_dvaes_power_1lin_k1"
    assert needed_by(f"objective_dvaes_power_{variant}") == needed_by(first) | {first}


def test_what_is_contained_is_there():
    assert set().union(*map(needed_by, QUANTITIES)) <= set(QUANTITIES)
