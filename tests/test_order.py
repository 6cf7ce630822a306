"""Tests pass in any order, and in several processes: what a test replaces is back when it ends."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

TESTS = Path(__file__).parent


def replaced_for_too_long(source):
    """Lines with monkeypatch in a block that replaces something itself: undone after the block, it brings that back."""
    blocks = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.With)]
    inside = [node for block in blocks if _replaces(block) for node in ast.walk(block)]
    return sorted(node.lineno for node in inside if _is_patch(node))


def _replaces(block):
    return any(word in ast.unparse(item) for item in block.items for word in ("emulated(", "mock.patch"))


def _is_patch(node):
    return isinstance(node, ast.Attribute) and ast.unparse(node).startswith("monkeypatch.set")


def test_no_patch_outlives_the_block_it_is_made_in():
    found = {path: replaced_for_too_long(path.read_text()) for path in TESTS.glob("**/*.py")}
    assert {str(path): lines for path, lines in found.items() if lines} == {}


def test_control_a_patch_inside_another_is_seen():
    """So the emulator's launch stayed for the tests that came after: seen when files went to two processes."""
    source = "with emulator.emulated():\n    monkeypatch.setattr(device, 'launch', None)\n"
    assert replaced_for_too_long(source) == [2]
    assert replaced_for_too_long(source.replace("monkeypatch.", "patch.")) == []


def test_a_test_that_is_called_after_an_address_is_refused(pytestconfig):
    """As are those of a function, by ids=str: seen by two processes alone, which then refuse to share all others."""
    conftest = pytestconfig.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
    conftest.pytest_collection_modifyitems([SimpleNamespace(nodeid="test_twins.py::test[f]")])
    with pytest.raises(pytest.UsageError, match="1 tests are called after an address in memory, the first test_twins"):
        conftest.pytest_collection_modifyitems([SimpleNamespace(nodeid="test_twins.py::test[<function f at 0x7f>]")])
