"""The one decorator of compiled functions, and the cache of what they were compiled to.

numba keeps compiled code in files (`__pycache__`, or the folder that NUMBA_CACHE_DIR names), and takes it up again as
long as the file that holds the function is the same. A kernel's code depends on more: on what it inlines from other
files, and on numba's flags. Here it is taken up only if all SOURCES and FLAGS are as they were. Nothing is deleted;
what is out of date is overwritten when a kernel is compiled anew.

A cache that is damaged, or that nobody can write, costs a warning and the time to compile: never a wrong number.
"""

import functools
import hashlib
import inspect
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
PACKAGE = Path(__file__).parents[1]
SOURCES = (
    "fast/**/*.py",
    "sampling/**/*.py",
    "exact/**/*.py",
    "theory/**/*.py",
    "model/layers.py",
    "arrays.py",
)  # hashed
FLAGS = ("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML")  # of numba.config
ENABLED = not numba.config.DISABLE_JIT
ELSEWHERE = "the environment variable NUMBA_CACHE_DIR names another folder"
_warned = set()
_listeners = []  # called once, when a process first compiles a kernel


def compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    """numba.njit(**options), cached. With NUMBA_DISABLE_JIT=1 the function itself, as in numba.

    A kernel that calls another has its code inlined. Called by name, a copy of it would come with every caller, each
    optimised for its caller, and all calls would go to whichever copy a process has loaded first: where sums may be
    reordered or products fused, what was computed before would decide the last bits.

    A generator is not kept: numba can run one from disk, but compiles no other kernel's loop over it.
    """

    def decorate(function):
        dispatcher = numba.njit(forceinline=True, **options)(function)
        if ENABLED and not inspect.isgeneratorfunction(function):
            keep(dispatcher, function)
        return dispatcher

    return decorate


def keep(dispatcher, function, cache=None):
    """Give a dispatcher its cache (of the class KernelCache, or `cache`), if there is a folder for it."""
    try:
        dispatcher._cache = (cache or KernelCache)(function)
    except (RuntimeError, OSError) as error:  # the first where no folder can be written
        warn("cannot be kept, so that every process compiles it anew, which takes a minute", error)


def announce(f):
    """Have f() called once, when a kernel is compiled that was not found on disk."""
    _listeners[:] = [f]


def _compiling():
    """Call who waits for it, once."""
    while _listeners:
        _listeners.pop()()


class Guarded:
    """Mixed into numba's cache of a function: its files are KernelFiles, and its failures are a warning."""

    def __init__(self, function):
        super().__init__(function)
        base, stamp = self._impl.filename_base, self._impl.locator.get_source_stamp()
        self._cache_file = KernelFiles(self._cache_path, base, stamp)
        self._cache_file._version = version()

    def load_overload(self, signature, target_context):
        found = super().load_overload(signature, target_context)
        if found is None:
            _compiling()
        return found

    def save_overload(self, signature, data):
        try:
            super().save_overload(signature, data)
        except (OSError, RuntimeError) as error:  # a full disk; Ctrl-C while numba was called back
            warn("cannot be kept", error)


class KernelCache(Guarded, FunctionCache):
    """The cache of a function for the CPU."""


class KernelFiles(IndexDataCacheFile):
    """numba's index and data files, checked before they are believed.

    A data file begins with the checksum of the rest, and holds the version and the key that it was compiled for: two
    processes that fill a cache at a time can leave an index that says otherwise.
    """

    def save(self, key, data):
        super().save(key, (self._version, key, data))

    def load(self, key):
        found = super().load(key)
        return found[2] if found and found[:2] == (self._version, key) else None

    def _load_index(self):
        try:
            return super()._load_index()
        except Exception as error:  # whatever a parser makes of damaged bytes
            warn("cannot be read and is compiled anew", f"{self._index_path}: {type(error).__name__}: {error}")
            return {}

    def _save_data(self, name, data):
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def _load_data(self, name):
        path = self._data_path(name)
        content = Path(path).read_bytes()
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            warn("cannot be read and is compiled anew", f"{path} is damaged")
            return None
        try:
            return pickle.loads(content[32:])
        except Exception as error:  # it is of a module that is gone, say
            warn("cannot be read and is compiled anew", f"{path}: {type(error).__name__}: {error}")
            return None


@functools.cache
def version():
    """What all compiled code depends on besides its own file; the index begins with it."""
    flags = [f"{name}={getattr(numba.config, name, None)}" for name in FLAGS]
    return " ".join([numba.__version__, hash_of(PACKAGE), *flags])


def hash_of(package):
    """The hash of all SOURCES below a folder, and of their names."""
    paths = sorted({path for pattern in SOURCES for path in package.glob(pattern)})
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.relative_to(package)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def warn(what, why):
    """One warning of a kind and process: a cache has hundreds of files."""
    if what not in _warned:
        _warned.add(what)
        warnings.warn(f"compiled code {what} ({why}); {ELSEWHERE}", RuntimeWarning, stacklevel=2)
