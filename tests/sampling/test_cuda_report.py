"""The tables of docs/cuda.md: what they are made from, and that they are up to date."""

import pytest

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install 'dvae_ref[cuda]'")

from validation.cuda import __main__ as report
from validation.cuda import compiler, kernels, prediction, sass

needs_nvdisasm = pytest.mark.skipif(not compiler.has("nvdisasm"), reason="needs nvdisasm: pip install 'dvae_ref[sass]'")


@pytest.mark.parametrize(
    ("registers", "shared", "threads", "blocks"),
    [
        (32, 0, 256, 8),  # all threads
        (64, 0, 256, 4),  # registers: 65536 / (64 x 256)
        (65, 0, 256, 3),  # a warp takes 9 lots of 256
        (16, 47 * 1024, 128, 4),  # shared memory: 228 / (47 + 1)
        (16, 0, 32, 32),  # no more blocks than that
    ],
)
def test_occupancy_by_hand(registers, shared, threads, blocks):
    usage = compiler.Usage(registers, shared, 0, 0, 0)
    assert prediction.occupancy(usage, threads) == (blocks, blocks * threads / 2048)


def test_loops_are_found_in_machine_code():
    text = """
.L_x_0:
        /*0000*/                   MOV R1, R2 ;
.L_x_1:
        /*0010*/               @P0 FFMA.FTZ R1, R2, R3, R4 ;
        /*0020*/              @!P0 BRA `(.L_x_1) ;
        /*0030*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0040*/               @P1 BRA `(.L_x_0) ;
        /*0050*/                   EXIT ;
.L_x_2:
        /*0060*/                   BRA `(.L_x_2);
"""
    code = sass.parse(text)
    inner = sass.Loop(1, 2, ())
    assert code.loops == (sass.Loop(0, 4, (inner,)),)
    assert [sass.own(code, loop) for loop in (code.loops[0], inner)] == [3, 2]
    assert (sass.count(code, "FFMA"), sass.count(code, "BAR", inner), len(code.opcodes)) == (1, 0, 7)


@needs_nvdisasm
def test_the_loops_are_those_that_the_prediction_counts():
    """64 FFMA a nibble; no spin with fewer instructions than it has units in, nor with four times as many and 100."""
    compiled = compiler.compile_kernel(kernels.KERNELS["gibbs"], (9, 0))
    code = sass.parse(compiler.disassemble(compiled.cubin))
    for n_left, n_right in ((128, 256), (1024, 1024)):
        found = prediction.predict(code, n_left, n_right, 100_000)
        mean_in = 2 * n_left * n_right / (n_left + n_right)
        assert mean_in < found.instructions < 4 * mean_in + 100
    few, many = (prediction.predict(code, 100, 100, chains).spins for chains in (1_000, 100_000))
    assert few < many


@needs_nvdisasm
def test_the_document_is_up_to_date():
    text = report.DOCUMENT.read_text(encoding="utf-8")
    if report.versions() not in text:
        pytest.skip("docs/cuda.md was made by other versions of the compilers")
    assert report.tables() in text, "run python -m validation.cuda"
