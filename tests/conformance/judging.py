"""What the tests of the kit share: seeds, an example as a module, a verdict on somebody's outputs."""

import json
import types
from pathlib import Path

from dvae_ref.conformance import check, vectors

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SEEDS = (0, 1, 2)


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
