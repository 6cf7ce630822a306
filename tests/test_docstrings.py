"""Docstrings: every public function, class and method has one, and their examples run."""

import ast
import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
from docstring_contents import PUBLIC, SAID, counts, missing, public_functions

EXAMPLES = 41  # as many as there are, so that none is lost unnoticed
FLOORS = {  # how many functions say what; see docstring_contents.py
    **{"formula": 298, "source": 206, "shapes": 284, "units": 178, "domain": 208, "errors": 124, "accuracy": 162},
    **{"page": 264, "example": 38},
}


def without_docstring(source, inherits=lambda name: False):
    """The public functions, classes and methods of a source that have none, and inherit none."""
    found = []

    def look(body, prefix):
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            name = prefix + node.name
            if not ast.get_docstring(node) and not inherits(name):
                found.append(name)
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{name}.")

    look(ast.parse(source).body, "")
    return found


def inherited(module):
    """Whether a method, by its dotted name, has its docstring from a base class."""

    def inherits(name):
        value = module
        for part in name.split("."):
            value = getattr(value, part)
        return "." in name and not inspect.isclass(value) and bool(inspect.getdoc(value))

    return inherits


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_explained(name):
    module = importlib.import_module(f"dvae_ref.{name}")
    assert without_docstring(Path(module.__file__).read_text(), inherited(module)) == []
    assert inspect.getdoc(module)


def test_control_what_has_none_is_seen():
    source = 'class A:\n    """It."""\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...\nclass B: ...\n'
    assert without_docstring(source) == ["A.f", "h", "B"]


def examples(name):
    """The examples in a module's docstrings."""
    module = importlib.import_module(f"dvae_ref.{name}")
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_give_what_they_say(name):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in examples(name):
        runner.run(test)
    assert runner.failures == 0


def test_examples_are_found():
    assert sum(len(examples(name)) for name in PUBLIC) == EXAMPLES


# -- what they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["shapes", "units", "errors"])
def test_what_a_function_owes_it_says(what):
    """The shapes of its arrays, the units of a logarithm, the errors that it raises."""
    assert missing(list(public_functions()), what) == []


def test_no_docstring_says_less_than_it_did():
    found = counts(list(public_functions()))
    assert found.keys() == FLOORS.keys() == SAID.keys()
    assert {what: number for what, number in found.items() if number < FLOORS[what]} == {}


def test_control_what_is_not_said_is_seen():
    function = next(f for f in public_functions() if (f.module, f.name) == ("sampling.ais", "log_z_batch"))
    silent = function._replace(own="It is.", around="")
    assert [missing([function], what) for what in ("shapes", "units", "errors")] == [[], [], []]
    assert [missing([silent], what) for what in ("shapes", "units", "errors")] == [["sampling.ais.log_z_batch"]] * 3
    assert set(counts([silent]).values()) == {0}


def test_pages_that_are_named_are_there():
    root = Path(__file__).parent.parent
    texts = {f"{f.own} {f.around}" for f in public_functions()}
    pages = {page for text in texts for page in re.findall(r"\b(\d\d-[a-z-]+\.md)", text)}
    assert len(pages) == 9
    assert [page for page in pages if not (root / "docs/derivations" / page).exists()] == []


# -- help(): what ten functions take and return, in what units, what they raise ---------------------------------------

TEN = {
    "theory.boltzmann.energy": ("nats", "-> (...,)", "D"),
    "theory.overlapping.log_p": ("nats", "(N, D) -> (N,)", "lower bound"),
    "theory.mixture.log_q": ("nats", "(N, D) -> (N,)", "r_max"),
    "theory.bounds.importance_weighted": ("nats", "(B, K) -> (B,)", "weights"),
    "exact.machines.log_z": ("nats", "RBM", "ValueError"),
    "sampling.ais.log_z": ("AISResult", "temperatures", "TypeError"),
    "sampling.pcd.init": ("D_left, D_right", "RBM", "ValueError"),
    "model.autoencoder.objective": ("nats", "(B, V) -> (B,)", "ValueError"),
    "runs.library.train": ("nats", "(N, V)", "ValueError"),
    "runs.library.load_run": ("Trained", "best", "ValueError"),
}


@pytest.mark.parametrize("name", TEN)
def test_help_answers(name):
    module, _, function = name.rpartition(".")
    text = " ".join(inspect.getdoc(getattr(importlib.import_module(f"dvae_ref.{module}"), function)).split())
    assert [word for word in TEN[name] if word not in text] == []
