"""Block Gibbs with a chain in each lane of a vector: fields looked up in registers, for CPUs with AVX-512.

A nibble of the other side has 16 values, and a 512-bit register 16 words: one permutation (vpermd) looks up what a
nibble adds to the field of a unit, in 16 chains at once. That and an addition is all for every four units of the other
side; tables are read in the order in which they lie, once for all chains of a group.

Exact fields are whole multiples of a step (`fields.exact_fields`), so that sums are of int32. The kernel of `gibbs`,
for any CPU, and this one yield the same spins.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, registry
from numba.extending import intrinsic, register_jitable

from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import fields
from dvae_ref.sampling.philox import CHAINS, LEFT, RIGHT, coarse_words, fine_words
from dvae_ref.sampling.tasks import take

GROUP = 64  # chains whose fields are in registers together: 4 vectors, of 4 units each
_UNITS, _LANES = 4, 16
_OCTETS = GROUP // CHAINS
_WORDS = ir.VectorType(ir.IntType(32), _LANES)
_NEAR = 2**20  # bytes: tables up to this size stay in a core's own caches
_WIDEST = 8  # groups to a task at most: the states of more would not fit these caches either


class Tables(NamedTuple):
    """A side's fields by the nibbles of the other side, in steps.

    entries: (q_out, q_in, 4, 16), int32: what value v of nibble h adds to the four units of nibble g. One of them for
    each h adds up to (a + W z) / step. present: (q_out,), uint8: the bits of a nibble that are units.
    """

    entries: np.ndarray
    present: np.ndarray
    step: np.float32


def available():
    """Whether compiled code may use the permutation: it is part of AVX-512."""
    return "+avx512f" in registry.cpu_target.target_context.codegen().magic_tuple()[2].split(",")


def tables(W, a):
    """The Tables of a side with biases a (units out,) and W (units in, units out), whose fields are exact.

    The step is the smallest power of two of which the fields are less than 2**24: that of `fields.exact_fields`, or a
    smaller one, of which its multiples are multiples, too.
    """
    q_in, q_out = (-(-n // _UNITS) for n in W.shape)
    reach = np.max(np.abs(a).astype(np.float64) + np.abs(W).sum(0, dtype=np.float64))
    step = np.float32(2.0 ** int(np.frexp(max(reach, 2.0**-100) / 2**24)[1]))
    entries = fields.aligned(q_out, q_in, _UNITS, _LANES).view(np.int32)
    _fill(np.ascontiguousarray(W), a, 1 / step, entries)
    return Tables(entries, fields.pack(np.ones((1, W.shape[1])))[0], step)


@compiled(nogil=True)
def _fill(W, a, scale, entries):
    q_out, q_in = entries.shape[:2]
    for g in range(q_out):
        for h in range(q_in):
            for k in range(_UNITS):
                unit, entry = k * q_out + g, entries[g, h, k]
                entry[0] = np.int32(a[unit] * scale) if h == 0 and unit < len(a) else 0
                for bit in range(4):
                    row, known = bit * q_in + h, 1 << bit
                    weight = np.int32(W[row, unit] * scale) if row < len(W) and unit < len(a) else 0
                    for v in range(known):
                        entry[known + v] = entry[v] + weight


def width(chains, tables, threads):
    """Chains to a task: where tables are large, many share what is read of them, as long as every thread has work."""
    near = sum(side.entries.nbytes for side in tables) // _NEAR
    return GROUP * max(1, min(near, _WIDEST, -(-chains // (GROUP * threads))))


@compiled(nogil=True)
def sweep_blocks(counter, width, left, right, to_right, to_left, start, sweeps, k0, k1):
    """Sweeps number start, start + 1, ... of all chains: packed states, written."""
    first = width * take(counter)
    while first < len(left):
        part = slice(first, first + width)
        _sweep_block(left[part], right[part], to_right, to_left, first, start, sweeps, k0, k1)
        first = width * take(counter)


@compiled(nogil=True)
def _sweep_block(left, right, to_right, to_left, first, start, sweeps, k0, k1):
    lanes_left, lanes_right = to_lanes(left), to_lanes(right)
    for t in range(start, start + sweeps):
        _draw_side(lanes_left, to_right, lanes_right, first, np.uint64(t), RIGHT, k0, k1)
        _draw_side(lanes_right, to_left, lanes_left, first, np.uint64(t), LEFT, k0, k1)
    from_lanes(lanes_left, left)
    from_lanes(lanes_right, right)


@compiled(nogil=True)
def to_lanes(nibbles):
    """(chains, q), uint8 -> (q, chains), int32, chains filled up to whole groups.

    In lane 8 i + o of a group is chain i of the eight of counter o: so a word of 8 counters is that of neighbours.
    """
    lanes = np.zeros((nibbles.shape[1], -(-len(nibbles) // GROUP) * GROUP), np.int32)
    for c in range(len(nibbles)):
        for g in range(len(lanes)):
            lanes[g, lane(c)] = nibbles[c, g]
    return lanes


@compiled(nogil=True)
def from_lanes(lanes, nibbles):
    for c in range(len(nibbles)):
        for g in range(len(lanes)):
            nibbles[c, g] = lanes[g, lane(c)]


@register_jitable
def lane(c):
    """Where chain c is."""
    return c - c % GROUP + c % CHAINS * _OCTETS + c % GROUP // CHAINS


@compiled(nogil=True)
def _draw_side(source, to_target, target, first, t, side, k0, k1):
    """Draw a side (q_out, chains) given the other one, source (q_in, chains): nibble by nibble, group by group."""
    sums, q_out = empty_sums(), len(target)
    for g in range(q_out):
        for start in range(0, target.shape[1], GROUP):
            add_up(to_target.entries[g], source[:, start:], sums)
            place = first + start, g, q_out, t, side, k0, k1
            flip(target[g, start : start + GROUP], sums, to_target.step, to_target.present[g], place)


@compiled(nogil=True)
def empty_sums():
    """Room for the fields of the four units of a nibble, in steps, of the chains of a group."""
    return np.empty((_UNITS, GROUP), np.int32)


@compiled(nogil=True)
def flip(nibbles, sums, step, present, place):
    """A nibble of each chain of a group, from the fields of its units; vectorised over chains."""
    exps = np.empty((_UNITS, GROUP), np.float32)
    for k in range(_UNITS):
        own, e = sums[k], exps[k]
        for c in range(GROUP):
            e[c] = scalars.exp_minus(scalars.mul(np.float32(own[c]), step))
    draw(nibbles, exps, present, place)


@compiled(nogil=True)
def draw(nibbles, exps, present, place):
    """A nibble of each chain of a group, given exp(-field) of its units, (4, GROUP).

    place: number of the first chain, the nibble, nibbles to a side, then sweep, side and key.
    """
    coarse = np.empty((_UNITS, GROUP), np.int32)
    _draw_bits(coarse, place)
    unsure = np.uint8(0)
    coarse0, coarse1, coarse2, coarse3 = coarse[0], coarse[1], coarse[2], coarse[3]
    e0, e1, e2, e3 = exps[0], exps[1], exps[2], exps[3]
    for c in range(GROUP):
        most = nibble(scalars.possibly_up, coarse0[c], coarse1[c], coarse2[c], coarse3[c], e0[c], e1[c], e2[c], e3[c])
        least = nibble(scalars.surely_up, coarse0[c], coarse1[c], coarse2[c], coarse3[c], e0[c], e1[c], e2[c], e3[c])
        nibbles[c] = (most | (most ^ least) << 4) & (present | present << 4)
        unsure |= most ^ least
    if unsure & present:
        _settle(nibbles, coarse, exps, place)


@register_jitable(forceinline=True)
def nibble(up, c0, c1, c2, c3, e0, e1, e2, e3):
    return np.uint8(up(c0, e0)) | np.uint8(up(c1, e1)) << 1 | np.uint8(up(c2, e2)) << 2 | np.uint8(up(c3, e3)) << 3


@compiled(nogil=True)
def _draw_bits(coarse, place):
    first, g, q, t, side, k0, k1 = place
    octet = np.uint64(first // CHAINS)
    words = np.empty((4, _UNITS * _OCTETS), np.uint32)
    words0, words1, words2, words3 = words[0], words[1], words[2], words[3]
    for i in range(_UNITS * _OCTETS):
        unit = np.uint64(g + i // _OCTETS * q)
        w0, w1, w2, w3 = coarse_words(octet + np.uint64(i % _OCTETS), t, side, unit, k0, k1)
        words0[i], words1[i], words2[i], words3[i] = w0, w1, w2, w3
    for k in range(_UNITS):
        for w in range(4):
            for o in range(_OCTETS):
                word = words[w, k * _OCTETS + o]
                coarse[k, 2 * w * _OCTETS + o] = word & np.uint32(0xFFFF)
                coarse[k, (2 * w + 1) * _OCTETS + o] = word >> np.uint32(16)


@compiled(nogil=True)
def _settle(nibbles, coarse, exps, place):
    """Spins that 16 bits do not decide (one in 60,000), marked in bits 4 to 7."""
    first, g, q, t, side, k0, k1 = place
    for c in range(GROUP):
        for k in range(_UNITS):
            if nibbles[c] >> (4 + k) & 1:
                octet, i = np.uint64(first // CHAINS + c % _OCTETS), c // _OCTETS
                word = fine_words(octet, t, side, np.uint64(g + k * q), k0, k1)[i // 2]
                fine = scalars.fine_bits(scalars.half(word, np.uint64(i % 2)))
                up = scalars.is_up(scalars.spin_uniform(coarse[k, c], fine), exps[k, c])
                nibbles[c] = nibbles[c] & ~(1 << k) | up << k
        nibbles[c] &= 15


@intrinsic
def add_up(typing_context, entries, nibbles, sums):
    """sums[k, c] = sum_h entries[h, k, nibbles[h, c]], the 4 x 64 of them in sixteen registers.

    entries: (q_in, 4, 16), contiguous; nibbles: (q_in, >= 64), rows contiguous; sums: (4, 64); all int32.
    """
    if {entries.layout, sums.layout} != {"C"} or {entries.dtype, nibbles.dtype, sums.dtype} != {types.int32}:
        return None  # to numba: there is no such function

    def codegen(context, builder, signature, arguments):
        arrays = [context.make_array(t)(context, builder, a) for t, a in zip(signature.args, arguments, strict=True)]
        count, row = cgutils.unpack_tuple(builder, arrays[0].shape)[0], arrays[1].strides
        table, lanes, out = (builder.bitcast(array.data, _WORDS.as_pointer()) for array in arrays)
        row = builder.sdiv(cgutils.unpack_tuple(builder, row)[0], ir.Constant(ir.IntType(64), 4 * _LANES))
        permute = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORDS, [_WORDS, _WORDS]), "llvm.x86.avx512.permvar.si.512"
        )
        vectors = range(GROUP // _LANES)
        total = [
            [cgutils.alloca_once_value(builder, ir.Constant(_WORDS, None)) for _ in vectors] for _ in range(_UNITS)
        ]
        with cgutils.for_range(builder, count) as loop:
            index = [_load(builder, lanes, builder.mul(loop.index, row), c) for c in vectors]
            for k in range(_UNITS):
                entry = _load(builder, table, builder.mul(loop.index, ir.Constant(ir.IntType(64), _UNITS)), k)
                for c in vectors:
                    term = builder.call(permute, [entry, index[c]])
                    builder.store(builder.add(builder.load(total[k][c]), term), total[k][c])
        for k in range(_UNITS):
            for c in vectors:
                at = ir.Constant(ir.IntType(64), k * len(vectors) + c)
                builder.store(builder.load(total[k][c]), builder.gep(out, [at]), align=4)
        return context.get_dummy_value()

    return types.void(entries, nibbles, sums), codegen


def _load(builder, pointer, first, offset):
    at = builder.add(first, ir.Constant(ir.IntType(64), offset))
    return builder.load(builder.gep(pointer, [at]), align=4)
