"""How a process that trains is set up. For programs, which own their process: a library does none of this."""

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_BLOCK = 32 * 2**20  # the most that glibc takes for the second
_MOST = 2**31 - 1
_SWITCH = 1e-4  # seconds
_THREADS = "NUMBA_NUM_THREADS"  # of the environment: the most that Numba starts


def prepare():
    """To be called once, before anything is compiled or run in parallel.

    BLAS is to start no threads that `blas.one_thread` would let sleep; Apple's, which that cannot reach, is told here
    alone. A thread of a team that waits for the interpreter is let in after 0.1 ms, not 5. ValueError for a
    NUMBA_NUM_THREADS that is no number of threads, which Numba would meet with a traceback, or without its name.
    """
    _check_threads()
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.setswitchinterval(_SWITCH)
    keep_freed()


def _check_threads():
    """ValueError for a NUMBA_NUM_THREADS in the environment that is no whole number of at least 1."""
    given = os.environ.get(_THREADS, "1")
    if not (given.isdecimal() and int(given)):
        raise ValueError(f"{_THREADS} must be a whole number of at least 1, got {given!r}")


def keep_freed():
    """Let this process keep what it frees; whether that was possible: it takes glibc.

    A training step frees and asks again for arrays of megabytes. glibc gives such blocks back to the system, which
    clears every page anew: at K = 25 a quarter of the step. Memory at its peak stays the same.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK) and mallopt(_M_TRIM_THRESHOLD, _MOST))
