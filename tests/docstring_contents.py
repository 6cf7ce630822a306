"""What the docstrings of the public functions say, counted: `PYTHONPATH=. python tests/docstring_contents.py`.

Of a method, what its class and module say for all of their functions counts as well: who asks for help has it in sight.
"""

import ast
import importlib
import re
from collections import namedtuple
from pathlib import Path

import dvae_ref
from dvae_ref import exact

PACKAGE = Path(dvae_ref.__file__).parent
PUBLIC = [
    *(f"theory.{path.stem}" for path in sorted((PACKAGE / "theory").glob("[!_]*.py"))),
    *(f"model.{path.stem}" for path in sorted((PACKAGE / "model").glob("[!_]*.py"))),
    *(f"exact.{path.stem}" for path in sorted((PACKAGE / "exact").glob("[!_]*.py"))),
    *(f"sampling.{name}" for name in dvae_ref.sampling.__all__ if name != "AISResult"),
    *("runs.library", "runs.presets", "runs.teaching", "conformance.kit", "arrays", "lazy", "tree", "twins"),
]
Function = namedtuple("Function", "module name node own around")

SAID = {  # what a text has to hold
    "formula": r"[=~<>]|\bsum\b|\blog\b|exp\(|sigmoid|E\[|\bd\w+/d\w+|\bKL\b",
    "source": r"Eqs?\. ?\d|Sec\. ?\d|[Tt]he paper|Neal|Hinton|Salmon|Tieleman|Hukushima|Burda|Béreux",
    "shapes": r"\((?:[A-Z]\w*|\.\.\.|\w+_\w+|n|\d)(?: [A-Z]| [+-] 1)?,[^)]*\)|\bshapes?\b",
    "units": r"\bnats\b",
    "domain": r"[(\[]0, 1[)\]]|[<>]=? ?-?\d|uniform|finite|binary|0 or 1|whole number|[Dd]omain|at least|at most",
    "errors": r"(Value|Type|Key|Lookup|Backend|Diverged|Arithmetic|FileNotFound)Error",
    "accuracy": r"accura|[Rr]elative error|\b[Ee]rror (?:is )?1e-|\bulp\b|\beps\b|digits|unbiased|exact|"
    r"to the b(it|yte)|standard error",
    "page": r"docs/derivations/\d\d",
    "example": r">>>",
}
OWN = ("errors", "example")  # what each function says of itself
LOGARITHMS = r"^(?!d_)(.*_)?(log|energy|entropy|elbo|kl|bound|importance_weighted|variational)(?!.*backward)(_|$)"
CHECKS = r"\bdomains\.|\b_?check\w*\(|\bsplit\(|\bper_row\(|\bcheck_uniform\("  # what raises on a function's behalf


def public_functions():
    """All public functions and methods; of `exact` those that it exports."""
    for module in PUBLIC:
        if module not in ("arrays", "lazy"):
            source = ast.parse(Path(importlib.import_module(f"dvae_ref.{module}").__file__).read_text())
            for name, node, around in _functions(source.body, "", ast.get_docstring(source)):
                if not module.startswith("exact.") or name in exact.__all__:
                    yield Function(module, name, node, ast.get_docstring(node) or "", around)


def _functions(body, prefix, around):
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node.body, f"{prefix}{node.name}.", f"{around}\n{ast.get_docstring(node)}")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node, around


def says(function, what, alone=False):
    text = function.own if alone else f"{function.own}\n{function.around}"
    return re.search(SAID[what], text) is not None


def counts(functions):
    """{what: how many say it}."""
    return {what: sum(says(function, what, alone=what in OWN) for function in functions) for what in SAID}


def owes(function, what):
    """Whether a function has to say it: shapes of arrays, units of logarithms, errors that it raises itself."""
    code = ast.unparse(function.node)
    if what == "shapes":
        return "Array" in ast.unparse(function.node.args) + ast.unparse(function.node.returns)
    if what == "units":
        return re.search(LOGARITHMS, function.name.rpartition(".")[2]) and "Array" in code
    return any(isinstance(node, ast.Raise) for node in ast.walk(function.node)) or re.search(CHECKS, code) is not None


def missing(functions, what):
    """The names of those that owe it and do not say it; errors are said by each function itself."""
    return [f"{f.module}.{f.name}" for f in functions if owes(f, what) and not says(f, what, what in OWN)]


if __name__ == "__main__":
    found = list(public_functions())
    print(f"{len(found)} public functions and methods")
    for what, number in counts(found).items():
        print(f"{what:8s} {number:4d}")
    for what in ("shapes", "units", "errors"):
        print(f"{what} missing: {' '.join(missing(found, what)) or 'none'}")
