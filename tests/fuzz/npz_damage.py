"""Damage to npz files: arrays of other types, shapes and values, names, members, pickles that would leave a trace."""

import io
import os
import zipfile

import damage
import json_damage
import numpy as np
from places import hostile

DTYPES = ("f2", "f4", "f8", "i1", "u1", "i8", "c8", "c16", "?", "U3", "S3", ">f4", "f8,i4", "M8[s]", "O", "V4")
ODD = (np.nan, np.inf, -np.inf, 1e308, -1.0, 0.0, 255, 2**31)
NAMES = ("a", ".npy", "../a.npy", "/a.npy", "header", "x" * 300 + ".npy", "日本語.npy", "a.npy", "a/b.npy")


class Planted:
    """A pickle that, if it is ever loaded, makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def of_file(random, path, marker):
    """Damage an npz in place. marker: the folder that a pickle, if it ran, would make."""
    if random.random() < 0.35 or not zipfile.is_zipfile(path):
        path.write_bytes(damage.of_bytes(random, path.read_bytes()))
    elif random.random() < 0.2:
        kinds = [kind for name, kind in hostile.NPZ.items() if name != "a bomb"]
        path.unlink()
        random.choice(kinds)(path)
    else:
        members = read(path)
        for _ in range(random.choice([1, 1, 1, 2, 5])):
            of_members(random, members, marker)
        write(random, path, members)


def read(path):
    """{name: bytes} of the members; none of an archive that is damaged already."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return {}


def write(random, path, members):
    packing = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(path, "w", packing, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def of_members(random, members, marker):
    """Change one member."""
    if not members:
        members["a.npy"] = hostile.npy(np.ones(3))
    name = random.choice(list(members))
    kind = random.random()
    if kind < 0.5:
        members[name] = of_npy(random, members[name], marker)
    elif kind < 0.6:
        members[name] = damage.of_bytes(random, members[name])
    elif kind < 0.7:
        del members[name]
    elif kind < 0.8:
        members[random.choice(NAMES)] = members.pop(name)
    elif kind < 0.9:
        members[name] = members[random.choice(list(members))]
    else:
        members[random.choice(["README.txt", "a.npy", "__MACOSX/._a.npy", "a.npy/", "header.npy"])] = b"mine"


def of_npy(random, content, marker):
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception:  # it is damaged already
        return damage.of_bytes(random, content)
    if array.size > len(content):  # so is this: texts of no characters, of which NumPy makes as many as a header says
        return damage.of_bytes(random, content)
    if array.dtype.kind == "U" and not array.shape and random.random() < 0.8:  # the header of a checkpoint
        text = json_damage.of_text(random, str(array).encode("utf-8", "surrogatepass"))
        return hostile.npy(np.array(text.decode("utf-8", errors="replace")))
    if random.random() < 0.15:
        return hostile.npy(np.array([Planted(marker)] * max(array.size, 1), object), allow_pickle=True)
    with np.errstate(all="ignore"):
        return hostile.npy(random.choice(OF_ARRAY)(random, array), allow_pickle=True)


def other_type(random, array):
    try:
        return array.astype(random.choice(DTYPES))
    except (ValueError, TypeError):
        return np.zeros(array.shape, random.choice(DTYPES))


def other_shape(random, array):
    flat = array.reshape(-1)
    shapes = [array.T, flat, array[None], flat[:0], flat[:1], flat[1:], np.concatenate([flat, flat])]
    return random.choice([*shapes, flat[0]] if flat.size else shapes)


def other_values(random, array):
    found = array.copy()
    if found.size and found.dtype.kind in "biufc":
        where = random.choice([slice(None), random.randrange(found.size), slice(0, None, 7)])
        try:
            found.reshape(-1)[where] = random.choice(ODD)
        except (OverflowError, ValueError):
            found.reshape(-1)[where] = np.array(-1).astype(found.dtype)
    return found


def random_bytes(random, array):
    if array.dtype.hasobject:
        return array
    return np.frombuffer(random.randbytes(array.nbytes), array.dtype).reshape(array.shape)


OF_ARRAY = (other_type, other_shape, other_values, other_values, random_bytes)
