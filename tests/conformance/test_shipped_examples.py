"""The shipped examples as their users run them: scripts, that import nothing of dvae_ref."""

import ast
import re
import shlex
import subprocess
import sys

import pytest
from judging import EXAMPLES

SCRIPTS = sorted(EXAMPLES.glob("conformance_*.py"))


def test_the_example_of_pytorch_passes(kits, tmp_path):
    """That of NumPy is run as it is documented, below."""
    pytest.importorskip("torch", reason="this example is of PyTorch, which no extra of the tests installs")
    from dvae_ref import cli

    subprocess.run([sys.executable, EXAMPLES / "conformance_torch.py", kits(5), tmp_path], check=True, timeout=300)
    names = [path.stem for path in tmp_path.glob("*.npz")]
    assert len(names) >= 40
    assert cli.main(["conformance", "check", str(kits(5)), str(tmp_path), "--only", *names]) == 0


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


def test_the_documented_commands_and_code_run(tmp_path, monkeypatch):
    """In the order of docs/conformance.md, from the root of the repository as it says, into a folder of our own."""
    text = (EXAMPLES.parent / "conformance.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 4
    folders = {name: str(tmp_path / name) for name in ("kit", "theirs")}
    for command in commands:
        python, *arguments = (folders.get(word, word) for word in shlex.split(command))
        assert python == "python"
        done = subprocess.run([sys.executable, *arguments], cwd=EXAMPLES.parents[1], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all 6 quantities agree"
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "@mistake" in block)
    monkeypatch.setattr("dvae_ref.conformance.mistakes.registry.REGISTRY", registry := [])
    exec(code, {})
    assert [one.name for one in registry] == ["the biases are left out"]
