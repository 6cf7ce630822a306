"""One thread for BLAS, for as long as something trains or measures.

A matrix product that BLAS shares out among threads is summed in other pieces than on one: its last bits would depend on
the number of cores, on OPENBLAS_NUM_THREADS, and on who imported NumPy first. Teams and samplers use the other cores.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Iterator

_lock, _inside, _before = threading.Lock(), 0, []


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts, in this thread or any other, BLAS has one thread; afterwards as many as before. A decorator, too.

    BLAS has one setting a process: of several that overlap, the first to begin changes it and the last to end restores
    it. Apple's Accelerate cannot be told.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter():
    """The first that begins remembers how many threads each library has, and takes one."""
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = [(library, library.num_threads) for library in libraries()]
            for library, _ in _before:
                _set(library, 1)
        _inside += 1


def _leave():
    """The last that ends gives them back."""
    global _inside
    with _lock:
        _inside -= 1
        if _inside == 0:
            for library, threads in _before:
                _set(library, threads)


def _set(library, threads):
    """In threadpoolctl 3.7 and later only the first thread that sets it can, and another's call would do nothing."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(threads)
    release(force=True)


def one_in_this_thread():
    """For a thread of our own, once: where BLAS is built with OpenMP, a thread's number is its own affair."""
    for library in libraries():
        if getattr(library, "threading_layer", None) == "openmp":
            _set(library, 1)


@functools.cache
def libraries():
    """The BLAS libraries of this process, by threadpoolctl: NumPy's, and SciPy's where it is loaded."""
    import numpy  # noqa: F401 - loads its own
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _after_fork():
    """Another thread may have held the lock. What it wanted of BLAS ended with it, which is as good as one thread."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
