"""BLAS has one thread while something trains, and as many as before afterwards, also where several overlap."""

import threading

import pytest
import threadpoolctl

from dvae_ref import blas
from dvae_ref.fast import team, threads


@pytest.fixture
def library():
    """NumPy's BLAS, with two threads."""
    library = blas.libraries()[0]
    before = library.num_threads
    library.set_num_threads(2)
    if library.num_threads != 2:
        pytest.skip("this BLAS has one thread only")
    yield library
    library.set_num_threads(before)


def test_one_thread_and_back(library):
    with blas.one_thread():
        assert library.num_threads == 1
        with blas.one_thread():
            assert library.num_threads == 1
        assert library.num_threads == 1
    assert library.num_threads == 2


def test_after_an_error(library):
    with pytest.raises(ZeroDivisionError), blas.one_thread():
        raise ZeroDivisionError
    assert library.num_threads == 2


def test_a_decorated_function(library):
    @blas.one_thread()
    def threads():
        return library.num_threads

    assert [threads(), threads(), library.num_threads] == [1, 1, 2]


def test_the_first_of_two_that_overlap_does_not_restore_what_the_second_needs(library):
    """A begins, B begins, A ends: with contexts of its own each, B would go on with two threads."""
    inside, go_on, found = threading.Event(), threading.Event(), []

    def second():
        with blas.one_thread():
            inside.set()
            assert go_on.wait(10)
            found.append(library.num_threads)

    with blas.one_thread():
        other = threading.Thread(target=second)
        other.start()
        assert inside.wait(10)
    go_on.set()
    other.join()
    assert found == [1]
    assert library.num_threads == 2


def test_whoever_else_sets_it(library):
    """threadpoolctl lets one thread set it at a time: that is ours while it sets it, and nobody's afterwards."""
    found = []

    def train():
        with blas.one_thread():
            found.append(library.num_threads)

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        other = threading.Thread(target=train)
        other.start()
        other.join()
    assert found == [1]
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert library.num_threads == 1
    assert library.num_threads == 2


class OpenMP:
    """A BLAS whose number of threads is each thread's own, as threadpoolctl shows it."""

    threading_layer, user_api = "openmp", "blas"

    def __init__(self):
        self.local = threading.local()

    def set_num_threads(self, number):
        self.local.threads = number

    @property
    def num_threads(self):
        return getattr(self.local, "threads", 2)


def test_where_each_thread_has_a_number_of_its_own(monkeypatch):
    """Those of the pool see to theirs."""
    library = OpenMP()
    monkeypatch.setattr(blas, "libraries", lambda: [library])
    monkeypatch.setattr(threads, "_pool", threads._Pool())
    with blas.one_thread():
        assert library.num_threads == 1
        assert team.run(lambda rank: library.num_threads, 2, 2) == [1, 1]
    assert library.num_threads == 2
