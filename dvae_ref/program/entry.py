"""How a program begins and ends: its streams, Ctrl-C, its exit code. For __main__ modules; a library does none of this.

    if __name__ == "__main__":
        entry.leave_on_interrupt()     # the first line that runs
        ...
        entry.run(main)

Exit codes are those of main: 0, 1, 2, and 130 when interrupted. A result that cannot be printed is 1.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
import warnings

INTERRUPTED = 130
SOON = 0.02  # seconds until a Ctrl-C that was ignored comes again
LEAVE = 1.0  # seconds that other threads are given to end, once interrupted
FAILURES = (ValueError, OSError, ArithmeticError, ImportError, MemoryError, RuntimeError)  # said in a line
FAILURES += (SystemError,)  # what Python 3.11 raises where memory is too short for one more function call

_with_its_place = warnings.formatwarning


class UsageError(Exception):
    """The arguments make no sense: exit code 2."""


def _leave(*_):
    """End on the spot, without Python's own end: no destructors, no waiting for threads."""
    os._exit(INTERRUPTED)


def leave_on_interrupt():
    """Until `ready`, Ctrl-C ends the process on the spot: half of the libraries are loaded, and nothing is begun."""
    signal.signal(signal.SIGINT, _leave)


def ready():
    """What is to be loaded is: from here on Ctrl-C is a KeyboardInterrupt."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run(main):
    """Exit with what main() returns."""
    open_streams()
    warnings.formatwarning = _in_words
    sys.unraisablehook = _raise_anew
    try:
        code = main()
    except SystemExit as left:  # argparse's
        code = left.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = 1
    if code == INTERRUPTED:
        _ignore_interrupts()  # a second one, in Python's own end, would be the exit code
        _leave_soon()
    sys.exit(code if _flush(sys.stdout) else code or 1)


def _ignore_interrupts():
    """No Ctrl-C any more, not even one that comes while this is being said."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return


def _in_words(message, category, filename, lineno, line=None):
    """Ours are sentences for who runs the program; others are for who writes it, and say where they are from."""
    if category is UserWarning:
        return f"warning: {message}\n"
    return _with_its_place(message, category, filename, lineno, line)


def _raise_anew(unraisable):
    """Ctrl-C where Python can only ignore it, in a destructor, or a function that C calls back, comes again a moment
    later, somewhere else."""
    if unraisable.exc_type is not KeyboardInterrupt:
        return sys.__unraisablehook__(unraisable)
    _later(SOON, _interrupt)


def _interrupt():
    """Ctrl-C for the main thread, whatever it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _leave_soon():
    """End even if other threads do not: Python waits for them."""
    _later(LEAVE, _leave)


def _later(seconds, f):
    """f() after so many seconds, unless the process has ended. Python's Timer.start() waits until its thread has begun:
    for ever, where memory is so short that it dies before."""

    def work():
        time.sleep(seconds)
        f()

    with contextlib.suppress(RuntimeError, MemoryError):  # no thread can be started
        _thread.start_new_thread(work, ())


def parse(parser, argv=None):
    """parser.parse_args(argv), which by itself takes --option=-- for an empty list."""
    words = sys.argv[1:] if argv is None else list(argv)
    options = words[: words.index("--")] if "--" in words else words
    for word in options:
        name, _, value = word.partition("=")
        if name.startswith("--") and value == "--":
            parser.error(f"argument {name}: expected a value, got --; what has that name is ./--")
    return parser.parse_args(words)


def guarded(prog, work, debug=False):
    """work()'s exit code. SystemExit after a line about an error: 2 for UsageError, 1 for FAILURES; debug: where."""
    try:
        return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (UsageError, *FAILURES) as error:
        if debug:
            raise
        if not isinstance(error, BrokenPipeError):  # where nobody reads on, there is nothing to say
            sys.stderr.write(one_line(prog, error))
        sys.exit(2 if isinstance(error, UsageError) else 1)


def one_line(prog, error):
    """What a program says of an error."""
    kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
    return f"{prog}: {kind}{' '.join(str(error).split())}\n"


# -- streams -----------------------------------------------------------------------------------------------------------


def open_streams():
    """Standard streams that are there, take every character, and standard error one that never fails.

    A number of a closed stream would go to the next file that is opened, and what is printed into that file. What the
    encoding cannot say is written as an escape. Work goes on where progress cannot be shown.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere(descriptor))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, _Unfailing):
        sys.stderr = _Unfailing(sys.stderr)


def _nowhere(descriptor):
    """A stream in place of one that was closed, with its number."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)
    return open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)


class _Unfailing:
    """A stream that forgets what it cannot write: on a full disk, to a closed pipe."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """As the stream's, and as long; once it fails, what comes later is forgotten as well."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self):
        """As the stream's, but that nothing is raised."""
        _flush(self._stream)


def _flush(stream):
    """Whether what was written to a stream is where it belongs; what is not is forgotten."""
    try:
        stream.flush()
    except OSError as error:
        silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"standard output cannot be written: {error.strerror}\n")
        return False
    return True


def silence(stream):
    """Let a stream go nowhere, with all that it still holds: Python, which flushes it at the end, would fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
    stream.flush()
