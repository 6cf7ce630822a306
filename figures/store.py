"""Arrays in npz files: whole or absent, without pickles, and kept under a name made of what they were computed from.

A figure's npz holds what `compute` returned, and PROVENANCE. What takes long is kept in pieces, a file each, in
OUT/kept/FIGURE/NAME-DIGEST.npz: with other settings, in another version or with other random streams the name is
another one. SEAL, a digest of the arrays themselves, shows that they are those that were written.
"""

import hashlib
import json
from pathlib import Path

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
    """The dict of arrays in an npz. ValueError names a file that is damaged, and says to delete it."""
    return npz.read(path, "npz of arrays; delete it to have it computed anew")


def origin(name, module, options):
    """What a figure is of, as an array beside its others: what `provenance` reads."""
    record = {"figure": name, "scale": options.scale, "seed": options.seed}
    record |= {"version": __version__, "commit": sessions.commit(), "run": options.run_dir and str(options.run_dir)}
    record |= {"sizes": {}, "training": {}}
    if hasattr(module, "SCALES"):
        record["sizes"] = module.SCALES[options.scale]._asdict()
    if hasattr(module, "snapshots"):
        record["training"] = module.snapshots.training_of(options)
    return {PROVENANCE: np.array(json.dumps(record))}


def provenance(arrays):
    """The record of `origin` in a figure's arrays; None in those of versions that left none."""
    if PROVENANCE not in arrays:
        return None
    return reading.json_value(str(arrays[PROVENANCE]), "a figure's npz", {}, "of no known provenance")


def in_words(record):
    """A provenance in a line, to stand below the figure: without the commit, which the npz has, so that a picture does
    not change with every commit."""
    parts = [f"{record['figure']}, {record['scale']} scale, seed {record['seed']}, dvae_ref {record['version']}"]
    if record["run"]:
        parts.append(f"run {Path(record['run']).name}")
    for values in (record["sizes"], record["training"]):
        if values:
            parts.append(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items()))
    return "; ".join(parts)


def digest(settings):
    """Ten hexadecimal digits that stand for plain JSON values, this version and its random streams."""
    text = json.dumps([__version__, philox.STREAMS, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def stacked(rows):
    """Dicts of the same names, one a row -> a dict of arrays with a leading axis of rows."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


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
