"""One array of somebody's against ours: whether it agrees, where it is worst, to how many digits, and a hint."""

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
    """The Finding of an array; `theirs` is None if missing."""
    if theirs is None:
        return Finding(name, "missing", np.inf, f"{name} is missing: expected {ours.dtype} {ours.shape}")
    if theirs.shape != ours.shape:
        text = f"{name} has the shape {theirs.shape}, expected {ours.shape}"
        text += patterns.of_shape(ours.astype(float), theirs.astype(float), tolerance)
        return Finding(name, "shape", np.inf, text)
    ours, theirs = ours.astype(float), theirs.astype(float)
    allowed = tolerance.allow(ours)
    if not np.all(np.isfinite(theirs)):
        index = tuple(np.argwhere(~np.isfinite(theirs))[0])
        number = np.sum(~np.isfinite(theirs))
        found = f"{number} of {theirs.size} are NaN or infinite, e.g. {_at(name, index, theirs, ours, allowed)}"
        others = int(np.sum(np.abs(theirs - ours)[np.isfinite(theirs)] > allowed[np.isfinite(theirs)]))
        found += f"; of the others {others} differ" if others else ""
        return Finding(name, "not finite", np.inf, found)
    ratio = diagnosis.ratio(theirs, ours, tolerance)
    index = tuple(int(n) for n in np.unravel_index(np.argmax(ratio), ratio.shape))
    where, differs = _at(name, index, theirs, ours, allowed), ratio[index] > 1
    digits = agreement(ours, theirs)
    hint = _hint(name, ours, theirs, tolerance, index, digits) if differs else ""
    return Finding(name, "differs" if differs else "", float(ratio[index]), where + hint, digits)


def agreement(ours, theirs):
    """Whole decimal digits, 16 at most, to which they agree, relative to the largest number of ours."""
    error, size = np.max(np.abs(theirs - ours)), np.max(np.abs(ours))
    return 16 if error == 0 else int(np.clip(np.floor(np.log10(size / error)) if size else 0, 0, 16))


def _hint(name, ours, theirs, tolerance, index, digits):
    """What else is known of numbers that differ."""
    if known := patterns.of_numbers(name, ours, theirs, tolerance):
        return known
    if tolerance.absolute == 0:
        return ""
    if precision := _precision(ours, theirs, tolerance):
        return precision
    off, size = abs(theirs[index] - ours[index]), max(abs(ours[index]), np.median(np.abs(ours)))
    if tolerance.absolute >= FLOAT32_ONLY or digits < 4 or off > 1e-3 * size:
        return ""
    if digits >= 11:
        return f"; it agrees to {digits} digits: rounding, in a form that cancels?"
    if digits in (6, 7):
        return f"; it agrees to {digits} digits: a constant in float32?"
    return f"; it agrees to {digits} digits: {'finite differences?' if name.startswith('d_') else 'a guard of 1e-7?'}"


def _precision(ours, theirs, tolerance):
    """Numbers of fewer digits, off by what such digits lose: not those that happen to be round."""
    with np.errstate(over="ignore"):
        off = float(np.median(np.abs(theirs - ours) / np.maximum(np.abs(ours), np.finfo(float).tiny)))
        single, half = theirs.astype(np.float32), theirs.astype(np.float16)
    if off < 2.0**-20 and np.array_equal(theirs, single) and tolerance.absolute < FLOAT32_ONLY:
        return "; it looks computed in float32: export the kit with --dtype float32"
    brain = np.array_equal(theirs, single) and not np.any(single.view(np.uint32) & 0xFFFF)  # bfloat16
    found = np.array_equal(theirs, half) or brain
    return "; it looks computed in half precision" if found and off < 2.0**-7 else ""


def _at(name, index, theirs, ours, allowed):
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    off = theirs[index] - ours[index]
    return (
        f"{place}: theirs {theirs[index]:.10g}, ours {ours[index]:.10g}, off by {off:.2g}, allowed {allowed[index]:.2g}"
    )
