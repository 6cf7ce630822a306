"""All planted deviations are found, all but four at most named rightly, none wrongly: three seeds, both dtypes."""

import functools
import re

import numpy as np
import planted_torch
import pytest
from judging import EXAMPLES, SEEDS, judge, load, representative
from planted import PLANTED

from dvae_ref.conformance import case
from dvae_ref.conformance.pairs import JOINED


def changed(source, planted):
    """The example with a deviation in it."""
    for old, new in planted.edits:
        assert old in source, planted.name
        source = source.replace(old, new)
    return load(source)


def outcome(kit, planted, theirs):
    """(found, named rightly, named wrongly, names)"""
    verdict = judge(kit, planted.quantity, theirs)
    names = {frozenset(name.split(JOINED)) for one in verdict.diagnoses for name in one.mistakes}
    right = frozenset(planted.name.split(JOINED))
    return not verdict.passed, right in names, names and right not in names, names


def counted(kits, deviations, seed, dtype, answer):
    """answer(planted, kit) -> outputs of the example with that deviation."""
    chosen = [one for one in deviations if one.single or dtype == "float64"]
    kit = functools.partial(kits, seed, dtype)
    found = {}
    for one in chosen:
        folder = kit(whole=not representative(one.quantity))
        with np.errstate(all="ignore"):
            found[one] = outcome(folder, one, answer(one, folder))
    missed = [one.name for one, (seen, *_) in found.items() if not seen]
    unnamed = [(one.name, one.quantity) for one, (_, right, *_) in found.items() if not right]
    wrong = [(one.name, one.quantity, names) for one, (_, _, wrong, names) in found.items() if wrong]
    return missed, unnamed, wrong


CASES = [
    pytest.param(seed, dtype, marks=pytest.mark.slow if (seed, dtype) == (0, "float64") else pytest.mark.release)
    for seed in SEEDS
    for dtype in ("float64", "float32")
]


@pytest.mark.parametrize(("seed", "dtype"), CASES)
def test_planted_deviations_are_found_and_named(kits, example_source, seed, dtype):
    def answer(planted, kit):
        return changed(example_source, planted).answer(kit, planted.quantity)

    missed, unnamed, wrong = counted(kits, PLANTED, seed, dtype, answer)
    assert len(PLANTED) >= 40
    assert missed == []
    assert wrong == []
    assert len(unnamed) <= 4, unnamed


def test_the_page_says_how_many_there_are():
    page = (EXAMPLES.parent / "conformance.md").read_text()
    plain = re.search(r"The (\d+) deviations planted in the plain example .* at\s+least (\d+) of them", page, re.DOTALL)
    (in_pytorch,) = re.findall(r"So are (\d+) in the PyTorch example", page)
    assert plain.groups() == (str(len(PLANTED)), str(len(PLANTED) - 4))
    assert int(in_pytorch) == len(planted_torch.PLANTED)


@pytest.mark.release
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_those_in_pytorch_are_found_and_named(kits, seed, dtype):
    torch = pytest.importorskip("torch", reason="this example is of PyTorch, which no extra of the tests installs")
    source = (EXAMPLES / "conformance_torch.py").read_text()

    def answer(planted, kit):
        inputs = case(planted.quantity, seed, dtype).inputs
        given = {name: torch.as_tensor(value) for name, value in inputs.items()}
        outputs = changed(source, planted).ANSWERS[planted.quantity](given)
        return {name: value.detach().numpy() for name, value in outputs.items()}

    missed, unnamed, wrong = counted(kits, planted_torch.PLANTED, seed, dtype, answer)
    assert len(planted_torch.PLANTED) >= 40
    assert (missed, wrong) == ([], [])
    assert len(unnamed) <= 4, unnamed
