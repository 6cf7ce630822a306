"""python -m validation.cuda where numba-cuda is not there, or lacks what the kernels need."""

import sys

import pytest

import validation.cuda
from validation.cuda import __main__ as command


@pytest.fixture(autouse=True)
def _without_its_tables(monkeypatch):
    """As where something that they import is missing, imported before or not."""
    monkeypatch.setitem(sys.modules, "validation.cuda.tables", None)
    monkeypatch.delattr(validation.cuda, "tables", raising=False)


def test_it_says_what_to_install():
    with pytest.raises(SystemExit, match=r"needs numba-cuda and nvdisasm: pip install '\.\[cuda,sass\]'"):
        command.main([])


def test_its_help_needs_nothing(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    assert "docs/cuda.md" in capsys.readouterr().out
