"""python -m dvae_ref conformance export: every quantity's inputs and outputs, and the manifest that explains them."""

import json
import os
import tempfile
from pathlib import Path

from dvae_ref import __version__
from dvae_ref.conformance import fingerprint, glossary, quantity, tolerances, vectors
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.kit import DTYPES
from dvae_ref.conformance.quantities import trouble
from dvae_ref.files import writing

CONVENTIONS = {
    "agreement": "|theirs - ours| <= absolute + relative |ours|, element by element; in a tolerance with rows, so many "
    "times as much in each row, counted along axis",
    "tolerances": " ".join(tolerances.MEANING.split()),
    "inputs": "numbers that float32 holds exactly, in either dtype",
    "flags": {**trouble.MEANINGS, "rows": "0 alone where a flag concerns the whole quantity"},
    "units": "nats",
    "machine": "E(z) = -a·z - z_left W z_right = -a·z - z J z / 2 with J = [[0, W], [W', 0]], left units first",
}


def export(folder, seed, dtype, on_quantity=None):
    """Write the kit into a folder, which is made if need be; returns the manifest, which is written last.

    A manifest without quantities is written first, so that an export which is killed leaves no kit that looks whole.
    FileExistsError, before any file is written, for files there that are not of a kit. on_quantity(name) is called
    after each.
    """
    folder = Path(folder)
    writing.make_folder(folder)
    kind = {"format": vectors.FORMAT, "version": vectors.VERSION, "dvae_ref": __version__}
    refuse_foreign(folder)
    writing.write_json(folder / vectors.MANIFEST, kind | {"quantities": []})  # an older kit's files are to be replaced
    entries = []
    for item in QUANTITIES.values():
        entries.append(export_quantity(folder, item, seed, dtype))
        if on_quantity:
            on_quantity(item.name)
    manifest = {**kind, "seed": seed, "dtype": dtype, "conventions": CONVENTIONS, "quantities": entries}
    writing.write_json(folder / vectors.MANIFEST, manifest)
    return manifest


def export_json(path, seed, dtype, on_quantity=None):
    """Write the kit as one JSON file: the manifest, and in each quantity the values of its arrays, row by row.

    Numbers are written with as many digits as float64 needs, so that they are read back as they were; whatever reads
    JSON into floats will do. FileExistsError for a file that is not of a kit.
    """
    path = Path(path)
    if os.path.lexists(path) and not vectors.is_of_a_kit(path):
        raise FileExistsError(f"{path} is there, but not of a kit: take another name")
    writing.make_folder(path.parent)
    with tempfile.TemporaryDirectory() as folder:
        manifest = export(folder, seed, dtype, on_quantity)
        for entry in manifest["quantities"]:
            arrays = vectors.read_ours(folder, entry)
            entry["values"] = {name: array.ravel().tolist() for name, array in arrays.items()}
    with writing.atomic(path) as file:
        file.write(json.dumps(manifest).encode())
    return manifest


def refuse_foreign(folder):
    """FileExistsError for files that would be overwritten and are not of a kit: somebody's outputs, say."""
    manifest, paths = folder / vectors.MANIFEST, [folder / f"{name}.npz" for name in QUANTITIES]
    found = [path for path in (manifest, *paths) if os.path.lexists(path)]
    if found and not vectors.is_of_a_kit(manifest):
        raise FileExistsError(f"{found[0]} is there, but not of a kit: take another folder")


def export_quantity(folder, item, seed, dtype):
    """Write one quantity's file; returns its entry of the manifest."""
    given = quantity.inputs(item, seed, DTYPES[dtype])
    found = quantity.outputs(item, given)
    allowed = tolerances.estimate(item, seed, DTYPES[dtype])
    file = f"{item.name}.npz"
    digest = vectors.write_npz(folder / file, {**given, **found})
    arrays = [entry(name, value, "input") for name, value in given.items()]
    for name, value in found.items():
        role = "gradient" if quantity.is_gradient(name) else "output"
        arrays.append(entry(name, value, role) | {"tolerance": allowed[name].as_record()})
    return {
        "name": item.name,
        "equation": item.equation,
        "meaning": item.meaning,
        "gradients_of": item.gradient_of,
        "file": file,
        "sha256": digest,
        "inputs": fingerprint.of_inputs(given),
        "flags": {name: rows.nonzero()[0].tolist() for name, rows in trouble.flags(given).items()},
        "arrays": arrays,
    }


def entry(name, value, role):
    """What the manifest says of an array."""
    meaning = glossary.meaning(name, role != "input")
    return {"name": name, "role": role, "meaning": meaning, "shape": list(value.shape), "dtype": value.dtype.name}
