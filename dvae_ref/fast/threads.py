"""The threads of this package: one pool, which lasts. No result depends on how many threads there are.

submit     a call that another core may make meanwhile; who asks for its result makes it, if nobody has begun it
in_order   the same of many calls, a few at a time

With them are made `tasks.share_out`, a kernel's tasks for whoever is free, and `team.run`, shares of a batch.

Where memory is short, a thread can die before it has begun. `threading` would wait for it for ever, and so would
executors. Here nobody waits for a thread that has not begun, or looks again and again whether it lives.
"""

import _thread
import collections
import contextlib
import contextvars
import os
import threading
import weakref

from dvae_ref import blas

LOOK = 0.1  # seconds, after which who waits for a thread looks whether it lives
DIED = "a thread ended before its work was done: most likely, memory ran out"

_cores = contextvars.ContextVar("how many cores may be at work for this thread, its own included", default=1)


@contextlib.contextmanager
def cores(count):
    """While it lasts, what is submitted in this thread is made by so many cores, its own included."""
    before = _cores.set(count)
    try:
        yield
    finally:
        _cores.reset(before)


def may_share():
    """Whether there is another core for what is submitted in this thread."""
    return _cores.get() > 1


class Call:
    """f(*args), made once: by a thread of the pool, or by who asks for the result, if none has begun it."""

    def __init__(self, f, *args):
        self.f, self.args, self.value, self.error = f, args, None, None
        self.thread = None  # of the pool, that is to make it
        self.begun, self.done = threading.Lock(), locked()

    def make(self):
        """Make the call, unless somebody has begun it."""
        if not self.begun.acquire(blocking=False):
            return
        try:
            self.value = self.f(*self.args)
        except BaseException as error:
            self.error = error
        finally:
            self.f = self.args = None  # not to be kept alive by a thread, or by the traceback of an error
            self.done.release()

    def cancel(self):
        """Take the call back: True if nobody had begun it, and nobody will."""
        cancelled = self.begun.acquire(blocking=False)
        if cancelled:
            self.f = self.args = None
        return cancelled

    def lost(self):
        """Whether it will never be done, as its thread is dead."""
        return self.thread is not None and not self.thread.alive() and self.done.locked()

    def wait(self):
        """Until another thread has made it. RuntimeError if that thread is dead."""
        while not self.done.acquire(timeout=LOOK):
            if self.lost():
                raise RuntimeError(DIED)
        self.done.release()

    def result(self):
        """Its value; its error is raised."""
        self.make()
        self.wait()
        if self.error is not None:
            raise self.error
        return self.value


def locked():
    """A lock that opens when somebody else releases it."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def submit(f, *args):
    """A Call of f(*args), which another core may make while this one goes on; where there is none, it is made now."""
    call = Call(f, *args)
    if may_share():
        give(call, _cores.get() - 1)
    else:
        call.result()
    return call


def in_order(f, inputs):
    """f(*args) for each args of the inputs, one after another; as many are made at a time as there are cores."""
    ahead = collections.deque()
    try:
        for args in inputs:
            ahead.append(submit(f, *args))
            if len(ahead) >= _cores.get():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for call in ahead:
            call.cancel()


class _Life:
    """What a thread alone holds on to for as long as it lives."""


class _Thread:
    """A thread that makes the calls which it is given. It does not keep the process from ending."""

    def __init__(self, pool):
        self.pool, self.call, self.called = pool, None, locked()
        life = _Life()
        self.life = weakref.ref(life)
        _thread.start_new_thread(self._serve, (life,))  # Thread.start() would wait until it has begun

    def alive(self):
        """Whether it runs: with its end its _Life, which nobody else holds, ends as well."""
        return self.life() is not None

    def take(self, call):
        """Begin to make a call: the thread, which is free, is let through its gate."""
        self.call, call.thread = call, self
        self.called.release()

    def _serve(self, life):
        """What the thread runs: call after call, each as it is given."""
        try:
            blas.one_in_this_thread()
            while True:
                self.called.acquire()
                self.call.make()
                self.call = None
                self.pool.next(self)
        except BaseException:  # no memory: who waits for its call finds it dead
            pass


class _Pool:
    """Threads, made when they are first wanted. A call for which none is free waits; a free one takes the oldest."""

    def __init__(self):
        self.lock, self.free, self.busy, self.waiting = threading.Lock(), [], [], []

    def give(self, call, most):
        """See the function `give`. Calls that somebody has begun meanwhile leave the queue; so do dead threads."""
        with self.lock, contextlib.suppress(RuntimeError, MemoryError):
            self.busy = [thread for thread in self.busy if thread.alive()]
            if sum(type(thread.call) is type(call) for thread in self.busy) < most:
                self._lend(call)
            else:
                self.waiting = [other for other in self.waiting if not other.begun.locked()] + [call]

    def lend(self, call):
        """See the function `lend`."""
        with self.lock:
            self._lend(call)

    def _lend(self, call):
        """Have a free thread, or a new one, make the call. The caller holds the lock."""
        thread = self.free.pop() if self.free else _Thread(self)
        self.busy.append(thread)
        thread.take(call)

    def next(self, thread):
        """The thread, done with its call, takes the next, or is free."""
        with self.lock:
            if self.waiting:
                thread.take(self.waiting.pop(0))
            else:
                self.busy.remove(thread)
                self.free.append(thread)


_pool = _Pool()


def give(call, most):
    """Let a thread make a Call: now, if fewer than `most` are busy with others of its class, or else when one is free.

    If none can be started, who asks for the result makes it.
    """
    _pool.give(call, most)


def lend(call):
    """Let a thread make a Call at once. RuntimeError, or MemoryError, if none can be started."""
    _pool.lend(call)


def _after_fork():
    """A child has none of the threads, and perhaps a lock that one of them held."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
