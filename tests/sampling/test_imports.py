"""Modules of sampling/ know each other in one direction, imports inside of functions included."""

import ast
import graphlib
from pathlib import Path

import pytest

import dvae_ref.sampling

FOLDER = Path(dvae_ref.sampling.__file__).parent
PACKAGE = "dvae_ref.sampling"


def known(source, names):
    """The modules among `names` that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & set(names)


def sources():
    """{module: its source}, packages left out."""
    paths = [path for path in FOLDER.rglob("*.py") if path.name != "__init__.py"]
    parts = {path: path.relative_to(FOLDER).with_suffix("").parts for path in paths}
    return {".".join((PACKAGE, *parts[path])): path.read_text(encoding="utf-8") for path in paths}


def order(sources):
    """The modules, each after those that it knows; graphlib.CycleError if there is no such order."""
    return list(
        graphlib.TopologicalSorter({name: known(text, sources) for name, text in sources.items()}).static_order()
    )


def test_there_are_no_circles():
    found = order(sources())
    assert len(found) > 15
    assert found.index(f"{PACKAGE}.cuda.gibbs") < found.index(f"{PACKAGE}.gibbs")
    assert found.index(f"{PACKAGE}.cuda.resampling") < found.index(f"{PACKAGE}.population")


def test_control_a_circle_is_seen():
    text = sources()
    text[f"{PACKAGE}.cuda.resampling"] += "\ndef f():\n    from dvae_ref.sampling import population\n"
    with pytest.raises(graphlib.CycleError):
        order(text)
