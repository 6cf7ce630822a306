"""Files that somebody might hand us: what parsers of npz and JSON make of them is anything but a ValueError."""

import contextlib
import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np


@contextlib.contextmanager
def memory():
    """While active, what is allocated is watched: a function that says how many bytes there were at most."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else peak
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_with(header, data=b"", version=(1, 0)):
    """An .npy of this header, which need not be one."""
    text = header.encode("latin-1") + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


def archive(path, members, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def shaped(shape, descr="'<f8'", data=b""):
    return npy_with(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", data)


def damaged(path, edit, packing=zipfile.ZIP_DEFLATED):
    """An archive of zeros after an edit of its bytes."""
    content = archive(path, {"a.npy": npy(np.zeros(1000))}, packing).read_bytes()
    path.write_bytes(edit(bytearray(content)))


def flip(start):
    """Other bytes from here on."""

    def edit(content):
        content[start : start + 20] = bytes(255 - byte for byte in content[start : start + 20])
        return content

    return edit


def set_everywhere(offset, value):
    """A field of 2 bytes, this far behind each signature: in the local header and in the directory."""

    def edit(content):
        for mark, place in zip((b"PK\3\4", b"PK\1\2"), offset, strict=True):
            at = content.index(mark) + place
            content[at : at + 2] = struct.pack("<H", value)
        return content

    return edit


def bomb(path, size=2**30):
    """An array of zeros: a GiB, of which a few MB are on disk."""
    header = shaped(f"({size},)", "'|u1'")
    packing = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 1}
    with zipfile.ZipFile(path, "w", **packing) as file, file.open("a.npy", "w") as member:
        member.write(header)
        for _ in range(size // 2**24):
            member.write(bytes(2**24))


def pipe(path):
    os.mkfifo(path)


def one(content, name="a.npy", **options):
    return lambda path: archive(path, {name: content}, **options)


NPZ = {
    "a text beside the arrays": lambda path: archive(path, {"a.npy": npy(np.ones(3)), "README.txt": b"mine"}),
    "a folder in it": lambda path: archive(path, {"a.npy": npy(np.ones(3)), "folder/": b""}),
    "a name twice": lambda path: twice(path),
    "no array": one(b"nothing"),
    "an empty member": one(b""),
    "half a header": one(npy(np.ones(3))[:20]),
    "half the data": one(npy(np.ones(3))[:-8]),
    "more than the data": one(npy(np.ones(3)) + b"more"),
    "a header of other tokens": one(npy_with("{'descr': '<f8', 'shape': (1L,), '''")),
    "a header of brackets": one(npy_with("(" * 9000)),
    "a header of signs": one(npy_with("-" * 9000 + "1")),
    "a header of attributes": one(npy_with("a" + ".b" * 4000)),
    "a header too long": one(npy_with(" " * 20_000)),
    "a header of another version": one(npy_with("{}", version=(2, 0))),
    "a header of no version": one(npy_with("{}", version=(9, 9))),
    "a header without keys": one(npy_with("{}")),
    "a header with numbers for names": one(npy_with("{1: 2}")),
    "a shape that is none": one(shaped("3")),
    "a shape of texts": one(shaped("('a',)")),
    "a negative shape": one(shaped("(-1,)")),
    "an endless shape": one(shaped(f"({10**30},)")),
    "a shape beyond memory": one(shaped(f"({10**15},)")),
    "an unknown type": one(shaped("(1,)", "'<q9'", bytes(8))),
    "a type of a number": one(shaped("(1,)", "7", bytes(8))),
    "a type without size": one(shaped(f"({10**15},)", "'<U0'")),
    "a record": one(npy(np.zeros(2, [("x", float)]))),
    "a date": one(npy(np.zeros(2, "M8[s]"))),
    "objects": one(npy(np.array([{}], object), allow_pickle=True)),
    "damaged data": lambda path: damaged(path, flip(500), zipfile.ZIP_STORED),
    "damaged packing": lambda path: damaged(path, flip(60)),
    "an unknown packing": lambda path: damaged(path, set_everywhere((8, 10), 97)),
    "a password": lambda path: damaged(path, set_everywhere((6, 8), 1)),
    "LZMA": one(npy(np.ones(3)), packing=zipfile.ZIP_LZMA),
    "a bomb": bomb,
    "a pickle": lambda path: path.write_bytes(pickle.dumps([1])),
    "an array without an archive": lambda path: path.write_bytes(npy(np.ones(3))),
    "text": lambda path: path.write_text("header"),
    "nothing": lambda path: path.write_bytes(b""),
    "a folder": lambda path: path.mkdir(),
    "a pipe": pipe,
}


def twice(path):
    archive(path, {"a.npy": npy(np.ones(3)), "b.npy": npy(np.ones(4))})
    path.write_bytes(path.read_bytes().replace(b"b.npy", b"a.npy"))


JSON = {
    "cut": b'{"a": [1, 2',
    "empty": b"",
    "no UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "zeros": bytes(100),
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": [Infinity]}',
    "minus Infinity": b"-Infinity",
    "a number too large": b'{"a": 1e400}',
    "a number too long": b'{"a": ' + b"9" * 5000 + b"}",
    "brackets": b"[" * 200_000,
    "objects": b'{"a":' * 200_000,
    "two values": b"{} {}",
    "a comment": b"{} // end",
    "too much": b'"' + bytes(2**24) + b'"',
}
