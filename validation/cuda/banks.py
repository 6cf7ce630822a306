"""Accesses to shared memory, counted: what a block's threads did to its 32 banks, by the executed PTX.

A warp's access takes as many cycles as it has *requests* (as NVIDIA's engineers put it, in the profiler's words). The
threads' words are fetched from the banks, a word a bank and request, and 128 bytes a request go back to registers:

- words: one request, and more where threads want different words of one bank;
- vectors of two or four words: the same for each half or quarter of the warp in turn, as neighbouring threads' vectors
  have a word in every bank then; where all threads want one vector, two requests for four words, and one for two.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.sampling import fields, gibbs, paths, pcd, philox
from dvae_ref.sampling.cuda import ais as cuda_ais
from validation.cuda import emulator

LANES, BANKS, WORD = 32, 32, 4
_KEY = philox.key(0)


class Access(NamedTuple):
    """What an instruction does in a sweep: how often warps execute it, the requests, and how many there would be if no
    threads met in a bank."""

    kind: str  # "ld" or "st"
    bytes: int  # of a thread
    executed: int
    requests: int
    least: int


def sweep(rbm, weighed=False, shared_memory=None):
    """[Access] of a sweep of one block, with log-weights or without; the accesses before and after are left out.

    A run of two sweeps less a run of one: what is done once is done in both.
    """
    runs = []
    for sweeps in (1, 2):
        with emulator.emulated(traces=(found := []), shared_memory=shared_memory):
            _run(rbm, sweeps, weighed)
        runs.append(_accesses(*found[0]))
    return [
        Access(two.kind, two.bytes, *(b - a for a, b in zip(one[2:], two[2:], strict=True)))
        for one, two in zip(*runs, strict=True)
        if two.executed > one.executed
    ]


def _run(rbm, sweeps, weighed):
    """Eight chains, or sixteen: a block's."""
    rbm, _ = fields.exact_fields(rbm)
    state = pcd.init(_KEY, rbm, 8)
    if not weighed:
        gibbs.sweep(_KEY, state, rbm, sweeps, backend="cuda")
        return
    schedule, path = np.arange(sweeps + 1, dtype=np.float32) / np.float32(2**20), paths.annealing_path(rbm, "uniform")
    states = state.left[None].copy(), None, np.zeros((1, 8))
    cuda_ais.anneal(*states, schedule, 0, cuda_ais.tables(path), *map(np.uint64, _KEY))


def _accesses(name, trace):
    """[Access] of all instructions of a kernel."""
    found = []
    for number, (size, kind) in enumerate(emulator.program(name, sanitizer="trace").shared):
        own = trace[trace[:, 1] == number]
        executed, requests, least = _count(own, int(size))
        found.append(Access(kind, int(size), executed, requests, least))
    return found


def _count(trace, size):
    """(executed, requests, least) of one instruction: threads of a warp come by for the n-th time together."""
    if len(trace) == 0:
        return 0, 0, 0
    warp, time = trace[:, 0] // LANES, trace[:, 2]
    order = np.lexsort((trace[:, 0], time, warp))
    groups = np.stack([warp, time], 1)[order]
    starts = np.flatnonzero(np.any(np.diff(groups, axis=0), 1)) + 1
    parts = [(part[:, 0], part[:, 3]) for part in np.split(trace[order], starts)]
    found = [(requests(*part, size), requests(*part, size, conflicts=False)) for part in parts]
    return len(parts), *(sum(column) for column in zip(*found, strict=True))


def requests(threads, bytes_, size, conflicts=True):
    """Of one access of a warp: threads and the bytes that they begin at, `size` each."""
    words = size // WORD
    if len(set(bytes_.tolist())) == 1:
        return max(1, words // 2)
    total = 0
    for part in range(words):
        inside = threads % LANES // (LANES // words) == part
        if np.any(inside):
            own = {int(first) // WORD + k for first in bytes_[inside] for k in range(words)}
            total += int(np.bincount([word % BANKS for word in own]).max()) if conflicts else 1
    return total
