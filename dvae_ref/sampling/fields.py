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

from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import vector
from dvae_ref.theory import boltzmann
from dvae_ref.theory.boltzmann import RBM

MAX_FIELD = 2.0**14  # beyond it s > 2**-10, and rounding would no longer be harmless
NEVER = np.float32(-128)  # the field of the units that pad the last nibbles; below -16.7 no unit is ever 1
_BITS = np.array([[v >> k & 1 for k in range(4)] for v in range(16)], np.float32)  # (16, 4): nibble v, bit k
_TILE = 2 * vector.LANES  # columns of a table that are summed together
_ENTRY, _LANES = np.uint64(_TILE), np.uint64(vector.LANES)


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


def sides(vector, W):
    """(left, right): a vector of all units in its two sides."""
    return vector[: len(W)], vector[len(W) :]


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


def partial_sums(W):
    """The sum of the rows of W (units in, units out) that nibble g = v switches on: (q_in, 16, units out)."""
    q_in = -(-W.shape[0] // 4)
    padded = np.zeros((4 * q_in, W.shape[1]), W.dtype)
    padded[: len(W)] = W
    return (_BITS.astype(W.dtype) @ padded.reshape(4, -1)).reshape(16, q_in, -1).transpose(1, 0, 2)


def tables(W, a, padding=NEVER):
    """`partial_sums` as `add_up` reads them: (tiles, 16 q_in, 32), float32, on a cache line.

    A tile has 32 of the units out. Its entry 16 g + v belongs to value v of nibble g, and one entry per nibble adds up
    to a + W z, as a is part of nibble 0. Units that pad the last nibbles and the last tile have the field `padding`.
    """
    n_out = W.shape[1]
    columns = np.zeros((-(-len(W) // 4), 16, -(-n_out // _TILE) * _TILE), np.float32)
    columns[..., :n_out] = partial_sums(W)
    columns[0, :, :n_out] += a
    columns[0, :, n_out:] = padding
    table = aligned(columns.shape[2] // _TILE, 16 * len(columns), _TILE)
    table[:] = columns.reshape(table.shape[1], -1, _TILE).transpose(1, 0, 2)
    return table


def aligned(*shape):
    """An empty float32 array that starts on a cache line: vectors loaded from its rows never straddle two."""
    size = 4 * math.prod(shape)
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(np.float32).reshape(shape)


def width(table):
    """Fields to a row: the units out, filled up to whole tiles."""
    return len(table) * _TILE


def side_row(values, width):
    """A side's values (units,) as `add_up` lays out the fields of a chain; padding units have NEVER."""
    row = np.full(width, NEVER)
    row[: len(values)] = values
    return row


@compiled()
def empty_rows(chains, table):
    """Room for the fields of a block of chains, (chains, width): a whole number of tiles each.

    Allocated once per block: to return it to the system and ask again in each sweep would cost more than the sweep.
    """
    return np.empty((chains, len(table) * _TILE), np.float32)


@compiled()
def add_up(nibbles, table, rows):
    """Fields of a block of chains: rows[c, u] is that of unit u of chain c.

    nibbles: (R, q_in), of the other side; table: from `tables`; rows: from `empty_rows`, written.
    It goes tile by tile: the part of the table in use (2 KB x q_in) then stays in the nearest caches for all chains,
    and the sums stay in registers.
    """
    chains, tiles = len(nibbles), len(table)
    entries, flat = table.reshape(-1), rows.reshape(-1)
    for tile in range(tiles):
        for c in range(chains):
            low, high = _sum_tile(nibbles[c], entries, np.uint64(tile * table.shape[1] * _TILE))
            start = np.uint64((c * tiles + tile) * _TILE)
            vector.store(flat, start, low)
            vector.store(flat, start + _LANES, high)


@compiled()
def _sum_tile(nibbles, entries, start):
    """The sum over nibbles of their entries in the tile that begins at `start`, as two vectors."""
    entry = start + np.uint64(nibbles[0]) * _ENTRY
    low, high = vector.load(entries, entry), vector.load(entries, entry + _LANES)
    for g in range(1, len(nibbles)):
        start += np.uint64(16) * _ENTRY
        entry = start + np.uint64(nibbles[g]) * _ENTRY
        low = vector.add(low, vector.load(entries, entry))
        high = vector.add(high, vector.load(entries, entry + _LANES))
    return low, high
