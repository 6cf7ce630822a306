"""Signatures: every public function and method says what it takes and returns, and mypy holds users to it."""

import ast
import importlib
import inspect
import typing
from pathlib import Path

import pytest
from docstring_contents import PUBLIC
from test_public import mypy


def incomplete(source):
    """The public functions and methods of a source with a parameter, or a return, that has no annotation."""
    found = []

    def look(body, prefix, bound):
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                look(node.body, f"{prefix}{node.name}.", 1)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                static = any(getattr(d, "id", "") == "staticmethod" for d in node.decorator_list)
                if not complete(node, 0 if static else bound):
                    found.append(prefix + node.name)

    look(ast.parse(source).body, "", 0)
    return found


def complete(node, bound):
    """Whether a function is annotated, apart from its first `bound` parameters: self or cls."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs][bound:]
    rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return node.returns is not None and all(argument.annotation is not None for argument in (*named, *rest))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_signature_is_complete(name):
    assert incomplete(Path(importlib.import_module(f"dvae_ref.{name}").__file__).read_text()) == []


@pytest.mark.parametrize("name", PUBLIC)
def test_annotations_mean_something(name):
    """Each is a type that is there, not a word."""
    module = importlib.import_module(f"dvae_ref.{name}")
    for function in vars(module).values():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            assert isinstance(typing.get_type_hints(function), dict)


def test_control_what_is_not_annotated_is_seen():
    source = """
class A:
    def f(self, x: int): ...
    def g(self, x) -> int: ...
    def h(self) -> int: ...
    def _i(self): ...
def f(x: int, *rest) -> int: ...
def g(*, x) -> int: ...
@staticmethod
def h(x) -> int: ...
def i(x: int, *, y: int = 3, **z: int) -> None: ...
"""
    assert incomplete(source) == ["A.f", "A.g", "f", "g", "h"]


RIGHT = """
import numpy as np
import dvae_ref
from dvae_ref import boltzmann, bounds, exact, mixture, overlapping, smoothing
from dvae_ref.sampling import ais, bracket, pcd, philox, population_annealing

key, x = philox.key(0), np.zeros((3, 7))
rbm = dvae_ref.RBM(np.zeros(7), np.zeros((3, 4)))
power = smoothing.Power(beta=20.0)
log_q: dvae_ref.Array = mixture.log_q(x, x)[0]
log_p, cache = overlapping.log_p(rbm, power.log_ratio(x), sweeps=5)
d_rbm: dvae_ref.RBM = overlapping.log_p_backward(log_p, cache)[0]
state: pcd.State = pcd.init(key, rbm, chains=10)
moments: dvae_ref.Moments = pcd.step(key, state, rbm)[1].moments
found: ais.AISResult = ais.log_z(key, rbm, np.linspace(0, 1, 20), progress=lambda done, total: print(done / total))
verdict: str = bracket.log_z(key, rbm, bracket.Start(x, "nothing")).verdict
log_z: float = exact.log_z(rbm) + population_annealing.anneal(key, rbm, temperatures=10).log_z
config = dvae_ref.Config(dvae_ref.STRUCTURES["1-layer-lin"], dvae_ref.method("dvaes_power", 20.0, 1))
params, statistics = dvae_ref.model.init(np.random.default_rng(0), config, x[0])
bound: dvae_ref.Array = dvae_ref.objective(params, statistics, x, dvae_ref.Noise(x, x), config=config)[0]
"""

WRONG = """
ais.log_z(key, rbm, temperatures="many")
ais.log_z(key, rbm, progress=5)
pcd.init(0, (3, 4))
boltzmann.energy(rbm, "z")
exact.log_z(x)
mixture.log_q(x)
mixture.sample(x, x, x, "power")
smoothing.Power(beta="sharp")
bounds.log_weights(log_q, log_p, kappa=None)
overlapping.log_p(rbm, x, sweep=5)
dvae_ref.train(dvae_ref.Settings(), x, on_record=True)
dvae_ref.load_run(5)
dvae_ref.objective(params, statistics, x, x, config=config)
text: str = exact.kl(rbm, x, x)
text = philox.uniform(key, 5)
"""


def test_mypy_takes_what_is_right_and_reports_what_is_wrong(tmp_path):
    code, said = mypy(tmp_path, RIGHT.splitlines())
    assert code == 0, said
    code, said = mypy(tmp_path, (RIGHT + WRONG).splitlines())
    first = len(RIGHT.splitlines()) + 2  # below an empty line
    reported = [int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line]
    assert reported == list(range(first, first + len(WRONG.split("\n")[1:-1]))), said
