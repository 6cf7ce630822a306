"""Words have one meaning in a file, and what a table knows is not spelt out elsewhere."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("dvae_ref", "validation", "figures", "benchmarks", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def is_module(dotted):
    """Is it a module or a package of this tree?"""
    path = ROOT / dotted.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imported_modules(tree):
    """The names under which a file has modules of ours."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    pairs = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for node in froms for alias in node.names]
    return {name for dotted, name in pairs if is_module(dotted)}


def own_names(function):
    """The parameters and local variables of a function or lambda."""
    a = function.args
    parameters = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    stored = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {parameter.arg for parameter in parameters} | set(stored)


def shadowed(source):
    """The modules of ours that a file imports, and hides behind a parameter or a local variable somewhere."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    return sorted(imported_modules(tree) & {name for function in functions for name in own_names(function)})


def test_no_parameter_or_local_hides_a_module():
    found = {str(path.relative_to(ROOT)): shadowed(path.read_text()) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "hiding",
    [
        "def f(ais): ...",
        "def f(*ais): ...",
        "def f():\n    ais = 1",
        "def f():\n    for ais in (): ...",
        "f = lambda ais: 1",
        "def f():\n    return [ais for ais in ()]",
    ],
)
def test_control_one_that_does_is_seen(hiding):
    assert shadowed(f"from dvae_ref.sampling import ais\n{hiding}\n") == ["ais"]
    assert shadowed(f"from dvae_ref.sampling import ais as annealing\n{hiding}\n") == []
    assert shadowed(f"import numpy as ais\n{hiding}\n") == []


def tracked(pattern):
    """The files outside docs/ with a line that fits, by git."""
    git = ["git", "-C", str(ROOT), "grep", "-lE", pattern, "--", "*.py", ":!docs"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        pytest.skip("no git repository here")
    return done.stdout.split()


def test_a_smoothing_is_named_in_few_files():
    """Its table, its record, and tests that transcribe; elsewhere it is reached through these."""
    assert 2 <= len(tracked("un" + "exp")) <= 8  # the longest name, which nothing else contains


def test_no_baseline_is_taken_apart():
    """A name is family_smoothing by custom alone: what a baseline is, its record says."""
    apart = re.compile(r"\.(split|partition)\(\"_\"(, 1)?\)")
    assert [str(path) for path in SOURCES if apart.search(path.read_text())] == []
