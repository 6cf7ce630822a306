"""Numbers that are wrong in no particular way fail, and have no name: no mistake with a number to guess fits them."""

import numpy as np
import pytest

from dvae_ref.conformance import cases, quantity, tolerances, verdict


def one_number(rng, value):
    value.flat[rng.integers(value.size)] += 0.3 + rng.random()


def noise(rng, value):
    value += 0.1 * rng.standard_normal(value.shape)


def factors(rng, value):
    value *= rng.uniform(1.05, 3, value.shape)
    value += 0.01 * rng.standard_normal(value.shape)


@pytest.mark.parametrize("spoil", [one_number, noise, factors])
@pytest.mark.parametrize(
    "one", [one for one in cases() if not one.name.startswith("objective")], ids=lambda one: one.name
)
def test_wrong_in_no_particular_way(one, spoil):
    ours, allowed = quantity.outputs(one.quantity, one.inputs), tolerances.estimate(one.quantity, 0, np.float64)
    rng = np.random.default_rng(5)
    for chosen in ([next(iter(ours))], [*ours]):
        theirs = {name: value.astype(float) for name, value in ours.items()}
        for name in chosen:
            spoil(rng, theirs[name].reshape(-1))
        for given in (theirs, {name: theirs[name] for name in chosen}):
            found = verdict.judge(one.quantity, one.inputs, ours, allowed, given, seconds=0.05)
            assert {finding.array for finding in found.findings if not finding.passed} == set(chosen)
            assert found.diagnoses == []
