"""What the pages say is so: the README's code runs, files that are named are there, imports run downward only."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dvae_ref"

LEAVES = {"arrays", "blas", "lazy", "tree", "fast.threads", "fast.team", "twins"}  # known to everyone
MAY_IMPORT = {
    **dict.fromkeys(LEAVES, LEAVES),
    "theory": {"arrays", "twins", "theory"},
    "fast": LEAVES | {"theory", "fast", "model.layers"},
    "model": LEAVES | {"theory", "model"},
    "sampling": LEAVES | {"theory.boltzmann", "theory.domains", "theory.elementary", "fast", "sampling"},
    "exact": LEAVES | {"theory", "model", "fast.jit", "fast.tasks", "exact"},
    "program": {"program"},
    "files": LEAVES | {"files"},
    "runs": LEAVES | {"theory", "model", "sampling", "files", "program", "runs", "__version__"},
    "table1": {"sampling", "files", "program", "runs", "table1"},
    "conformance": LEAVES | {"theory", "model", "exact", "files", "program", "runs", "conformance", "__version__"},
    "commands": {"fast.jit", "model", "sampling", "files", "program", "runs", "table1"},
    "options": {"runs"},
    "cli": {"blas", "program", "runs", "commands", "conformance", "options", "__version__"},
    "__main__": {"program", "cli"},
    "__init__": {"lazy"},
}


def for_checkers_alone(node):
    """Whether a statement is `if TYPE_CHECKING:`, whose imports never run."""
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def imported(source):
    """Names below dvae_ref that a source imports, wherever in it: "boltzmann", "sampling.ais"."""
    whole = ast.parse(source)
    whole.body = [node for node in whole.body if not for_checkers_alone(node)]
    for node in ast.walk(whole):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("dvae_ref.") for name in names if name.startswith("dvae_ref."))


def layer(module, layers):
    """The layer that "sampling.ais.log_z" is of: its longest beginning in `layers`, or its first part."""
    parts = module.split(".")
    beginnings = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in beginnings if name in layers), parts[0])


def upward(module, source):
    """The imports of a module that MAY_IMPORT does not allow."""
    allowed = MAY_IMPORT[layer(module, MAY_IMPORT)]
    return [name for name in imported(source) if layer(name, allowed) not in allowed]


def test_imports_run_downward_only():
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        assert not upward(module, path.read_text()), path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.autoencoder", "from dvae_ref.theory import bounds\nfrom dvae_ref import exact"),
        ("theory.mixture", "from dvae_ref.model import objective"),
        ("theory.mixture", "from dvae_ref.fast import mixture"),
        ("theory.joint", "from dvae_ref.fast.team import mean"),
        ("model.autoencoder", "from dvae_ref.fast import layers"),
        ("sampling.ais", "from dvae_ref.theory.mean_field import mean_field"),
        ("model.networks", "def f():\n    from dvae_ref.files import writing"),
        ("runs.lifecycle", "import dvae_ref.exact.machines"),
        ("runs.training", "from dvae_ref.table1 import grid"),
        ("files.npz", "from dvae_ref.runs import presets"),
        ("commands", "from dvae_ref.conformance import export"),
        ("conformance.mistakes.machines", "from dvae_ref.sampling import gibbs"),
    ],
)
def test_control_an_import_that_runs_upward_is_seen(module, source):
    assert len(upward(module, source)) == 1


OUTSIDE = {"math", "typing", "contextlib", "dataclasses", "numpy", "scipy", "dvae_ref"}


def outside(source):
    """The packages that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def test_theory_is_numpy_alone():
    """No numba, no threads, no files."""
    for path in (PACKAGE / "theory").glob("*.py"):
        assert set(outside(path.read_text())) <= OUTSIDE, path


@pytest.mark.parametrize("source", ["import numba", "from numba import njit", "def f():\n    import threading"])
def test_control_another_package_in_theory_is_seen(source):
    assert not set(outside(source)) <= OUTSIDE


def test_the_readme_s_python_runs():
    """Its last lines hold log p(zeta), its gradient in the RBM and that in b, of the shapes of the README's machine."""
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[-1]
    names = {}
    exec(code, names)
    assert names["log_p"].shape == (5,)
    assert [leaf.shape for leaf in names["d_rbm"]] == [(7,), (3, 4)]
    assert names["d_b"].shape == (5, 7)


PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
FOLDERS = ("benchmarks", "docs", "dvae_ref", "figures", "handbook", "tests", "validation")
READERS = {"table1_slurm.py"}  # a file that a reader makes


def not_there(text):
    """The Python files that a text names, by their path or its end, and that are nowhere."""
    named = set(re.findall(r"(?<![\w/])[\w/]+\.py\b", text)) - READERS
    there = {f"/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    return sorted(name for name in named if not any(path.endswith(f"/{name}") for path in there))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *PAGES])
def test_files_that_are_named_are_there(document):
    assert not_there((ROOT / document).read_text()) == []


def test_control_a_file_that_is_not_there_is_seen():
    text = (
        "`theory/bounds.py` and `tests/theory/test_smoothing.py`, but `tests/test_smoothing.py` and `theory/bonds.py`"
    )
    assert not_there(text) == ["tests/test_smoothing.py", "theory/bonds.py"]


def twice(paths):
    """The names that several of these files have."""
    return sorted(name for name, times in Counter(path.name for path in paths).items() if times > 1)


def test_no_two_test_files_have_one_name():
    """pytest, which imports them by name, would collect neither."""
    assert twice((ROOT / "tests").rglob("test_*.py")) == []


def test_control_a_name_that_is_there_twice_is_seen():
    assert twice([Path("tests/test_a.py"), Path("tests/files/test_a.py"), Path("tests/test_b.py")]) == ["test_a.py"]
