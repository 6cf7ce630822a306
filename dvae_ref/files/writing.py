"""Files that are whole or absent: atomic writes, and checkpoints that refuse what they do not know.

A file is written under another name beside its place, brought to the disk (fsync), and only then given its name, which
is one step for the system. A process that is killed, a full disk and a power failure leave the file that was there
before, or the new one, and never half of one. What is left of a killed write has a name of its own (`partial`) and goes
with the next write of that file.
"""

import contextlib
import errno
import json
import math
import os
import stat
import sys
import time
from pathlib import Path

import numpy as np

from dvae_ref import tree
from dvae_ref.files import npz, partial, reading

FORMAT = "dvae_ref checkpoint"
VERSION = 1
KIND = "checkpoint of dvae_ref"
PATIENCE = 10.0  # seconds


@contextlib.contextmanager
def atomic(path):
    """Open a new binary file that takes the place of `path` when it is complete and on disk, or never does.

    A link stays, and what it leads to is replaced. A file keeps its mode; a new one has that of the umask. A device or
    a pipe is written to as it is. OSError names `path` where nothing can be written.
    """
    if _is_device(path):
        with _opened_device(path) as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    descriptor, temporary = _created(target, path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path):
    """OSError, naming `path`, where `atomic` could not write: to be called before the work of a command, not after.

    It makes the file that `atomic` would begin with, and removes it. A disk that is full by the end of the work it
    cannot foresee.
    """
    if not _is_device(path):
        descriptor, temporary = _created(Path(os.path.realpath(path)), path)
        os.close(descriptor)
        temporary.unlink()


def make_folder(path):
    """The folder, with those above it, if it is not there. OSError names it."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except RecursionError:
        raise OSError(errno.ENAMETOOLONG, "too many folders in one another", str(path)) from None


def _created(target, path):
    """(descriptor, Path) of a file that is to become `target`. What killed writers of it left behind is deleted.

    OSError, with the name that the caller gave: for a folder, for a place without room or permission.
    """
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "cannot write here: it is a folder", str(path))
    partial.remove_dead(target.parent, target.name)
    try:
        descriptor, temporary = partial.create(target)
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
    except OSError as error:  # which would name the temporary file
        raise OSError(error.errno, f"cannot write here: {error.strerror}", str(path)) from None
    return descriptor, temporary


def _is_device(path):
    """Is it a character device, a pipe or a socket? OSError if it is a disk."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "cannot write here: it is a block device", str(path))
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _opened_device(path):
    """A device or a pipe, open for writing. OSError for a pipe that nobody reads within PATIENCE seconds: to wait for
    a reader might be to wait for ever."""
    if not stat.S_ISFIFO(os.stat(path).st_mode):
        return open(path, "wb")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(descriptor, True)
            return os.fdopen(descriptor, "wb")
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise OSError(error.errno, "cannot write here: it is a pipe that nobody reads", str(path)) from None
        time.sleep(0.02)


def is_stdout(path):
    """Is it what standard output goes to, /dev/stdout say?"""
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # no such file; or no standard output, or one that is no file
        return False


def to_json(record, **options):
    """JSON text. ValueError for what strict JSON cannot say: it has no NaN and no Infinity."""
    return json.dumps(record, allow_nan=False, **options)


def write_utf8(path, text):
    """Write a text, atomically; what UTF-8 cannot say, of a file's name or of JSON, as an escape."""
    with atomic(path) as file:
        file.write(text.encode(errors="backslashreplace"))


def write_json(path, record):
    """Write a record as indented JSON, atomically. ValueError, before the file is touched, for NaN and infinity."""
    write_utf8(path, to_json(record, indent=2) + "\n")


def save_checkpoint(path, header, **trees):
    """Write trees of arrays and a header of plain JSON values, atomically.

    trees: by the name under which `restore` finds them. Arrays are members of an npz file called by their path
    ("params.rbm.W"), the header is one of them, a text. OSError if it cannot be written, and the checkpoint before it
    stays; ValueError for a header with NaN or infinity.
    """
    arrays = {path: leaf for name, branch in trees.items() for path, leaf in tree.items(branch, name)}
    header = to_json({"format": FORMAT, "version": VERSION, **header})
    with atomic(path) as file:
        np.savez(file, header=np.array(header), **arrays)


def load_checkpoint(path, check=lambda header, arrays: None):
    """(header, arrays by path). ValueError names a file that is truncated, foreign or of another version.

    check(header, {path: npz.Header}) raises ValueError for what it does not want, before an array is read.
    """
    with _opened(path) as (header, archive):
        check(header, archive.headers)
        arrays = archive.arrays()
    del arrays["header"]
    return header, arrays


def read_header(path):
    """The header of a checkpoint, without its arrays; errors as of load_checkpoint."""
    with _opened(path) as (header, _):
        return header


@contextlib.contextmanager
def _opened(path):
    """(header, npz.Archive) of a checkpoint."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"no checkpoint {path}")
    with npz.opened(path, KIND) as archive:
        yield _header(archive.array("header"), path), archive


def _header(found, path):
    """The header that stands in this array."""
    if found.dtype.kind != "U" or found.shape:
        raise ValueError(f"{path} is truncated or no {KIND} (its header is {found.dtype} {found.shape})")
    header = reading.json_value(str(found), path, {"Infinity": math.inf}, f"truncated or no {KIND}")
    kind = (header.pop("format", None), header.pop("version", None)) if isinstance(header, dict) else (None, None)
    if kind == (None, None):
        raise ValueError(f"{path} is truncated or no {KIND} (its header does not say so)")
    if kind != (FORMAT, VERSION):
        raise ValueError(f"{path} is a {kind[0]!r} of version {kind[1]}; expected {FORMAT!r} of version {VERSION}")
    return header


def check_fits(name, like, arrays, path):
    """ValueError unless arrays, or their headers, have shapes and types of the leaves of `like`, saved as `name`."""
    for key, expected in tree.items(like, name):
        found = arrays.get(key)
        if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
            got = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise ValueError(f"{path}: expected {key} to be {expected.dtype} {expected.shape}, found {got}")


def restore(name, like, arrays, path):
    """The tree that save_checkpoint wrote under `name`; its leaves must match those of `like`."""
    check_fits(name, like, arrays, path)
    return tree.unflatten(like, [arrays[key] for key, _ in tree.items(like, name)])
