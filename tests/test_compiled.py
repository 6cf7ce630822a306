"""Cached kernels older than a source of kernels are deleted, others stay."""

import os

import pytest

from dvae_ref import compiled

SOURCES = ("fast/layers.py", "fast/scalars.py", "sampling/cuda/tiles.py", "exact/states.py")


@pytest.fixture
def package(tmp_path):
    """A package whose sources are of time 100, with kernels cached at 200."""
    for name in (*SOURCES, "theory/elementary.py", "model.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (100, 100))
    for name in ("__pycache__/kernels.nbi", "sampling/__pycache__/gibbs.nbc", "sampling/__pycache__/gibbs.pyc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (200, 200))
    return tmp_path


def cached(package):
    return {path.name for path in package.rglob("__pycache__/*")}


@pytest.mark.parametrize("changed", SOURCES)
def test_a_changed_source_drops_every_older_kernel(package, changed):
    compiled.drop_stale_cache(package)
    assert cached(package) == {"kernels.nbi", "gibbs.nbc", "gibbs.pyc"}
    os.utime(package / changed, (300, 300))
    compiled.drop_stale_cache(package)
    assert cached(package) == {"gibbs.pyc"}


def test_what_holds_no_kernels_may_change(package):
    os.utime(package / "model.py", (300, 300))
    compiled.drop_stale_cache(package)
    assert cached(package) == {"kernels.nbi", "gibbs.nbc", "gibbs.pyc"}


def test_importing_the_samplers_does_it():
    """The real package: after the import no cached kernel is older than its sources."""
    from dvae_ref import sampling

    package = compiled.Path(sampling.__file__).parents[1]
    newest = max(path.stat().st_mtime_ns for pattern in compiled.SOURCES for path in package.glob(pattern))
    kernels = list(package.rglob("__pycache__/*.nb[ic]"))
    assert all(path.stat().st_mtime_ns >= newest for path in kernels)
