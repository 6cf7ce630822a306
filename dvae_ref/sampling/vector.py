"""Sixteen float32s as one value in compiled code: what a loop needs to keep a running sum of vectors in a register.

LLVM vectorises inner loops by itself, but a sum of table rows over an outer loop it would load and store in every pass.
<16 x float> is LLVM's own type: one AVX-512 register, two of AVX2, four of SSE or NEON.

There is no bounds check: `load` and `store` are for kernels whose arrays were padded to whole vectors.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16


class _Vector(types.Type):
    def __init__(self):
        super().__init__(name="float32x16")


_VECTOR = _Vector()
_LLVM_TYPE = ir.VectorType(ir.FloatType(), LANES)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _LLVM_TYPE)


def _pointer(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(cgutils.gep_inbounds(builder, data, index), _LLVM_TYPE.as_pointer())


@intrinsic
def load(typing_context, array, index):
    """array[index : index + 16] of a flat float32 array; index: uint64."""

    def codegen(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=4)

    return _VECTOR(array, types.uint64), codegen


@intrinsic
def store(typing_context, array, index, vector):
    """array[index : index + 16] = vector, for a flat float32 array; index: uint64."""

    def codegen(context, builder, signature, arguments):
        array_value, index_value, vector_value = arguments
        pointer = _pointer(context, builder, signature.args[0], array_value, index_value)
        builder.store(vector_value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _VECTOR), codegen


@intrinsic
def add(typing_context, a, b):
    """a + b, lane by lane, each sum correctly rounded."""

    def codegen(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return _VECTOR(_VECTOR, _VECTOR), codegen
