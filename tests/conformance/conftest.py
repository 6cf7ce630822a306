"""Kits as exported, and the plain NumPy example as the implementation that is checked."""

import json
import types
from pathlib import Path

import pytest

from dvae_ref.conformance import check, vectors
from dvae_ref.conformance.export import export

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SEEDS = (0, 1, 2)


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
def example_source():
    return (EXAMPLES / "conformance_numpy.py").read_text()


def load(source):
    """An example as a module."""
    module = types.ModuleType("example")
    exec(compile(source, "example", "exec"), module.__dict__)
    return module


def entry_of(kit, name):
    (entry,) = (e for e in json.loads((kit / vectors.MANIFEST).read_text())["quantities"] if e["name"] == name)
    return entry


def judge(kit, name, theirs):
    """The Verdict on somebody's outputs for a quantity."""
    entry = entry_of(kit, name)
    return check.check_quantity(entry, vectors.read_ours(kit, entry), theirs)
