"""Fields a + W z of many chains, with W tiled through shared memory: a matrix product whose one factor is bits.

**Threads.** A block of 32 x 4 threads has 16 chains: thread (x, y) adds up the fields of chains 4 y .. 4 y + 3 and, of
each, of the four units of nibble column + x (`fields`: nibble g holds units k q + g). These 16 sums stay in
registers.

**Tiles.** The units that are summed over come 32 (8 nibbles) at a time: W[32 units in, 128 units out] and the bits of
the 16 chains, as floats, go to shared memory; every weight is then used by 4 threads for 4 chains each. States are
nibbles in global memory, a byte for four units, so the sides may have any size.

**Exactness.** Every sum is exact (`fields.exact_fields`), in this order as in any other, and so is each product by a
bit: it does not matter that the compiler contracts them to FMAs.

Two barriers a tile: nobody reads a tile before all have filled it, nobody refills it before all have read it.
"""

import numpy as np
from numba import cuda

from dvae_ref.sampling.cuda import device

LANES, ROWS = THREADS = (32, 4)  # threads of a block: nibbles out, groups of chains
CHAINS = 4  # to a thread
BLOCK_CHAINS = ROWS * CHAINS
NIBBLES = 8  # of the units in, to a tile
INPUTS, OUTPUTS = 4 * NIBBLES, 4 * LANES
SUMS = 4 * CHAINS


def panel(W):
    """W (units in, units out) as the kernels read it, float32: rows of 4 q_padded, one after the other.

    Row 4 g + k is unit k q_in + g, column 4 g + k is unit k q_out + g, and q_padded is a multiple of 32.
    """
    n_in, n_out = W.shape
    q_in, q_out = -(-n_in // 4), -(-n_out // 4)
    padded = np.zeros((4 * q_in, 4 * q_out), np.float32)
    padded[:n_in, :n_out] = W
    result = np.zeros((q_in, 4, _padded(q_out), 4), np.float32)
    result[:, :, :q_out] = padded.reshape(4, q_in, 4, q_out).transpose(1, 0, 3, 2)
    return result.reshape(-1)


def columns(values, padding):
    """A value per unit of a side in the order of the columns of `panel`; units that only pad have `padding`."""
    q = -(-len(values) // 4)
    padded = np.full(4 * q, padding, np.float32)
    padded[: len(values)] = values
    result = np.full((_padded(q), 4), padding, np.float32)
    result[:q] = padded.reshape(4, q).T
    return result.reshape(-1)


def _padded(q):
    return -(-q // LANES) * LANES


@device.function
def add_up(nibbles, weights, offsets, first_chain, column, shared, sums):
    """sums[4 c + k] = the field of unit k of nibble column + x, of chain c of this thread; shared: (tile, bits)."""
    x, (tile, bits) = device.thread()[0], shared
    for c in range(CHAINS):
        for k in range(4):
            sums[4 * c + k] = offsets[device.index(4 * (column + x) + k)]
    first = 0
    while first < nibbles.shape[1]:
        inside = min(NIBBLES, nibbles.shape[1] - first)
        _load_weights(weights, offsets.shape[0], first, inside, column, tile)
        _load_bits(nibbles, first_chain, first, inside, bits)
        cuda.syncthreads()
        i = 0
        while i < 4 * inside:
            _add_input(i, tile, bits, sums)
            _add_input(i + 1, tile, bits, sums)
            _add_input(i + 2, tile, bits, sums)
            _add_input(i + 3, tile, bits, sums)
            i += 4
        cuda.syncthreads()
        first += NIBBLES


@device.function
def _load_weights(weights, width, first, inside, column, tile):
    """Thread row y loads bit y of every nibble; neighbouring threads read neighbouring words."""
    x, y = device.thread()
    at = (4 * first + y) * width + 4 * column + x
    for g in range(NIBBLES):
        if g < inside:
            for k in range(4):
                tile[device.index(4 * g + y), device.index(LANES * k + x)] = weights[device.index(at + LANES * k)]
            at += 4 * width


@device.function
def _load_bits(nibbles, first_chain, first, inside, bits):
    """Each of the 128 threads unpacks one of the 8 nibbles of one of the 16 chains."""
    x, y = device.thread()
    n = LANES * y + x
    c, g = n // NIBBLES, n % NIBBLES
    if g < inside:
        value = np.uint32(0)
        if first_chain + c < nibbles.shape[0]:
            value = np.uint32(nibbles[device.index(first_chain + c), device.index(first + g)])
        for k in range(4):
            bits[device.index(4 * g + k), device.index(c)] = np.float32(np.int32(value >> np.uint32(k) & np.uint32(1)))


@device.function
def _add_input(i, tile, bits, sums):
    """One unit in: its 4 weights and its bit in 4 chains, two vector loads, for 16 sums."""
    x, y = device.thread()
    row = device.index(i)
    for c in range(CHAINS):
        for k in range(4):
            sums[4 * c + k] += tile[row, device.index(4 * x + k)] * bits[row, device.index(CHAINS * y + c)]
