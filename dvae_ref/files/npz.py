"""The door for npz files that anybody may have written: plain arrays, without pickles, in bounded memory.

As `reading`: whatever is wrong with a file is a ValueError that names it. What the arrays of a checkpoint have to hold
is said in `contents`.

Before an array is read, all headers are: each has to be of a plain dtype, as numbers and text are, with as many bytes
of data as its shape takes, and all together of MOST_UNPACKED bytes at most, or of those of the file itself. So a few
bytes that claim to be terabytes, an archive that unpacks without end, and objects, which a pickle could turn into code,
end there. The checksum of each array is compared as it is read.
"""

import contextlib
import math
import os
import zipfile
from typing import NamedTuple

import numpy as np

from dvae_ref.files import reading
from dvae_ref.files.schema import shortened

MOST_UNPACKED = 2**30  # bytes of all arrays of an npz that is compressed
PLAIN = "biufcUS"  # kinds of dtype: numbers and text
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes as much memory as its header says


class Header(NamedTuple):
    """What an array of an npz is, before it is read."""

    dtype: np.dtype
    shape: tuple


class Arrays(dict):
    """Arrays by name; to ask for one that is not there is a ValueError that names the file."""

    def __init__(self, path, arrays):
        super().__init__(arrays)
        self.path = path

    def __missing__(self, name):
        raise ValueError(f"{self.path} has no array {name}; there are {shortened(', '.join(self)) or 'none'}")


class Archive:
    """An npz that is open: the Headers of its arrays by name, and each array when it is asked for."""

    def __init__(self, path, kind, file):
        self.path, self.what = path, f"truncated or no {kind}"
        with reading.parsing(path, self.what):
            self.file = zipfile.ZipFile(file)
            self.members = _members(self.file, max(MOST_UNPACKED, os.fstat(file.fileno()).st_size))
            self.headers = {name: _header(self.file, member) for name, member in self.members.items()}

    def array(self, name):
        """The array of this name. ValueError, with the file, if there is none, or if it is damaged."""
        if name not in self.members:
            raise ValueError(f"{self.path} is {self.what} (it has no {name})")
        with reading.parsing(self.path, self.what):
            return _array(self.file, self.members[name])

    def arrays(self):
        """All of them: Arrays."""
        return Arrays(self.path, {name: self.array(name) for name in self.members})


@contextlib.contextmanager
def opened(path, kind="npz file of plain arrays"):
    """The Archive of an npz file. It may unpack to MOST_UNPACKED bytes, or to as many as it has itself."""
    with reading.regular(path, kind) as file:
        yield Archive(path, kind, file)


def read(path, kind="npz file of plain arrays", check=lambda headers: None):
    """The Arrays of an npz file. check({name: Header}) raises ValueError for what it does not want, before an array is
    read."""
    with opened(path, kind) as archive:
        check(archive.headers)
        return archive.arrays()


def _members(archive, most):
    """{name: member} of an archive that holds arrays only, each once, and not more than `most` bytes of them."""
    found = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name == member.filename:
            raise ValueError(f"it holds {name!r}, which is no array")
        if name in found or member.compress_type not in PACKINGS:
            raise ValueError(f"{name!r} is there twice, or packed in a way that is not read")
        found[name] = member
    size = sum(member.file_size for member in found.values())
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes, expected {most:,} at most")
    return found


def _header(archive, member):
    """The Header of an array whose data are as long as it says. Version 1.0: what NumPy writes of plain arrays."""
    with archive.open(member) as file:
        if (version := np.lib.format.read_magic(file)) != (1, 0):
            raise ValueError(f"{member.filename} has a header of version {version}, expected (1, 0)")
        try:
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        except MemoryError:  # of Python's parser: 64 KB take no memory
            raise ValueError(f"{member.filename} has a header that is nested too deeply") from None
        _check_header(member, dtype, shape, member.file_size - file.tell())
    return Header(dtype, shape)


def _check_header(member, dtype, shape, bytes_there):
    """ValueError for a type that is not read, and for data of another length than the type and the shape take."""
    if dtype.hasobject or dtype.kind not in PLAIN or not dtype.itemsize:
        raise ValueError(f"{member.filename} is of type {dtype}, which is not read")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or bytes_there != size:
        raise ValueError(f"{member.filename} has {bytes_there:,} bytes of data, but {dtype} {shape} take {size:,}")


def _array(archive, member):
    """The array, in C order; its checksum is verified."""
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read()  # to the end, where zipfile compares the checksum
    return np.asarray(array, order="C")
