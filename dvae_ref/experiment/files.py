"""Files that are whole or absent: atomic writes, and checkpoints that refuse what they do not know."""

import contextlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from dvae_ref import tree

FORMAT = "dvae_ref checkpoint"
VERSION = 1
UNREADABLE = (zipfile.BadZipFile, ValueError, KeyError, EOFError, AttributeError, OSError, TypeError, RuntimeError)


@contextlib.contextmanager
def atomic(path):
    """Open a new binary file that takes the place of `path` when it is complete and on disk, or never does.

    OSError names `path` where nothing can be written. The folder must be there.
    """
    path = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:  # which would name the temporary file
        raise OSError(error.errno, f"cannot write here: {error.strerror}", str(path)) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_partial(folder):
    """Delete what writes that were killed left behind."""
    for path in Path(folder).glob(".*.part"):
        path.unlink(missing_ok=True)


def write_json(path, record):
    with atomic(path) as file:
        file.write(json.dumps(record, indent=2).encode() + b"\n")


def save_checkpoint(path, header, **trees):
    """Write trees of arrays and a header of plain JSON values, atomically."""
    arrays = {path: leaf for name, branch in trees.items() for path, leaf in tree.items(branch, name)}
    header = json.dumps({"format": FORMAT, "version": VERSION, **header})
    with atomic(path) as file:
        np.savez(file, header=np.array(header), **arrays)


def load_arrays(path, kind="npz file of plain arrays"):
    """Arrays by name of an npz file, without pickles. ValueError names a file that is damaged, or no such `kind`."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise ValueError(f"{path} is truncated or no {kind} ({error})") from error


def load_checkpoint(path):
    """(header, arrays by path). ValueError names a file that is truncated, foreign or of another version."""
    kind = "checkpoint of dvae_ref"
    try:
        arrays = load_arrays(path, kind)
    except FileNotFoundError:
        raise FileNotFoundError(f"no checkpoint {path}") from None
    try:
        header = json.loads(str(arrays.pop("header")))
        found = header.pop("format"), header.pop("version")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is truncated or no {kind} ({error})") from error
    if found != (FORMAT, VERSION):
        raise ValueError(f"{path} is a {found[0]!r} of version {found[1]}; expected {FORMAT!r} of version {VERSION}")
    return header, arrays


def restore(name, like, arrays, path):
    """The tree that save_checkpoint wrote under `name`; its leaves must match those of `like`."""
    leaves = []
    for key, expected in tree.items(like, name):
        found = arrays.get(key)
        if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
            got = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise ValueError(f"{path}: expected {key} to be {expected.dtype} {expected.shape}, found {got}")
        leaves.append(found)
    return tree.unflatten(like, leaves)
