"""An inverse temperature of 0.97 or 1.03 in the plain example is found, and named, in every quantity that has E(z)."""

import numpy as np
import pytest
from judging import SEEDS, judge, load, representative

from dvae_ref.conformance import case, cases
from dvae_ref.conformance.mistakes import REGISTRY
from dvae_ref.conformance.mistakes.temperatures import MACHINE, PHASE

NAME = "the inverse temperature is not 1"
COLD = [one.name for one in cases() if any(mistake.name == NAME and mistake.concerns(one.name) for mistake in REGISTRY)]
WITH_SAMPLES = ("gibbs", PHASE)  # test_samplers.py, and below
NAMES = [name for name in COLD if representative(name) and name not in WITH_SAMPLES]


def answer(example, given, name, beta, chained=True):
    """The example's outputs at an inverse temperature, gradients in a and W by the chain rule, or not."""
    changed = {key: beta * given[key] for key in MACHINE if key in given}
    found = {key: np.real(value) for key, value in example.ANSWERS[name](given | changed).items()}
    return found | {f"d_{key}": beta * found[f"d_{key}"] for key in changed if chained and f"d_{key}" in found}


LATER = [pytest.param(seed, marks=pytest.mark.release if seed else ()) for seed in SEEDS]


@pytest.mark.parametrize("seed", LATER)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("beta", [0.97, 1.03])
@pytest.mark.parametrize("name", NAMES)
def test_a_temperature_is_found_and_named(kits, example_source, name, beta, dtype, seed):
    """Near a vertex gradients have lost digits, which tell no temperature to rounding: values do."""
    given = case(name, seed).inputs
    theirs = answer(load(example_source), given, name, beta)
    verdict = judge(kits(seed, dtype), name, theirs)
    assert not verdict.passed
    assert {found for one in verdict.diagnoses for found in one.mistakes} == {NAME}
    assert verdict.not_explained == []


@pytest.mark.parametrize("name", ["energy", "log_p_overlapping_exp", "kl_dvae", "own_networks_dvaes_power"])
def test_so_it_is_without_the_chain_rule(kits, example_source, name):
    theirs = answer(load(example_source), case(name).inputs, name, 1.03, chained=False)
    assert {found for one in judge(kits(), name, theirs).diagnoses for found in one.mistakes} == {NAME}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("beta", [0.97, 1.03])
def test_of_the_negative_phase(kits, plain_answers, beta, dtype):
    theirs = {name: beta * value for name, value in plain_answers(0, PHASE).items()}
    verdict = judge(kits(0, dtype), PHASE, theirs)
    assert {found for one in verdict.diagnoses for found in one.mistakes} == {NAME}


def test_of_one_output_alone(kits, example_source, plain_answers):
    """p(right | left) at another temperature than the free energy; merely twice the h of the Ising form is none."""
    warm = answer(load(example_source), case("free_energy").inputs, "free_energy", 1.03)
    theirs = plain_answers(0, "free_energy") | {"p_right": warm["p_right"]}
    (found,) = judge(kits(), "free_energy", theirs).diagnoses
    assert (found.mistakes, found.arrays) == ((NAME,), ("p_right",))
    theirs = plain_answers(0, "ising")
    (found,) = judge(kits(), "ising", theirs | {"h": 2 * theirs["h"]}).diagnoses
    assert found.mistakes == ("a factor of 2",)


def test_it_may_be_in_all_that_has_an_energy():
    """Of the 102 quantities what has none: laws of zeta and q alone, bounds of given numbers, and the optimiser; the
    step of population annealing has a mistake of its own."""
    laws_and_numbers = ("smoothing_", "log_q_", "bound_", "adam", "population_annealing")
    assert all(one.name.startswith(laws_and_numbers) for one in cases() if one.name not in COLD)
    assert not any(name.startswith(laws_and_numbers) for name in COLD)
