"""Options and fixtures for all tests."""

import os
from pathlib import Path

import pytest
from small_run import SMALL_RUN, command

# As on the command line, and before NumPy is there: several pools of threads on the same cores slow the tests fourfold.
for library in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--data-dir",
        default=os.environ.get("DVAE_REF_DATA"),
        help="folder with MNIST/ and OMNIGLOT/, for the tests on real data (default: environment DVAE_REF_DATA)",
    )


def pytest_collection_modifyitems(items):
    """UsageError for a test whose name holds an address: of two processes each has another name for it."""
    named = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if named:
        raise pytest.UsageError(f"{len(named)} tests are called after an address in memory, the first {named[0]}")


@pytest.fixture(scope="session")
def data_dir(request):
    """The folder with the real data; tests that need it are skipped when none is given."""
    given = request.config.getoption("--data-dir")
    if not given:
        pytest.skip("needs the real data: pytest --data-dir DIR, or the environment variable DVAE_REF_DATA")
    path = Path(given).resolve()
    if not path.is_dir():
        pytest.fail(f"--data-dir {given} is not a folder")
    return path


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """(folder, finished process) of 200 iterations in one go, on two threads where there are two."""
    from dvae_ref.program.console import usable_cores

    folder, threads = tmp_path_factory.mktemp("straight") / "run", min(2, usable_cores())
    done = command("train", *SMALL_RUN, "--threads", threads, "--json", "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="session")
def straight_table(tmp_path_factory):
    """(folder, finished process) of a table of two seeds, both at a time, in one go."""
    import tables

    out = tmp_path_factory.mktemp("straight") / "table"
    done = tables.run(out, "--seed", "0", "1", "--workers=2", "--json")
    assert done.returncode == 0, done.stderr
    return out, done


@pytest.fixture
def threads():
    """run(f) -> f() with one thread, f() with two."""
    import numba  # not before the environment is set

    before = numba.get_num_threads()
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba was started with one thread")

    def run(f):
        results = []
        for count in (1, 2):
            numba.set_num_threads(count)
            results.append(f())
        return results

    yield run
    numba.set_num_threads(before)


@pytest.fixture
def one_thread():
    """For runs in this process, which are too small to share."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
