"""Real packages against the kit: those that the tests have anyway; and the page of all of them."""

import importlib
import re

import numpy as np
import pytest
from judging import EXAMPLES

from dvae_ref.conformance import case

CLIENTS, PAGE = EXAMPLES / "clients", EXAMPLES.parent / "crosschecks.md"
HERE = ("of_scipy", "of_scikit_learn", "of_dimod")


@pytest.fixture
def client(monkeypatch):
    """client(name): an adapter's module."""
    monkeypatch.syspath_prepend(str(CLIENTS))
    return importlib.import_module


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_package_agrees_and_what_is_turned_around_does_not(client, name, seed):
    for check in client(name).CHECKS:
        one = case(check.quantity, seed)
        outputs = check.answer(one.inputs)
        assert one.check(outputs).passed
        with pytest.raises(AssertionError):
            one.check({array: -np.asarray(value) for array, value in outputs.items()})


def test_the_page_has_every_check_of_every_client():
    """In the order of the files, with what each is expected to look like; and every line to reproduce."""
    page = PAGE.read_text()
    for path in sorted(CLIENTS.glob("of_*.py")):
        source = path.read_text()
        what = re.findall(r'Check\(\s*"(\w+)",\s*"([^"]+)"', source)
        assert what, path
        for quantity, words in what:
            assert f"| `{quantity}` | {words} |" in page
        for lines in re.findall(r'^[A-Z]+ = """\\\n(.*?)"""', source, re.DOTALL | re.MULTILINE):
            assert lines.replace("\\n", "\n") in page
    assert page.endswith((CLIENTS / "notes.txt").read_text())


def test_one_that_does_not_do_what_is_expected_ends_the_page(client, monkeypatch):
    """A package that agrees where it should not, or the other way round, or prints something else."""
    page, checks = client("page_of_clients"), client("checks")
    right = client("of_scikit_learn").CHECKS[0]
    assert page.outcome(right)[0] == "agrees"
    with pytest.raises(RuntimeError, match="agrees; expected"):
        page.outcome(right._replace(looks_like="the opposite sign"))
    with pytest.raises(RuntimeError, match="disagrees"):
        page.outcome(right._replace(answer=lambda i: {"p_right": 0 * i["z"][:, :4]}))
    found = type("client", (), {"FOUND": (checks.Found("two", "print(1 + 1)", "3\n"),), "PACKAGES": ("none",)})
    found.__name__ = "client"
    with pytest.raises(RuntimeError, match="two no longer: it prints 2"):
        list(page.found(found))
