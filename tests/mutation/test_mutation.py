"""The tool of `make mutate`: every module of its rooms has tests, and a mutant that they do not see lives."""

import ast
import subprocess
import sys

import modules
import mutants
import pytest

SOURCE = '''
def f(x: int, most=3) -> float:
    """Text 5."""
    if x > most:
        raise ValueError(f"{x + 1}" + "a")
    warnings.warn("b" + "c", stacklevel=4)
    return max(x, 2.0) * -most
'''


def test_every_module_has_tests_that_are_there():
    """Of the rooms whose mutants are to be killed, but for those that are said to be left out."""
    left_out = {m for m in modules.NOT_THEIRS if not modules.path_of(m).exists()}
    without = [m for m in modules.modules() if not modules.tests_of(m)]
    missing = {t for m in modules.modules() for t in modules.tests_of(m) if not (modules.ROOT / t).exists()}
    assert (left_out, without, missing) == (set(), [], set())
    assert set(modules.ALSO) <= set(modules.modules())


def test_mutants_are_of_what_computes():
    """Not of what is raised, warned of, or said; a seed gives a sample."""
    found = mutants.mutants(SOURCE, 100, "0")
    changed = sorted(f"{m.before} -> {m.after}" for m in found)
    assert changed == [
        "def f(x: int, most=3) -> float: -> def f(x: int, most=4) -> float:",
        "if x > most: -> if x >= most:",
        "return max(x, 2.0) * -most -> return max(x, 2.0) * +most",
        "return max(x, 2.0) * -most -> return max(x, 2.0) / -most",
        "return max(x, 2.0) * -most -> return max(x, 2.2) * -most",
        "return max(x, 2.0) * -most -> return min(x, 2.0) * -most",
    ]
    for seed in "12":
        sample = [[m.after for m in mutants.mutants(SOURCE, 3, seed)] for _ in range(2)]
        assert sample[0] == sample[1]
    assert all(compile(m.tree, "f.py", "exec") and ast.unparse(m.tree) != ast.unparse(ast.parse(SOURCE)) for m in found)


def test_a_mutant_keeps_the_lines_of_all_functions():
    """By which numba knows a kernel on disk."""
    for mutant in mutants.mutants(SOURCE, 100, "0"):
        assert [node.lineno for node in mutant.tree.body] == [2]
        assert mutant.lines <= {2, 4, 7}


def test_scalar_forms_are_those_that_kernels_inline():
    source = "@register_jitable\ndef f(x):\n    return x + 1\n\n\ndef g(x):\n    return x + 1\n\n\n"
    source += "@register_jitable\ndef h(x):\n    return registers.add(x + 1)\n"
    assert len(mutants.mutants(source, 100, "0", scalar=True)) == 2
    assert len(mutants.mutants(source, 100, "0")) == 6


PROGRAM = """
import runpy, sys
sys.path.insert(0, "tests/mutation")
import modules
if {tests}:
    modules.tests_of = lambda module: {tests}
sys.argv = ["mutation", "theory.bounds", "--mutants", "2", "--seed", "7", "--jobs", "1"]
runpy.run_path("tests/mutation", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("tests", "code", "lives"), [(None, 0, 0), (["tests/test_tree.py"], 1, 2)])
def test_mutants_live_where_no_test_looks(tests, code, lives):
    """Two of theory.bounds: its tests kill both; with those of another module in their place, both are reported."""
    command = [sys.executable, "-c", PROGRAM.format(tests=tests)]
    done = subprocess.run(command, cwd=modules.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.count("LIVES | theory.bounds | ") == lives
    assert f"score: {2 - lives} of 2 that are not equivalent killed" in done.stdout
