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

    def less(self, other):
        """What this one does beyond another of the same instruction."""
        return self._replace(
            executed=self.executed - other.executed,
            requests=self.requests - other.requests,
            least=self.least - other.least,
        )


def sweep(rbm, weighed=False, shared_memory=None):
    """[Access] of a sweep of one block, with log-weights or without; the accesses before and after are left out.

    A run of two sweeps less a run of one: what is done once is done in both.
    """
    one_sweep, two_sweeps = _traced(rbm, 1, weighed, shared_memory), _traced(rbm, 2, weighed, shared_memory)
    more = [two.less(one) for one, two in zip(one_sweep, two_sweeps, strict=True)]
    return [access for access in more if access.executed > 0]


def _traced(rbm, sweeps, weighed, shared_memory):
    """[Access] of so many sweeps, and of what comes before and after them."""
    traces = []
    with emulator.emulated(traces=traces, shared_memory=shared_memory):
        _run(rbm, sweeps, weighed)
    name, trace = traces[0]
    return _accesses(name, trace)


def _run(rbm, sweeps, weighed):
    """So many sweeps of one block's chains: eight, or with tiles sixteen."""
    rbm, _ = fields.exact_fields(rbm)
    state = pcd.init(_KEY, rbm, 8)
    if not weighed:
        gibbs.sweep(_KEY, state, rbm, sweeps, backend="cuda")
        return
    schedule = np.arange(sweeps + 1, dtype=np.float32) / np.float32(2**20)
    tables = cuda_ais.tables(paths.annealing_path(rbm, "uniform"))
    left, log_w = state.left[None].copy(), np.zeros((1, 8))
    k0, k1 = np.uint64(_KEY)
    cuda_ais.anneal(left, None, log_w, schedule, 0, tables, k0, k1)


def _accesses(name, trace):
    """[Access] of all instructions of a kernel."""
    found = []
    for number, (size, kind) in enumerate(emulator.program(name, sanitizer="trace").shared):
        executed, asked, least = _count(trace[trace[:, 1] == number], int(size))
        found.append(Access(kind, int(size), executed, asked, least))
    return found


def _count(trace, size):
    """(executed, requests, least) of one instruction: threads of a warp come by for the n-th time together."""
    if len(trace) == 0:
        return 0, 0, 0
    threads, _, times, _ = trace.T
    order = np.lexsort((threads, times, threads // LANES))
    groups = np.stack([threads // LANES, times], 1)[order]
    starts = np.flatnonzero(np.any(np.diff(groups, axis=0), 1)) + 1
    asked, least = 0, 0
    together = np.split(trace[order], starts)
    for threads, _, _, bytes_ in (access.T for access in together):
        asked += requests(threads, bytes_, size)
        least += requests(threads, bytes_, size, conflicts=False)
    return len(together), asked, least


def requests(threads, bytes_, size, conflicts=True):
    """Of one access of a warp: threads and the bytes that they begin at, `size` each."""
    words = size // WORD
    if len(set(bytes_.tolist())) == 1:
        return max(1, words // 2)
    turn = threads % LANES // (LANES // words)
    turns = np.unique(turn)
    if not conflicts:
        return len(turns)
    total = 0
    for own in turns:
        first = bytes_[turn == own].astype(np.int64) // WORD
        wanted = np.unique(first[:, None] + np.arange(words))
        total += int(np.bincount(wanted % BANKS).max())
    return total
