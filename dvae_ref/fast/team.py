"""Teams: threads with a share of a batch each, that agree on means over all of it, such as batch norm's.

The size of a team depends on the batch, never on the machine, and sums run in the order of the members: the results are
the same for any number of cores.
"""

import contextvars
import functools
import operator
import threading

from dvae_ref.fast.threads import LOOK, Call, cores, lend, locked

_member = contextvars.ContextVar("what this thread is of a team", default=None)


def mean(x):
    """The mean over the batch of x, the mean over this thread's share of it: x itself where there are no shares."""
    member = _member.get()
    return x if member is None else member.mean(x)


def run(work, size, active):
    """[work(rank) for rank in range(size)], each in a thread of its own, `active` at a time, with common means.

    A team of one is the caller, and other cores may make what it submits. If a member fails, all stop, and its error is
    raised; RuntimeError if its thread cannot be started, or dies.
    """
    if size == 1:
        with cores(active):
            return [work(0)]
    whole = _Team(work, size, active)
    try:
        for call in whole.calls:
            lend(call)
        for call in whole.calls:
            call.wait()
    except BaseException:
        whole.failed = True
        raise
    return _values(whole.calls)


def _values(calls):
    """What the members have returned. The error of one that failed by itself goes before those that it stopped."""
    errors = [call.error for call in calls if call.error is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
        raise error
    return [call.value for call in calls]


class StoppedError(Exception):
    """Another member of the team has failed."""


class _Part(Call):
    """What one member does."""


class _Team:
    """What the members of a team share."""

    def __init__(self, work, size, active):
        self.size, self.failed = size, False
        self.calls = [_Part(self._begin, work, rank) for rank in range(size)]
        self.permits = threading.Semaphore(active)
        self.lock, self.arrived, self.gates = threading.Lock(), 0, [locked() for _ in range(size)]
        self.shares = [None] * size, [None] * size  # in turn: the next round may begin while one is being read

    def _begin(self, work, rank):
        """work(rank) as a member, whose thread has its core to itself: the other cores have members of their own."""
        self._acquire(self.permits)
        before = _member.set(_Member(self, rank))
        try:
            with cores(1):
                return work(rank)
        except BaseException:
            self.failed = True
            raise
        finally:
            _member.reset(before)
            self.permits.release()

    def meet(self, rank):
        """Wait until all members have called this; meanwhile others may have this member's core."""
        self.permits.release()
        with self.lock:
            self.arrived += 1
            if self.arrived % self.size == 0:
                for gate in self.gates:
                    gate.release()
        self._acquire(self.gates[rank])
        self._acquire(self.permits)

    def _acquire(self, lock):
        """Take a lock; StoppedError if a member has failed or died, so that nobody would release it."""
        while not lock.acquire(timeout=LOOK):
            if self.failed or any(call.lost() for call in self.calls):
                raise StoppedError


class _Member:
    """What one thread knows of its team."""

    def __init__(self, whole, rank):
        self.whole, self.rank, self.round = whole, rank, 0

    def mean(self, x):
        """The mean of x over the members, waited for; each member must ask equally often."""
        shares = self.whole.shares[self.round % 2]
        self.round += 1
        shares[self.rank] = x
        self.whole.meet(self.rank)
        return functools.reduce(operator.add, shares) / self.whole.size
