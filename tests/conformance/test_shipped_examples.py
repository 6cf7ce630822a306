"""The shipped examples as their users run them: scripts, that import nothing of dvae_ref."""

import ast
import gzip
import json
import re
import shutil
import subprocess
import sys

import planted_torch
import pytest
from judging import EXAMPLES

from dvae_ref import cli
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.mistakes import REGISTRY
from dvae_ref.conformance.pairs import JOINED

SCRIPTS = sorted(EXAMPLES.glob("conformance_*.py"))


def test_the_example_of_pytorch_passes(kits, tmp_path):
    """That of NumPy is run as it is documented, below."""
    pytest.importorskip("torch", reason="this example is of PyTorch, which no extra of the tests installs")
    subprocess.run([sys.executable, EXAMPLES / "conformance_torch.py", kits(5), tmp_path], check=True, timeout=300)
    names = [path.stem for path in tmp_path.glob("*.npz")]
    assert len(names) >= 40
    assert cli.main(["conformance", "check", str(kits(5)), str(tmp_path), "--only", *names]) == 0


@pytest.mark.skipif(not shutil.which("node"), reason="this example needs Node")
@pytest.mark.parametrize(
    ("old", "new", "said"), [("", "", ""), ("-linear - sum", "-linear + sum", "the couplings have")]
)
def test_the_example_of_javascript(one_file, tmp_path, capsys, old, new, said):
    """As it is, and with a sign turned."""
    source = (EXAMPLES / "conformance_javascript.mjs").read_text()
    assert old in source
    (tmp_path / "script.mjs").write_text(source.replace(old, new))
    theirs = tmp_path / "theirs.json"
    subprocess.run(["node", tmp_path / "script.mjs", one_file, theirs], check=True, timeout=60)
    code = cli.main(["conformance", "check", str(one_file), str(theirs)])
    assert code == bool(said)
    out = capsys.readouterr().out
    assert said in out
    assert out.splitlines()[-1].startswith("1 of 5 quantities disagree" if said else "all 5 quantities agree")


MY_ENERGY = """export function myEnergy({ a, W, z }) {
  const d = a.length, n = d / 2, energies = [];
  for (let r = 0; r < z.length; r += d) {
    let energy = 0;
    for (let i = 0; i < d; i++) energy -= a[i] * z[r + i];
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) energy -= z[r + i] * W[i * n + j] * z[r + n + j];
    energies.push(energy);
  }
  return energies;
}
"""


@pytest.mark.skipif(not shutil.which("node"), reason="this block of the page needs Node")
@pytest.mark.parametrize(("old", "new", "said"), [("", "", ""), ("energy -= z", "energy += z", "the couplings have")])
def test_the_documented_javascript(one_file, tmp_path, capsys, old, new, said):
    """The page's block with an energy of one's own, right and with a sign turned."""
    (block,) = re.findall(r"```js\n(.*?)```", (EXAMPLES.parent / "conformance.md").read_text(), re.DOTALL)
    (tmp_path / "mine.mjs").write_text(MY_ENERGY.replace(old, new))
    (tmp_path / "page.mjs").write_text(block)
    shutil.copy(one_file, tmp_path / "kit.json")
    subprocess.run(["node", "page.mjs"], cwd=tmp_path, check=True, timeout=60)
    code = cli.main(["conformance", "check", str(one_file), str(tmp_path / "theirs.json"), "--only", "energy"])
    assert code == bool(said)
    assert said in capsys.readouterr().out


@pytest.fixture(scope="module")
def one_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("kit") / "kit.json"
    assert cli.main(["conformance", "export", str(path), "--format", "json"]) == 0
    return path


def test_a_kit_in_one_file_is_small_and_the_same(one_file, kits, tmp_path, capsys):
    """Below 1.5 MB compressed; the same arrays as npz; and what is in it agrees with itself."""
    assert len(gzip.compress(one_file.read_bytes())) < 1.5e6
    manifest = json.loads(one_file.read_text())
    theirs = {entry["name"]: entry["values"] for entry in manifest["quantities"]}
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    assert cli.main(["conformance", "check", str(kits()), str(tmp_path / "theirs.json")]) == 0
    theirs["energy"] = {"energy": ["a"]}
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    assert cli.main(["conformance", "check", str(one_file), str(tmp_path / "theirs.json")]) == 1
    assert "energy must be an array of real numbers" in capsys.readouterr().out
    del manifest["quantities"][0]["values"]["W"]
    (tmp_path / "kit.json").write_text(json.dumps(manifest))
    with pytest.raises(SystemExit, match="2"):
        cli.main(["conformance", "check", str(tmp_path / "kit.json"), str(tmp_path / "theirs.json")])
    assert "kit.json is damaged: the values of energy, W" in capsys.readouterr().err


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_knows_nothing_of_dvae_ref(script):
    modules = set()
    for node in ast.walk(ast.parse(script.read_text())):
        modules |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        modules |= {node.module} if isinstance(node, ast.ImportFrom) else set()
    assert modules
    assert not {name for name in modules if name.startswith("dvae_ref")}


def test_every_planted_deviation_of_pytorch_still_has_its_place():
    """Whether or not PyTorch is here to run it."""
    source = (EXAMPLES / "conformance_torch.py").read_text()
    for one in planted_torch.PLANTED:
        assert all(old in source for old, _ in one.edits), one.name
        assert {name for name in one.name.split(JOINED)} <= {mistake.name for mistake in REGISTRY}


def test_both_examples_are_there():
    assert [script.stem for script in SCRIPTS] == ["conformance_numpy", "conformance_torch"]


def test_the_documented_commands_run(documented, kits):
    """And export the same bytes in another process."""
    assert len(documented.commands) == 4
    assert documented.said[-2:] == [f"all {len(QUANTITIES)} quantities agree", "all 7 quantities agree"]
    for path in kits().iterdir():
        assert (documented.kit / path.name).read_bytes() == path.read_bytes()


def test_the_documented_code_runs(monkeypatch):
    text = (EXAMPLES.parent / "conformance.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "@mistake" in block)
    monkeypatch.setattr("dvae_ref.conformance.mistakes.registry.REGISTRY", registry := [])
    exec(code, {})
    assert [one.name for one in registry] == ["the biases are left out"]
