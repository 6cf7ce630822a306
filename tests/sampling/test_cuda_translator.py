"""The translation of PTX where C has other rules: each instruction on words that would show the difference."""

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")

from validation.cuda import emulator, translator

needs_compiler = pytest.mark.skipif(emulator.c_compiler() is None, reason="needs a C compiler")

PTX = """
.visible .entry kernel(
    .param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3, .param .u64 array, .param .u64 p5, .param .u64 p6
)
{{
    .reg .pred %p<3>;
    .reg .b32 %r<9>;
    .reg .f32 %f<9>;
    .reg .b64 %rd<9>;
    ld.param.u64 %rd1, [array];
{}
    ret;
}}
"""
ALL = 2**64 - 1

# instructions, their operands in %r1 and %r2, the result in %r3 or %rd3, all as bits
CASES = [
    ("shl.b32 %r3, %r1, %r2;", 0xFFFFFFFF, 32, 0),
    ("shl.b32 %r3, %r1, %r2;", 0xFFFFFFFF, 31, 0x80000000),
    ("shr.u32 %r3, %r1, %r2;", 0xFFFFFFFF, 40, 0),
    ("shr.s32 %r3, %r1, %r2;", 0x80000000, 40, 0xFFFFFFFF),
    ("shr.s32 %r3, %r1, %r2;", 0x80000000, 4, 0xF8000000),
    ("add.s32 %r3, %r1, %r2;", 0x7FFFFFFF, 1, 0x80000000),
    ("neg.s32 %r3, %r1;", 0x80000000, 0, 0x80000000),
    ("mul.lo.s32 %r3, %r1, %r2;", 0x80000001, 3, 0x80000003),
    ("min.s32 %r3, %r1, %r2;", 0xFFFFFFFF, 1, 0xFFFFFFFF),
    ("min.u32 %r3, %r1, %r2;", 0xFFFFFFFF, 1, 1),
    ("div.u32 %r3, %r1, %r2;", 0xFFFFFFFE, 2, 0x7FFFFFFF),
    ("setp.lt.s32 %p1, %r1, %r2; selp.u32 %r3, 7, 9, %p1;", 0xFFFFFFFF, 1, 7),
    ("setp.lt.u32 %p1, %r1, %r2; selp.u32 %r3, 7, 9, %p1;", 0xFFFFFFFF, 1, 9),
    ("not.b32 %r3, %r1;", 0x0000FFFF, 0, 0xFFFF0000),
    ("rem.u32 %r3, %r1, %r2;", 0xFFFFFFFE, 5, 4),
    ("rem.s32 %r3, %r1, %r2;", 0xFFFFFFF9, 4, 0xFFFFFFFD),  # -7 % 4 is -3
    ("bfi.b32 %r3, %r1, %r2, 4, 8;", 0xFFFFFFFF, 0, 0x00000FF0),
    ("bfi.b32 %r3, %r1, %r2, 1, 1;", 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD),
    ("add.s32 %r3, %r1, -1;", 0, 0, 0xFFFFFFFF),
    ("mov.u32 %r3, 5; setp.eq.s32 %p1, %r1, 0; @!%p1 add.s32 %r3, %r3, 1;", 3, 0, 6),
    ("mov.b32 %f1, %r1; mov.b32 %f2, %r2; mul.rn.f32 %f3, %f1, %f2; mov.b32 %r3, %f3;", 2**30, 0x40400000, 0x40C00000),
    ("mov.b32 %f1, %r1; neg.f32 %f3, %f1; mov.b32 %r3, %f3;", 0x3F800000, 0, 0xBF800000),
    ("mov.b32 %f1, %r1; max.f32 %f3, %f1, 0f40000000; mov.b32 %r3, %f3;", 0x3F800000, 0, 0x40000000),
    ("cvt.rn.f32.s32 %f1, %r1; mov.b32 %r3, %f1;", 0xFFFFFFFF, 0, 0xBF800000),
    ("mul.wide.s32 %rd3, %r1, %r2;", 0xFFFFFFFF, 5, ALL - 4),
    ("mul.wide.u32 %rd3, %r1, %r2;", 0xFFFFFFFF, 5, 5 * 0xFFFFFFFF),
    ("cvt.s64.s32 %rd3, %r1;", 0xFFFFFFFF, 0, ALL),
    ("cvt.u64.u32 %rd3, %r1;", 0xFFFFFFFF, 0, 0xFFFFFFFF),
    ("mov.b32 %f1, %r1; cvt.rzi.s64.f32 %rd3, %f1;", 0xBFC00000, 0, ALL),  # -1.5 becomes -1
]  # fmt: skip


def run_all():
    """What each case leaves in its result, from one program for all of them."""
    lines = []
    for i, (instructions, *_) in enumerate(CASES):
        target, width = ("%rd3", 64) if "%rd3" in instructions else ("%r3", 32)
        lines += [f"ld.global.u32 %r1, [%rd1+{24 * i}];", f"ld.global.u32 %r2, [%rd1+{24 * i + 8}];"]
        lines += [*instructions.split("; "), f";st.global.u{width} [%rd1+{24 * i + 16}], {target};"]
    words = np.array([[a, b, 0] for _, a, b, _ in CASES], np.uint64).reshape(-1)
    emulator.run(emulator.build(PTX.format(";\n".join(lines).replace(";;", ";"))), 1, 1, [words])
    return words[2::3]


@needs_compiler
def test_every_instruction_does_what_ptx_says():
    wrong = [(case, hex(found)) for case, found in zip(CASES, run_all(), strict=True) if case[3] != found]
    assert wrong == []


@pytest.mark.parametrize(
    "instruction",
    [
        "ex2.approx.f32 %f1, %f2;",
        "mul.ftz.f32 %f1, %f2, %f3;",
        "mul.hi.u32 %r1, %r2, %r3;",
        "setp.geu.f32 %p1, %f1, %f2;",
    ],
)
def test_what_is_not_known_is_an_error(instruction):
    with pytest.raises(NotImplementedError, match=instruction.split()[0]):
        translator.translate(PTX.format(instruction))
