"""Kits as exported, and the source of the plain NumPy example, the implementation that is checked."""

import functools

import pytest
from judging import EXAMPLES, load

from dvae_ref.conformance.export import export


@pytest.fixture(scope="session")
def kits(tmp_path_factory):
    """kits(seed, dtype): the folder of that kit, exported once."""
    root, made = tmp_path_factory.mktemp("kits"), {}

    def kit(seed=0, dtype="float64"):
        if (seed, dtype) not in made:
            made[seed, dtype] = root / f"{seed}-{dtype}"
            export(made[seed, dtype], seed, dtype)
        return made[seed, dtype]

    return kit


@pytest.fixture(scope="session")
def plain_answers(kits, example_source):
    """plain_answers(seed, name): the example's outputs, computed once."""
    return functools.cache(lambda seed, name: load(example_source).answer(kits(seed), name))


@pytest.fixture(scope="session")
def example_source():
    return (EXAMPLES / "conformance_numpy.py").read_text()
