"""What the commands print, and what an export of a few quantities leaves."""

import json

import pytest

from dvae_ref.cli import main
from dvae_ref.conformance import commands, export, vectors
from dvae_ref.conformance.catalogue import QUANTITIES


@pytest.fixture
def two(monkeypatch):
    """A catalogue of two quantities."""
    few = {name: QUANTITIES[name] for name in ("energy", "adam")}
    monkeypatch.setattr(commands, "QUANTITIES", few)
    monkeypatch.setattr(export, "QUANTITIES", few)


@pytest.mark.parametrize(("form", "what"), [("npz", " and manifest.json"), ("json", "")])
def test_an_export_says_what_it_wrote(two, tmp_path, capsys, form, what):
    where = tmp_path / "kit"
    assert main(["conformance", "export", str(where), "--format", form, "--seed", "0"]) == 0
    assert capsys.readouterr().out == f"wrote 2 quantities{what} to {where}\n"
    assert [entry["name"] for entry in vectors.read_manifest(where)["quantities"]] == ["energy", "adam"]


def test_the_progress_is_counted(two, tmp_path):
    found = []
    export.export(tmp_path, 0, "float64", found.append)
    assert found == ["energy", "adam"]


def test_an_entry_of_the_manifest(tmp_path):
    """Inputs first; what an output is, and how far off it may be."""
    entry = export.export_quantity(tmp_path, QUANTITIES["energy"], 0, "float32")
    assert entry["flags"] == {"on-vertex": [0], "square": [0]}
    arrays = {array["name"]: array for array in entry["arrays"]}
    roles = {name: array["role"] for name, array in arrays.items()}
    inputs = dict.fromkeys(("a", "W", "z", "cotangent"), "input")
    assert roles == inputs | {"energy": "output", "d_a": "gradient", "d_W": "gradient", "d_z": "gradient"}
    assert arrays["W"] == {
        "name": "W",
        "role": "input",
        "meaning": "couplings of the machine, (left, right)",
        "shape": [4, 4],
        "dtype": "float32",
    }
    assert arrays["energy"]["meaning"].startswith("E(z)")
    assert set(arrays["energy"]) - set(arrays["W"]) == {"tolerance"}
    json.dumps(entry)


def test_a_description_is_100_characters_wide():
    widths = []
    for item in QUANTITIES.values():
        words = commands.description(item).partition("  inputs:")[0].splitlines()[1:]
        assert all(line.startswith("  ") for line in words)
        widths.append(max(map(len, words)))
    assert max(widths) == 100


def test_a_description_lists_the_arrays():
    lines = commands.description(QUANTITIES["energy"]).splitlines()
    assert lines[0] == "energy  (Sec. 2)"
    assert lines[lines.index("  inputs:") + 1].split()[:2] == ["a", "(8,)"]
    assert lines[lines.index("  outputs:") + 1].split()[:2] == ["energy", "(6,)"]
    assert lines[-1].startswith("    d_z                              (6, 8)     gradient in z")
