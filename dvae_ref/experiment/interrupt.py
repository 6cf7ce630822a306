"""Ctrl-C as a flag, so that a run can stop between two iterations."""

import signal
import threading


class Interrupt:
    """While active, Ctrl-C (or SIGTERM) only raises a flag; a second one stops at once.

    Python delivers signals to the main thread only; in another one this does nothing.
    """

    def __enter__(self):
        self.raised = False
        main = threading.current_thread() is threading.main_thread()
        signals = (signal.SIGINT, signal.SIGTERM) if main else ()
        self.previous = {s: signal.signal(s, self._handle) for s in signals}
        return self

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _handle(self, *_):
        if self.raised:
            raise KeyboardInterrupt
        self.raised = True

    def __call__(self):
        return self.raised
