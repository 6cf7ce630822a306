"""The half-steps of `portable` in 16 bits: the fields of a chain are rows, 32 units a vector.

Chains come in eights, as many as a counter serves; arrays are flat, and places in them are numbers of vectors, as in
`lanes`. All of it is arithmetic of 16-bit words, which every CPU has vectors of.
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling.engines import registers
from dvae_ref.sampling.engines.nibbles import BIT, CURVE, ERROR, FACTOR, LEAST, OFFSET, ROWS
from dvae_ref.sampling.engines.registers import LANES, NIBBLES
from dvae_ref.sampling.philox import CHAINS, coarse_words, spin

_HIGH, _BITS, _LOW = 0, CHAINS, 2 * CHAINS  # vectors of scratch
_HALF_WORD, _ONE = np.uint64(16), np.uint64(1)
_ALL = 65535


@compiled(nogil=True)
def room():
    """Scratch of a half-step: vectors, and a mask for each of eight chains."""
    return np.empty((2 * CHAINS + 1) * LANES, np.int16), np.empty(CHAINS, np.uint32)


@compiled(nogil=True)
def empty(eights, side):
    """So many eights of chains of a side, all 0: whole tiles of nibbles to a row."""
    return np.zeros((CHAINS * eights, NIBBLES * len(side.high)), np.uint8)


@compiled(nogil=True)
def half_step(from_rows, to_rows, side, place, words, open_lanes):
    """Draw a side, a `nibbles.Side`, given the other one: uint8 (chains, whole tiles of nibbles), whole eights."""
    (tiles, q_in), (eights, first, sweep, which, k0, k1) = side.high.shape[:2], place
    source, target, high, low = from_rows.reshape(-1), to_rows.reshape(-1), side.high.reshape(-1), side.low.reshape(-1)
    lanes, bits, wide_in, wide = side.lanes.reshape(-1), words.view(np.uint16), from_rows.shape[1], to_rows.shape[1]
    for i in range(tiles):
        table, present = 16 * q_in * i, min(LANES, 4 * (side.q_out - NIBBLES * i))
        for o in range(eights):
            chain = CHAINS * o
            octet = np.uint64((first + chain) // CHAINS)
            _draw_bits(bits, side.numbers, LANES * i, present, octet, sweep, which, k0, k1)
            for c in range(0, CHAINS, 2):
                _add_up_two(source, (chain + c) * wide_in, wide_in, q_in, high, table, words, _HIGH + c)
            _compare(words, lanes, ROWS * i, side.shift, target, chain * wide + NIBBLES * i, wide, open_lanes)
            for c in range(CHAINS):
                mask, start = open_lanes[c], chain + c
                if mask:
                    registers.store(words, _LOW, _add_up(source, start * wide_in, q_in, low, table))
                while mask:
                    l = registers.lowest(mask)
                    number, field = side.numbers[LANES * i + l], _field(side.units[LANES * i + l], words, c, l)
                    own = np.int32(bits[LANES * (_BITS + c) + l])
                    up = spin(field, own, first + start, sweep, which, number, k0, k1)
                    at, bit = start * wide + NIBBLES * i + l // 4, np.uint8(lanes[LANES * (ROWS * i + BIT) + l])
                    target[at] = target[at] | bit if up else target[at] & ~bit
                    mask &= mask - np.uint32(1)


@register_jitable(forceinline=True)
def _field(unit, words, c, l):
    """The exact field of a unit: that of lane l of chain c."""
    high, low = words[LANES * (_HIGH + c) + l], words[LANES * _LOW + l]
    return scalars.mul(np.float32(np.int32(unit.ratio * np.int32(unit.offset + high) + low)), unit.step)


@compiled(nogil=True)
def _draw_bits(bits, numbers, first, count, octet, sweep, side, k0, k1):
    """The coarse bits of eight chains for `count` units of a tile; those of a vector's other lanes do not matter."""
    width, start = np.uint64(LANES), np.uint64(LANES * _BITS)
    for u in range((count + 7) // 8 * 8):
        w0, w1, w2, w3 = coarse_words(octet, sweep, side, numbers[np.uint64(first + u)], k0, k1)
        at = start + np.uint64(u)
        bits[at], bits[at + width] = np.uint16(w0), np.uint16(w0 >> _HALF_WORD)
        at += width + width
        bits[at], bits[at + width] = np.uint16(w1), np.uint16(w1 >> _HALF_WORD)
        at += width + width
        bits[at], bits[at + width] = np.uint16(w2), np.uint16(w2 >> _HALF_WORD)
        at += width + width
        bits[at], bits[at + width] = np.uint16(w3), np.uint16(w3 >> _HALF_WORD)


@register_jitable(forceinline=True)
def _add_up(source, at, q_in, table, entry):
    """The sum over a chain's nibbles of their entries in a tile."""
    total, at = registers.load(table, entry + np.int64(source[at])), np.uint64(at)
    for _ in range(1, q_in):
        at, entry = at + _ONE, entry + 16
        total = registers.add(total, registers.load(table, entry + np.int64(source[at])))
    return total


@register_jitable(forceinline=True)
def _add_up_two(source, at, wide, q_in, table, entry, words, to):
    """Of two chains, a tenth quicker than one after the other."""
    one, two = np.uint64(at), np.uint64(at + wide)
    total = registers.load(table, entry + np.int64(source[one]))
    other = registers.load(table, entry + np.int64(source[two]))
    for _ in range(1, q_in):
        one, two, entry = one + _ONE, two + _ONE, entry + 16
        total = registers.add(total, registers.load(table, entry + np.int64(source[one])))
        other = registers.add(other, registers.load(table, entry + np.int64(source[two])))
    registers.store(words, to, total)
    registers.store(words, to + 1, other)


@compiled(nogil=True)
def _compare(words, lanes, first, shift, target, at, stride, open_lanes):
    """The spins of a tile of eight chains, `stride` bytes apart, and a mask of the lanes within the margin of each."""
    offset, factor = registers.load(lanes, first + OFFSET), registers.load(lanes, first + FACTOR)
    error, least = registers.load(lanes, first + ERROR), registers.load(lanes, first + LEAST)
    bit, ones = registers.load(lanes, first + BIT), registers.spread(_ALL)
    most, finer = registers.spread(_ALL >> shift), registers.spread(1 << shift)
    for c in range(CHAINS):
        field = registers.add_saturated(registers.load(words, _HIGH + c), offset)
        sign = registers.sign(field)
        size = registers.subtract(registers.either(field, sign), sign)
        y = registers.product_high(registers.add_unsigned(size, size), factor)  # -32,768 has no size
        e = _exponential(registers.product(registers.minimum(y, most), finer))
        rest = registers.either(registers.load(words, _BITS + c), sign)  # 65,535 less the bits
        own, edge = registers.either(rest, ones), registers.product_high(e, rest)
        up = ~(registers.less(own, edge) ^ registers.negative(field))
        registers.store_nibbles(target, at + c * stride, registers.chosen(up, bit))
        margin = registers.add(registers.product_high(edge, error), least)
        apart = registers.subtract(registers.maximum(own, edge), registers.minimum(own, edge))
        open_lanes[c] = registers.at_most(apart, margin)


@register_jitable(forceinline=True)
def _exponential(y):
    """65,536 exp(-y / 8,192), to within 14."""
    c0, c1, c2, c3 = registers.spread(CURVE[0]), registers.spread(CURVE[1]), registers.spread(CURVE[2]), CURVE[3]
    p = registers.subtract(c2, registers.product_high(y, registers.spread(c3)))
    p = registers.subtract(c1, registers.product_high(y, p))
    p = registers.subtract(c0, registers.product_high(y, p))
    for _ in range(3):
        p = registers.product_high(p, p)
    return p
