"""A whole command in a child of this process: forked, so that a signal is seen and nothing has to be imported anew.

What is promised of `python -m PROGRAM ARGUMENTS` is looked at as the shell would see it: exit code, signal, what stands
on standard output and standard error, which are files.
"""

import contextlib
import faulthandler
import gc
import io
import os
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dvae_ref.program import entry

GIB = 2**30
NO_MAIN = 125  # exit code where the child failed before the command began


class Command(NamedTuple):
    """What is run, and how."""

    program: str  # of PROGRAMS
    arguments: list
    encoding: str = "utf-8"  # of standard output and error
    interrupt: float | None = None  # seconds after which Ctrl-C is pressed, and again PATIENCE later


class Limits(NamedTuple):
    seconds: float = 60.0  # before, or after the last Ctrl-C: then it hangs, and is killed
    memory: int = 3 * GIB  # bytes of address space, besides what the parent has


class Outcome(NamedTuple):
    code: int | None  # exit code
    signal: int | None  # that ended it
    hung: bool
    seconds: float
    cpu: float  # seconds, too
    output: str  # of both standard output and error


PATIENCE = 1.0  # seconds between the first Ctrl-C and the second


def run(main: Callable, command, folder, said, limits=Limits()):  # noqa: B008 - immutable
    """The Outcome of main() as the program of a process whose current folder is `folder`.

    said: a folder for the files that standard output and error go to.
    """
    start = time.perf_counter()
    pid = begin(main, command, folder, said, limits)
    presses = [] if command.interrupt is None else [(command.interrupt, signal.SIGINT), (PATIENCE, signal.SIGINT)]
    status, cpu, hung = wait(pid, [*presses, (limits.seconds, signal.SIGKILL)])
    with contextlib.suppress(ProcessLookupError):  # what it may have started
        os.killpg(pid, signal.SIGKILL)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code if code >= 0 else None, -code if code < 0 else None, hung, seconds, cpu, output(said))


def output(said):
    """All that a program said."""
    return "".join((said / name).read_text("utf-8", errors="replace") for name in ("out", "err"))


def begin(main, command, folder, said, limits=Limits()):  # noqa: B008 - immutable
    """The process id of the child, which leads a process group of its own."""
    for name in ("out", "err"):
        (said / name).write_bytes(b"")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the child is ready for it
    pid = os.fork()
    if pid == 0:
        _become(main, command, folder, said, limits)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def wait(pid, signals):
    """(wait status, CPU seconds, was the last signal sent?) of a child, which is sent signals: (seconds, number)."""
    descriptor = os.pidfd_open(pid)
    try:
        for seconds, number in signals:
            if select.select([descriptor], [], [], seconds)[0]:
                sent_last = False
                break
            os.kill(pid, number)
            sent_last = True
    finally:
        os.close(descriptor)
    _, status, used = os.wait4(pid, 0)
    return status, used.ru_utime + used.ru_stime, sent_last


def _become(main, command, folder, said, limits):
    """In the child: be the program, never return."""
    code = NO_MAIN
    try:
        os.setsid()
        _set_up(command, folder, said, limits)
        code = _finalize(_call(main))
    finally:
        os._exit(code)


def _set_up(command, folder, said, limits):
    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(said / name, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding=command.encoding, write_through=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding=command.encoding, errors="backslashreplace", write_through=True
    )
    sys.unraisablehook = sys.__unraisablehook__  # and not pytest's
    faulthandler.disable()
    tqdm.set_lock(threading.RLock())  # its own is shared with all children, and may be held by one that was killed
    os.chdir(folder)
    own = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "home/.cache"}
    for variable, place in own.items():
        (Path(folder) / place).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(Path(folder) / place)
    os.environ.pop("DVAE_REF_DATA", None)
    tempfile.tempdir = None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _address_space() + limits.memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    sys.argv = [command.program, *command.arguments]


def _address_space():
    """Bytes that this process has already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _call(main):
    """The exit code of a program that begins and ends as its __main__ module does."""
    try:
        entry.leave_on_interrupt()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        entry.run(main)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1


def _finalize(code):
    """What the interpreter does last, so far as it may say something: threads, garbage, buffers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading._shutdown()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            os.write(2, f"Exception ignored: {error}\n".encode())
            code = 120
    return code
