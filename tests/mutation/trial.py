"""A trial: the tests of a module, in a child process that sees it changed, until one fails."""

import ast
import contextlib
import os
import pickle
import resource
import signal
import tempfile
import time
from pathlib import Path

import modules
import reach
from changed import Change, install

COMPILING = 120  # seconds of processor time, of kernels that are compiled anew
OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow and not release"]


class Baseline:
    """What the tests of a module do while nothing is changed, and how long that takes."""

    def __init__(self, module):
        self.module, self.source = module, modules.path_of(module).read_text(encoding="utf-8")
        self.tree, self.dependents = ast.parse(self.source), frozenset(modules.dependents(module))
        self.tests, self.imported = [], set()
        start, before = time.monotonic(), used()
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            file = Path(folder) / "reach"
            self.passes = _ends(self._run(folder, self.tree, frozenset(), True, file)) == "lives" and file.exists()
            if self.passes:
                self.tests, self.imported = pickle.loads(file.read_bytes())
        self.seconds, self.cpu = time.monotonic() - start, used() - before

    def outcome(self, mutant):
        """ "lives", "killed" by a test, or "late": it took many times as long as the module does."""
        anew = self.dependents if self._may_be_in_kernels(mutant) else frozenset()
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            return _ends(self._run(folder, mutant.tree, anew, False, mutant), 120 + 20 * self.seconds)

    def _may_be_in_kernels(self, mutant):
        """Whether it is in a function that is decorated, or what a kernel may hold as a constant."""
        if not any(word in self.source for word in ("@compiled", "jitable", "@intrinsic", "@overload")):
            return False
        return mutant.is_in_decorated or bool(mutant.lines & self.imported)

    def _run(self, folder, tree, anew, as_it_is, more):
        change = Change(f"dvae_ref.{self.module}", str(modules.path_of(self.module)), tree, anew, as_it_is)
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setsid()
                _silence()
                code = self._measure(change, folder, more) if as_it_is else self._try(change, folder, more)
            finally:
                os._exit(code)
        return child

    def _measure(self, change, folder, file):
        watch = reach.Reach(change.path, self.module in modules.SCALAR_FORMS)
        code = _pytest(change, folder, [watch], modules.tests_of(self.module))
        file.write_bytes(pickle.dumps(watch.found()))
        return code

    def _try(self, change, folder, mutant):
        limit = int(20 + 5 * self.cpu + COMPILING * bool(change.anew))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        everyone = bool(mutant.lines & self.imported) or self._may_be_in_kernels(mutant)
        order = reach.Order(reach.order(self.tests, mutant.lines, everyone))
        return _pytest(change, folder, [order], ["-x", *modules.tests_of(self.module)])


def _pytest(change, folder, plugins, arguments):
    install(change, folder)
    if change.name.removeprefix("dvae_ref.") in modules.SCALAR_FORMS:
        _twins_in_python()
    import pytest

    return int(pytest.main([*OPTIONS, f"--basetemp={folder}/tmp", *arguments], plugins=plugins))


def _twins_in_python():
    """Without the JIT twins decline; here they answer, as Python. In kernels, overflow is no error."""
    import numpy as np

    np.seterr(all="ignore")
    from dvae_ref.fast import jit, tasks  # noqa: F401  (tasks asks whether there is a JIT when it is imported)

    jit.keep, jit.ENABLED = lambda *_: None, True


def _silence():
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def _ends(child, limit=float("inf")):
    """How a child ends; one that does not by the time `limit` is killed, with those that it started."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            _end_group(child)
            return "lives" if code == 0 else "late" if code in (-signal.SIGXCPU, -signal.SIGKILL) else "killed"
        time.sleep(0.02)
    _end_group(child)
    os.waitpid(child, 0)
    return "late"


def _end_group(child):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
