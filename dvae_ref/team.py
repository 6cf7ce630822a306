"""Threads that work on shares of a batch and agree on means over all of it, such as batch norm's.

The size of a team depends on the batch, never on the machine, and sums run in the order of the members: the results are
the same for any number of cores. A batch too small for shares may have a helper, who makes whole calls beside it.
"""

import concurrent.futures
import functools
import os
import queue
import threading

from dvae_ref import blas


def at_once(f, *args):
    """Alone.beside of those who have no helper."""
    value = f(*args)
    return lambda: value


class Errand:
    """A call that a helper makes, or who waits for it, if the helper has not come to it yet."""

    def __init__(self, f, args):
        self.f, self.args, self.value, self.error = f, args, None, None
        self.begun, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def run(self):
        if not self.begun.acquire(blocking=False):
            return
        try:
            self.value = self.f(*self.args)
        except BaseException as error:
            self.error = error
        finally:
            self.f = self.args = None  # not to be kept alive by a queue, or by the traceback of an error
            self.done.release()

    def wait(self):
        self.run()
        with self.done:
            if self.error is not None:
                raise self.error
            return self.value


@functools.cache
def _errands():
    """The queue of the helper, a thread that lasts. By a pool's submit, a step at K = 1 took 0.1 to 0.3 ms longer."""
    errands = queue.SimpleQueue()

    def help():
        blas.one_in_this_thread()
        while True:
            errands.get().run()

    threading.Thread(target=help, name="helper", daemon=True).start()
    return errands


class Alone:
    """The team of one: its mean is the mean. With a second core, a helper works beside it: whole calls, same bytes."""

    size, rank = 1, 0

    def __init__(self, helped=False):
        self.helped = helped

    def mean(self, array):
        return array

    def beside(self, f, *args):
        """Begin f(*args), and go on: a function that waits for its value."""
        if not self.helped:
            return at_once(f, *args)
        errand = Errand(f, args)
        _errands().put(errand)
        return errand.wait


ALONE = Alone()

_SUBMITTING = threading.Lock()


class Team:
    """`size` threads, of which `active` run at a time."""

    def __init__(self, size, active):
        self.size = size
        self.barrier, self.permits = threading.Barrier(size), threading.Semaphore(active)
        self.shares = [[None] * size, [None] * size]  # two, in turn: the next round may begin while one is being read


class Member:
    """What one thread knows of its team."""

    def __init__(self, team, rank):
        self.team, self.rank, self.round = team, rank, 0

    @property
    def size(self):
        return self.team.size

    beside = staticmethod(at_once)  # the other cores have members of their own

    def mean(self, array):
        """The mean of what all members bring to this call; each must come to it equally often."""
        shares = self.team.shares[self.round % 2]
        self.round += 1
        shares[self.rank] = array
        self.team.permits.release()
        try:
            self.team.barrier.wait()
        finally:
            self.team.permits.acquire()
        return functools.reduce(lambda a, b: a + b, shares) / self.size


def run(work, size, active):
    """[work(member) for each member of a team], `active` at a time. If one fails, all stop, and its error is raised."""
    if size == 1:
        return [work(Alone(helped=active > 1))]
    team = Team(size, active)

    def guarded(rank):
        with team.permits:
            try:
                return work(Member(team, rank))
            except BaseException:
                team.barrier.abort()
                raise

    with _SUBMITTING:  # all of a team, then all of the next: two halves in one pool would wait for each other for ever
        futures = [_threads(size).submit(guarded, rank) for rank in range(size)]
    concurrent.futures.wait(futures)
    errors = [future.exception() for future in futures if future.exception()]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return [future.result() for future in futures]


@functools.cache
def _threads(size):
    """A pool that lasts: starting threads for each batch would cost as much as its batch norms."""
    return concurrent.futures.ThreadPoolExecutor(size, "team", blas.one_in_this_thread)


def _after_fork():
    """A child has none of the threads, and perhaps a lock that one of them held."""
    global _SUBMITTING
    _SUBMITTING = threading.Lock()
    _errands.cache_clear()
    _threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
