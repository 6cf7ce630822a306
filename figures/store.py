"""Arrays in npz files: whole or absent, without pickles, and kept under a name made of what they were computed from."""

import hashlib
import json

import numpy as np

from dvae_ref import __version__
from dvae_ref.files import npz, writing
from dvae_ref.sampling import philox

SEAL = "sha256"  # the array beside those that are kept


def write(path, arrays):
    """Write a dict of arrays to an npz, atomically."""
    with writing.atomic(path) as file:
        np.savez_compressed(file, **arrays)


def read(path):
    """The dict of arrays in an npz. ValueError names a file that is damaged."""
    return npz.read(path, "npz of arrays; delete it to have it computed anew")


def digest(settings):
    """Ten hexadecimal digits that stand for plain JSON values, this version and its random streams."""
    text = json.dumps([__version__, philox.STREAMS, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def kept(folder, name, settings, compute, *args):
    """compute(*args), a dict of arrays, from the file of an earlier call with these settings if there is one.

    settings: plain JSON values, everything that determines the result.
    """
    path = folder / f"{name}-{digest(settings)}.npz"
    if not path.exists():
        arrays = {name: np.asarray(array) for name, array in compute(*args).items()}
        writing.make_folder(folder)
        write(path, arrays | {SEAL: np.array(seal(arrays))})
    return sealed(path)


def sealed(path):
    """The arrays in a file that `kept` wrote. ValueError if they are not those that it wrote."""
    arrays = read(path)
    if str(arrays.pop(SEAL, "")) != seal(arrays):
        raise ValueError(f"{path} holds other arrays than were kept; delete it to have it computed anew")
    return arrays


def seal(arrays):
    """SHA-256 of names, types, shapes and numbers."""
    whole = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        whole.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return whole.hexdigest()
