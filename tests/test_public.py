"""The package from outside: names that editors and mypy see are those that there are, and print in a few lines."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docstring_contents import public_functions

import dvae_ref
from dvae_ref import lazy
from dvae_ref.runs import training
from dvae_ref.runs.evaluation import Likelihood
from dvae_ref.sampling import ais
from dvae_ref.theory.boltzmann import RBM

ROOT = Path(__file__).parent.parent
LAZY = ("dvae_ref", "dvae_ref.model", "dvae_ref.sampling")


def for_checkers(source):
    """{name: module} of the imports under `if TYPE_CHECKING:`."""
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    imports = [node for block in blocks for node in block.body]
    return {alias.asname: f"{node.module}.{alias.name}" for node in imports for alias in node.names}


@pytest.mark.parametrize("name", LAZY)
def test_what_a_checker_sees_is_what_there_is(name):
    package = importlib.import_module(name)
    seen = for_checkers(Path(package.__file__).read_text())
    assert sorted(seen) == package.__all__
    assert set(package.__all__) <= set(dir(package))
    for public, path in seen.items():
        module, _, attribute = path.rpartition(".")
        found = getattr(package, public)
        assert found is (sys.modules.get(path) or getattr(importlib.import_module(module), attribute)), public
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_control_a_name_too_few_is_seen():
    source = (
        Path(dvae_ref.__file__).read_text().replace("    from dvae_ref.model.methods import method as method\n", "")
    )
    assert sorted(for_checkers(source)) != dvae_ref.__all__


def test_modules_are_reached_by_attributes_alone():
    """In a fresh process: `dvae_ref.sampling.ais` after `import dvae_ref`, which itself loads no NumPy."""
    code = """
import sys, dvae_ref
assert "numpy" not in sys.modules
assert "ais" in dir(dvae_ref.sampling) and "objective" in dir(dvae_ref.model) and "load_run" in dir(dvae_ref)
print(dvae_ref.sampling.ais.log_z.__name__, dvae_ref.model.priors.__name__)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("log_z dvae_ref.model.priors\n", "")


@pytest.mark.parametrize(
    ("package", "name", "said"),
    [
        (dvae_ref, "Powr", "; did you mean Power?"),
        (dvae_ref, "lod_run", "; did you mean load_run?"),
        (dvae_ref, "conformance", "; it is a module of its own: import dvae_ref.conformance"),
        (dvae_ref.sampling, "AIS", "; did you mean ais?"),
        (dvae_ref, "qqq", "has no attribute 'qqq'"),
    ],
)
def test_a_name_that_is_elsewhere_is_told(package, name, said):
    with pytest.raises(AttributeError) as caught:
        lazy.names(package.__name__, {}, package.__all__)[0](name)  # as if no module of it were loaded yet
    assert str(caught.value).endswith(said)


def test_lists_and_tables_of_modules_are_both_taken():
    find, listed, public = lazy.names("dvae_ref.sampling", {"ais": ("log_z",)}, ["ais"], dunder=["__x__"])
    assert (find("log_z"), find("ais"), listed(), public) == (
        ais.log_z,
        ais,
        ["ais", "log_z", "__x__"],
        ["ais", "log_z"],
    )


# -- mypy -------------------------------------------------------------------------------------------------------------


def mypy(tmp_path, lines):
    """mypy's answer to a file of a user of the package."""
    pytest.importorskip("mypy", reason="needs mypy: pip install '.[test]'")
    path = tmp_path / "user.py"
    path.write_text("\n".join(lines))
    options = ["--follow-imports=silent", "--strict", "--cache-dir", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "mypy", *options, str(path)]
    environment = os.environ | {"MYPYPATH": str(ROOT)}  # mypy does not follow the finders of editable installations
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    return done.returncode, done.stdout + done.stderr


def functions_by_module():
    """{module: its public functions and methods}."""
    found = {}
    for function in public_functions():
        found.setdefault(function.module, []).append(function.name)
    return found


def every_name():
    """A file that uses every public name, function and method."""
    yield "import dvae_ref"
    for name in LAZY:
        public = importlib.import_module(name).__all__
        yield from (f"print({name}.{one})" for one in public)
        yield from (f"from {name} import {one}" for one in public if name == "dvae_ref")
    for number, (module, functions) in enumerate(functions_by_module().items()):
        yield f"import dvae_ref.{module} as m{number}"
        yield from (f"print(m{number}.{name})" for name in functions)
    yield "run: dvae_ref.Trained = dvae_ref.load_run('run')"
    yield "images: dvae_ref.Array = run.sample(5)"
    yield "run = dvae_ref.train(dvae_ref.Settings(k=5), images)"
    yield "nll: float = -float(run.log_likelihood(images, log_z=1.0).log_px.mean())"
    yield "rbm = dvae_ref.RBM(images[0], images)"
    yield "log_z: float = dvae_ref.sampling.ais.log_z(dvae_ref.sampling.philox.key(0), rbm).log_z"


def test_mypy_serves_a_user_of_every_public_name(tmp_path):
    """And sees what is wrong: a control."""
    code, said = mypy(tmp_path, every_name())
    assert code == 0, said
    wrong = [
        "import dvae_ref",
        "dvae_ref.nothing",
        "dvae_ref.sampling.nothing",
        "dvae_ref.load_run('x').sample('five')",
    ]
    code, said = mypy(tmp_path, wrong)
    assert (code, said.count(": error:")) == (1, 3), said


# -- printing ---------------------------------------------------------------------------------------------------------


def test_results_print_in_a_few_lines():
    big = np.linspace(-3, 3, 1000)
    result = ais.AISResult(1.0, 0.1, 900.0, big)
    assert repr(result) == (
        "AISResult(log_z=1.0, standard_error=0.1, effective_sample_size=900.0, log_weights=<(1000,) float64, -3 to 3>)"
    )
    assert repr(RBM(np.zeros(7), np.ones((3, 30)))) == (
        "RBM(a=array([0., 0., 0., 0., 0., 0., 0.]), W=<(3, 30) float64, 1 to 1>)"
    )
    assert "\n" not in repr(Likelihood(big, big, big, big, big))
    state = training.start(dvae_ref.Settings(), np.zeros(784, np.float32))
    assert repr(state.params) == (
        "Params(encoder=<tuple of 10 arrays, 238,200 numbers>, decoder=<Network of 10 arrays, 238,784 numbers>, "
        "rbm=<RBM of 2 arrays, 10,200 numbers>, posterior=())"
    )
    assert repr(dvae_ref.Noise(None, big[:0])) == "Noise(u=None, rho=array([], dtype=float64))"
