"""Arrays in npz files: whole or absent, without pickles, and kept under a name made of what they were computed from."""

import hashlib
import json

import numpy as np

from dvae_ref import __version__
from dvae_ref.files import npz, reading, writing
from dvae_ref.runs import sessions
from dvae_ref.sampling import philox

PROVENANCE = "provenance"  # the text, JSON, beside a figure's arrays
SEAL = "sha256"  # the array beside those that are kept


def write(path, arrays):
    """Write a dict of arrays to an npz, atomically."""
    with writing.atomic(path) as file:
        np.savez_compressed(file, **arrays)


def read(path):
    """The dict of arrays in an npz. ValueError names a file that is damaged."""
    return npz.read(path, "npz of arrays; delete it to have it computed anew")


def origin(name, module, options):
    """What a figure is of, as an array beside its others: what `provenance` reads."""
    sizes = getattr(module, "SCALES", {}).get(options.scale, ())
    training = module.snapshots.TRAINING[options.scale] if hasattr(module, "snapshots") else {}
    record = {
        **{"figure": name, "scale": options.scale, "seed": options.seed},
        **{"version": __version__, "commit": sessions.commit(), "run": options.run_dir and str(options.run_dir)},
        **{"sizes": sizes._asdict() if sizes else {}, "training": training},
    }
    return {PROVENANCE: np.array(json.dumps(record))}


def provenance(arrays):
    """The record of `origin` in a figure's arrays; None in those of versions that left none."""
    found = arrays.get(PROVENANCE)
    return None if found is None else reading.json_value(str(found), "a figure's npz", {}, "of no known provenance")


def in_words(record):
    """A provenance in a line, to stand below the figure."""
    parts = [f"{record['figure']}, {record['scale']} scale, seed {record['seed']}, dvae_ref {record['version']}"]
    if record["run"]:
        parts.append(f"run {record['run']}")
    for values in (record["sizes"], record["training"]):
        parts += [", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())] if values else []
    return "; ".join(parts)


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
