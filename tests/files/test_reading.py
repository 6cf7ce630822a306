"""The door for bytes, lines and JSON: values, or a ValueError that names the file."""

import ast
import math
import os
from pathlib import Path

import hostile
import pytest

from dvae_ref.files import reading


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1, 2.5, -1e300, true, null, "\xc3\x9f"]}', {"a": [1, 2.5, -1e300, True, None, "ß"]}),
        (b" 7 \n", 7),
        (b"1e-400", 0.0),
        (b"[" * 500 + b"]" * 500, None),
    ],
)
def test_json_is_read(tmp_path, text, value):
    (tmp_path / "a.json").write_bytes(text)
    found = reading.json_file(tmp_path / "a.json")
    assert value is None or found == value


@pytest.mark.parametrize("kind", hostile.JSON)
def test_what_is_no_strict_json_is_a_value_error_that_names_the_file(tmp_path, kind):
    path = tmp_path / "evaluation.json"
    path.write_bytes(hostile.JSON[kind])
    with pytest.raises(ValueError, match=r"evaluation\.json is (damaged or )?no JSON") as error:
        reading.json_file(path)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 500 + len(str(path))


def test_a_constant_may_be_allowed():
    assert reading.json_value('{"best": Infinity}', "a", {"Infinity": math.inf}) == {"best": math.inf}
    with pytest.raises(ValueError, match=r"a is damaged or no JSON \(-Infinity is no number of JSON"):
        reading.json_value('{"best": -Infinity}', "a", {"Infinity": math.inf})


ROOT = Path(__file__).parents[2]
PARSERS = {  # calls that make something of bytes that may be anybody's, and where they may stand: behind the doors
    "json.loads": {"reading.py", "checkpoints.py", "report.py"},
    "json.load": set(),
    "np.load": set(),
    "np.fromfile": set(),
    "np.loadtxt": set(),
    "np.genfromtxt": set(),
    "scipy.io.loadmat": {"image_files.py"},
    "gzip.open": set(),
    "gzip.decompress": set(),
    "zipfile.ZipFile": {"npz.py", "vectors.py"},
    "pickle.load": set(),
    "pickle.loads": {"jit.py"},  # numba's own cache, whose digest is compared first
    "np.lib.format.read_array": {"npz.py"},
}


def calls(source):
    """The dotted names that a source calls."""
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


def test_there_is_no_other_door():
    """The two json.loads elsewhere read texts that the same function has just written."""
    paths = [path for folder in ("dvae_ref", "figures", "validation") for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 100
    for path in paths:
        outside = [name for name in calls(path.read_text()) & PARSERS.keys() if path.name not in PARSERS[name]]
        assert not outside, path


def test_control_another_door_is_seen():
    assert calls("def f():\n    with np.load(p) as a: json.loads(p.read_text())") >= {"np.load", "json.loads"}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("read", [reading.json_file, reading.lines, lambda path: reading.tail(path, 10)])
def test_what_might_never_answer_is_not_opened(tmp_path, make, read):
    make(tmp_path / "a")
    with pytest.raises(ValueError, match=r"a is truncated or no .* \(it is no regular file\)"):
        read(tmp_path / "a")


def test_files_of_lines_and_their_ends(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"one\ntwo\nthree")
    assert list(reading.lines(path)) == [(1, b"one"), (2, b"two"), (3, b"three")]
    assert reading.tail(path, 5) == b"three"
    assert reading.tail(path, 100) == b"one\ntwo\nthree"
    monkeypatch.setattr(reading, "MOST_LINES", 12)
    with pytest.raises(ValueError, match=r"metrics\.jsonl is no file of lines: 13 bytes, expected 12 at most"):
        reading.lines(path)
    with pytest.raises(FileNotFoundError):
        reading.tail(tmp_path / "absent", 5)
