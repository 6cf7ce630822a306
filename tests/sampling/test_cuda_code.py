"""What the compilers make of the kernels for sm_80 and sm_90: registers, rounding, precision."""

import re

import pytest

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")

from validation.cuda import compiler, kernels, sass

BLOCKS = {"gibbs": 2, "gibbs, tiles": 2, "ais": 2, "ais, tiles": 1}  # at least; four of the others
MEMORIES = ("global", "shared", "param")
CASES = [(name, capability) for name in kernels.KERNELS for capability in compiler.ARCHITECTURES]
needs_nvdisasm = pytest.mark.skipif(not compiler.has("nvdisasm"), reason="needs nvdisasm: pip install '.[sass]'")

PTX = """.version 7.0
.target sm_80
.address_size 64
.visible .entry kernel(.param .u64 array)
{{
    .reg .b64 %rd<2>;
    .reg .f32 %f<4>;
    .reg .f64 %fd<4>;
    ld.param.u64 %rd1, [array];
    ld.global.f32 %f1, [%rd1];
    ld.global.f64 %fd1, [%rd1];
    {0}
    st.global.f32 [%rd1], %f3;
    st.global.f64 [%rd1+8], %fd1;
    ret;
}}
"""


def opcodes(ptx):
    """Of the instructions, without their operands."""
    return re.findall(r"^\s*(?:@!?%p\d+\s+)?([a-z]\w*(?:\.\w+)+)\s", ptx, re.M)


def faults(ptx, doubles):
    """Instructions that a kernel must not have: approximate ones, float64 unless it is meant, contractible products."""
    bad = [op for op in opcodes(ptx) if re.search(r"\.(approx|full|ftz)\b", op)]
    bad += [op for op in opcodes(ptx) if not doubles and ".f64" in op]
    return bad + [op for op in opcodes(ptx) if op == "mul.f32"]


@pytest.mark.parametrize(("name", "capability"), CASES)
def test_nothing_spills_and_nothing_is_approximate(name, capability):
    kernel = kernels.KERNELS[name]
    compiled = compiler.compile_kernel(kernel, capability)
    usage = compiled.usage
    assert (usage.stack, usage.spill_stores, usage.spill_loads) == (0, 0, 0)
    blocks = BLOCKS.get(name, 4)  # that the registers of a multiprocessor have room for
    assert 0 < usage.registers * kernel.threads <= 65536 // blocks
    assert ".local" not in compiled.ptx
    assert "call" not in "".join(opcodes(compiled.ptx))
    assert faults(compiled.ptx, kernel.doubles) == []


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_every_access_says_what_memory_it_is_to(name):
    """A generic address would be slower, and no access to shared memory that `banks` could count."""
    found = opcodes(compiler.compile_kernel(kernels.KERNELS[name], (9, 0)).ptx)
    assert [op for op in found if op.startswith(("ld.", "st.")) and op.split(".")[1] not in MEMORIES] == []
    assert any(op.startswith("ld.global") for op in found)


@pytest.mark.parametrize(
    ("instruction", "doubles", "found"),
    [
        ("ex2.approx.f32 %f3, %f1;", True, ["ex2.approx.f32"]),
        ("mul.f32 %f3, %f1, %f1;", True, ["mul.f32"]),
        ("mul.rn.f32 %f3, %f1, %f1;", True, []),
        ("add.f64 %fd1, %fd1, %fd1;", False, ["ld.global.f64", "add.f64", "st.global.f64"]),
    ],
)
def test_what_is_forbidden_is_found(instruction, doubles, found):
    assert faults(PTX.format(instruction), doubles) == found


def test_spills_are_found():
    """300 floats that are all needed at the end do not fit into 255 registers."""
    names = [f"%g{i}" for i in range(300)]
    lines = [".reg .f32 %g<300>;"] + [f"ld.volatile.global.f32 {n}, [%rd1+{4 * i}];" for i, n in enumerate(names)]
    lines += [f"st.volatile.global.f32 [%rd1+{4 * i}], {n};" for i, n in enumerate(reversed(names))]
    usage = compiler.assemble(PTX.format("\n".join([*lines, "mov.f32 %f3, %f1;"])), (8, 0)).usage
    assert usage.spill_stores > 0
    assert usage.spill_loads > 0


def test_what_ptxas_refuses_is_an_error():
    with pytest.raises(RuntimeError, match="ptxas"):
        compiler.assemble(PTX.format("nonsense.f32 %f3, %f1;"), (8, 0))


@needs_nvdisasm
@pytest.mark.parametrize("name", ["gibbs", "gibbs, tiles"])
@pytest.mark.parametrize("capability", compiler.ARCHITECTURES)
def test_the_machine_code_contracts_nothing_but_the_fields(name, capability):
    """FFMA: one for every fma of the PTX, which are the sums of fields, exact either way. And no float64, no MUFU."""
    compiled = compiler.compile_kernel(kernels.KERNELS[name], capability)
    code = sass.parse(compiler.disassemble(compiled.cubin))
    assert sass.count(code, "FFMA") == opcodes(compiled.ptx).count("fma.rn.f32") > 0
    assert sass.count(code, "FMUL") >= opcodes(compiled.ptx).count("mul.rn.f32") > 0
    assert not [op for op in code.opcodes if re.match(r"MUFU|D(ADD|MUL|FMA|SETP)|LDL|STL", op)]


@needs_nvdisasm
def test_a_contracted_product_is_seen_in_the_machine_code():
    def ffma(product):
        ptx = PTX.format(f"{product} %f2, %f1, %f1; add.f32 %f3, %f2, %f1;")
        return sass.count(sass.parse(compiler.disassemble(compiler.assemble(ptx, (8, 0)).cubin)), "FFMA")

    assert (ffma("mul.f32"), ffma("mul.rn.f32")) == (1, 0)
