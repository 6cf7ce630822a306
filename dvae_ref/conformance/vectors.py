"""The kit's files: arrays in npz files without pickles, the same bytes for the same arrays, and the manifest."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from dvae_ref.experiment import files

FORMAT = "dvae_ref conformance"
VERSION = 1
MANIFEST = "manifest.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time stamp of every member


def write_npz(path, arrays):
    """Write arrays as numpy.savez would, but with fixed time stamps; returns the file's SHA-256."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(np.shape(array)), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), member.getvalue())
    with files.atomic(path) as file:
        file.write(whole.getvalue())
    return hashlib.sha256(whole.getvalue()).hexdigest()


def read_manifest(folder):
    """The manifest of an exported folder; ValueError if it is missing, unreadable or of another kind."""
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{folder} has no {MANIFEST}: it is not a folder that `conformance export` wrote") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is damaged or no JSON ({error})") from error
    found = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else type(manifest).__name__
    if found != (FORMAT, VERSION):
        raise ValueError(f"{path} is of kind {found}; expected {(FORMAT, VERSION)}")
    _check_entries(manifest, path)
    return manifest


def _check_entries(manifest, path):
    """Raise ValueError unless all is there that `check` reads of a manifest."""
    try:
        for entry in manifest["quantities"]:
            names = [array["name"] for array in entry["arrays"]]
            tolerances = [array["tolerance"] for array in entry["arrays"] if array["role"] != "input"]
            _ = entry["name"], entry["file"], entry["sha256"], names
            _ = [(t["absolute"], t["relative"], t["why"]) for t in tolerances]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is incomplete: no {error}") from None


def read_ours(folder, entry):
    """The arrays of a quantity of the manifest; ValueError if the file is missing or not the one that was exported."""
    path = Path(folder) / entry["file"]
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}, which {MANIFEST} lists, is not there: export again") from None
    if hashlib.sha256(whole).hexdigest() != entry["sha256"]:
        raise ValueError(f"{path} is not the file that was exported (its SHA-256 differs): export again")
    return files.load_arrays(path)
