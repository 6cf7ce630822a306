"""The tables of docs/cuda.md: what they are made from, and that they are up to date."""

import numpy as np
import pytest
from enumeration import skewed_rbm

pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")

from dvae_ref.sampling.cuda import layout
from validation.cuda import __main__ as command
from validation.cuda import banks, compiler, emulator, kernels, prediction, sass
from validation.cuda import tables as report
from validation.cuda.prediction import Block, Cost

needs_nvdisasm = pytest.mark.skipif(not compiler.has("nvdisasm"), reason="needs nvdisasm: pip install '.[sass]'")
needs_compiler = pytest.mark.skipif(emulator.c_compiler() is None, reason="needs a C compiler")
LANES = np.arange(32)


@pytest.mark.parametrize(
    ("registers", "shared", "dynamic", "threads", "blocks"),
    [
        (32, 0, 0, 256, 8),  # all threads
        (64, 0, 0, 256, 4),  # registers: 65536 / (64 x 256)
        (65, 0, 0, 256, 3),  # a warp takes 9 lots of 256
        (16, 47 * 1024, 0, 128, 4),  # shared memory: 228 / (47 + 1)
        (16, 1024, 74 * 1024, 128, 3),  # 228 / (1 + 74 + 1)
        (16, 0, 0, 32, 32),  # no more blocks than that
    ],
)
def test_occupancy_by_hand(registers, shared, dynamic, threads, blocks):
    usage = compiler.Usage(registers, shared, 0, 0, 0)
    assert prediction.occupancy(usage, threads, dynamic=dynamic) == (blocks, blocks * threads / 2048)


TEXT = """
.L_x_0:
        /*0000*/                   MOV R1, R2 ;                   /* 0x0000000044287984 */
                                                                  /* 0x000fce0007ffe0ff */
.L_x_1:
        /*0010*/               @P0 LDS.128 R1, [R2] ;             /* 0x0000000044287984 */
                                                                  /* 0x000e640000000c00 */
        /*0020*/               @P0 FFMA.FTZ R1, R2, R3, R4 ;      /* 0x0000002c28457223 */
                                                                  /* 0x082fe20000000024 */
        /*0030*/              @!P0 BRA `(.L_x_1) ;
        /*0040*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0050*/               @P2 BRA `(.L_x_3) ;
        /*0060*/                   IMAD.WIDE.U32 R1, R2, R3, RZ ;
        /*0070*/                   IMAD.WIDE.U32 R1, R2, R3, RZ ;
.L_x_3:
        /*0080*/               @P1 BRA `(.L_x_0) ;
        /*0090*/                   EXIT ;
.L_x_2:
        /*00a0*/                   BRA `(.L_x_2);
"""


def test_loops_and_jumps_are_found_in_machine_code():
    code = sass.parse(TEXT)
    inner = sass.Loop(1, 3, ())
    assert code.loops == (sass.Loop(0, 8, (inner,)),)
    assert [len(sass.own(loop)) for loop in (code.loops[0], inner)] == [6, 3]
    assert (sass.count(code, "FFMA"), sass.count(code, "BAR", inner), len(code.opcodes)) == (1, 0, 11)
    assert code.jumps == ((5, 8),)
    assert sass.skipped(code, ("IMAD.WIDE",), 2) == {6, 7}
    assert sass.skipped(code, ("IMAD.WIDE",), 3) == set()


def test_the_innermost_jump_is_what_counts():
    code = sass.Code(("BRA", "BRA", "IMAD.HI", "NOP"), (), (), ((0, 4), (1, 3)))
    assert sass.skipped(code, ("IMAD.HI",), 1) == {2}


def test_how_an_instruction_is_scheduled():
    """The load lifts barrier 1, on which the sum waits; MOV has the next one wait for seven cycles."""
    code = sass.parse(TEXT)
    assert code.controls[:4] == (
        sass.Control(7, 7, ()),
        sass.Control(2, 1, ()),
        sass.Control(1, 7, (1,)),
        sass.AT_ONCE,
    )
    least = prediction.LATENCIES["LDS"]
    assert prediction.cost(code, [1, 2]) == Cost(2, least + 1)
    assert prediction.cost(code, [1, 0, 0, 0, 0, 0, 2]) == Cost(7, 2 + 5 * 7 + 1)  # the result has come meanwhile


def test_what_grows_with_the_blocks_and_what_does_not():
    """Blocks of 8 chains on 132 multiprocessors of which each has room for two."""

    def cycles(chains, **times):
        found = prediction._finish(Block(times, 2, 8, 0, 0, 0), 1, chains, prediction.H100)
        return round(chains / found.spins * prediction.H100.clock), found.limit

    assert cycles(1000, issue=100, latency=150) == (150, "latency")  # 125 blocks: one each
    assert cycles(2000, issue=100, latency=150) == (200, "issue")  # two on one multiprocessor at least
    assert cycles(4000, issue=100, latency=150) == (200 + 200, "issue")
    assert cycles(3000, issue=100, latency=150) == (200 + 150, "issue")


@needs_nvdisasm
@needs_compiler
def test_the_loops_are_those_that_the_prediction_counts():
    """No spin with fewer instructions than it has units in, nor with four times as many and 100."""
    for n_left, n_right, tiled in ((100, 60, False), (200, 200, False), (256, 300, True)):
        rbm = skewed_rbm(n_left, n_right)
        name, _ = prediction.kernel(rbm)
        assert name == ("gibbs, tiles" if tiled else "gibbs")
        compiled = compiler.compile_kernel(kernels.KERNELS[name], (9, 0))
        code = sass.parse(compiler.disassemble(compiled.cubin))
        few, many = prediction.predict(code, compiled.usage, rbm, (1_000, 100_000))
        mean_in = 2 * n_left * n_right / (n_left + n_right)
        assert mean_in < many.instructions < 4 * mean_in + 100
        assert few.spins < many.spins


# -- banks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_bytes", "size", "requests"),
    [
        (4 * LANES, 4, 1),  # neighbouring words
        (8 * LANES, 4, 2),  # every other word: 16 banks
        (128 * LANES, 4, 32),  # one bank
        (128 + 0 * LANES, 4, 1),  # one word
        (16 * LANES, 16, 4),  # neighbouring vectors: a quarter of the warp at a time
        (16 * 25 * LANES, 16, 4),  # vectors of rows of 25 vectors
        (16 * 26 * LANES, 16, 8),  # of 26: eight of them meet in four places, two in each
        (16 * 32 * LANES, 16, 32),  # all in one place
        (0 * LANES, 16, 2),  # one vector
        (8 * LANES, 8, 2),
    ],
)
def test_requests_by_hand(first_bytes, size, requests):
    assert banks.requests(LANES, first_bytes, size) == requests


@needs_compiler
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize(("size", "shared_memory"), [((100, 100), None), ((37, 45), None), ((140, 61), 0)])
def test_no_threads_meet_in_a_bank(size, shared_memory, weighed):
    found = banks.sweep(skewed_rbm(*size), weighed, shared_memory)
    assert {access.kind for access in found} == {"ld", "st"}
    assert [access for access in found if access.requests > access.least] == []


@needs_compiler
def test_rows_of_an_even_number_of_vectors_would_meet(monkeypatch):
    plan = layout.plan
    monkeypatch.setattr(layout, "plan", lambda *given: (made := plan(*given))._replace(vectors=made.vectors + 1))
    found = banks.sweep(skewed_rbm(40, 37))
    assert {(a.kind, a.bytes) for a in found if a.requests > a.least} == {("ld", 16)}


@needs_nvdisasm
@needs_compiler
def test_the_document_is_up_to_date():
    text = command.DOCUMENT.read_text(encoding="utf-8")
    if report.versions() not in text:
        pytest.skip("docs/cuda.md was made by other versions of the compilers")
    assert report.tables() in text, "run python -m validation.cuda"
