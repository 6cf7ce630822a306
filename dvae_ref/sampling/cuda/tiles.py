"""Fields a + W z of sixteen chains with W in global memory: for machines that shared memory cannot hold (`resident`).

**Threads.** A block has 32 x 8 threads: thread (x, y) adds up the fields of eight chains, those of one Philox counter,
and of four units, those of one nibble. Row y has the chains of octet y % 2 and the nibbles of column y // 2: 32 of
them, and four columns are a pass. The 32 sums stay in registers, until their units are drawn.

**Tiles.** The units that are summed over come 128 (32 nibbles) at a time: their bits in the 16 chains, as floats, go to
shared memory. Weights are read as they are needed, those of eight units in at a time, neighbouring words by
neighbouring threads. Two warps want the same ones, and the second should find them in the first-level cache. States are
nibbles in global memory, a byte for four units, so the sides may have any size.

**Exactness**: as in `resident`.

Two barriers a tile: nobody reads a tile before all have filled it, nobody refills it before all have read it. All
threads of a warp read the same vector of bits. These are written by 16 chains and two nibbles at a time: a row of 20
floats takes them to 32 different banks.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda, float32

from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.cuda.layout import LANES, SUMS
from dvae_ref.sampling.philox import CHAINS

OCTETS, COLUMNS = 2, 4
ROWS = OCTETS * COLUMNS
THREADS = LANES, ROWS  # of a block
BLOCK_CHAINS = OCTETS * CHAINS
NIBBLES = 32  # of the units in, to a tile
PASS = LANES * COLUMNS  # nibbles out
AHEAD = 32  # weights of a thread: of eight units in and four out
ROW = BLOCK_CHAINS + 4  # floats to a unit in
SHARED = 4 * 4 * NIBBLES * ROW  # bytes


class Plan(NamedTuple):
    """Nibbles to a side, and to a row of the panel that leads there."""

    q_left: int
    q_right: int
    row_left: int
    row_right: int


def plan(n_left, n_right):
    """The Plan for a machine."""
    q_left, q_right = -(-n_left // 4), -(-n_right // 4)
    return Plan(q_left, q_right, _padded(q_left), _padded(q_right))


def parameters(W, *sides):
    """What the kernels read of a machine, float32: W for the right side (`_panel`), W' for the left; then values of all
    units, (left, right, padding) each, of the left side and of the right (`_columns`). What is read beyond the end of a
    panel counts for nothing: it is what follows there, or zeros."""
    values = [_columns(side, padding) for left, right, padding in sides for side in (left, right)]
    return np.concatenate([_panel(W), _panel(W.T), *values, np.zeros(16 * _padded(-(-len(W) // 4)), np.float32)])


def _panel(W):
    """W (units in, units out): row 4 g + k is unit k q_in + g, and a row is as `_columns` has it."""
    n_in, n_out = W.shape
    q_in, q_out = -(-n_in // 4), -(-n_out // 4)
    filled = np.zeros((4 * q_in, 4 * q_out), np.float32)
    filled[:n_in, :n_out] = W
    return _by_column(filled.reshape(4, q_in, 4, q_out).swapaxes(0, 1), 0)


def _columns(values, padding):
    """A value per unit of a side: for each column of 32 nibbles, unit 0 of all of them, then unit 1, 2, 3; units that
    only pad have `padding`."""
    filled = np.full(-(-len(values) // 4) * 4, padding, np.float32)
    filled[: len(values)] = values
    return _by_column(filled.reshape(4, -1), padding)


def _by_column(values, padding):
    """(..., 4, q) -> nibbles filled up to whole columns, which come first."""
    *rows, four, q = values.shape
    filled = np.full((*rows, four, _padded(q)), padding, np.float32)
    filled[..., :q] = values
    return filled.reshape(*rows, four, -1, LANES).swapaxes(-3, -2).reshape(-1)


def _padded(q):
    return -(-q // LANES) * LANES


@device.function
def units_at(plan, number, right):
    """Where the values of a side begin in `parameters`, of the number-th pair."""
    panels = 16 * (plan.q_left * plan.row_right + plan.q_right * plan.row_left)
    return panels + 4 * (number * (plan.row_left + plan.row_right) + right * plan.row_left)


@device.function
def first_chain():
    """The number of the first of the eight chains that this thread draws."""
    return BLOCK_CHAINS * device.block()[0] + CHAINS * (device.thread()[1] % OCTETS)


@device.function
def own_nibble(first):
    """This thread's, in a pass over the nibbles first, first + 1, ..."""
    x, y = device.thread()
    return first + LANES * (y // OCTETS) + x


@device.function
def own_word(first):
    """Where the values of unit 0 of this thread's nibble are in `_columns`; those of unit k are 32 k behind."""
    x, y = device.thread()
    return 4 * (first + LANES * (y // OCTETS)) + x


@device.function
def add_up(nibbles, chains, parameters, plan, right, first_out, shared, sums):
    """sums[4 c + k] = W z for unit k of this thread's nibble in the pass, and chain c of its eight.

    nibbles: of the left side (R, q_left), then of the right, one after the other.
    """
    q_in, row_out = (plan.q_left, plan.row_right) if right else (plan.q_right, plan.row_left)
    states = 0 if right else chains * plan.q_left
    weights = own_word(first_out) + (0 if right else 16 * plan.q_left * plan.row_right)
    for i in range(SUMS):
        sums[i] = np.float32(0)
    for first in range(0, q_in, NIBBLES):
        inside = min(NIBBLES, q_in - first)
        _load_bits(nibbles, chains, states + first, q_in, inside, shared)
        cuda.syncthreads()
        if own_nibble(first_out) < row_out:
            _add_tile(parameters, weights + 16 * first * row_out, 4 * row_out, inside, shared, sums)
        cuda.syncthreads()


@device.function
def _load_bits(nibbles, chains, at, q, inside, shared):
    """A thread unpacks every 16th nibble of one of the 16 chains; to an odd number of nibbles comes one of zeros."""
    n = device.number()
    c, g, chain = n % BLOCK_CHAINS, n // BLOCK_CHAINS, BLOCK_CHAINS * device.block()[0] + n % BLOCK_CHAINS
    while g < (inside + 1 & -2):
        value = np.uint32(0)
        if chain < chains and g < inside:
            value = np.uint32(nibbles[device.index(at + chain * q + g)])
        for k in range(4):
            shared[device.index(ROW * (4 * g + k) + c)] = np.float32(np.int32(value >> np.uint32(k) & np.uint32(1)))
        g += LANES * ROWS // BLOCK_CHAINS


@device.function
def _add_tile(parameters, at, row, inside, shared, sums):
    """The units in of a tile, two nibbles at a time: while the first is added, the weights of the second are coming."""
    weights, bits = cuda.local.array(AHEAD, float32), CHAINS * (device.thread()[1] % OCTETS)
    while inside > 0:
        for unit in range(8):
            for k in range(4):
                weights[4 * unit + k] = parameters[device.index(at + row * unit + LANES * k)]
        _add_unit(0, bits, weights, shared, sums)
        _add_unit(1, bits, weights, shared, sums)
        _add_unit(2, bits, weights, shared, sums)
        _add_unit(3, bits, weights, shared, sums)
        _add_unit(4, bits, weights, shared, sums)
        _add_unit(5, bits, weights, shared, sums)
        _add_unit(6, bits, weights, shared, sums)
        _add_unit(7, bits, weights, shared, sums)
        inside, bits, at = inside - 2, bits + 8 * ROW, at + 8 * row


@device.function
def _add_unit(unit, bits, weights, shared, sums):
    """One unit in: its 4 weights, and its bit in 8 chains, two vector loads, for 32 sums."""
    for c in range(CHAINS):
        z = shared[device.index(bits + ROW * unit + c)]
        for k in range(4):
            sums[4 * c + k] += weights[4 * unit + k] * z


@device.function
def store(nibbles, chains, plan, right, g, up):
    """Nibble g of this thread's chains, bit c of up[k] unit k of chain c: (4,), uint32, local."""
    q = plan.q_right if right else plan.q_left
    at, first = right * chains * plan.q_left, first_chain()
    for c in range(CHAINS):
        if first + c < chains:
            nibble = np.uint32(0)
            for k in range(4):
                nibble |= (up[k] >> np.uint32(c) & np.uint32(1)) << np.uint32(k)
            nibbles[device.index(at + (first + c) * q + g)] = nibble
