"""What the tests of the kit share: seeds, an example as a module, a verdict on somebody's outputs."""

import functools
import json
import types
from fnmatch import fnmatch
from pathlib import Path

from dvae_ref.conformance import check, vectors

REPRESENTATIVE = "objective_*_2nonlin_k3"  # of the eight variants of an objective
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SEEDS = (0, 1, 2)


def representative(name):
    """Is it no objective, or the variant that stands for them where all would take too long?"""
    return not name.startswith("objective") or fnmatch(name, REPRESENTATIVE)


def load(source):
    """An example as a module."""
    module = types.ModuleType("example")
    exec(compile(source, "example", "exec"), module.__dict__)
    return module


@functools.cache
def entries(kit):
    """A kit's entries by name; of kits that stay as they are."""
    return {entry["name"]: entry for entry in json.loads((kit / vectors.MANIFEST).read_text())["quantities"]}


def entry_of(kit, name):
    return entries(kit)[name]


def judge(kit, name, theirs):
    """The Verdict on somebody's outputs for a quantity."""
    entry = entry_of(kit, name)
    return check.check_quantity(entry, vectors.read_ours(kit, entry), theirs)
