"""The fields of an RBM, a + W z, in arithmetic that does not round, and the compact storage of z.

**Storage.** A side of D units is held as q = ceil(D / 4) nibbles, a uint8 each: bit k of nibble g is unit k q
+ g. The four words of one Philox counter then serve the four units of one nibble, and a loop over g runs
through contiguous memory.

**Exact fields.** `exact_fields` rounds a and W to multiples of a power of two, the step s, so coarse that the
absolute values that meet in any one field add up to less than 2**24 s. Every partial sum, in whatever order,
is then an integer below 2**24 times s, which float32 holds exactly: a table look-up, BLAS, with FMA or
without, one thread or many, and a GPU all compute the very same fields. A parameter moves by at most s/2; for
fields that reach 50 that is 2**-19 = 2e-6.
"""

import math

import numpy as np
from numba import njit

from dvae_ref import boltzmann
from dvae_ref.boltzmann import RBM

MAX_FIELD = 2.0**14  # beyond it s > 2**-10, and rounding would no longer be harmless
NEVER = np.float32(-128)  # the field of the units that pad the last nibbles; below -16.7 no unit is ever 1
_BITS = np.array([[v >> k & 1 for k in range(4)] for v in range(16)], np.float32)  # (16, 4): nibble v, bit k
_LINE = 16  # float32s in a cache line


def exact_fields(rbm):
    """(rbm rounded to multiples of s, float32; s): every sum of its fields is exact in float32, in any order.

    s is the smallest power of two with max_j(|a_j| + sum_i |W_ij|) + (n + 1) s / 2 < 2**24 s, where the
    maximum is over the units of both sides and n is the larger side: rounding adds at most s/2 to each of the
    n + 1 terms. ValueError if the parameters are not finite, or if a field can reach 2**14 (s would exceed
    2**-10).
    """
    boltzmann.check(rbm)
    a, W = (np.asarray(value, np.float64) for value in rbm)
    if min(W.shape) < 1:
        raise ValueError(f"an RBM needs at least one unit on each side; W has shape {W.shape}")
    reach = np.max(np.abs(a) + np.concatenate([np.abs(W).sum(1), np.abs(W).sum(0)]))
    if reach >= MAX_FIELD:
        raise ValueError(
            f"the RBM's weights are too large to sample from: a unit's field can reach {reach:.3g}, "
            f"and units freeze far below the limit of {MAX_FIELD:.0f}; has training diverged?"
        )
    _, exponent = np.frexp(max(reach / (2**24 - max(W.shape) / 2 - 1), 2.0**-100))
    step = 2.0 ** int(exponent)
    return RBM(*((np.rint(value / step) * step).astype(np.float32) for value in (a, W))), step


def pack(z):
    """Binary z (R, D) -> nibbles (R, ceil(D / 4)), uint8."""
    rows, units = z.shape
    planes = np.zeros((rows, 4, -(-units // 4)), np.uint8)
    planes.reshape(rows, -1)[:, :units] = z
    return planes[:, 0] | planes[:, 1] << 1 | planes[:, 2] << 2 | planes[:, 3] << 3


def unpack(nibbles, units):
    """Nibbles (R, q) -> z (R, units), float32."""
    planes = nibbles[:, None, :] >> np.arange(4, dtype=np.uint8)[:, None] & 1
    return planes.reshape(len(nibbles), -1)[:, :units].astype(np.float32)


def tables(W, a, padding=NEVER):
    """Partial fields of every nibble value: (16 q_in, width), float32; width is 4 q_out rounded up to whole
    cache lines.

    W is (units in, units out). Row 16 g + v is the sum of the rows of W that nibble g switches on when its
    value is v, so the rows of all nibbles add up to the field; a is part of the rows of nibble 0. Units that
    pad the last nibbles have the field `padding`.
    """
    q_in, q_out = (-(-units // 4) for units in W.shape)
    width = -(-4 * q_out // _LINE) * _LINE
    padded = np.zeros((4 * q_in, width), np.float32)
    padded[: W.shape[0], : W.shape[1]] = W
    table = aligned(16 * q_in, width)
    sums = (_BITS @ padded.reshape(4, -1)).reshape(16, q_in, width)
    table.reshape(q_in, 16, width)[:] = sums.transpose(1, 0, 2)
    table[:16, : W.shape[1]] += a
    table[:16, W.shape[1] :] = padding
    return table


def aligned(*shape):
    """An empty float32 array that starts on a cache line: vectors loaded from its rows then never straddle
    two."""
    size = 4 * math.prod(shape)
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(np.float32).reshape(shape)


@njit(cache=True)
def add_up(nibbles, table, rows, fields):
    """Fields of a block of chains: fields[k, c q_out + g] is that of unit k q_out + g of chain c.

    nibbles: (R, q_in); table: from `tables`; rows: scratch (R, width); fields: (4, R q_out), written. Five
    rows of the table are added at a time, for all chains, while this part of the table is in the nearest
    cache.
    """
    q_in, width = nibbles.shape[1], rows.shape[1]
    rows[:] = 0
    for g in range(0, q_in - 4, 5):
        for c in range(len(nibbles)):
            row, of = rows[c], nibbles[c, g : g + 5]
            row0, row1 = table[_row(g, of[0])], table[_row(g + 1, of[1])]
            row2, row3 = table[_row(g + 2, of[2])], table[_row(g + 3, of[3])]
            row4 = table[_row(g + 4, of[4])]
            for j in range(width):
                row[j] += ((row0[j] + row1[j]) + (row2[j] + row3[j])) + row4[j]
    for g in range(q_in - q_in % 5, q_in):
        for c in range(len(nibbles)):
            row, row0 = rows[c], table[_row(g, nibbles[c, g])]
            for j in range(width):
                row[j] += row0[j]
    _to_planes(rows, fields)


@njit(cache=True)
def _row(g, nibble):
    return np.uint64(16 * g) + np.uint64(nibble)  # unsigned: a negative index would cost a test


@njit(cache=True)
def _to_planes(rows, fields):
    q_out = fields.shape[1] // len(rows)
    for c in range(len(rows)):
        for k in range(4):
            source = rows[c, k * q_out : (k + 1) * q_out]
            target = fields[k, c * q_out : (c + 1) * q_out]
            for g in range(q_out):
                target[g] = source[g]


def block_planes(values, chains):
    """A side's values (units,) laid out as `add_up` lays out the fields of a block: (4, chains q); padding
    units: NEVER."""
    planes = np.full((4, -(-len(values) // 4)), NEVER)
    planes.reshape(-1)[: len(values)] = values
    return np.tile(planes, (1, chains))
