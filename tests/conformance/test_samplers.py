"""Samplers that are a little wrong: each is rejected, by its spins alone, too, and named."""

import pytest
from judging import SEEDS, judge, load

TEMPERATURE, OFFSET = "the inverse temperature is not 1", "something is added to every probability"
WRONG = {
    "sigmoid(0.97 * ({}))": TEMPERATURE,
    "sigmoid(1.03 * ({}))": TEMPERATURE,
    "sigmoid({}) + 0.002": OFFSET,
    "sigmoid({}) - 0.002": OFFSET,
    "sigmoid({}).clip(0.01, 0.99)": "probabilities are clipped away from 0 and 1",
}
FIELDS = ("a[n:] + left @ W", "a[:n] + right @ W.T")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("formula", WRONG)
def test_a_sampler_with_other_probabilities_is_named(kits, example_source, formula, seed):
    source = example_source
    for which, field in zip(("p_right", "p_left"), FIELDS, strict=True):
        right = f"{which} = sigmoid({field})"
        assert right in source
        source = source.replace(right, f"{which} = {formula.format(field)}")
    theirs = load(source).answer(kits(seed), "gibbs")
    for names in (("p", "z_after"), ("p",), ("z_after",)):
        verdict = judge(kits(seed), "gibbs", {name: theirs[name] for name in names})
        assert not verdict.passed
        assert {name for one in verdict.diagnoses for name in one.mistakes} == {WRONG[formula]}
