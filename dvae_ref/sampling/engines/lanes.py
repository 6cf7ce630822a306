"""The half-steps of `avx512` on blocks of chains.

A block's state of a side is q registers of five-bit groups for each of four registers of chains. Views and tuples of
arrays are dear in loops as short as these: arrays are flat, and places in them are numbers of registers.
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling.engines import coarse, registers
from dvae_ref.sampling.engines.blocks import BITS, BLOCK, HIGH, LOW, UNSURE, UP
from dvae_ref.sampling.engines.coarse import UNITS
from dvae_ref.sampling.engines.path import difference, increment
from dvae_ref.sampling.engines.registers import LANES, VECTORS
from dvae_ref.sampling.philox import CHAINS, coarse_words, spin

_OCTETS = BLOCK // CHAINS
_ROUNDED = np.zeros(UNITS, coarse.UNIT)  # what `coarse` says of a unit, for fields that are rounded to 2**-11
_ROUNDED["scale"], _ROUNDED["limit"] = 128, coarse.CELLS * coarse.WHOLE // 128 - 1
_ROUNDED_MARGINS = np.tile(coarse.margins(2.0**-11), UNITS)
_CUT, _PER_UNIT = np.float32(15.999), np.float32(2**11)


# -- half-steps --------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def draw_roughly(source, target, high, low, units, margins, shape, place, words, halves):
    """Draw a side (q_out groups) given the other one (q_in) by fields in 16 bits: arrays of a `coarse.Side`, flat."""
    (q_out, q_in), (blocks, first, sweep, side, k0, k1) = shape, place
    for g in range(q_out):
        for b in range(blocks):
            chain, groups = first + b * BLOCK, VECTORS * q_in * b
            registers.look_up(high, UNITS * q_in * g, source, groups, q_in, words)
            _draw_bits(halves, g, q_out, np.uint64(chain // CHAINS), sweep, side, k0, k1)
            unsure = _compare(words, halves, units, margins, UNITS * g)
            while unsure:
                i = registers.lowest(unsure)
                k, v = i // VECTORS, i % VECTORS
                _add_low(words, i, low, UNITS * q_in * g + k, source, groups + v, q_in)
                unit, number = units[UNITS * g + k], np.uint64(g + k * q_out)
                mask = halves[16 * UNSURE + i]
                while mask:
                    l = registers.lowest(mask)
                    total = unit.ratio * np.int32(unit.offset + words[LANES * i + l]) + words[LANES * (LOW + i) + l]
                    field = scalars.mul(np.float32(np.int32(total)), unit.step)
                    bits, own = np.uint64(halves[16 * (BITS + i) + l // 2]), chain + _chain(i % VECTORS, l)
                    up = _settle(field, bits, own, sweep, side, number, k0, k1)
                    halves[16 * UP + i] = registers.with_bit(halves[16 * UP + i], l, up)
                    mask &= mask - np.uint32(1)
                unsure &= unsure - np.uint32(1)
            _join(halves, units[UNITS * g].present, target, VECTORS * (q_out * b + g))


@compiled(nogil=True)
def draw_exactly(source, target, high, low, units, base, shape, steps, gain, place, words, halves, exact):
    """The same by exact fields h, at base + t_next h; where there is `gain`, log-weights grow by the step."""
    (q_out, q_in), (blocks, first, sweep, side, k0, k1), (t, t_next, fine, most) = shape, place, steps
    for g in range(q_out):
        for b in range(blocks):
            chain, groups = first + b * BLOCK, VECTORS * q_in * b
            registers.look_up(high, UNITS * q_in * g, source, groups, q_in, words)
            _scale_high(words, units, UNITS * g, exact)
            for h in range(0, q_in, most):
                registers.look_up(low, UNITS * (q_in * g + h), source, groups + VECTORS * h, min(most, q_in - h), words)
                _include_low(words, exact)
            _to_fields(exact, units, UNITS * g)
            if len(gain):
                _weigh(exact, base, UNITS * g, t, t_next, fine, gain, b)
            _at(words, exact, base, UNITS * g, t_next)
            _draw_bits(halves, g, q_out, np.uint64(chain // CHAINS), sweep, side, k0, k1)
            unsure = _compare(words, halves, _ROUNDED, _ROUNDED_MARGINS, 0)
            while unsure:
                i = registers.lowest(unsure)
                mask, number = halves[16 * UNSURE + i], np.uint64(g + i // VECTORS * q_out)
                while mask:
                    l = registers.lowest(mask)
                    bits, own = np.uint64(halves[16 * (BITS + i) + l // 2]), chain + _chain(i % VECTORS, l)
                    up = _settle(exact[LANES * i + l], bits, own, sweep, side, number, k0, k1)
                    halves[16 * UP + i] = registers.with_bit(halves[16 * UP + i], l, up)
                    mask &= mask - np.uint32(1)
                unsure &= unsure - np.uint32(1)
            _join(halves, units[UNITS * g].present, target, VECTORS * (q_out * b + g))


@compiled(nogil=True)
def _draw_bits(halves, g, q_out, octet, sweep, side, k0, k1):
    """The random words of five units."""
    for k in range(UNITS):
        unit, at = np.uint64(g + k * q_out), 16 * (BITS + VECTORS * k)
        for j in range(_OCTETS):
            w0, w1, w2, w3 = coarse_words(octet + np.uint64(j), sweep, side, unit, k0, k1)
            halves[at + j], halves[at + 16 + j], halves[at + 32 + j], halves[at + 48 + j] = w0, w1, w2, w3


@register_jitable(forceinline=True)
def _compare(words, halves, units, margins, first):
    """Which registers have lanes within the margin. Masks of these, and of the lanes that are up, to scratch."""
    start, fall = registers.load(coarse.CURVE, 0), registers.load(coarse.CURVE, 1)
    found = np.uint32(0)
    for k in range(UNITS):
        unit, margin_of = units[first + k], registers.load(margins, first + k)
        own, most, shift = registers.spread(unit.scale), registers.spread(unit.limit), registers.spread(unit.offset)
        for v in range(VECTORS):
            i = VECTORS * k + v
            field = registers.add_saturated(registers.load(words, HIGH + i), shift)
            sign = registers.sign(field)
            size = registers.minimum(registers.subtract(registers.either(field, sign), sign), most)
            cell, part = registers.product_high(size, own), registers.product(size, own)
            fallen = registers.product_high(part, registers.permute(fall, cell))
            threshold, margin = (
                registers.subtract(registers.permute(start, cell), fallen),
                registers.permute(margin_of, cell),
            )
            random = registers.either(registers.load(words, BITS + i), registers.complement(sign))
            halves[16 * UP + i] = ~(registers.less(random, threshold) ^ registers.negative(field))
            distance = registers.add(registers.subtract(random, threshold), margin)
            unsure = registers.at_most(distance, registers.add(margin, margin))
            halves[16 * UNSURE + i] = unsure
            found |= np.uint32(unsure != 0) << np.uint32(i)
    return found


@register_jitable(forceinline=True)
def _join(halves, present, target, first):
    """Write five units of every chain as the bits of a group: bit k is unit k, and 0 where there is no such unit."""
    there = registers.spread(present)
    for v in range(VECTORS):
        bits = registers.spread(0)
        for k in range(UNITS):
            bits = registers.either(bits, registers.chosen(halves[16 * UP + VECTORS * k + v], registers.spread(1 << k)))
        registers.store(target, first + v, registers.both(bits, there))


@register_jitable
def _chain(v, l):
    """The number in its block, of 128, of the chain that lane l of register v holds."""
    return CHAINS * (l // 2) + 2 * v + l % 2


@compiled(nogil=True)
def _settle(field, word, chain, sweep, side, unit, k0, k1):
    """A spin decided by all bits of its uniform number, as every engine defines it."""
    return spin(field, scalars.half(word, np.uint64(chain % 2)), chain, sweep, side, unit, k0, k1)


# -- exact fields ------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def _add_low(words, i, low, entry, source, group, count):
    """The lower halves of the fields in one register: look-ups in `low`, added up over a unit's nibbles."""
    total = registers.spread(0)
    for h in range(count):
        own = registers.load(low, entry + UNITS * h)
        total = registers.add(total, registers.permute(own, registers.load(source, group + VECTORS * h)))
    registers.store(words, LOW + i, total)


@compiled(nogil=True)
def _scale_high(words, units, first, exact):
    """ratio (offset + high), whole numbers below 2**24."""
    for k in range(UNITS):
        ratio, offset = units[first + k].ratio, units[first + k].offset
        for c in range(BLOCK * k, BLOCK * (k + 1)):
            exact[c] = np.float32(np.int32(ratio * np.int32(offset + words[c])))


@compiled(nogil=True)
def _include_low(words, exact):
    for c in range(UNITS * BLOCK):
        exact[c] += np.float32(words[c])


@compiled(nogil=True)
def _to_fields(exact, units, first):
    for k in range(UNITS):
        step = units[first + k].step
        for c in range(BLOCK * k, BLOCK * (k + 1)):
            exact[c] = scalars.mul(exact[c], step)


@compiled(nogil=True)
def _at(words, exact, base, first, t):
    """Fields h become base + t h, and also multiples of 2**-11, cut off at 16."""
    for k in range(UNITS):
        offset = base[first + k]
        for c in range(BLOCK * k, BLOCK * (k + 1)):
            exact[c] = offset + scalars.mul(t, exact[c])
            words[c] = np.int32(min(max(exact[c], -_CUT), _CUT) * _PER_UNIT)


# -- log-weights -------------------------------------------------------------------------------------------------------


@compiled(nogil=True)
def weigh_linear(groups, linear, delta_t, gain):
    """gain += (t_next - t) slope·z, in float64: the sum may be too large for whole steps."""
    total, q = np.empty(BLOCK), len(linear)
    for b in range(len(gain)):
        total[:] = 0
        for g in range(q):
            entries, own = linear[g], groups[(b * q + g) * BLOCK : (b * q + g + 1) * BLOCK]
            for c in range(BLOCK):
                total[c] += entries[np.uint64(own[c])]
        own_gain = gain[b]
        for c in range(BLOCK):
            own_gain[c] += delta_t * total[c]


@compiled(nogil=True, error_model="numpy")  # a test for division by zero would keep it from vectorising
def _weigh(h, base, first, t, t_next, fine, gain, b):
    """gain += sum over five units of softplus(base + t_next h) - softplus(base + t h)."""
    delta_t, own = t_next - t, gain[b]
    h0, h1, h2, h3, h4 = (
        h[:BLOCK],
        h[BLOCK : 2 * BLOCK],
        h[2 * BLOCK : 3 * BLOCK],
        h[3 * BLOCK : 4 * BLOCK],
        h[4 * BLOCK :],
    )
    base0, base1, base2, base3, base4 = base[first], base[first + 1], base[first + 2], base[first + 3], base[first + 4]
    if fine:
        for c in range(BLOCK):
            total = increment(h0[c], base0, t_next, delta_t) + increment(h1[c], base1, t_next, delta_t)
            total += increment(h2[c], base2, t_next, delta_t) + increment(h3[c], base3, t_next, delta_t)
            own[c] += total + increment(h4[c], base4, t_next, delta_t)
    else:
        for i in range(UNITS * BLOCK):
            field, offset = np.float64(h[i]), np.float64(base[first + i // BLOCK])
            own[i % BLOCK] += difference(field, offset, np.float64(t), np.float64(t_next))
