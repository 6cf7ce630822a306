"""Thirty-two 16-bit words as one value in compiled code: a register of AVX-512, and the instructions that a draw takes.

A kernel is then Python over registers. There is no bounds check: `load` and `store` are for arrays that were padded to
whole vectors. Arithmetic is modulo 2**16. `permute` and `look_up` need AVX-512 (BW); the rest is LLVM's own vectors, of
which other CPUs take two or four registers.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_jitable, register_model

LANES = 32
UNITS, VECTORS = 5, 4  # that `look_up` adds up at a time: 5 units of 4 vectors of chains
NIBBLES = 8  # of 4 lanes each
_INDEX, _WORD, _WIDE = (ir.IntType(bits) for bits in (32, 16, 64))
_VECTOR, _DOUBLE = ir.VectorType(_WORD, LANES), ir.VectorType(_INDEX, LANES)
_QUADRUPLE, _NIBBLES = ir.VectorType(_WIDE, NIBBLES), ir.VectorType(ir.IntType(8), NIBBLES)


class _Words(types.Type):
    def __init__(self):
        super().__init__(name="int16x32")


WORDS = _Words()


@register_model(_Words)
class _WordsModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _VECTOR)


def _pointer(context, builder, array_type, array, vector):
    """Where vector number `vector` of an array's memory begins."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(builder.bitcast(data, _VECTOR.as_pointer()), [vector])


@intrinsic
def load(typing_context, array, vector):
    """Words 32 vector, ..., 32 vector + 31 of a contiguous array of 16-bit integers."""

    def codegen(context, builder, signature, arguments):
        return builder.load(_pointer(context, builder, signature.args[0], *arguments), align=2)

    return WORDS(array, types.int64), codegen


@intrinsic
def store(typing_context, array, vector, words):
    """Write a vector of words to where `load` of the same number reads it."""

    def codegen(context, builder, signature, arguments):
        array_value, vector_value, words_value = arguments
        pointer = _pointer(context, builder, signature.args[0], array_value, vector_value)
        builder.store(words_value, pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, types.int64, WORDS), codegen


@intrinsic
def spread(typing_context, word):
    """The same word in all lanes."""

    def codegen(context, builder, signature, arguments):
        one = ir.Constant(_INDEX, 0)
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), builder.trunc(arguments[0], _WORD), one)
        return builder.shuffle_vector(first, first, ir.Constant(_DOUBLE, None))

    return WORDS(types.int64), codegen


def _binary(emit, result=WORDS):
    """The operation lane by lane that emit(builder, a, b) writes; masks have bit l for lane l."""

    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, arguments):
            return emit(builder, *arguments)

        return result(WORDS, WORDS), codegen

    return operation


def _mask(builder, lanes):
    return builder.bitcast(lanes, _INDEX)


def _product_high(builder, a, b):
    """LLVM's own product of fractions: in other words it would carry 32 bits from one product to the next."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, _INDEX])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.umul.fix.v32i16")
    return builder.call(function, [a, b, ir.Constant(_INDEX, 16)])


def _call(name):
    """One of LLVM's own functions of two vectors."""

    def emit(builder, a, b):
        kind = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b])

    return emit


add = _binary(lambda builder, a, b: builder.add(a, b))
add_unsigned = _binary(_call("llvm.uadd.sat.v32i16"))  # what would overflow stays at 65,535
subtract = _binary(lambda builder, a, b: builder.sub(a, b))
add_saturated = _binary(_call("llvm.sadd.sat.v32i16"))  # signed: what would overflow stays at the end
product = _binary(lambda builder, a, b: builder.mul(a, b))  # its low half
product_high = _binary(_product_high)  # of the unsigned product
minimum = _binary(_call("llvm.umin.v32i16"))  # unsigned
maximum = _binary(_call("llvm.umax.v32i16"))
both = _binary(lambda builder, a, b: builder.and_(a, b))
either = _binary(lambda builder, a, b: builder.xor(a, b))
permute = _binary(_call("llvm.x86.avx512.permvar.hi.512"))  # permute(table, i)[l] = table[i[l] % 32]
less = _binary(lambda builder, a, b: _mask(builder, builder.icmp_unsigned("<", a, b)), types.uint32)
at_most = _binary(lambda builder, a, b: _mask(builder, builder.icmp_unsigned("<=", a, b)), types.uint32)


@intrinsic
def sign(typing_context, a):
    """All bits of a lane if it is negative, none otherwise."""

    def codegen(context, builder, signature, arguments):
        return builder.ashr(arguments[0], ir.Constant(_VECTOR, [15] * LANES))

    return WORDS(WORDS), codegen


@intrinsic
def complement(typing_context, a):
    """All bits turned over."""

    def codegen(context, builder, signature, arguments):
        return builder.not_(arguments[0])

    return WORDS(WORDS), codegen


@intrinsic
def negative(typing_context, a):
    """The mask of lanes that are negative."""

    def codegen(context, builder, signature, arguments):
        return _mask(builder, builder.icmp_signed("<", arguments[0], ir.Constant(_VECTOR, None)))

    return types.uint32(WORDS), codegen


@intrinsic
def chosen(typing_context, mask, a):
    """a in the lanes of the mask, 0 elsewhere."""

    def codegen(context, builder, signature, arguments):
        lanes = builder.bitcast(arguments[0], ir.VectorType(ir.IntType(1), LANES))
        return builder.select(lanes, arguments[1], ir.Constant(_VECTOR, None))

    return WORDS(types.uint32, WORDS), codegen


@intrinsic
def store_nibbles(typing_context, array, first, words):
    """Bytes first, ..., first + 7 of an array: lanes 4 i, ..., 4 i + 3, or-ed, make number first + i."""

    def codegen(context, builder, signature, arguments):
        array_value, start, bits = arguments
        fours = builder.bitcast(bits, _QUADRUPLE)
        for shift in (32, 16):
            fours = builder.or_(fours, builder.lshr(fours, ir.Constant(_QUADRUPLE, [shift] * NIBBLES)))
        data = context.make_array(signature.args[0])(context, builder, array_value).data
        out = builder.bitcast(builder.gep(data, [start]), _NIBBLES.as_pointer())
        builder.store(builder.trunc(fours, _NIBBLES), out, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, WORDS), codegen


@intrinsic
def lowest(typing_context, mask):
    """The number of the lowest bit of a mask that is not 0."""

    def codegen(context, builder, signature, arguments):
        kind = ir.FunctionType(_INDEX, [_INDEX, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i32")
        return builder.zext(builder.call(function, [arguments[0], ir.Constant(ir.IntType(1), 1)]), _WIDE)

    return types.int64(types.uint32), codegen


@intrinsic
def look_up(typing_context, entries, first_entry, groups, first_group, count, sums):
    """sums[k, c] = the sum over h < count of entries[h, k, groups[h, c]], 5 x 128 of them in twenty registers.

    entries: (count, 5, 32) from vector `first_entry` of an array on, groups: (count, 128) from vector `first_group` of
    an array on, sums: (5, 128); all int16.
    """

    def codegen(context, builder, signature, arguments):
        kinds, zero = signature.args, ir.Constant(_VECTOR, None)
        table = _pointer(context, builder, kinds[0], arguments[0], arguments[1])
        lanes = _pointer(context, builder, kinds[2], arguments[2], arguments[3])
        out = _pointer(context, builder, kinds[5], arguments[5], ir.Constant(_WIDE, 0))
        total = [[cgutils.alloca_once_value(builder, zero) for _ in range(VECTORS)] for _ in range(UNITS)]
        with cgutils.for_range(builder, arguments[4]) as loop:
            index = [_load(builder, lanes, loop.index, VECTORS, v) for v in range(VECTORS)]
            for k in range(UNITS):
                entry = _load(builder, table, loop.index, UNITS, k)
                for v in range(VECTORS):
                    term = _call("llvm.x86.avx512.permvar.hi.512")(builder, entry, index[v])
                    builder.store(builder.add(builder.load(total[k][v]), term), total[k][v])
        for k in range(UNITS):
            for v in range(VECTORS):
                at = ir.Constant(_WIDE, VECTORS * k + v)
                builder.store(builder.load(total[k][v]), builder.gep(out, [at]), align=2)
        return context.get_dummy_value()

    return types.void(entries, types.int64, groups, types.int64, types.int64, sums), codegen


def _load(builder, pointer, row, width, vector):
    """Vector number `vector` of row number `row`, of so many vectors."""
    at = builder.add(builder.mul(row, ir.Constant(_WIDE, width)), ir.Constant(_WIDE, vector))
    return builder.load(builder.gep(pointer, [at]), align=2)


@register_jitable(forceinline=True)
def with_bit(mask, l, value):
    """The mask with bit l set to a truth value."""
    one = np.uint32(1) << np.uint32(l)
    return np.uint32((mask & ~one) | np.uint32(value) << np.uint32(l))
