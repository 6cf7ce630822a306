"""python -m dvae_ref conformance check: other people's files against ours, quantity by quantity.

Of each quantity the kit's own file is read first: one that is not the file which was exported ends the check, since
nothing could be said by it. Then theirs: what is wrong with it is a verdict on that quantity, and the others go on.
Arrays that are not there are not judged, unless --all demands them. What a verdict follows from is in `verdict`.

A whole check looks for pairs of mistakes for SEARCH seconds at most, and for SECONDS at a single quantity, so that a
folder in which everything is wrong takes minutes and not hours. How far a search comes depends on the machine; passing
or failing does not.
"""

import time
from pathlib import Path

import numpy as np

from dvae_ref.conformance import names, vectors, verdict
from dvae_ref.conformance.kit import as_array
from dvae_ref.conformance.pairs import SECONDS
from dvae_ref.conformance.tolerances import of_record
from dvae_ref.files import npz, reading

NOT_FINITE = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
SEARCH = 60.0  # seconds of a whole check in which two mistakes at once are looked for


def check(folder, theirs, manifest, chosen, on_verdict=None, every=False):
    """The Verdicts of the named quantities, each handed to on_verdict as soon as it is there.

    ValueError for a kit, or a JSON file of theirs, that cannot be used; an npz file of theirs that cannot be is a
    verdict. every: what is missing fails, too.
    """
    verdicts, left = [], SEARCH
    theirs = answers(theirs)
    for entry in manifest["quantities"]:
        if entry["name"] in chosen:
            start = time.monotonic()
            verdicts.append(_check_file(folder, theirs, entry, every, min(SECONDS, left)))
            left = max(0.0, left - (time.monotonic() - start))
            if on_verdict:
                on_verdict(verdicts[-1])
    return verdicts


def _check_file(folder, theirs, entry, every, seconds):
    """The Verdict on their file of a quantity."""
    ours = vectors.read_ours(folder, entry)
    try:
        found = read_theirs(theirs, entry)
    except (ValueError, TypeError, OSError) as error:
        return verdict.unreadable(entry["name"], error)
    return check_quantity(entry, ours, found, every, seconds)


def read_theirs(folder, entry):
    """Their numeric arrays by name, none where there is no file. Of the content of one JSON file, what it has of this
    quantity: nested lists, or flat ones, row by row."""
    if isinstance(folder, dict):
        return _of_json(folder, entry)

    def check(headers):
        for name, header in headers.items():
            if header.dtype.kind not in "biuf":
                raise ValueError(f"{entry['file']}: {name} is of type {header.dtype}, expected real numbers")

    try:
        return dict(npz.read(Path(folder) / entry["file"], check=check))
    except FileNotFoundError:
        return {}


def answers(theirs):
    """Their folder, or what their JSON file holds; that again. In it NaN and Infinity are read, as Python writes them,
    and null for NaN, as JavaScript does."""
    if isinstance(theirs, dict) or not Path(theirs).is_file():
        return theirs
    everything = reading.json_file(theirs, NOT_FINITE)
    if not isinstance(everything, dict):
        raise ValueError(f"{theirs}: expected an object of quantities, in each an object of arrays")
    return everything


def any_of(theirs, entries):
    """Have they files, or parts of the JSON file, of any of the manifest's entries?"""
    if isinstance(theirs, dict):
        return any(entry["name"] in theirs for entry in entries)
    return any((Path(theirs) / entry["file"]).exists() for entry in entries)


def _with_nan(value):
    """Nested lists in which null is NaN."""
    if isinstance(value, list):
        return [_with_nan(one) for one in value]
    return np.nan if value is None else value


def _of_json(everything, entry):
    """Their arrays of a quantity, of one JSON file's content. ValueError if it is no object, TypeError for text."""
    given = everything.get(entry["name"], {})
    if not isinstance(given, dict):
        raise ValueError(f"{entry['name']}: expected an object of arrays")
    shapes = {array["name"]: tuple(array["shape"]) for array in entry["arrays"]}
    return {name: _unflattened(as_array(name, _with_nan(value)), shapes.get(name)) for name, value in given.items()}


def _unflattened(array, shape):
    """A flat list that has as many numbers as are expected, in the shape that is expected."""
    if array.ndim == 1 and shape is not None and array.size == np.prod(shape, dtype=int):
        return array.reshape(shape)
    return array


def check_quantity(entry, ours, theirs, every=False, seconds=SECONDS):
    """The Verdict on arrays by name, by the kit's own arrays and the tolerances of its manifest.

    Not by tolerances that are estimated anew: the manifest is what somebody may have read. ValueError for a kit whose
    arrays this version does not know.
    """
    given, allowed = {}, {}
    for array in entry["arrays"]:
        if array["role"] == "input":
            given[array["name"]] = ours[array["name"]]
        else:
            allowed[array["name"]] = of_record(array["tolerance"])
    item = vectors.known(entry, given, allowed)
    if theirs and not every and set(theirs).isdisjoint(allowed):
        return verdict.unreadable(entry["name"], _misspelt(theirs, allowed))
    return verdict.judge(item, given, ours, allowed, theirs, every, seconds)


def _misspelt(theirs, allowed):
    """What to say of arrays none of which is the quantity's."""
    name = next(iter(theirs))
    return f"it holds none of {', '.join(allowed)}, but {name}{names.guess(name, list(allowed))}"


def misspelt(theirs, manifest):
    """A line a file of theirs, or a name in their JSON file, that is no quantity's."""
    listed = {entry["file"].removesuffix(".npz") for entry in manifest["quantities"]}
    given, suffix = theirs, ""
    if not isinstance(theirs, dict):
        given, suffix = [path.stem for path in Path(theirs).glob("*.npz")], ".npz"
    found = sorted(set(given) - listed)
    return [f"??    {name}{suffix} is no quantity's{names.guess(name, sorted(listed))}" for name in found]
