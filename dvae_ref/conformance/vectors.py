"""The kit's files: arrays in npz files without pickles, the same bytes for the same arrays, and the manifest.

A kit is trusted with nothing: manifest and arrays are read as files that anybody may have written (`files.reading`,
`files.npz`), and an npz file has to have its SHA-256 of the manifest, so that a kit which was changed, or exported
half-way, is refused and judges nobody. Fixed time stamps make the bytes those of the arrays alone: two exports of a
seed on one machine can be compared by cmp.
"""

import functools
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np

from dvae_ref.conformance import quantity
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.files import npz, reading, schema, writing
from dvae_ref.files.schema import shown

FORMAT = "dvae_ref conformance"
VERSION = 2
MANIFEST = "manifest.json"
MOST = 2**28  # bytes of a file of a kit
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time stamp of every member


def write_npz(path, arrays):
    """Write arrays as numpy.savez would, but with fixed time stamps; returns the file's SHA-256."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(np.shape(array)), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), member.getvalue())
    with writing.atomic(path) as file:
        file.write(whole.getvalue())
    return hashlib.sha256(whole.getvalue()).hexdigest()


def read_manifest(folder):
    """The manifest of an exported folder or JSON file; ValueError if it is missing, unreadable or of another kind."""
    path = Path(folder) if Path(folder).is_file() else Path(folder) / MANIFEST
    try:
        manifest = reading.json_file(path)
    except FileNotFoundError:
        raise ValueError(f"{folder} has no {MANIFEST}: it is not a folder that `conformance export` wrote") from None
    found = type(manifest).__name__
    if isinstance(manifest, dict):
        found = manifest.get("format"), manifest.get("version")
    if found == (FORMAT, 1):
        options = f"--seed {shown(manifest.get('seed', 0))} --dtype {str(manifest.get('dtype', 'float64'))[:20]}"
        raise ValueError(f"{path} is a kit of dvae_ref 0.1; `conformance export DIR {options}` makes one of today")
    if found != (FORMAT, VERSION):
        raise ValueError(f"{path} is of kind {shown(found)}; expected {(FORMAT, VERSION)}")
    schema.check(manifest, schema.MANIFEST, path)
    if not manifest["quantities"]:
        raise ValueError(f"{folder} is a kit whose export was not finished: export again")
    _demand_once(manifest["quantities"], path)
    for entry in manifest["quantities"]:
        _check_entry(entry, path)
    return manifest


def is_of_a_kit(path):
    """Is it the manifest of a kit, of whatever version?"""
    try:
        manifest = reading.json_file(path)
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def _check_entry(entry, path):
    """ValueError unless a quantity's arrays are there once each, and all but the inputs with a tolerance."""
    _demand_once(entry["arrays"], path)
    for array in entry["arrays"]:
        if array["role"] != "input":
            tolerance = array.get("tolerance")
            schema.check(tolerance, schema.TOLERANCE, path, f"the tolerance of {array['name']}")
            rows, axis = tolerance.get("rows"), tolerance.get("axis", 0)
            if rows is not None and (axis >= len(array["shape"]) or array["shape"][axis] != len(rows)):
                raise ValueError(f"{path} is damaged: the tolerance of {array['name']} is of other rows than the array")


def _demand_once(entries, path):
    """ValueError for two entries of one name."""
    names = [entry["name"] for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} is damaged: {', '.join(twice)} there more than once")


def read_ours(folder, entry):
    """The arrays of a quantity of the manifest; ValueError if the file is missing or not the one that was exported."""
    if Path(folder).is_file():
        return _of_json(folder, entry)
    path = Path(folder) / entry["file"]
    try:
        whole = reading.content(path, "file of a kit", MOST)
    except FileNotFoundError:
        raise ValueError(f"{path}, which {MANIFEST} lists, is not there: export again") from None
    if hashlib.sha256(whole).hexdigest() != entry["sha256"]:
        raise ValueError(f"{path} is not the file that was exported (its SHA-256 differs): export again")
    return npz.read(path, check=lambda headers: _check_listed(entry, headers, path))


def _of_json(path, entry):
    """The arrays of a quantity of a kit in one JSON file."""
    values, found = entry.get("values"), {}
    for array in entry["arrays"]:
        name = array["name"]
        try:
            found[name] = np.array(values[name], array["dtype"]).reshape(array["shape"])
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{path} is damaged: the values of {entry['name']}, {name}: {shown(str(error))}"
            ) from error
    return found


def _check_listed(entry, headers, path):
    """ValueError unless the arrays are those that the manifest lists."""
    listed = {array["name"]: (array["dtype"], tuple(array["shape"])) for array in entry["arrays"]}
    found = {name: (header.dtype.name, header.shape) for name, header in headers.items()}
    for name in listed | found:
        if listed.get(name) != found.get(name):
            expected = f"expected {listed.get(name, 'nothing')}, as {MANIFEST} says"
            raise ValueError(f"{path}: {name} is {found.get(name, 'not there')}; {expected}")


def known(entry, given, outputs):
    """The Quantity of a manifest's entry; ValueError unless its inputs, and the names of its outputs, are those that
    this version knows.

    Mistakes are computed from a kit's inputs by today's formulas: a kit of another version, with other arrays, would be
    misread.
    """
    item = QUANTITIES[entry["name"]]
    inputs, names = _arrays(item)
    found = {name: (value.dtype.kind, value.shape) for name, value in given.items()}
    if found != inputs or set(outputs) != names:
        raise ValueError(f"{MANIFEST} is of another version: {item.name} has other arrays than `conformance show` says")
    return item


@functools.cache
def _arrays(item):
    """({input: (kind, shape)}, names of the outputs) of a Quantity."""
    given = quantity.inputs(item, 0)
    shapes = {name: (value.dtype.kind, value.shape) for name, value in given.items()}
    return shapes, set(quantity.outputs(item, given))
