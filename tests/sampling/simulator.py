"""Numba's CUDA simulator, mended: its shared arrays, and how often its threads take turns."""

import sys

import numpy as np
from numba.cuda.simulator import kernelapi
from numba.np import numpy_support


def mend():
    """For this process, which has NUMBA_ENABLE_CUDASIM=1."""
    kernelapi.FakeCUDAShared.array = shared_array
    sys.setswitchinterval(1e-4)  # every CUDA thread is a Python thread that waits at barriers


def shared_array(self, shape, dtype, alignment=None):
    """`cuda.shared.array` by source line, as the simulator has it; but its own looks the line up first and stores an
    array afterwards, and two threads between the two go on with an array each."""
    if shape == 0:  # dynamic: all of it, whoever asks
        kind = np.dtype(numpy_support.as_dtype(dtype))
        return np.frombuffer(self._dynshared.data, kind, self._dynshared_size // kind.itemsize)
    caller = sys._getframe(1)
    place = caller.f_code.co_filename, caller.f_lineno
    return self._allocations.setdefault(place, np.empty(shape, numpy_support.as_dtype(dtype)))
