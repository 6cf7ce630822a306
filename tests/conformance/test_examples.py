"""The shipped examples as their users run them: scripts, that import nothing of dvae_ref."""

import ast
import subprocess
import sys

import pytest
from conftest import EXAMPLES

SCRIPTS = sorted(EXAMPLES.glob("conformance_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [0, 5])
def test_an_example_passes(kits, tmp_path, script, seed):
    if "torch" in script.stem:
        pytest.importorskip("torch", reason="this example is of PyTorch, which no extra of the tests installs")
    from dvae_ref import __main__

    subprocess.run([sys.executable, script, kits(seed), tmp_path], check=True, timeout=300)
    names = [path.stem for path in tmp_path.glob("*.npz")]
    assert len(names) >= 10
    assert __main__.main(["conformance", "check", str(kits(seed)), str(tmp_path), "--only", *names]) == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_knows_nothing_of_dvae_ref(script):
    modules = set()
    for node in ast.walk(ast.parse(script.read_text())):
        modules |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        modules |= {node.module} if isinstance(node, ast.ImportFrom) else set()
    assert modules
    assert not {name for name in modules if name.startswith("dvae_ref")}


def test_both_examples_are_there():
    assert [script.stem for script in SCRIPTS] == ["conformance_numpy", "conformance_torch"]
