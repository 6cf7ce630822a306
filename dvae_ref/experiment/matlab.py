"""Read real matrices from MATLAB 5 files, such as OMNIGLOT's chardata.mat.

SciPy reads them too, and the tests compare; but some damaged files make it crash the process, and it takes twice as
long.

A file is a header of 128 bytes and a list of elements: two 32-bit words, kind and size, and as many bytes. A matrix is
an element that holds elements: flags, dimensions, name, values column by column. It may be compressed.
"""

import struct
import zlib
from math import prod

import numpy as np

MATRIX, COMPRESSED = 14, 15  # kinds of elements; those of values:
VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC_CLASSES = range(6, 16)  # double to uint64: not cells, structs, text, sparse matrices
COMPLEX = 0x0800  # a bit of the flags
LONGEST_HINT = 2**28  # bytes that a damaged size may make us allocate


def read(content, names):
    """{name: matrix} of those matrices in a file's bytes. ValueError if the file, or one of them, is unreadable."""
    byte_order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(content[124:128])
    if byte_order is None:
        raise ValueError("no header of a MATLAB 5 file")
    try:
        bodies = (_body(*element, byte_order) for element in _elements(memoryview(content)[128:], byte_order))
        found = (_matrix(body, byte_order, names) for body in bodies if body is not None)
        return dict(pair for pair in found if pair is not None)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from error


def _elements(data, byte_order):
    """(kind, bytes) of each element."""
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(f"{byte_order}2I", data, position)
        start, padding = position + 8, -size % 8
        if kind >> 16:  # up to four bytes, in place of the second word
            kind, size = kind & 0xFFFF, kind >> 16
            start, padding = position + 4, 4 - size
        if start + size > len(data):
            raise ValueError(f"truncated: {size} bytes expected, {len(data) - start} there")
        yield kind, data[start : start + size]
        position = start + size + (0 if kind == COMPRESSED else padding)


def _body(kind, data, byte_order):
    """The elements inside a matrix, None for other things than matrices."""
    if kind == COMPRESSED:
        head = zlib.decompressobj().decompress(data, 8)
        kind, size = struct.unpack(f"{byte_order}2I", head)
        data = memoryview(zlib.decompress(data, bufsize=min(size + 8, LONGEST_HINT)))[8:]
    return data if kind == MATRIX else None


def _matrix(body, byte_order, names):
    """(name, matrix), or None if its name is not one of those."""
    parts = _elements(body, byte_order)
    try:
        flags, dimensions, name = (bytes(data) for _, data in (next(parts), next(parts), next(parts)))
        name = name.decode("latin-1")
        if name not in names:
            return None
        kind, values = next(parts)
    except StopIteration:
        raise ValueError("damaged: a matrix without flags, dimensions, name or values") from None
    (flags,) = struct.unpack_from(f"{byte_order}I", flags)
    if flags & 0xFF not in NUMERIC_CLASSES or flags & COMPLEX or kind not in VALUES:
        raise ValueError(f"'{name}' is not a matrix of real numbers")
    dtype = np.dtype(byte_order + VALUES[kind])
    shape = struct.unpack(f"{byte_order}{len(dimensions) // 4}i", dimensions)
    if len(values) != prod(shape) * dtype.itemsize:
        raise ValueError(f"damaged: '{name}' is {len(values)} bytes, expected {shape} {dtype}")
    return name, np.frombuffer(values, dtype).reshape(shape, order="F")
