"""The kit: complete, the same bytes for the same seed, read without pickles, in agreement with itself."""

import json
import zipfile

import numpy as np
import pytest
from judging import SEEDS, entry_of, judge, representative

from dvae_ref.conformance import glossary, quantity, vectors
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.export import DTYPES, export_quantity
from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantities.machines import CLOSE, MARGIN
from dvae_ref.model.methods import BASELINES
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.theory.smoothing import SMOOTHINGS

SHORT = [name.replace("-layer-", "") for name in STRUCTURES]
REQUIRED = {
    *("kl_dvae", "kl_dvaepp_exp", "kl_dvaepp_power", "free_energy", "ising", "negative_phase", "ais_weights"),
    *(
        "population_annealing",
        "energy",
        "log_z",
        "mean_field",
        "gibbs",
        "adam",
        "log_p_gaussian_integral",
        "log_w_discrete",
        "bound_discrete",
        "general_machine",
    ),
    *(f"own_networks_{baseline}" for baseline in ("dvaes_power", "dvaepp_power", "dvae_spike_exp")),
    *(f"{what}_{kind}" for what in ("smoothing", "log_q", "log_p_overlapping") for kind in SMOOTHINGS),
    "smoothing_spike",
    *("bound_importance_weighted", "bound_variational"),
    *(f"objective_{baseline}_{structure}_k{k}" for baseline in BASELINES for structure in SHORT for k in (1, 3)),
}


def manifest(kit):
    return json.loads((kit / vectors.MANIFEST).read_text())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_kit_agrees_with_itself(kits, seed, dtype):
    kit = kits(seed, dtype)
    for entry in manifest(kit)["quantities"]:
        verdict = judge(kit, entry["name"], vectors.read_ours(kit, entry))
        assert verdict.passed
        assert verdict.worst.ratio == 0


@pytest.mark.slow
def test_the_manifest_is_complete(kits):
    """Every quantity that was asked for; of every array a meaning, its shape and dtype, a role, and a tolerance."""
    entries = manifest(kits())["quantities"]
    assert {entry["name"] for entry in entries} == REQUIRED
    for entry in entries:
        found = vectors.read_ours(kits(), entry)
        assert [array["name"] for array in entry["arrays"]] == list(found)
        assert entry["equation"]
        assert entry["meaning"]
        for array in entry["arrays"]:
            assert (array["shape"], array["dtype"]) == (list(found[array["name"]].shape), found[array["name"]].dtype)
            assert array["meaning"]
            if array["role"] == "input":
                continue
            assert array["role"] == ("gradient" if array["name"].startswith("d_") else "output")
            assert array["role"] == "output" or entry["gradients_of"]
            tolerance = array["tolerance"]
            assert tolerance["why"]
            assert np.all(np.isfinite(found[array["name"]]))
            assert 0 <= tolerance["absolute"] < 1e-8  # u = 1e-16
            assert 0 <= tolerance["relative"] < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTITIES)
def test_the_same_seed_makes_the_same_bytes(kits, tmp_path, name):
    entry = export_quantity(tmp_path, QUANTITIES[name], 0, "float64")
    assert entry == entry_of(kits(), name)
    assert (tmp_path / entry["file"]).read_bytes() == (kits() / entry["file"]).read_bytes()
    if representative(name):
        assert entry_of(kits(1), name)["sha256"] != entry["sha256"]


@pytest.mark.slow
def test_members_carry_no_date(kits):
    with zipfile.ZipFile(kits() / "energy.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {vectors.EPOCH}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", QUANTITIES)
def test_both_dtypes_mean_the_same_inputs(name, seed):
    double = quantity.inputs(QUANTITIES[name], seed)
    single = quantity.inputs(QUANTITIES[name], seed, np.float32)
    for array, value in double.items():
        assert np.array_equal(value, single[array])
        assert single[array].dtype == (np.float32 if value.dtype.kind == "f" else value.dtype)
    found = quantity.outputs(QUANTITIES[name], single)
    assert not set(found) & set(single)
    assert {value.dtype for value in found.values()} <= {np.dtype("float32"), np.dtype("uint8")}


def test_machines_are_square_and_targets_are_skewed():
    """As the paper's are: a transposed W then is a wrong number, and no crash. A flipped sign cannot hide."""
    for name, item in QUANTITIES.items():
        given = quantity.inputs(item, 0)
        for W in (given[name] for name in ("W", "rbm.W") if name in given):
            assert W.shape[0] == W.shape[1]
            assert np.max(np.abs(W - W.T)) > 0.01, name


@pytest.mark.parametrize("seed", range(20))
def test_uniform_numbers_are_close_to_their_thresholds_but_not_too_close(seed):
    """Half within 0.01, all 1e-4 away at least: no implementation's rounding, below 1e-5, decides a spin."""
    given = quantity.inputs(QUANTITIES["gibbs"], seed)
    found = quantity.outputs(QUANTITIES["gibbs"], given)
    gap = given["u"] - found["p"]
    assert np.min(np.abs(gap)) > MARGIN
    assert 0.45 < np.mean(np.abs(gap) < CLOSE) < 0.6
    assert np.array_equal(found["z_after"], gap < 0)


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_a_population_are_decided_close_to_their_thresholds_but_not_too_close(seed):
    """As the spins of `gibbs`: a step 3% off, or 0.002 more, makes other copies; rounding does not."""
    item = QUANTITIES["population_annealing"]
    given = quantity.inputs(item, seed)
    found = quantity.outputs(item, given)
    gap = np.abs(given["u"] - found["tau"] % 1)
    assert np.min(gap) > MARGIN
    assert np.mean(gap < CLOSE) > 0.25
    assert np.array_equal(found["copies"], quantity.outputs(item, quantity.inputs(item, seed, np.float32))["copies"])
    for step in (0.97, 1.03):
        moved = quantity.outputs(item, given | {"step": step * given["step"]})["copies"]
        assert np.any(moved != found["copies"])


LARGE = ("large-logit", "large-output")
TROUBLE = {  # quantity: flags that some of its rows have to carry
    "energy": {"square", "on-vertex"},
    "log_z": {"square", "large-field"},
    "gibbs": {"square", "large-field"},
    "mean_field": {"square", "large-field", "large-b"},
    **{f"smoothing_{kind}": {"near-vertex", "large-logit", "small-rho"} for kind in SMOOTHINGS},
    **{f"log_q_{kind}": {"near-vertex", "large-logit"} for kind in SMOOTHINGS},
    "smoothing_spike": {"near-vertex", "large-logit", "on-vertex", "small-rho"},
    **{f"log_p_overlapping_{kind}": {"near-vertex", "square", "large-field"} for kind in SMOOTHINGS},
    "log_p_gaussian_integral": {"near-vertex", "square", "large-field"},
    **{name: {"near-vertex", "square", *LARGE} for name in QUANTITIES if name.startswith("objective")},
    "log_w_discrete": {"square", *LARGE},
    **{f"own_networks_{name}": {"near-vertex", "square", *LARGE} for name in ("dvaes_power", "dvaepp_power")},
    "own_networks_dvae_spike_exp": {"on-vertex", "square", *LARGE},
    "general_machine": {"large-field", "on-vertex"},
    "bound_discrete": {"far-apart", "all-equal"},
    **{f"bound_{name}": {"far-apart", "underflow"} for name in ("importance_weighted", "variational")},
}


@pytest.mark.parametrize("name", TROUBLE)
def test_inputs_hold_known_trouble(name):
    for seed in SEEDS:
        found = trouble.flags(quantity.inputs(QUANTITIES[name], seed))
        assert TROUBLE[name] <= set(found)
        assert set(found) <= set(trouble.MEANINGS)


@pytest.mark.parametrize("seed", range(20))
def test_units_of_the_discrete_model_keep_away_from_their_thresholds(seed):
    """By a tenth of q or 1 - q: moved by nearly as much, no z and no log-weight changes."""
    item = QUANTITIES["log_w_discrete"]
    given = quantity.inputs(item, seed)
    found, u = quantity.outputs(item, given), given["u"]
    up = found["z_drawn"] > 0
    assert 0.2 < up.mean() < 0.8
    for moved, same in (
        (np.where(up, u / 0.91, 1 - (1 - u) / 0.91), True),
        (np.where(up, 9 * u, 1 - 9 * (1 - u)), False),
    ):
        assert np.array_equal(quantity.outputs(item, given | {"u": moved})["log_w"], found["log_w"]) == same


def test_the_glossary_explains_nothing_that_is_not_there():
    used = {name for item in QUANTITIES.values() for name in quantity.inputs(item, 0)}
    assert set(glossary.INPUTS) <= used
    found = {name for item in QUANTITIES.values() for name in quantity.outputs(item, quantity.inputs(item, 0))}
    assert set(glossary.OUTPUTS) <= found
