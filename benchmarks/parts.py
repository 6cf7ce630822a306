"""Where a spin's time goes: the parts of the portable engine on one core, whole sweeps, and the core at its best.

Each part runs alone on the blocks that the engine uses, so that its data are as close as there. The engine for AVX-512
does the same work in one piece: only its whole sweeps are measured.
"""

import time

import numba
import numpy as np

from benchmarks import machines
from dvae_ref.sampling import engines, fields, pcd, philox, vector
from dvae_ref.sampling.engines import planes, portable, rows
from dvae_ref.sampling.engines.path import Path

_CHAINS, _MANY, _SWEEPS = 128, 1000, 40
_K0, _K1 = np.uint64(1), np.uint64(2)


def contender(quick):
    """(run, answer) for benchmarks.worker, in whose process all is measured: the answer. The run does nothing."""
    return lambda: None, lambda: measure(quick)


def measure(quick):
    """Records, one an RBM size, of the parts in ns/spin; and the peaks they are to be seen against."""
    repeats = 20 if quick else 200
    return [_sizes(n, repeats) for n in (100, 200)] + [_peaks(repeats)]


def _sizes(n, repeats):
    """The record of an n x n machine: of each part nanoseconds a spin, in a half-step of the right side of 128 chains.

    Whole sweeps are of 1,000 chains, both sides. sgemm does the fields' sums as a product of float32 matrices would:
    what tables and bits are to be seen against.
    """
    rbm, _ = fields.exact_fields(machines.rbm(n))
    chains = pcd.init(philox.key(0), rbm, _CHAINS)
    spins, q = _CHAINS * n, chains.right.shape[1]
    total = np.zeros(_CHAINS * q, np.uint64)
    parts = _rows(chains, rbm)
    parts["random words (Philox)"] = lambda: _words(total, _K0, _K1)
    found = {name: _least(run, repeats) / spins for name, run in parts.items()}
    for engine in {portable, engines.best()}:
        seconds = _least(_sweeps(engine, rbm), repeats // 10)
        found[f"whole sweep, {engine.NAME}"] = seconds / (_SWEEPS * _MANY * 2 * n)
    found["the same fields by sgemm"] = _sgemm(_CHAINS * 16, n, repeats)
    traffic = {"look-ups and sums": -(-n // 4), "random bits": 16}
    nanoseconds = {name: 1e9 * seconds for name, seconds in found.items()}
    return {"parts": f"{n} x {n}", "unit": "ns/spin", "found": nanoseconds, "a spin": traffic}


def _rows(chains, rbm):
    """The right side by the engine for any CPU: a half-step in 16 bits, and its fields alone; and exactly, in parts."""
    tables = portable.tables(Path(np.zeros_like(rbm.a), rbm.a, rbm.W))
    (side, other), table = tables.rough, tables.exact.to_right
    left, right = rows.empty(_CHAINS // philox.CHAINS, other), rows.empty(_CHAINS // philox.CHAINS, side)
    left[:, : chains.left.shape[1]] = chains.left
    place = (0, np.uint64(3), philox.RIGHT, _K0, _K1)
    exact, packed = fields.empty_rows(_CHAINS, table), chains.right.copy()
    eights, room = (_CHAINS // philox.CHAINS, *place), rows.room()
    return {
        "half-step in 16 bits": lambda: rows.half_step(left, right, side, eights, *room),
        "its fields (look-up and sum)": lambda: _fields(left, side.high, room[0]),
        "exact fields (look-up and sum)": lambda: fields.add_up(chains.left, table, exact),
        "words, sigmoid, compare, pack": lambda: planes.draw(packed, exact, place),
    }


@numba.njit
def _fields(left, high, words):
    """The look-ups and sums of a half-step in 16 bits, two chains and 32 units at a time, thrown away."""
    (chains, width), (tiles, q_in), source, table = left.shape, high.shape[:2], left.reshape(-1), high.reshape(-1)
    for i in range(tiles):
        for c in range(0, chains, 2):
            rows._add_up_two(source, c * width, width, q_in, table, 16 * q_in * i, words, 0)


def _sweeps(engine, rbm):
    """What gibbs.sweep does with an engine."""
    chains = pcd.init(philox.key(0), rbm, _MANY)
    left, right, no_weights = chains.left[None].copy(), chains.right[None].copy(), np.zeros((1, 0))
    tables, at_one = engine.tables(Path(np.zeros_like(rbm.a), rbm.a, rbm.W)), np.ones(_SWEEPS + 1, np.float32)
    return lambda: engine.anneal(left, right, no_weights, at_one, 0, tables, _K0, _K1)


def _least(run, repeats):
    """The least time of a call: of one core, undisturbed."""
    run()
    spent = []
    for _ in range(repeats):
        before = time.perf_counter()
        run()
        spent.append(time.perf_counter() - before)
    return min(spent)


def _sgemm(m, n, repeats):
    """Seconds of an (m, n) x (n, n) product in float32, for each of its m n results."""
    rng = np.random.default_rng(0)
    z, W = rng.random((m, n), np.float32), rng.random((n, n), np.float32)
    out = np.empty((m, n), np.float32)
    return _least(lambda: np.matmul(z, W, out=out), repeats) / (m * n)


def _peaks(repeats):
    """GFLOP/s of sgemm at its best, and GB/s of loads that the sums of vectors reach at three sizes of table."""
    n = 512
    found = {f"sgemm, {n} x {n}, GFLOP/s": 2 * n / 1e9 / _sgemm(n, n, repeats)}
    for kilobytes in (16, 256, 4096):
        table = fields.aligned((256 * kilobytes,))
        table[:] = 0
        passes = max(1, 4096 // kilobytes)
        seconds = _least(lambda table=table, passes=passes: _add_all(table, passes), repeats) / passes
        found[f"loads from {kilobytes} KB, GB/s"] = table.nbytes / seconds / 1e9
    return {"parts": "peaks of this core", "unit": "", "found": found, "a spin": {}}


@numba.njit
def _words(out, k0, k1):
    """256 random bits for each entry of `out`, folded into one of 64, so that none can be left out."""
    for i in range(out.size):
        w0, w1, w2, w3 = philox.philox(np.uint64(i), np.uint64(0), np.uint64(0), np.uint64(0), k0, k1)
        out[i] = w0 ^ w1 ^ w2 ^ w3


@numba.njit
def _add_all(table, passes):
    """The table's vectors added to four sums, so that loads are what it waits for."""
    first, step = np.uint64(0), np.uint64(vector.LANES)
    sum0, sum1 = vector.load(table, first), vector.load(table, first)
    sum2, sum3 = vector.load(table, first), vector.load(table, first)
    for _ in range(passes):
        for i in range(0, table.size, 4 * vector.LANES):
            at = np.uint64(i)
            sum0, sum1 = vector.add(sum0, vector.load(table, at)), vector.add(sum1, vector.load(table, at + step))
            at += step + step
            sum2, sum3 = vector.add(sum2, vector.load(table, at)), vector.add(sum3, vector.load(table, at + step))
    vector.store(table, first, vector.add(vector.add(sum0, sum1), vector.add(sum2, sum3)))
