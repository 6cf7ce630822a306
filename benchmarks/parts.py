"""Where a spin's time goes: the parts of the Gibbs kernel on one core, and what the core can do at most.

Each part runs alone on the blocks that the kernel uses, so that its data are as close as there.
"""

import time

import numba
import numpy as np

from benchmarks import machines
from dvae_ref.sampling import fields, gibbs, lanes, pcd, philox, vector

_CHAINS, _MANY, _SWEEPS = 64, 1000, 40
_K0, _K1 = np.uint64(1), np.uint64(2)


def contender(quick):
    """(run, answer) for benchmarks.worker, in whose process all is measured: the answer."""
    return lambda: None, lambda: measure(quick)


def measure(quick):
    """Records, one an RBM size, of the parts in ns/spin; and the peaks they are to be seen against."""
    repeats = 20 if quick else 200
    return [_sizes(n, repeats) for n in (100, 200)] + [_peaks(repeats)]


def _sizes(n, repeats):
    rbm, _ = fields.exact_fields(machines.rbm(n))
    chains = pcd.init(philox.key(0), rbm, _CHAINS)
    spins, q = _CHAINS * n, chains.right.shape[1]
    total = np.zeros(_CHAINS * q, np.uint64)
    parts = _lanes(chains, rbm) if lanes.available() else _rows(chains, rbm)
    parts["random words (Philox)"] = lambda: _words(total, _K0, _K1)
    found = {name: _least(run, repeats) / spins for name, run in parts.items()}
    many = pcd.init(philox.key(0), rbm, _MANY)
    sweeps = _least(lambda: gibbs.sweep(philox.key(0), many, rbm, _SWEEPS), repeats // 10)
    found["whole sweep"] = sweeps / (_SWEEPS * _MANY * 2 * n)
    found["the same fields by sgemm"] = _sgemm(_CHAINS * 16, n, repeats)
    traffic = {"look-ups and sums": -(-n // 4), "random bits": 16}
    return {
        "parts": f"{n} x {n}",
        "unit": "ns/spin",
        "found": {k: 1e9 * v for k, v in found.items()},
        "a spin": traffic,
    }


def _rows(chains, rbm):
    """Fields and draws of the right side by the kernel for any CPU."""
    table, nibbles = fields.tables(rbm.W, rbm.a_right), chains.right.copy()
    rows = fields.empty_rows(_CHAINS, table)
    return {
        "fields (look-up and sum)": lambda: fields.add_up(chains.left, table, rows),
        "words, sigmoid, compare, pack": lambda: gibbs.draw_rows(nibbles, rows, 0, np.uint64(3), gibbs.RIGHT, _K0, _K1),
    }


def _lanes(chains, rbm):
    """The same by the kernel for AVX-512."""
    table = lanes.tables(rbm.W, rbm.a_right)
    source, target = lanes.to_lanes(chains.left), lanes.to_lanes(chains.right)
    return {
        "fields (look-up and sum)": lambda: _all_fields(table.entries, source, target),
        "words, sigmoid, compare, pack": lambda: _all_draws(target, table.step, _K0, _K1),
    }


def _least(run, repeats):
    """The least time of a call: of one core, undisturbed."""
    run()
    spent = []
    for _ in range(repeats):
        before = time.perf_counter()
        run()
        spent.append(time.perf_counter() - before)
    return min(spent)


def _sgemm(rows, n, repeats):
    rng = np.random.default_rng(0)
    z, W = (rng.random(shape, np.float32) for shape in ((rows, n), (n, n)))
    out = np.empty((rows, n), np.float32)
    return _least(lambda: np.matmul(z, W, out=out), repeats) / (rows * n)


def _peaks(repeats):
    """GFLOP/s of sgemm at its best, and GB/s of loads that the sums of vectors reach at three sizes of table."""
    n = 512
    found = {f"sgemm, {n} x {n}, GFLOP/s": 2 * n / 1e9 / _sgemm(n, n, repeats)}
    for kilobytes in (16, 256, 4096):
        table = fields.aligned(256 * kilobytes)
        table[:] = 0
        passes = max(1, 4096 // kilobytes)
        seconds = _least(lambda table=table, passes=passes: _add_all(table, passes), repeats) / passes
        found[f"loads from {kilobytes} KB, GB/s"] = table.nbytes / seconds / 1e9
    return {"parts": "peaks of this core", "unit": "", "found": found, "a spin": {}}


@numba.njit
def _all_fields(entries, source, target):
    sums = lanes.empty_sums()
    for g in range(len(target)):
        lanes.add_up(entries[g], source, sums)


@numba.njit
def _all_draws(target, step, k0, k1):
    sums, q = np.zeros((4, lanes.GROUP), np.int32), len(target)
    for g in range(q):
        lanes.flip(target[g], sums, step, np.uint8(15), (0, g, q, np.uint64(3), gibbs.RIGHT, k0, k1))


@numba.njit
def _words(out, k0, k1):
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
