"""Runs every sampler with each array that its kernels are given between two unreadable pages:

    python guarded.py SIDE [portable]

The engine is the quickest of this CPU, or the portable one.

Kernels with LLVM's own instructions are not seen by numba's boundscheck. Here a read or a write past the end (SIDE:
"end"), or before the beginning ("start"), ends the process by a signal. "inside" is the control: the last element of
every array lies in the unreadable page. Prints how many arrays were guarded; the results are those without guards.
"""

import ctypes
import mmap
import sys

import numba
import numpy as np

from dvae_ref import RBM, exact
from dvae_ref.fast import tasks
from dvae_ref.sampling import ais, engines, fields, gibbs, pcd, philox, population_annealing

PAGE = mmap.PAGESIZE
SHAPES = ((1, 1), (5, 7), (37, 37), (133, 40), (200, 200), (350, 330))
CHAINS = (1, 7, 64, 130)
libc = ctypes.CDLL(None, use_errno=True)
guarded_arrays = 0


def guarded(array, side):
    """A copy of an array that ends (or begins) at an unreadable page."""
    global guarded_arrays
    guarded_arrays += 1
    pages = -(-array.nbytes // PAGE) + 2
    memory = mmap.mmap(-1, pages * PAGE)
    bytes_ = np.frombuffer(memory, np.uint8)
    start = PAGE if side == "start" else (pages - 1) * PAGE - array.nbytes
    start += array.itemsize if side == "inside" else 0
    copy = bytes_[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    first = bytes_.ctypes.data
    for page in (first, first + (pages - 1) * PAGE):
        if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    return copy


def each_guarded(argument, side, copies):
    """An argument with guarded arrays, however deep in tuples; copies: pairs (array, its copy)."""
    if isinstance(argument, np.ndarray) and argument.flags.c_contiguous and argument.size:
        copies.append((argument, guarded(argument, side)))
        return copies[-1][1]
    if isinstance(argument, tuple):
        parts = [each_guarded(part, side, copies) for part in argument]
        return type(argument)(*parts) if hasattr(argument, "_fields") else tuple(parts)
    return argument


def with_guards(side):
    """Let every module of samplers and enumeration share out its tasks with guarded arrays."""
    plain = tasks.share_out

    def share_out(kernel, size, width, *arguments):
        copies = []
        plain(kernel, size, width, *each_guarded(arguments, side, copies))
        for array, copy in copies:
            if array.flags.writeable:
                array[...] = copy

    for name, module in list(sys.modules.items()):
        if name.startswith("dvae_ref.") and getattr(module, "share_out", None) is plain:
            module.share_out = share_out


def everything():
    """What the samplers and enumeration give for machines of all SHAPES: a list of arrays."""
    found, key = [philox.uniform(philox.key(1), (3, 1001))], philox.key(2)
    for shape in SHAPES:
        rng = np.random.default_rng(shape)
        rbm = RBM(*(rng.normal(0, 0.1, s).astype(np.float32) for s in (sum(shape), shape)))
        for chains in CHAINS:
            state = pcd.init(key, rbm, chains)
            found += gibbs.sweep(key, state, rbm, 2)
            found.append(np.float64(ais.log_z(key, rbm, 5, chains + 1, base="uniform").log_z))
        state, info = population_annealing.step(key, population_annealing.init(key, rbm, 33), rbm, 1)
        found += [*info.moments, fields.unpack(state.chains.left, shape[0])]
        if min(shape) < 20:
            found += [np.float64(exact.log_z(rbm)), *exact.moments(rbm)]
    return found


if __name__ == "__main__":
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    if sys.argv[2:] == ["portable"]:
        engines.best = lambda: engines.portable
    expected = everything()
    with_guards(sys.argv[1])
    for value, wanted in zip(everything(), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)
    print(guarded_arrays)
