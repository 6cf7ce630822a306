"""Files, and folders, that are being written, beside the place that they will take: their names say who writes them.

    .last.npz.1f2e3d4c-4711-98765-k3x9.part

is of process 4711, which started at 98765, of the machine, or the container, 1f2e3d4c, since it was booted. So what
writers left that were killed can be told from the files of others that are at work.
"""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from pathlib import Path

NAME = re.compile(r"\.(?P<target>.+)\.(?P<place>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-\w+\.part")
NAME_IN_0_1 = re.compile(r"\.(?P<target>.+)\.\w{8}\.part")  # which did not say whose it is
UNTOUCHED = 24 * 3600  # seconds without a change, after which a writer elsewhere counts as dead: a write takes seconds


def name(target):
    """A new name for what this process writes in place of the file `target`."""
    pid = os.getpid()
    return f".{target}.{_place()}-{pid}-{_start_of(pid) or 0}-{secrets.token_hex(4)}.part"


def create(path):
    """(descriptor, Path) of a new file that is to take the place of `path`; its mode is as the umask has it."""
    temporary = path.with_name(name(path.name))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(temporary, flags, 0o666), temporary


def remove_dead(folder, target=None, ours=()):
    """Delete what writers that are dead left in a folder: of the file `target` alone, if given.

    ours: files that nobody but the caller writes, whose lock it holds: what was to become of them is dead in any case.
    """
    with contextlib.suppress(OSError):  # no folder, or none of ours: the write itself will say so
        for path in Path(folder).glob(".*.part"):
            match = NAME.fullmatch(path.name) or NAME_IN_0_1.fullmatch(path.name)
            wanted = match and target in (None, match["target"])
            if wanted and (match["target"] in ours or _is_dead(path, match)):
                _remove(path)


def _remove(path):
    """Delete a file, or a folder with all that is in it; of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_dead(path, match):
    """Is the writer gone? Elsewhere, or of an earlier version, it is when it has not written for a day.

    Here it is gone if no process has its number, or one that started at another time: numbers are given anew.
    """
    found = match.groupdict()
    if found.get("place") == _place():
        return not _is_alive(int(found["pid"]), int(found["start"]))
    return time.time() - path.stat().st_mtime > UNTOUCHED


def _is_alive(pid, start):
    """Is there a process of this number that started then? Where nobody tells its start, any of this number is."""
    if sys.platform.startswith("linux"):
        return _start_of(pid) == start
    if sys.platform == "win32":  # where there is no asking without ending it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _start_of(pid):
    """When a process started, in ticks since the machine did; None if it has ended, or where Linux does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # its name, before, may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


@functools.cache
def _place():
    """Eight hexadecimal digits for the numbering of processes that this one is of."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
