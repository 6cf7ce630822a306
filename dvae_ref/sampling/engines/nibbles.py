"""Fields in 16 bits, by nibbles: the tables of `rows`.

A side is stored as everywhere (`fields.pack`): unit k q + g is bit k of nibble g. Eight nibbles are a tile, whose 32
units are the lanes of a vector: unit k q + g is lane 4 (g % 8) + k of tile g // 8.

**Fields in two parts**, as in `coarse`: F = ratio (offset + sum of high) + (sum of low), whole numbers of a step, and
the first sum alone is the field to within `error` steps.

**The curve.** With x = |field| in nats, y = 8,192 x in 16 bits, and CURVE the coefficients c,

    e = (c0 - y (c1 - y (c2 - y c3)))^8  =  65,536 exp(-x) to within 14,        products: the high 16 of 32 bits,

rounding included; beyond x = 8, where y is cut off, e is 14, and the truth between 0 and 22. A spin of a field of
-x is 1 if u < e (1 - u). The 16 bits c of u decide that where e (1 - u) and c are further apart than a margin:

    e (1 - u) (exp(error) - 1)     for the error of the field, and of y, in nats,
    SLACK                          for the curve's own 14, and 1 for rounding the margin.

Where it is not (one spin in 200 to 500), the exact field decides by the rule, `philox.spin`.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import fields
from dvae_ref.sampling.engines import coarse
from dvae_ref.sampling.engines.registers import LANES, NIBBLES

PER_NAT = 8192  # of y
CURVE = 65535, 65507, 32610, 9661
SLACK = 15
OFFSET, FACTOR, ERROR, LEAST, BIT, ROWS = 0, 1, 2, 3, 4, 5  # what `lanes` says of a unit
_WHOLE, _MOST_SHIFT = 65536, 4


class Side(NamedTuple):
    """How the fields of a side (q_out nibbles) follow from the nibbles of the other one (q_in)."""

    high: np.ndarray  # (tiles, q_in, 16, 32), int16
    low: np.ndarray  # likewise
    lanes: np.ndarray  # (tiles, ROWS, 32), uint16
    units: np.ndarray  # (32 tiles,), coarse.UNIT: ratio, offset, step
    numbers: np.ndarray  # (32 tiles,), uint64: of the units, lane by lane
    q_out: int
    shift: int  # y is |field in 16 bits| FACTOR / 2**15, times 2**shift
    settled: float  # the share of spins within the margin, by a guess: of fields spread over two nats


def side(W, a):
    """The Side of exact fields a + z W: W (units in, units out), a (units out,), float32."""
    n_out, q_in, q_out = W.shape[1], -(-len(W) // 4), -(-W.shape[1] // 4)
    units, lanes = _places(n_out, q_out), -(-q_out // NIBBLES) * LANES
    step, ratio, offset = coarse.resolution(W, a, q_in)
    columns, per_unit = np.zeros((4 * q_in, lanes), np.float32), np.ones((3, lanes), np.float32)
    columns[: len(W), units] = W / step
    per_unit[:, units] = a / step - offset * ratio, ratio, 1 / ratio
    parts = fields.aligned((2, lanes // LANES, q_in, 16, LANES), np.int16)
    _fill(columns.reshape(-1), per_unit.reshape(-1), lanes, parts.reshape(2, -1))
    error = q_in * (ratio // 2)  # a part that is left out is at most half of a ratio
    described, numbers = np.zeros(lanes, coarse.UNIT), np.arange(lanes, dtype=np.uint64)
    described["ratio"][units], described["offset"][units], described["step"][units] = ratio, offset, step
    rows, shift, settled = _margins(step * ratio.astype(float), step * error.astype(float))
    by_lane = _by_lane(units, lanes, [offset.astype(np.uint16), *rows, 1 << np.arange(n_out) // q_out])
    holds = shift <= _MOST_SHIFT and np.max(error) < 2**15
    numbers = numbers % 4 * q_out + numbers // 4
    return Side(*parts, by_lane, described, numbers, q_out, shift, settled if holds else 1.0)


def _by_lane(units, lanes, rows):
    """ROWS numbers a unit, uint16, a vector of lanes to each: (tiles, ROWS, 32)."""
    by_lane = np.zeros((lanes, ROWS), np.uint16)
    by_lane[units] = np.stack(rows, 1)
    return np.ascontiguousarray(by_lane.reshape(-1, LANES, ROWS).transpose(0, 2, 1))


def _places(units, q):
    """Where the units are among all lanes."""
    number = np.arange(units)
    return 4 * (number % q) + number // q


@compiled(nogil=True)
def _fill(columns, per_unit, lanes, parts):
    """Entries in steps: all numbers are whole and below 2**24, which float32 holds."""
    high, low, q_in = parts[0], parts[1], len(columns) // (4 * lanes)
    every, to = np.uint64(q_in * lanes), np.uint64(0)
    for first in range(0, lanes, LANES):
        for h in range(q_in):
            w, bias = np.uint64(h * lanes + first), np.float32(h == 0)
            for v in range(16):
                v0, v1, v2, v3 = np.float32(v & 1), np.float32(v >> 1 & 1), np.float32(v >> 2 & 1), np.float32(v >> 3)
                for i in range(LANES):
                    l, at = np.uint64(i), np.uint64(first + i)
                    total = bias * per_unit[at] + v0 * columns[w + l] + v1 * columns[w + every + l]
                    total += v2 * columns[w + every + every + l] + v3 * columns[w + every + every + every + l]
                    ratio, inverse = per_unit[at + np.uint64(lanes)], per_unit[at + np.uint64(2 * lanes)]
                    whole = np.rint(total * inverse)
                    high[to + l] = np.int32(whole)
                    low[to + l] = np.int32(total - whole * ratio)
                to += np.uint64(LANES)


def _margins(unit, error):
    """((FACTOR, ERROR, LEAST) of units, shift, the share of spins within the margin).

    unit: of fields in 16 bits, error: of these fields, in nats. y is rounded down, to a multiple of 2**shift, and taken
    to be half of one more: it errs by less than 2**shift - 1/2 more.
    """
    per = PER_NAT * unit
    shift = max(0, int(np.floor(np.log2(np.max(per)))))
    spread = error + (2.0**shift - 0.5) / PER_NAT
    relative = np.ceil(_WHOLE * np.expm1(np.minimum(spread, 1))) + 1
    share = np.mean(2 * (SLACK / 1.5 + 0.2 * relative) / _WHOLE) if np.max(relative) < _WHOLE else 1.0
    rows = np.rint(per * 2.0 ** (15 - shift)), np.minimum(relative, _WHOLE - 1), np.full(len(unit), SLACK)
    return [row.astype(np.uint16) for row in rows], shift, float(share)
