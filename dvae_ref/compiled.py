"""Keep numba's cache on disk honest.

numba compiles a kernel anew when its own file changes, not when a function changes that it inlines from another file:
after a pull, a kernel could go on with the old helper. So what is older than the newest source of kernels goes.
"""

from pathlib import Path

SOURCES = ("fast/**/*.py", "sampling/**/*.py", "exact/**/*.py")  # where kernels are


def drop_stale_cache(package=Path(__file__).parent):
    """Delete the cached kernels below `package` that are older than the newest of its SOURCES."""
    newest = max(path.stat().st_mtime_ns for pattern in SOURCES for path in package.glob(pattern))
    for path in package.rglob("__pycache__/*.nb[ic]"):
        try:
            if path.stat().st_mtime_ns < newest:
                path.unlink()
        except OSError:  # another process was quicker, or the folder is read-only, where numba does not write either
            continue
