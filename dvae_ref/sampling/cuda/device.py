"""What all kernels share: inlined functions, a product that is never contracted, thread numbers, memory, the launch.

Numba's simulator (NUMBA_ENABLE_CUDASIM=1) runs the same source as plain Python; it takes neither inlining nor
alignment, and NumPy does not contract products anyway.
"""

import warnings

import numpy as np
from numba import cuda, types
from numba.core import config
from numba.core.errors import NumbaPerformanceWarning

from dvae_ref.fast import scalars

SIMULATED = bool(config.ENABLE_CUDASIM)
VECTOR = None if SIMULATED else 16  # bytes; from shared memory thus aligned, four floats are read at a time

if SIMULATED:
    function = cuda.jit(device=True)
else:
    from numba.cuda import libdevice
    from numba.cuda.extending import overload

    function = cuda.jit(device=True, forceinline=True)  # a call would put arrays of sums into slow local memory

    @overload(scalars.mul, target="cuda")
    def _mul(x, y):
        """PTX mul.rn, which no later stage may merge with an addition. For anything but float32 nothing is said."""
        if x == types.float32 and y == types.float32:
            return lambda x, y: libdevice.fmul_rn(x, y)
        return None


@function
def thread():
    """(x, y) of the thread."""
    return np.int64(np.uint32(cuda.threadIdx.x)), np.int64(np.uint32(cuda.threadIdx.y))


@function
def index(i):
    """An index that is not negative: for a signed one, the compiler adds code that counts from the end."""
    return np.uint64(i)


@function
def block():
    """(x, y) of the block, likewise."""
    return np.int64(np.uint32(cuda.blockIdx.x)), np.int64(np.uint32(cuda.blockIdx.y))


def put(values):
    """A copy of a NumPy array in the GPU's memory."""
    return cuda.to_device(values)


def empty(shape, dtype):
    """An uninitialised array in the GPU's memory."""
    return cuda.device_array(shape, dtype)


def get(array, out=None):
    """A copy in the host's memory, in `out` if that is given."""
    return array.copy_to_host(out)


def launch(kernel, blocks, threads, *arguments):
    """Run a kernel; numba's advice that few chains make few blocks is not passed on: their number is the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        kernel[blocks, threads](*arguments)
