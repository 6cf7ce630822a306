"""Every task is done once, by however many threads; calls in several threads and after a fork."""

import _thread
import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from dvae_ref import blas
from dvae_ref.fast import tasks


@numba.njit(nogil=True)
def count(counter, width, visits):
    first = width * tasks.take(counter)
    while first < len(visits):
        visits[first : first + width] += 1
        first = width * tasks.take(counter)


@numba.njit(nogil=True)
def count_without_taking(counter, width, visits):
    """A mistake: every thread goes through all tasks."""
    for first in range(0, len(visits), width):
        visits[first : first + width] += 1


def visited(threads, kernel=count, size=100_003, width=7):
    """How often each element was visited, by a call with one thread and one with two."""
    visits = np.zeros(size, np.int64)
    threads(lambda: tasks.share_out(kernel, size, width, visits))
    return visits


def test_every_element_is_visited_once_a_call(threads):
    assert np.all(visited(threads) == 2)


@pytest.mark.parametrize(("kernel", "times"), [(count, 2), (count_without_taking, 3)])
def test_a_kernel_that_does_not_take_tasks_is_noticed(threads, monkeypatch, pool, kernel, times):
    """By a call with one thread and one with two, of which neither finds what the other has done."""
    monkeypatch.setattr(pool, "give", lambda call, most: call.make())  # the other threads have always begun, and ended
    assert np.all(visited(threads, kernel) == times)


def test_calls_from_several_threads_do_not_mix(threads):
    def call():
        with ThreadPoolExecutor(4) as pool:
            arrays = [np.zeros(50_000, np.int64) for _ in range(8)]
            for future in [pool.submit(tasks.share_out, count, len(a), 3, a) for a in arrays]:
                future.result()
        return arrays

    for arrays in threads(call):
        assert all(np.all(a == 1) for a in arrays)


def dies(*_):
    raise MemoryError


def refuses(*_):
    raise RuntimeError("can't start new thread")


BROKEN = [(blas, "one_in_this_thread", dies), (_thread, "start_new_thread", refuses)]


@pytest.mark.parametrize("broken", BROKEN)
def test_without_other_threads_the_caller_does_all_tasks(threads, monkeypatch, pool, broken):
    """Those that die at birth, and those that cannot be started."""
    monkeypatch.setattr(*broken)
    assert np.all(visited(threads) == 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_makes_threads_of_its_own(threads):
    def in_child():
        visits = np.zeros(1000, np.int64)
        tasks.share_out(count, len(visits), 10, visits)
        if pid := os.fork():
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        visits[:] = 0
        tasks.share_out(count, len(visits), 10, visits)
        os._exit(0 if np.all(visits == 1) else 3)

    assert threads(in_child) == [0, 0]
