"""x y + z with one rounding, where the CPU can, of exactly this product.

With the flag `contract` the compiler is free to choose which of the products in x y + u v it does not round, and
chooses otherwise where a kernel is compiled into another one.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


def muladd(x, y, z):
    """x y + z of float32 numbers in a kernel, the product not rounded; in Python, rounded twice."""
    return x * y + z


@intrinsic
def _muladd(typing, x, y, z):
    """LLVM's fmuladd: one instruction where the CPU has it, and a product and a sum elsewhere."""

    def code(context, builder, signature, arguments):
        word = ir.FloatType()
        function = builder.module.declare_intrinsic("llvm.fmuladd", [word], ir.FunctionType(word, [word] * 3))
        return builder.call(function, arguments)

    single = types.float32
    return (single(single, single, single), code) if (x, y, z) == (single,) * 3 else None


@overload(muladd)
def _compiled(x, y, z):
    return lambda x, y, z: _muladd(x, y, z)
