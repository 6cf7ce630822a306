"""Tolerances of outputs from an error estimate: MEANING, which a kit states, too."""

import functools
from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.quantities import trouble

MEANING = """Tolerances from an error estimate: what rounding may do to an output, not what some implementation reached.

With u the unit roundoff (2^-53, 2^-24), the error of an element y is taken to be at most 64 u kappa, where

    kappa = |y| + 1 + terms + condition + rounding + subtraction

- 1: plain formulas add and subtract numbers of order one (q, 1 - zeta, CDFs), whose rounding stays when they cancel;
- terms: the size of the terms of a sum that may cancel, where a quantity states it;
- condition: by how much y moves per relative change of the inputs, the largest over 8 random changes of all of them
  (numbers between 0 and 1 relative to the nearer end);
- rounding: |y in float32 - y in float64| / 2^-24, as measured on these inputs;
- subtraction: in float64 alone, what plain formulas subtract and ours do not: 1 - q in Eq. 9, and the slope that
  log p(zeta) and log q(zeta|x) share near a vertex. In float32 who subtracts there has no digit left, and is told.

64 is 10, sums of a hundred terms in another order, times 2, since both sides round, times 3, for formulas that round
more often than ours. Of the pairs with absolute + relative |y| >= 64 u kappa for every element, the one that is
tightest in the geometric mean is taken. Rows of known trouble (flags) have no part in that: where they need more, rows
says how many times as much each of them gets, along axis. Whole numbers (spins) have to agree.
"""

FACTOR = 64
STEP = 2.0**-20  # of the random changes: their own rounding, 2^-53 / STEP, is 1e-10 of a condition of order one
CHANGES = 8
FLOAT32_ROUNDOFF = 2.0**-24
BETWEEN_0_AND_1 = {"zeta", "q", "rho", "mean_x"}


class Tolerance(NamedTuple):
    """|theirs - ours| <= (absolute + relative |ours|) rows, rows being counted along an axis; 1 without rows.

    why: the parts of the estimate by their largest values, which the manifest states. rows: a factor of 1 or more for
    each row of known trouble, 1 for all others.
    """

    absolute: float
    relative: float
    why: str
    rows: tuple = ()
    axis: int = 0

    def allow(self, ours):
        allowed = self.absolute + self.relative * np.abs(ours)
        if not self.rows:
            return allowed
        return np.swapaxes(np.swapaxes(allowed, self.axis, -1) * self.rows, self.axis, -1)

    def as_record(self):
        """What a manifest says of it; `of_record` reads it."""
        found = {"absolute": self.absolute, "relative": self.relative, "why": self.why}
        return found | ({"rows": list(self.rows), "axis": self.axis} if self.rows else {})


def of_record(record):
    """The Tolerance of a manifest, which may say more of it."""
    rows, axis = tuple(record.get("rows", ())), record.get("axis", 0)
    return Tolerance(record["absolute"], record["relative"], record["why"], rows, axis)


EXACT = Tolerance(0.0, 0.0, "whole numbers: rounding cannot change them")


def roundoff(dtype):
    """u of a dtype: 2^-53 or 2^-24."""
    return float(np.finfo(dtype).eps) / 2


def estimate(quantity, seed, dtype):
    """{output: Tolerance} of the quantity for the inputs of this seed: from what rounding may do (MEANING), and from no
    implementation.

    Whole numbers get EXACT. The subtraction is allowed for in float64 alone.
    """
    found, parts = _parts(quantity, seed)
    if dtype == np.float32:
        parts = parts | {"subtraction": {}}
    troubled, allowed = trouble.rows(quantities.inputs(quantity, seed)), {}
    for name, value in found.items():
        of_parts = {part: sizes.get(name, 0.0) for part, sizes in parts.items()}
        axis = trouble.axis_of_rows(quantity, name, value.shape, len(troubled))
        is_float = value.dtype.kind == "f"
        allowed[name] = _tolerance(value, of_parts, roundoff(dtype), troubled, axis) if is_float else EXACT
    return allowed


@functools.lru_cache(1024)
def _parts(quantity, seed):
    """(outputs in float64, the parts of kappa that are not in them), which are the same for both dtypes."""
    given = quantities.inputs(quantity, seed)
    found = quantities.outputs(quantity, given)
    single = quantities.outputs(quantity, quantities.inputs(quantity, seed, np.float32))
    parts = {"terms": quantity.terms(given), "condition": condition(quantity, given, found, seed)}
    parts["rounding"] = {name: np.abs(single[name] - value) / FLOAT32_ROUNDOFF for name, value in found.items()}
    return found, parts | {"subtraction": quantity.subtracted(given)}


def condition(quantity, given, found, seed):
    """{output: |change| / STEP}, the largest over random changes of the inputs by STEP.

    All inputs move at once, each number by STEP of its own size, up or down at random; those between 0 and 1 by STEP of
    the distance to the nearer end, about, and whole numbers not at all. The largest change of CHANGES such directions
    stands for that of the worst one; what it falls short of it is left to the factor of 64.
    """
    rng = np.random.default_rng(seed)
    largest = {name: np.zeros(value.shape) for name, value in found.items()}
    for _ in range(CHANGES):
        moved = quantities.outputs(quantity, {name: _moved(rng, name, value) for name, value in given.items()})
        for name, value in moved.items():
            largest[name] = np.maximum(largest[name], np.abs(value - found[name].astype(float)) / STEP)
    return largest


def _moved(rng, name, value):
    """A float input with every number moved up or down by STEP of its size, 0 and whole numbers excepted."""
    if value.dtype.kind != "f":
        return value
    size = np.abs(value)
    if name in BETWEEN_0_AND_1:
        size = size * np.minimum(1, np.abs(1 - value))
    size = np.where(value == np.round(value), 0, size)  # pixels and spins are what they are
    return value + STEP * rng.choice([-1.0, 1.0], value.shape) * size


def _tolerance(value, parts, u, troubled, axis):
    """The tightest for all rows without trouble, and by how much more the others get.

    parts: {part of kappa: its sizes}; troubled: booleans over the rows, which are counted along an axis, or None.
    """
    size = np.abs(value)
    kappa = size + 1 + functools.reduce(np.add, parts.values())
    plain = np.ones(value.shape, bool)
    if axis is not None and not troubled.all():
        np.moveaxis(plain, axis, 0)[troubled] = False
    absolute, relative = _tightest(kappa[plain], size[plain])
    rows = () if plain.all() else _factors(kappa / (absolute + relative * size), axis)
    why = ", ".join(f"{name} {np.max(part):.2g}" for name, part in {"|y|": size, **parts}.items())
    why = f"{FACTOR} u kappa, u = {u:.2g}; largest {why}"
    return Tolerance(FACTOR * u * absolute, FACTOR * u * relative, why, rows, axis if rows else 0)


def _tightest(kappa, size):
    """(absolute, relative) with absolute + relative |y| >= kappa, the tightest in the geometric mean.

    The relative part is tried in powers of 2 from 1 to 2048, with the least absolute part that then suffices: a larger
    one lets the small elements of an array have less.
    """
    found = []
    for relative in 2.0 ** np.arange(12):
        absolute = float(np.max(np.maximum(kappa - relative * size, 1)))
        found.append((np.mean(np.log(absolute + relative * size)), absolute, float(relative)))
    return min(found)[1:]


def _factors(short, axis):
    """Powers of 2, 1 at least, by which rows need more; () if none does."""
    of_rows = np.moveaxis(short, axis, 0).reshape(short.shape[axis], -1).max(1)
    found = 2.0 ** np.ceil(np.log2(np.maximum(of_rows, 1)) - 1e-9)  # but for rounding
    return tuple(map(float, found)) if np.any(found > 1) else ()
