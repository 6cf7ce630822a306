"""Ctrl-C and SIGTERM as a flag, so that a run can stop between two iterations.

    with Interrupt() as interrupted:
        while work is left and not interrupted():
            ...

What is promised: after the first signal the iteration that runs is finished, and a checkpoint is written by whoever
looks at the flag; a second signal is a KeyboardInterrupt at once, and the checkpoint before is what is left. SIGTERM,
which SIGKILL often follows within seconds, does not wait for an iteration that takes longer than PATIENCE, if that
loses nothing but time.
"""

import contextlib
import signal
import socket
import threading

PATIENCE = 1.0  # seconds after SIGTERM for what is `abandonable` to end by itself
AGAIN = 0.1  # seconds until the next look


class _Thread(threading.local):
    """What a thread is at. Signals are handled in the main one, and what others do is no business of theirs."""

    abandonable = False


_thread = _Thread()


class AbandonedError(Exception):
    """SIGTERM came PATIENCE ago, and what runs would lose nothing but the time that it took."""


@contextlib.contextmanager
def abandonable():
    """For what changes nothing before it returns: an iteration of training, of which a sampler may take hours."""
    _thread.abandonable = True
    try:
        yield
    finally:
        _thread.abandonable = False


class Interrupt:
    """While active, Ctrl-C or SIGTERM only raises a flag; a second one stops at once.

    SIGTERM is not repeated, but followed by SIGKILL: PATIENCE after it, what is `abandonable` is abandoned. Python
    delivers signals to the main thread only; in another one this does nothing.
    """

    def __enter__(self):
        self.raised, self.heard = False, _Arrivals()
        main = threading.current_thread() is threading.main_thread()
        handlers = {signal.SIGINT: self._handle, signal.SIGTERM: self._handle} if main else {}
        if hasattr(signal, "setitimer"):
            handlers |= {signal.SIGALRM: _abandon} if main else {}
        self.previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        if main:
            self.heard.open()
        return self

    def __exit__(self, *_):
        if self.previous:
            _look_in(0)  # never
            self.heard.close()
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame):
        """Raise the flag; KeyboardInterrupt if it was up, or if two signals came at once."""
        again = self.raised or self.heard.take() > 1
        self.raised = True
        if again:
            raise KeyboardInterrupt
        if number == signal.SIGTERM:
            _look_in(PATIENCE)

    def __call__(self):
        return self.raised


class _Arrivals:
    """How many signals have come. Python calls a handler once for all that come while compiled code runs."""

    def open(self):
        """Let Python write a byte for each signal, at the moment that it comes, to a pair of sockets."""
        self.reader, self.writer = socket.socketpair()
        for end in (self.reader, self.writer):
            end.setblocking(False)
        self.before = signal.set_wakeup_fd(self.writer.fileno(), warn_on_full_buffer=False)

    def take(self):
        """The number of SIGINT and SIGTERM since the last call."""
        try:
            numbers = self.reader.recv(4096)
        except BlockingIOError:
            return 0
        return sum(number in (signal.SIGINT, signal.SIGTERM) for number in numbers)

    def close(self):
        """Give the signals' bytes back to whoever had them before."""
        signal.set_wakeup_fd(self.before)
        self.reader.close()
        self.writer.close()


def _look_in(seconds):
    """SIGALRM after so many seconds, and again every AGAIN; 0: no more. Where there is no such clock, nothing."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)


def _abandon(*_):
    """AbandonedError, if what runs in this thread is `abandonable`; else the next SIGALRM asks again."""
    if _thread.abandonable:
        _thread.abandonable = False  # here, as the exception may come while the context ends
        raise AbandonedError
