"""python -m dvae_ref conformance check: other people's outputs against ours, array by array."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import diagnosis, vectors
from dvae_ref.conformance.tolerances import Tolerance
from dvae_ref.files import npz


class Finding(NamedTuple):
    """An array: in what it fails ("" if it agrees), and the worst error in units of the tolerance, with where it is."""

    array: str
    failure: str
    ratio: float
    where: str

    @property
    def passed(self):
        return not self.failure


@dataclass(frozen=True)
class Verdict:
    """A quantity: the findings of its arrays, and what a failure looks like (diagnosis.Diagnosis)."""

    quantity: str
    findings: list
    diagnoses: list

    @property
    def passed(self):
        return all(finding.passed for finding in self.findings)

    @property
    def unexplained(self):
        """The arrays whose numbers differ for no reason that is known."""
        explained = {name for diagnosis in self.diagnoses for name in diagnosis.arrays}
        return [f.array for f in self.findings if f.failure == "differs" and f.array not in explained]

    @property
    def worst(self):
        return max(self.findings, key=lambda finding: (not finding.passed, finding.ratio))


def check(folder, theirs, manifest, names, on_verdict=lambda verdict: None):
    """The Verdicts of the named quantities. ValueError for files that cannot be used, ours or theirs."""
    verdicts = []
    for entry in manifest["quantities"]:
        if entry["name"] in names:
            verdicts.append(check_quantity(entry, vectors.read_ours(folder, entry), read_theirs(theirs, entry)))
            on_verdict(verdicts[-1])
    return verdicts


def read_theirs(folder, entry):
    """Their numeric arrays by name, none where there is no file."""

    def check(headers):
        for name, header in headers.items():
            if header.dtype.kind not in "biuf":
                raise ValueError(f"{entry['file']}: {name} is of type {header.dtype}, expected real numbers")

    try:
        return dict(npz.read(Path(folder) / entry["file"], check=check))
    except FileNotFoundError:
        return {}


def _tolerance(array):
    """That of an array of the manifest, which may say more of it."""
    return Tolerance(**{field: array["tolerance"][field] for field in Tolerance._fields})


def check_quantity(entry, ours, theirs):
    arrays = {array["name"]: array for array in entry["arrays"]}
    allowed = {name: _tolerance(array) for name, array in arrays.items() if array["role"] != "input"}
    findings = [compare(name, ours[name], theirs.get(name), allowed[name]) for name in allowed]
    failing = {finding.array for finding in findings if finding.failure == "differs"}
    given = {name: ours[name] for name in arrays if name not in allowed}
    usable = {name: theirs[name].astype(float) for name in allowed if _usable(ours[name], theirs.get(name))}
    wrongs = diagnosis.alternatives(vectors.known(entry, given, allowed), given, usable) if failing else []
    diagnoses = diagnosis.diagnose(wrongs, usable, failing, allowed)
    return Verdict(entry["name"], findings, diagnoses)


def _usable(ours, theirs):
    return theirs is not None and theirs.shape == ours.shape and bool(np.all(np.isfinite(theirs)))


def compare(name, ours, theirs, tolerance):
    """The Finding of an array; `theirs` is None if missing."""
    if theirs is None:
        return Finding(name, "missing", np.inf, f"{name} is missing: expected {ours.dtype} {ours.shape}")
    if theirs.shape != ours.shape:
        text = f"{name} has the shape {theirs.shape}, expected {ours.shape}{_reshaped(ours, theirs, tolerance)}"
        return Finding(name, "shape", np.inf, text)
    ours, theirs = ours.astype(float), theirs.astype(float)
    allowed = tolerance.allow(ours)
    if not np.all(np.isfinite(theirs)):
        index = tuple(np.argwhere(~np.isfinite(theirs))[0])
        number = np.sum(~np.isfinite(theirs))
        found = f"{number} of {theirs.size} are NaN or infinite, e.g. {_at(name, index, theirs, ours, allowed)}"
        return Finding(name, "not finite", np.inf, found)
    ratio = diagnosis.ratio(theirs, ours, tolerance)
    index = tuple(int(n) for n in np.unravel_index(np.argmax(ratio), ratio.shape))
    where, differs = _at(name, index, theirs, ours, allowed), ratio[index] > 1
    hint = _hint(ours, theirs, tolerance) if differs else ""
    return Finding(name, "differs" if differs else "", float(ratio[index]), where + hint)


def _hint(ours, theirs, tolerance):
    """What else is known of numbers that differ: right, but transposed; or right to float32's precision, and such as it
    holds exactly."""
    if ours.ndim == 2 and ours.T.shape == ours.shape and np.all(np.abs(theirs.T - ours) <= tolerance.allow(ours)):
        return "; the numbers are right, but transposed"
    if tolerance.absolute >= 1e-9:
        return ""
    near = np.all(np.abs(theirs - ours) <= 1e-4 * (1 + np.abs(ours)))
    if near and np.array_equal(theirs, theirs.astype(np.float32)):
        return "; it looks computed in float32: export the kit with --dtype float32"
    return ""


def _at(name, index, theirs, ours, allowed):
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    off = theirs[index] - ours[index]
    return (
        f"{place}: theirs {theirs[index]:.10g}, ours {ours[index]:.10g}, off by {off:.2g}, allowed {allowed[index]:.2g}"
    )


def _reshaped(ours, theirs, tolerance):
    """What else is known of an array of another shape."""
    for what, moved in (("transposed", theirs.T), ("in another shape", theirs)):
        if moved.size == ours.size and (what != "transposed" or moved.shape == ours.shape):
            moved = moved.reshape(ours.shape).astype(float)
            if np.all(np.abs(moved - ours) <= tolerance.allow(ours.astype(float))):
                return f"; the numbers are right, but {what}"
    return ""
