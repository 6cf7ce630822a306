"""A module of the package is loaded from a changed source, in this process and in those that it starts."""

import contextlib
import importlib.machinery
import importlib.util
import os
import pickle
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
VARIABLE = "DVAE_REF_CHANGED"  # names the file with a Change, for other processes


class Change(NamedTuple):
    """A module by its full name, its file, what it is compiled from, and whose kernels are not taken from disk."""

    name: str
    path: str
    tree: object
    anew: frozenset
    as_it_is: bool  # nothing is changed


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a changed module. Its lines are numbered as they were: numba knows a kernel by its line."""

    def __init__(self, change):
        super().__init__(change.name, change.path)
        self.tree = change.tree

    def get_code(self, fullname):
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class Finder:
    """Finds one module, changed."""

    def __init__(self, change):
        self.change = change

    def find_spec(self, name, path=None, target=None):
        if name != self.change.name:
            return None
        return importlib.util.spec_from_file_location(name, self.change.path, loader=Loader(self.change))


def install(change, folder):
    """Here, and by way of a file in this folder wherever Python is started from here."""
    file = Path(folder) / "change"
    file.write_bytes(pickle.dumps(change))
    os.environ[VARIABLE] = str(file)
    before = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([*map(str, (HERE / "elsewhere", HERE.parents[1])), *before])
    _take_effect(change)


def installed():
    """What `install` has left for this process."""
    with contextlib.suppress(KeyError):
        _take_effect(pickle.loads(Path(os.environ[VARIABLE]).read_bytes()))


def _take_effect(change):
    sys.meta_path.insert(0, Finder(change))
    if not change.as_it_is and change.anew:
        _compile_apart(change.anew)


def _compile_apart(anew):
    """Keep nothing that is compiled from now on; take up nothing of these modules that was kept."""
    from dvae_ref.fast import jit

    kept = jit.keep
    jit.Guarded.save_overload = lambda *_: None
    jit.keep = lambda kernel, f, *rest: f.__module__ in anew or kept(kernel, f, *rest)
