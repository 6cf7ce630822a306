"""The state of a block of chains as `lanes` reads it: a chain in each 16-bit lane of four registers.

A side is q registers of five-bit groups for each of the four: unit k q + g is bit k of group g.
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast.jit import compiled
from dvae_ref.sampling.engines.coarse import UNITS
from dvae_ref.sampling.engines.registers import LANES, VECTORS
from dvae_ref.sampling.philox import CHAINS

BLOCK = VECTORS * LANES
_EACH = UNITS * VECTORS  # registers of five units of a block; number 4 k + v is register v of unit k
HIGH, BITS, LOW, UP, UNSURE = 0, _EACH, 2 * _EACH, 3 * _EACH, 3 * _EACH + 2  # registers of scratch; then masks
ROOM = UNSURE + 2


@register_jitable
def number(chains):
    """How many blocks so many chains take."""
    return (chains + BLOCK - 1) // BLOCK


@register_jitable
def lane(c):
    """Where chain c is in its block: register v has chains 2 v and 2 v + 1 of 16 counters in turn."""
    return LANES * (c % CHAINS // 2) + 2 * (c % BLOCK // CHAINS) + c % 2


@compiled(nogil=True)
def empty(rows):
    """Memory for so many rows of 128 chains, int16, that begins on a cache line."""
    buffer = np.empty(rows * BLOCK + LANES, np.int16)
    start = -buffer.ctypes.data % 64 // 2
    return buffer[start : start + rows * BLOCK]


@compiled(nogil=True)
def room():
    """Scratch of a half-step: registers, the same memory as masks and random words, and float32 fields (5 x 128,)."""
    words = empty(ROOM * LANES // BLOCK + 1)
    return words, words.view(np.uint32), empty(2 * UNITS).view(np.float32)


@compiled(nogil=True)
def pack(nibbles, groups, q):
    """(chains, ceil(D / 4)), uint8 -> (blocks x q x 128,): units k q + g are bits k of group g; absent chains are 0."""
    groups[:] = 0
    quarter = nibbles.shape[1]
    units, group = np.zeros(max(4 * quarter, UNITS * q), np.uint8), np.empty(q, np.uint8)
    u0, u1, u2, u3, u4 = units[:q], units[q : 2 * q], units[2 * q : 3 * q], units[3 * q : 4 * q], units[4 * q : 5 * q]
    for c in range(len(nibbles)):
        row, at = nibbles[c], c // BLOCK * q * BLOCK + lane(c)
        for k in range(4):
            for g in range(quarter):
                units[k * quarter + g] = row[g] >> k & 1
        for g in range(q):
            group[g] = u0[g] | u1[g] << 1 | u2[g] << 2 | u3[g] << 3 | u4[g] << 4
        for g in range(q):
            groups[at + g * BLOCK] = group[g]


@compiled(nogil=True)
def unpack(groups, nibbles, q):
    """What `pack` made, back to nibbles (chains, ceil(D / 4)), in place."""
    quarter = nibbles.shape[1]
    units, group = np.zeros(max(4 * quarter, UNITS * q), np.uint8), np.empty(q, np.uint8)
    u0, u1, u2, u3 = (
        units[:quarter],
        units[quarter : 2 * quarter],
        units[2 * quarter : 3 * quarter],
        units[3 * quarter : 4 * quarter],
    )
    for c in range(len(nibbles)):
        row, at = nibbles[c], c // BLOCK * q * BLOCK + lane(c)
        for g in range(q):
            group[g] = groups[at + g * BLOCK]
        for k in range(UNITS):
            for g in range(q):
                units[k * q + g] = group[g] >> k & 1
        for g in range(quarter):
            row[g] = u0[g] | u1[g] << 1 | u2[g] << 2 | u3[g] << 3
