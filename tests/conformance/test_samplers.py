"""Samplers that are a little wrong: each is rejected, by its spins or copies alone, too, and named."""

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


STEP, COPIES = 'np.exp(-i["step"]', 'i["u"] < tau - np.floor(tau)'
OTHER_STEP = "the step of the inverse temperature is another"
ANNEALING = {  # (edit, the mistake, whether tau is wrong as well)
    "0.97": ((STEP, 'np.exp(-0.97 * i["step"]'), OTHER_STEP, True),
    "1.03": ((STEP, 'np.exp(-1.03 * i["step"]'), OTHER_STEP, True),
    "+0.002": ((COPIES, f"{COPIES} + 0.002"), "something is added to the probability of one copy more", False),
    "-0.002": ((COPIES, f"{COPIES} - 0.002"), "something is added to the probability of one copy more", False),
    "rounded": (("np.floor(tau) + (", "np.round(tau) + 0 * ("), "tau is rounded to copies, without u", False),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", ANNEALING)
def test_population_annealing_a_little_off_is_named(kits, example_source, case, seed):
    (old, new), mistake, in_tau = ANNEALING[case]
    assert old in example_source
    theirs = load(example_source.replace(old, new)).answer(kits(seed), "population_annealing")
    for names in (("tau", "copies"), ("copies",)) if in_tau else (("copies",),):
        verdict = judge(kits(seed), "population_annealing", {name: theirs[name] for name in names})
        assert not verdict.passed
        assert {name for one in verdict.diagnoses for name in one.mistakes} == {mistake}
