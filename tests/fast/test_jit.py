"""The cache of compiled code: taken up when nothing has changed, never when anything has, and no loss when it fails.

A package of two files stands for ours: a kernel, and a helper from another file that is compiled into it.
"""

import ast
import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import pytest
from numba.core import caching

from dvae_ref.fast import jit

HELPER = """
from numba.extending import register_jitable

@register_jitable
def helper(x):
    return x + {added}
"""
KERNEL = """
import numba
from dvae_ref.fast import jit
from dvae_ref.fast.helper import helper

def kernel(x):
    return 10 * helper(x)

def element(x, i):
    return x[i]
"""
CALL = """
from dvae_ref.fast import jit, kernel
f = jit.compiled()(kernel.kernel) if {ours} else kernel.numba.njit(cache=True)(kernel.kernel)
print(f(1))
"""


@pytest.fixture
def package(tmp_path):
    """A package dvae_ref whose fast/ has our jit.py."""
    fast = tmp_path / "site" / "dvae_ref" / "fast"
    fast.mkdir(parents=True)
    for folder in (fast, fast.parent):
        (folder / "__init__.py").touch()
    (fast / "jit.py").write_text(Path(jit.__file__).read_text())
    (fast / "helper.py").write_text(HELPER.format(added=1))
    (fast / "kernel.py").write_text(KERNEL)
    return fast


def run(package, code, **environment):
    """What a process that has only that package prints, and its standard error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "XDG_"))}
    env |= {"PYTHONPATH": str(package.parents[1]), "HOME": str(package.parents[2]), **environment}
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=package.parents[2], timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(("ours", "after"), [(True, "30"), (False, "20")])
def test_a_helper_from_another_file_that_changes_is_compiled_anew(package, ours, after):
    """10 (x + 1), then 10 (x + 2). The control is numba's own cache: it goes on with the old helper."""
    code = CALL.format(ours=ours)
    assert run(package, code) == ("20", "")
    assert list((package / "__pycache__").glob("kernel.kernel-*.nbc"))
    (package / "helper.py").write_text(HELPER.format(added=2))
    assert run(package, code) == (after, "")


def test_importing_deletes_nothing(package):
    run(package, CALL.format(ours=True))
    before = {path: path.read_bytes() for path in (package / "__pycache__").iterdir()}
    assert before
    (package / "helper.py").write_text(HELPER.format(added=2))
    run(package, "from dvae_ref.fast import jit, kernel\njit.compiled()(kernel.kernel)")
    assert {path: path.read_bytes() for path in (package / "__pycache__").iterdir()} == before


LOOPS = """
from dvae_ref.fast import jit

@jit.compiled()
def numbers(n):
    i = 0
    while i < n:
        yield i
        i += 1

@jit.compiled()
def total(n):
    found = 0
    for i in numbers(n):
        found += i
    return found

@jit.compiled()
def squares(n):
    found = 0
    for i in numbers(n):
        found += i * i
    return found
"""


def test_a_loop_over_a_compiled_generator_goes_wherever_it_is_compiled(package):
    """Two kernels, each in a process of its own: of a generator that the first has left on disk, numba knew in the
    second what it is, and not how to go on with it (KeyError)."""
    (package / "loops.py").write_text(LOOPS)
    for _ in range(2):
        assert run(package, "from dvae_ref.fast import loops; print(loops.total(5))") == ("10", "")
        assert run(package, "from dvae_ref.fast import loops; print(loops.squares(5))") == ("30", "")
    kept = {path.name.partition("-")[0] for path in (package / "__pycache__").glob("*.nbi")}
    assert kept == {"loops.total", "loops.squares"}


def test_without_a_folder_for_it_there_is_a_warning_and_the_work_is_done(package):
    """Neither the package nor the user's folder can be written: files stand in the place of folders."""
    (package / "__pycache__").touch()
    nowhere = package / "kernel.py" / "home"
    code = CALL.format(ours=True) + "print(jit.compiled()(kernel.element)((7, 8), 1))"
    value, said = run(package, code, HOME=str(nowhere))
    assert value == "20\n8"
    assert said.count("RuntimeWarning") == said.count("NUMBA_CACHE_DIR") == 1
    assert run(package, code, HOME=str(nowhere), NUMBA_CACHE_DIR=str(package / "elsewhere")) == ("20\n8", "")


def test_control_numba_s_own_cache_ends_such_an_import(package):
    (package / "__pycache__").touch()
    with pytest.raises(AssertionError, match="no locator available"):
        run(package, CALL.format(ours=False), HOME=str(package / "kernel.py" / "home"))


def test_flags_that_change_the_code_are_part_of_it(package):
    """With bounds checks, then without them, then with them again: they are there whenever they are asked for."""
    read = """
import numpy as np
from dvae_ref.fast import jit, kernel
try:
    print(jit.compiled()(kernel.element)(np.zeros(3), 3 if jit.numba.config.BOUNDSCHECK else 2))
except IndexError:
    print("checked")
"""
    found = [run(package, read, **options)[0] for options in ({}, {"NUMBA_BOUNDSCHECK": "1"}, {})]
    assert found == ["0.0", "checked", "0.0"]


def test_with_the_compiler_disabled_a_function_is_itself(package):
    code = "from dvae_ref.fast import jit, kernel\nprint(jit.compiled(nogil=True)(kernel.kernel) is kernel.kernel)"
    assert run(package, code, NUMBA_DISABLE_JIT="1") == ("True", "")


# -- damage, in this process: a dispatcher made anew reads the files anew ----------------------------------------------


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A function in a file of its own, and its cache filled."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(jit, "_warned", set())
    path = tmp_path / "scaled.py"
    path.write_text("def scaled(x):\n    return 3 * x\n")
    spec = importlib.util.spec_from_file_location("scaled", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scaled", module)  # code that is read from a cache imports the module it is of
    spec.loader.exec_module(module)
    assert jit.compiled()(module.scaled)(2) == 6
    return module.scaled


def files(kernel, ending):
    return list((Path(kernel.__code__.co_filename).parent / "__pycache__").glob(f"*.{ending}"))


def taken_up(kernel, x=2):
    """3 x by a dispatcher of its own; whether its code came from the cache."""
    dispatcher = jit.compiled()(kernel)
    assert dispatcher(x) == 3 * x
    return sum(dispatcher.stats.cache_hits.values()) == 1


def test_a_whole_cache_is_taken_up(kernel):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert taken_up(kernel)


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    """One bit, where the machine code is."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE = {
    "empty index": ("nbi", lambda content: b""),
    "cut index": ("nbi", cut),
    "foreign index": ("nbi", lambda content: b"<html>not found</html>"),
    "empty code": ("nbc", lambda content: b""),
    "cut code": ("nbc", cut),
    "a bit of the code": ("nbc", flip),
    "zeros for code": ("nbc", lambda content: bytes(len(content))),
}


@pytest.mark.parametrize(("ending", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_compiled_anew_with_one_warning(kernel, ending, damage):
    (path,) = files(kernel, ending)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match=r"compiled anew.*NUMBA_CACHE_DIR") as caught:
        assert not taken_up(kernel)
    assert len(caught) == 1
    assert taken_up(kernel)


def test_control_numba_s_own_cache_ends_in_an_error(kernel):
    (path,) = files(kernel, "nbi")
    path.write_bytes(b"")
    with pytest.raises(EOFError):
        numba.njit(cache=True)(kernel)(2)


def test_code_under_another_s_name_is_not_taken_up(kernel):
    """Two processes that fill a cache at a time may leave the code for floats where the index says integers."""
    (of_integers,) = files(kernel, "nbc")
    jit.compiled()(kernel)(2.5)
    (of_floats,) = (path for path in files(kernel, "nbc") if path != of_integers)
    of_integers.write_bytes(of_floats.read_bytes())
    assert not taken_up(kernel)
    assert taken_up(kernel)
    assert taken_up(kernel, 2.5)


def test_an_index_of_other_sources_is_not_even_read(kernel, monkeypatch):
    """It may name classes that are gone."""
    (path,) = files(kernel, "nbi")
    path.write_bytes(cut(path.read_bytes()))
    monkeypatch.setattr(jit, "version", lambda: "of other sources")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not taken_up(kernel)


def test_a_full_disk_is_a_warning(kernel, monkeypatch):
    def save(self, key, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jit.KernelFiles, "save", save)
    with pytest.warns(RuntimeWarning, match=r"cannot be kept.*No space left.*NUMBA_CACHE_DIR") as caught:
        values = [jit.compiled()(kernel)(x) for x in (2.5, 2 + 1j)]
    assert values == [7.5, 6 + 3j]
    assert len(caught) == 1


def test_ctrl_c_while_numba_is_called_back_is_no_error(kernel, monkeypatch):
    """Python ignores it there, and numba finds no compiled code to keep: "no compiled object yet"."""

    def reduce(self, data):
        raise RuntimeError("no compiled object yet")

    monkeypatch.setattr(caching.CompileResultCacheImpl, "reduce", reduce)
    with pytest.warns(RuntimeWarning, match=r"cannot be kept.*no compiled object yet"):
        assert jit.compiled()(kernel)(2.5) == 7.5


# -- the package -------------------------------------------------------------------------------------------------------


def kernels_of(source):
    """Names of decorators in a source: "compiled", "numba.njit", "register_jitable"."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                yield ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def on_the_cpu():
    """The package's sources that are compiled for the CPU, wherever the package may lie."""
    left_out = jit.PACKAGE / "sampling" / "cuda", jit.PACKAGE / "fast" / "jit.py"
    return [path for path in jit.PACKAGE.rglob("*.py") if not set(left_out) & {path, *path.parents}]


def test_the_package_has_no_other_decorator():
    found = [name for path in on_the_cpu() for name in kernels_of(path.read_text())]
    assert found.count("compiled") > 50
    assert not [name for name in found if "jit" in name.split(".")[-1] and name != "register_jitable"]


def test_control_another_decorator_is_seen():
    assert list(kernels_of("@numba.njit(cache=True)\ndef f():\n    pass")) == ["numba.njit"]


def test_what_kernels_may_inline_is_among_the_sources():
    """Modules with kernels import of ours what is hashed."""
    sources = {path for pattern in jit.SOURCES for path in jit.PACKAGE.glob(pattern)}
    for path in on_the_cpu():
        names = set(kernels_of(path.read_text()))
        if names & {"compiled", "register_jitable", "intrinsic"}:
            assert path in sources
            assert imported_files(path.read_text()) <= sources, path


def imported_files(source):
    """Files of the package that a source imports from, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("dvae_ref"):
            module = jit.PACKAGE.parent.joinpath(*node.module.split("."))
            members = [module / alias.name for alias in node.names]
            found |= {path.with_suffix(".py") for path in [module, *members] if path.with_suffix(".py").exists()}
    return found


def test_control_a_number_from_elsewhere_is_seen():
    sources = {path for pattern in jit.SOURCES for path in jit.PACKAGE.glob(pattern)}
    assert not imported_files("from dvae_ref.runs.optimizer import step") <= sources


def test_whole_bytes_that_nobody_can_unpickle_are_compiled_anew(kernel):
    """Code of a module that is gone, say."""
    (path,) = files(kernel, "nbc")
    content = b"cgone\nname\n."
    path.write_bytes(hashlib.sha256(content).digest() + content)
    with pytest.warns(RuntimeWarning, match="No module named 'gone'"):
        assert not taken_up(kernel)
