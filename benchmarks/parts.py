"""Where a spin's time goes: the parts of the Gibbs kernel on one core, and what the core can do at most.

Each part runs alone on the blocks that the kernel uses, so that its data are as close as there.
"""

import time

import numba
import numpy as np

from benchmarks import machines
from dvae_ref.sampling import fields, gibbs, pcd, philox

_CHAINS = 64
_K0, _K1 = np.uint64(1), np.uint64(2)


def measure(quick):
    """Records, one an RBM size, of the parts in ns/spin; and the peaks they are to be seen against."""
    repeats = 20 if quick else 200
    return [_sizes(n, repeats) for n in (100, 200)] + [_peaks(repeats)]


def _sizes(n, repeats):
    rbm, _ = fields.exact_fields(machines.rbm(n))
    chains = pcd.init(philox.key(0), rbm, _CHAINS)
    table, q = fields.tables(rbm.W, rbm.a[n:]), chains.right.shape[1]
    rows, planes = fields.empty_rows(_CHAINS, table), fields.empty_planes(_CHAINS, q)
    spins, nibbles, total = _CHAINS * n, chains.right.reshape(-1).copy(), np.zeros(_CHAINS * q, np.uint64)
    parts = {
        "fields (look-up and sum)": lambda: fields.add_up(chains.left, table, rows, planes),
        "random words (Philox)": lambda: _words(total, _K0, _K1),
        "words, sigmoid, compare, pack": lambda: gibbs.flip(
            nibbles, planes, np.uint64(0), np.uint64(3), gibbs.RIGHT, _K0, _K1
        ),
        "whole sweep": lambda: gibbs.sweep(philox.key(0), chains, rbm, 20),
    }
    work = {name: spins for name in parts} | {"whole sweep": 20 * _CHAINS * 2 * n}
    found = {name: _least(run, repeats) / work[name] for name, run in parts.items()}
    found["the same fields by sgemm"] = _sgemm(_CHAINS * 16, n, repeats)
    traffic = {"table bytes": 4 * -(-n // 4), "sums": -(-n // 4), "random bits": 32}
    return {
        "parts": f"{n} x {n}",
        "unit": "ns/spin",
        "found": {k: 1e9 * v for k, v in found.items()},
        "a spin": traffic,
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
    found = {"sgemm, 1024 x 1024, GFLOP/s": 2 * 1024 * 1024 / 1e9 / _sgemm(1024, 1024, max(5, repeats // 10)) / 1024}
    for kilobytes in (16, 256, 4096):
        table = np.ones(256 * kilobytes, np.float32)
        passes = max(1, 4096 // kilobytes)
        seconds = _least(lambda table=table, passes=passes: _add_all(table, passes), repeats) / passes
        found[f"loads from {kilobytes} KB, GB/s"] = table.nbytes / seconds / 1e9
    return {"parts": "peaks of this core", "unit": "", "found": found, "a spin": {}}


@numba.njit
def _words(out, k0, k1):
    for i in range(out.size):
        w0, w1, w2, w3 = philox.philox(np.uint64(i), np.uint64(0), np.uint64(0), np.uint64(0), k0, k1)
        out[i] = w0 ^ w1 ^ w2 ^ w3


@numba.njit(fastmath=True)
def _add_all(table, passes):
    total = np.float32(0)
    for _ in range(passes):
        for i in range(table.size):
            total += table[i]
    return total
