"""Defaults against the published table, and every setting out of range refused with its range."""

import json
import subprocess
import sys

import pytest

from dvae_ref.model.baselines import LAWS
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs.presets import BASELINES, DATASETS, SAMPLERS, Settings

# beta of spike | ++exp | ++power | GI | Gauss | exp | un+exp | power, as in the authors' release
TABLE = {
    ("mnist", "1-layer-lin"): "5|12|40|40|40|12|40|40",
    ("mnist", "1-layer-nonlin"): "5|14|30|30|30|12|30|40",
    ("mnist", "2-layer-nonlin"): "4|10|30|30|25|10|16|30",
    ("mnist", "4-layer-nonlin"): "4|10|30|30|25|10|16|30",
    ("omniglot", "1-layer-lin"): "4|14|40|40|40|12|40|40",
    ("omniglot", "1-layer-nonlin"): "4|12|40|30|25|10|16|30",
    ("omniglot", "2-layer-nonlin"): "4|10|30|25|25|8|16|20",
    ("omniglot", "4-layer-nonlin"): "4|10|30|25|25|8|16|20",
}
COLUMNS = {name: place for place, name in enumerate(BASELINES)}  # whose order tests/model/test_methods.py holds


def published(dataset, struct, baseline):
    row = TABLE["omniglot" if dataset == "omniglot" else "mnist", struct]
    return float(row.split("|")[COLUMNS[baseline]])


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("struct", STRUCTURES)
def test_beta_defaults_to_the_published_one(dataset, struct):
    for baseline in COLUMNS:
        expected = published(dataset, struct, baseline)
        assert BASELINES[baseline].beta(dataset, struct) == expected
        assert Settings(dataset=dataset, struct=struct, baseline=baseline).beta == expected
        assert Settings(dataset=dataset, struct=struct, baseline=baseline, beta=7.5).beta == 7.5


def test_candidates_of_beta_are_those_of_section_4():
    """Page 7 of the paper, and the same for a law that several baselines take. Those of the logistic are ours."""
    wide, gaussian = (20, 30, 40), (20, 25, 30, 40)
    listed = {"spike_exp": (4, 5, 6, 8), "exp": (8, 10, 12, 16), "unexp": (16, *wide), "power": (15, *wide)}
    listed |= {"gauss": gaussian, "gi": gaussian, "logistic": listed["exp"]}
    assert {law.name: law.candidates for law in LAWS.values()} == listed


def test_validation_is_due_every_20000_iterations_or_10000_in_short_runs():
    assert [Settings(num_train_iter=n).eval_every for n in (5_000, 100_000, 100_001, 10**6)] == [10_000] * 2 + [
        20_000
    ] * 2
    assert Settings(eval_every=50).eval_every == 50


CHOICES = [("dataset", DATASETS), ("struct", STRUCTURES), ("baseline", BASELINES), ("sampler", SAMPLERS)]


@pytest.mark.parametrize(("name", "valid"), CHOICES)
def test_unknown_names_are_refused_with_the_valid_ones(name, valid):
    with pytest.raises(ValueError, match=f"unknown {name} 'nothing'; there are {', '.join(valid)}"):
        Settings(**{name: "nothing"})


WHOLE = ["k", "num_train_iter", "batch_size", "mean_field_sweeps", "sweeps", "eval_every", "eval_samples"]
WHOLE += ["checkpoint_every", "log_every"]
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        *(({name: bad}, f"{name} must be a whole number, at least 1, got {bad}") for name in WHOLE for bad in (0, 1.5)),
        ({"chains": 1}, "chains must be a whole number, at least 2, got 1"),
        ({"eval_temperatures": 1}, "eval_temperatures must be a whole number, at least 2, got 1"),
        ({"seed": -1}, "seed must be a whole number in 0 <= seed < 2[*][*]63, got -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"seed": 2**63}, "seed must be a whole number"),
        ({"beta": 1.0}, "dvaes_power takes a finite beta > 1, got 1.0"),
        ({"beta": NAN}, "dvaes_power takes a finite beta > 1, got nan"),
        ({"beta": INF, "baseline": "dvaes_exp"}, "dvaes_exp takes a finite beta > 0, got inf"),
        ({"beta": 0.0, "baseline": "dvaes_gauss"}, "dvaes_gauss takes a finite beta > 0"),
        ({"epsilon": 0.0}, "epsilon must lie strictly between 0 and 1"),
        ({"adam_beta1": 1.0}, "adam_beta1 must lie strictly between 0 and 1"),
        ({"adam_beta2": NAN}, "adam_beta2 must lie strictly between 0 and 1"),
        ({"learning_rate": -1e-3}, "learning_rate must be finite and not negative"),
        ({"adam_epsilon": NAN}, "adam_epsilon must be finite and not negative"),
        ({"weight_decay": INF}, "weight_decay must be finite and not negative"),
        ({"warm_up": -0.1}, "warm_up must be finite and not negative"),
        ({"lr_boundaries": (0.5,)}, "one entry less than lr_factors"),
        ({"lr_boundaries": (0.6, 0.02, 0.75, 0.95)}, "lr_boundaries must rise"),
        ({"lr_factors": (0.1, 1, NAN, 0.1, 0.03)}, "finite and not negative"),
        ({"lr_boundaries": (0.1, NAN, 0.3, 0.4)}, "finite and not negative"),
    ],
)
def test_values_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Settings(**given)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *(("lr_factors", value, "a list of numbers") for value in (1.0, "0.1", {0.1: 1}, [1, "0.1"], [1, None])),
        *(("learning_rate", value, "a number") for value in ("0.1", True, [0.1], None)),
        ("dataset", 3, "a text"),
    ],
)
def test_values_of_another_type_are_refused(name, value, said):
    with pytest.raises(ValueError, match=f"{name} must be {said}, got"):
        Settings(**{name: value})


@pytest.mark.parametrize("baseline", [name for name, one in BASELINES.items() if one.law.most < INF])
def test_a_beta_whose_exponential_float32_cannot_hold_is_refused(baseline):
    most = BASELINES[baseline].law.most
    Settings(baseline=baseline, beta=most - 1e-9)
    with pytest.raises(ValueError, match=f"{baseline} takes beta < {most:g}, as float32"):
        Settings(baseline=baseline, beta=most)


def test_the_sampler_is_population_annealing_as_in_the_paper():
    assert (list(SAMPLERS), Settings().sampler) == (["pa", "pcd"], "pa")


def test_ranges_are_not_narrower_than_they_say():
    Settings(baseline="dvaes_exp", beta=0.5)
    Settings(beta=1.0001, warm_up=0, weight_decay=0, learning_rate=0, seed=2**63 - 1, chains=2, eval_temperatures=2)
    Settings(lr_boundaries=(), lr_factors=(1.0,))
    Settings(lr_boundaries=(0.0, 0.5, 0.5), lr_factors=(1, 0.0, 1, 2))


def test_settings_survive_a_file_and_refuse_foreign_ones():
    settings = Settings(dataset="omniglot", struct="4-layer-nonlin", k=25, lr_boundaries=(0.5,), lr_factors=(1, 0.1))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    with pytest.raises(ValueError, match="unknown settings: colour, taste"):
        Settings.from_json(settings.to_json() | {"taste": 1, "colour": 2})
    with pytest.raises(ValueError, match=r"expected settings dataset, struct, .*; dataset, seed missing"):
        Settings.from_json({name: v for name, v in settings.to_json().items() if name not in ("dataset", "seed")})
    with pytest.raises(ValueError, match="expected an object of settings, got list"):
        Settings.from_json([])
    with pytest.raises(ValueError, match="k must be a whole number, at least 1, got '5'"):
        Settings.from_json(settings.to_json() | {"k": "5"})


def test_equal_settings_are_the_same_text():
    """A weight decay of 0 from Python, and of 0.0 from the command line, were other runs to the table."""
    whole = Settings(beta=40, weight_decay=0, warm_up=1, lr_boundaries=(0, 1), lr_factors=[1, 2, 3])
    same = Settings(beta=40.0, weight_decay=0.0, warm_up=1.0, lr_boundaries=(0.0, 1.0), lr_factors=(1.0, 2.0, 3.0))
    assert whole == same
    assert json.dumps(whole.to_json()) == json.dumps(same.to_json())


def test_settings_import_nothing_heavy():
    """The command line reads them before it has anything to show."""
    code = "import sys, dvae_ref.runs.presets; sys.exit(bool({'numpy', 'numba', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
