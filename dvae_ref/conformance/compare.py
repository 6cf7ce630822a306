"""One array of somebody's against ours: whether it agrees, where it is worst, to how many digits, and a hint.

Asked in this order, as the later questions make no sense without the earlier ones: is it there, has it the shape, is it
finite, is |theirs - ours| within the tolerance everywhere? Whether an array passes depends on the last alone. Hints are
guesses for who has to find the reason, and never more than that.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import diagnosis, patterns

FLOAT32_ONLY = 1e-7  # absolute tolerance: above, the kit is of float32


class Finding(NamedTuple):
    """An array: in what it fails ("" if it agrees), and the worst error in units of the tolerance, with where it is."""

    array: str
    failure: str
    ratio: float
    where: str
    digits: int = 0  # to which the array agrees, relative to its largest number

    @property
    def passed(self):
        return not self.failure


def compare(name, ours, theirs, tolerance):
    """The Finding of an array; `theirs` is None if missing.

    Compared in float64, whatever they are of. The element that is shown is the one that needs the largest share of its
    tolerance, not the one with the largest error.
    """
    if theirs is None:
        return Finding(name, "missing", np.inf, f"{name} is missing: expected {ours.dtype} {ours.shape}")
    if theirs.shape != ours.shape:
        text = f"{name} has the shape {theirs.shape}, expected {ours.shape}"
        text += patterns.of_shape(ours.astype(float), theirs.astype(float), tolerance)
        return Finding(name, "shape", np.inf, text)
    ours, theirs = ours.astype(float), theirs.astype(float)
    if not np.all(np.isfinite(theirs)):
        return Finding(name, "not finite", np.inf, _not_finite(name, ours, theirs, tolerance))
    ratio = diagnosis.ratio(theirs, ours, tolerance)
    index = _indices(ratio == np.max(ratio))
    where, digits = _at(name, index, theirs, ours, tolerance), agreement(ours, theirs)
    if ratio[index] <= 1:
        return Finding(name, "", float(ratio[index]), where, digits)
    hint = _hint(name, ours, theirs, tolerance, index, digits)
    return Finding(name, "differs", float(ratio[index]), where + hint, digits)


def _indices(where):
    """Those of the first element that is true."""
    return tuple(map(int, np.argwhere(where)[0]))


def _not_finite(name, ours, theirs, tolerance):
    """How many are NaN or infinite, one of them, and how many others differ."""
    finite = np.isfinite(theirs)
    place = _at(name, _indices(~finite), theirs, ours, tolerance)
    found = f"{np.sum(~finite)} of {theirs.size} are NaN or infinite, e.g. {place}"
    others = np.sum(diagnosis.ratio(theirs, ours, tolerance)[finite] > 1)
    return found + (f"; of the others {others} differ" if others else "")


def agreement(ours, theirs):
    """Whole decimal digits, 16 at most, to which they agree, relative to the largest number of ours."""
    error, size = np.max(np.abs(theirs - ours)), np.max(np.abs(ours))
    return 16 if error == 0 else int(np.clip(np.floor(np.log10(size / error)) if size else 0, 0, 16))


def _hint(name, ours, theirs, tolerance, index, digits):
    """What else is known of numbers that differ: a relation to the right ones (`patterns`), a precision, or a number of
    digits.

    The last is for float64 alone, for numbers that agree to 4 digits and more: 11 and more are what rounding leaves of
    a sum that cancels, 6 or 7 a constant that has been through float32; what is between and below is typical of a guard
    of 1e-7, or of a gradient by finite differences. Of whole numbers a relation alone is said.
    """
    known = patterns.of_numbers(name, ours, theirs, tolerance)
    if known or tolerance.absolute == 0:
        return known
    few = _precision(ours, theirs, tolerance)
    off, size = abs(theirs[index] - ours[index]), max(abs(ours[index]), np.median(np.abs(ours)))
    if few or tolerance.absolute >= FLOAT32_ONLY or digits < 4 or off > 1e-3 * size:
        return few
    cause = "finite differences?" if name.startswith("d_") else "a guard of 1e-7?"
    if digits >= 11:
        cause = "rounding, in a form that cancels?"
    elif digits in (6, 7):
        cause = "a constant in float32?"
    return f"; it agrees to {digits} digits: {cause}"


def _precision(ours, theirs, tolerance):
    """Numbers of fewer digits, off by what such digits lose: not those that happen to be round.

    They are float32's if rounding to float32 changes none of them, and half precision's, either kind, likewise:
    bfloat16 is the upper half of a float32.
    """
    with np.errstate(over="ignore"):
        off = float(np.median(np.abs(theirs - ours) / np.maximum(np.abs(ours), np.finfo(float).tiny)))
        single, half = theirs.astype(np.float32), theirs.astype(np.float16)
    if off < 2.0**-20 and np.array_equal(theirs, single) and tolerance.absolute < FLOAT32_ONLY:
        return "; it looks computed in float32: export the kit with --dtype float32"
    brain = np.array_equal(theirs, single) and not np.any(single.view(np.uint32) & 0xFFFF)  # bfloat16
    found = np.array_equal(theirs, half) or brain
    return "; it looks computed in half precision" if found and off < 2.0**-7 else ""


def _at(name, index, theirs, ours, tolerance):
    """An element in words."""
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    mine, yours, allowed = ours[index], theirs[index], tolerance.allow(ours)[index]
    return f"{place}: theirs {yours:.10g}, ours {mine:.10g}, off by {yours - mine:.2g}, allowed {allowed:.2g}"
