"""Freed memory is kept for the next step instead of going back to the system."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_BLOCK = 32 * 2**20  # the most that glibc takes for the second
_MOST = 2**31 - 1


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
