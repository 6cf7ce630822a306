"""Fields in 16 bits, and how far they may be off: the tables of `avx512`.

**Groups.** Unit k q + g of a side of q = ceil(D / 5) groups is bit k of group g, a word of 5 bits. What a group adds to
the field of a unit is a table of 32 entries: one register of 16-bit words, in which one instruction looks up 32 chains.

**Fields in two parts.** Exact fields are whole multiples F of a step, |F| < 2**24 (`fields.exact_fields`). A `ratio` of
some hundred splits each entry into F = ratio high + low, and the sum over groups into

    F = ratio (offset + sum of high) + (sum of low):

the first sum alone is the field to within `error` = (half a ratio a group) steps, and both are the field. The sum of
`high` fits into 16 bits for it is centred: the offset takes what the bias adds and half of what all weights add. It may
be up to twice as fine as the field is large.

**The curve.** 65,536 sigmoid(-|f|) is interpolated in 32 cells of 1/4. `margins` bounds, for each unit and cell, how
far that is from the truth at the exact field: interpolation, error of the field times the largest slope, and 1 for the
rounding of the float32 comparison (below 0.01). Bits that are not drawn yet need none: the spin is open for no more
than the one number c with c <= 65,536 sigmoid < c + 1.
"""

import math
from typing import NamedTuple

import numpy as np

from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import fields

UNITS, ENTRIES, CELLS = 5, 32, 32
CELL = 0.25  # width of a cell of |field|
WHOLE = 65536
_MOST = 32766.0  # of a word with a sign, less one for rounding


UNIT = np.dtype(
    [("ratio", "i4"), ("offset", "i4"), ("step", "f4"), ("scale", "i4"), ("limit", "i4"), ("present", "i4")]
)


class Side(NamedTuple):
    """How the fields of a side (q_out groups) follow from the groups of the other one (q_in)."""

    high: np.ndarray  # (q_out, q_in, 5, 32), int16
    low: np.ndarray  # likewise
    units: np.ndarray  # (5 q_out,), UNIT, group by group
    margins: np.ndarray  # (q_out, 5, 32), uint16
    most: int  # groups of which the sum of `low` fits into 16 bits
    settled: float  # the share of spins within the margin, by a guess: of fields spread over the inner cells


def side(W, a):
    """The Side of exact fields a + z W: W (units in, units out), a (units out,), float32.

    Of a UNIT, `ratio`, `offset` and `step` are as above; |field in 16 bits| scale / 2**16 is the cell, up to a `limit`;
    and `present` has the bits of its group that are units.
    """
    W = np.ascontiguousarray(W)
    q_in, q_out = (-(-n // UNITS) for n in W.shape)
    step, ratio, offset = resolution(W, a, q_in)
    high, low = (fields.aligned((q_out, q_in, UNITS, ENTRIES), np.int16) for _ in range(2))
    units, bound = np.zeros(UNITS * q_out, UNIT), np.zeros((UNITS * q_out, CELLS), np.uint16)
    _fill(W, 1 / step, a / step - offset * ratio, ratio, high, low)
    error = q_in * (ratio // 2).astype(float)  # what `low` can add
    _describe(step, ratio, offset, error, units, bound)
    holds = np.max(error) < 2**15 and np.max(bound) < _MOST  # a margin that is cut off bounds nothing
    share = np.mean(bound[:, : CELLS // 4]) * 2 / WHOLE if holds else 1.0
    return Side(high, low, units, bound, int(2**16 // np.max(ratio)) - 1, float(share))


@compiled(nogil=True)
def _describe(step, ratio, offset, error, units, bound):
    """The UNITs and margins of a side; those that only pad it stay zero."""
    q = len(units) // UNITS
    for u in range(len(step)):
        group, bit = u % q, u // q
        unit = units[UNITS * group + bit]
        unit["ratio"], unit["offset"], unit["step"] = ratio[u], offset[u], step[u]
        unit["scale"] = np.rint(WHOLE / CELL * ratio[u] * step[u])
        unit["limit"] = min(32767, (CELLS * WHOLE - 1) // unit["scale"])
        for k in range(UNITS):
            units[UNITS * group + k]["present"] |= 1 << bit
        bound[UNITS * group + bit] = margins(error[u] * step[u])


def by_group(rows):
    """(rows, units) -> (rows, q, 5), float32, zeros for units that only pad."""
    count, units = rows.shape
    q = -(-units // UNITS)
    padded = np.zeros((count, UNITS * q), np.float32)
    padded[:, :units] = rows
    return np.ascontiguousarray(padded.reshape(-1, UNITS, q).transpose(0, 2, 1))


def linear(values):
    """What the units of a group that are 1 add to values·z: (q, 32), float64."""
    groups = by_group(values[None])[0]
    return groups.astype(np.float64) @ (np.arange(ENTRIES) >> np.arange(UNITS)[:, None] & 1)


def resolution(W, a, q_in):
    """(step, ratio, offset) of every unit."""
    least, most = np.zeros(W.shape[1]), np.zeros(W.shape[1])
    _add_by_sign(W, least, most)
    half, middle = (most - least) / 2, a + (most + least) / 2
    step = fields.steps(np.abs(a) + most - least)
    far = np.minimum(np.abs(middle) + half, (CELLS + 1) * CELL)  # beyond the last cell a field may saturate
    span = np.maximum(np.maximum(half, np.abs(middle)), far)
    even = np.maximum(1, CELL / WHOLE / step)  # so that a cell is a whole number of 16-bit fields times 2**-16
    ratio = np.maximum(1, np.ceil(np.ceil(span / step / (_MOST - q_in / 2)) / even)) * even
    return step.astype(np.float32), ratio.astype(np.int32), np.rint(middle / (step * ratio)).astype(np.int32)


@compiled(nogil=True)
def _add_by_sign(W, least, most):
    for i in range(len(W)):
        row = W[i]
        for u in range(row.size):
            least[u] += min(row[u], np.float32(0))
            most[u] += max(row[u], np.float32(0))


@compiled(nogil=True)
def _fill(W, per_step, bias, ratio, high, low):
    """Entries in steps; all numbers are whole and below 2**24, which float32 holds. bias: what is left of it."""
    q_out, q_in = high.shape[:2]
    for u in range(W.shape[1], UNITS * q_out):  # units that are not there
        high[u % q_out, :, u // q_out], low[u % q_out, :, u // q_out] = 0, 0
    w, flat_high, flat_low = np.zeros(UNITS, np.float32), high.reshape(-1), low.reshape(-1)
    ratios = ratio.astype(np.float32)
    inverse = np.float32(1) / ratios
    for h in range(q_in):
        for u in range(W.shape[1]):
            for b in range(UNITS):
                w[b] = W[b * q_in + h, u] * per_step[u] if b * q_in + h < len(W) else np.float32(0)
            first = np.uint64(((u % q_out * q_in + h) * UNITS + u // q_out) * ENTRIES)
            _split(w, np.float32(bias[u] if h == 0 else 0), ratios[u], inverse[u], flat_high, flat_low, first)


@compiled(nogil=True)
def _split(w, bias, ratio, inverse, high, low, first):
    """The sum of the weights that each value of a group switches on, as ratio high + low."""
    w0, w1, w2, w3, w4 = w[0], w[1], w[2], w[3], w[4]
    for v in range(ENTRIES):
        bits, at = np.int32(v), first + np.uint64(v)
        total = bias + w0 * np.float32(bits & 1) + w1 * np.float32(bits >> 1 & 1) + w2 * np.float32(bits >> 2 & 1)
        total += w3 * np.float32(bits >> 3 & 1) + w4 * np.float32(bits >> 4)
        whole = np.rint(total * inverse)
        high[at], low[at] = np.int32(whole), np.int32(total - whole * ratio)


# -- the curve ---------------------------------------------------------------------------------------------------------


def _threshold(f):
    return WHOLE / (1 + np.exp(f))


def _interpolation():
    """(start, fall, error) of 65,536 sigmoid(-f) by start - fall part, 0 <= part < 1, in each of the cells.

    The chord lies above a convex curve; it is lowered by half of the largest gap.
    """
    part = np.linspace(0, 1, 257)[:, None]
    truth = _threshold(CELL * (np.arange(CELLS) + part))
    gap = np.max(truth[0] + (truth[-1] - truth[0]) * part - truth, 0)
    start, fall = np.rint(truth[0] - gap / 2), np.floor(truth[0] - truth[-1])
    error = np.max(np.abs(start - np.floor(fall * part) - truth), 0) + 1
    error[-1] = max(error[-1], truth[0, -1] + 1)  # what lies beyond the last cell: anything down to 0
    return start, fall, error


_START, _FALL, _ERROR = _interpolation()
_SLOPE = WHOLE / 4 / np.cosh(CELL * np.arange(CELLS) / 2) ** 2  # the steepest of a cell, at its beginning
CURVE = fields.aligned((2, CELLS), np.uint16)
CURVE[:] = _START, _FALL


@compiled(nogil=True)
def margins(error):
    """(32,), uint16: how far the interpolation at a field that is off by `error` may be from the truth.

    The slope changes by a factor of e^error at most over that distance, and is nowhere above that at 0.
    """
    growth, bound = math.exp(min(error, 1.0)), np.empty(CELLS, np.uint16)
    for i in range(CELLS):
        slope = min(_SLOPE[i] * growth, _SLOPE[0])
        bound[i] = min(math.ceil(_ERROR[i] + 1 + slope * error), _MOST)
    return bound
