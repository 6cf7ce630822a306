"""The draw of `portable`: spins of a side from rows of fields, a chain a row.

**Rows.** Loops run over the units of a chain, which the compiler vectorises as the CPU allows, if there are whole
vectors of them. So a row has four planes, one for each bit of a nibble, each filled up to a multiple of 8 units: unit
k q + g is number k p + g of its row. What fills them up has the field NEVER.

**The draw.** A spin is open where the 16 bits c and 65,536 sigmoid(f) are within one of each other. For all others an
exponential that is good to 6e-6 of itself will do: it moves 65,536 sigmoid(f) by 0.1 at most, and `_SLACK` is 0.25.
What it does not decide is settled by the rule, `philox.spin`.
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling.philox import CHAINS, coarse_words, spin

_PLANE = 8  # units that a plane is filled up to a multiple of
_HALF_WORD = np.uint64(16)
_SLACK, _WHOLE = np.float32(0.25), np.float32(65536)
_FAR = np.float32(20)  # beyond it 65,536 sigmoid(f) is 0 or 65,536 to 2e-4
_LOG2_E, _ROUND = np.float32(1.44269504), np.float32(1.5 * 2.0**23)  # adding it leaves the nearest whole number below
# 2**x for |x| <= 1/2, to 4e-6 of itself: a polynomial of least relative error, highest first
_EXP2 = tuple(np.float32(c) for c in (0.00957052503, 0.05591866, 0.240247354, 0.693121672, 0.999999285))


def in_planes(values, fill=0):
    """(..., units) -> (..., width), float32: the four planes of a row."""
    *rows, units = values.shape
    q = -(-units // 4)
    whole = np.full((*rows, 4 * q), fill, np.float32)
    whole[..., :units] = values
    planes = np.full((*rows, 4, -(-q // _PLANE) * _PLANE), fill, np.float32)
    planes[..., :q] = whole.reshape(*rows, 4, q)
    return planes.reshape(*rows, -1)


@compiled(nogil=True)
def draw(nibbles, rows, place):
    """Draw a side of a block of chains from its fields; the first chain begins a counter.

    The eight chains of a counter are one loop: views and calls are dear.
    """
    first, sweep, side, k0, k1 = place
    q, width, flat = nibbles.shape[1], rows.shape[1], rows.reshape(-1)
    bits, spins = np.empty(CHAINS * width, np.uint16), np.empty(CHAINS * width, np.uint8)
    joined = np.empty(width // 4, np.uint8)
    for start in range(0, len(nibbles), CHAINS):
        count = min(CHAINS, len(nibbles) - start)
        chain, f, z = first + start, flat[start * width : (start + count) * width], spins[: count * width]
        _draw_bits(bits, q, np.uint64(chain // CHAINS), sweep, side, k0, k1)
        _compare(z, f, bits)
        if _any_open(z):
            _settle(z, f, bits, (q, width // 4), chain, sweep, side, k0, k1)
        for c in range(count):
            _join(z[c * width : (c + 1) * width], joined, nibbles[start + c])


@compiled(nogil=True)
def _draw_bits(bits, q, octet, sweep, side, k0, k1):
    """(8 width,), uint16: the coarse bits of eight chains; what fills the planes up has those of other units."""
    width = bits.size // CHAINS
    plane = width // 4
    chain0, chain1, chain2, chain3 = (
        bits[:width],
        bits[width : 2 * width],
        bits[2 * width : 3 * width],
        bits[3 * width :],
    )
    chain4, chain5, chain6, chain7 = chain3[width:], chain3[2 * width :], chain3[3 * width :], chain3[4 * width :]
    for k in range(4):
        for g in range(plane):
            u = np.uint64(k * plane + g)
            w0, w1, w2, w3 = coarse_words(octet, sweep, side, np.uint64(k * q + g), k0, k1)
            chain0[u], chain1[u] = np.uint16(w0), np.uint16(w0 >> _HALF_WORD)
            chain2[u], chain3[u] = np.uint16(w1), np.uint16(w1 >> _HALF_WORD)
            chain4[u], chain5[u] = np.uint16(w2), np.uint16(w2 >> _HALF_WORD)
            chain6[u], chain7[u] = np.uint16(w3), np.uint16(w3 >> _HALF_WORD)


@compiled(nogil=True, fastmath={"contract"})
def _compare(spins, f, bits):
    """spins: 0 or 1 where 16 bits surely decide, 2 where they may not. Whatever is contracted, `_SLACK` covers it."""
    for u in range(spins.size):
        c, rise = np.float32(bits[u]), scalars.ONE + _exp_minus_roughly(f[u])
        least, most = c * rise + (scalars.ONE + _SLACK) * rise, c * rise - _SLACK * rise
        possible, sure = np.int32(most < _WHOLE), np.int32(least < _WHOLE)
        spins[u] = np.uint8(possible + (possible ^ sure))


@register_jitable(forceinline=True)
def _exp_minus_roughly(field):
    """exp(-field) in float32 for |field| <= 20, to 6e-6 of itself."""
    x = min(max(field, -_FAR), _FAR) * -_LOG2_E
    shifted = x + _ROUND
    r = x - (shifted - _ROUND)
    p = ((_EXP2[0] * r + _EXP2[1]) * r + _EXP2[2]) * r + _EXP2[3]
    bits = np.float32(p * r + _EXP2[4]).view(np.int32) + (np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(bits).view(np.float32)


@compiled(nogil=True)
def _any_open(spins):
    found = np.uint8(0)
    for u in range(spins.size):
        found |= spins[u]
    return found & np.uint8(2)


@compiled(nogil=True)
def _settle(spins, f, bits, shape, chain, sweep, side, k0, k1):
    """Spins that were left open (one in 40,000)."""
    q, plane = shape
    for u in range(spins.size):
        if spins[u] == 2:
            own, unit = u // (4 * plane), u // plane % 4 * q + u % plane
            spins[u] = spin(f[u], np.int32(bits[u]), chain + own, sweep, side, np.uint64(unit), k0, k1)


@compiled(nogil=True)
def _join(spins, joined, nibbles):
    """Write four planes of spins as nibbles: bit k of nibble g is unit k q + g."""
    plane = joined.size
    spins0, spins1, spins2 = spins[:plane], spins[plane : 2 * plane], spins[2 * plane : 3 * plane]
    spins3 = spins[3 * plane : 4 * plane]
    for g in range(plane):
        joined[g] = spins0[g] | spins1[g] << 1 | spins2[g] << 2 | spins3[g] << 3
    for g in range(nibbles.size):
        nibbles[g] = joined[g]
