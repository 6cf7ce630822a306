"""What all kernels share: the decorators, a product that is never contracted, thread numbers, memory, the launch.

Numba's simulator (NUMBA_ENABLE_CUDASIM=1) runs the same source as plain Python; it takes neither inlining nor
alignment, and NumPy does not contract products anyway.

**Compiled code** is kept on disk like that of the CPU (`fast.jit`), under the same stamp: it is taken up only if all
sources that can be inlined are as they were, `sampling/cuda/` among them. The GPU's compute capability, the toolkit's
version and numba-cuda's are in the key of an entry.
"""

import warnings

import numpy as np
from numba import cuda, types
from numba.core import config
from numba.core.errors import NumbaPerformanceWarning

from dvae_ref.fast import jit, scalars

SIMULATED = bool(config.ENABLE_CUDASIM)
VECTOR = None if SIMULATED else 16  # bytes; from shared memory thus aligned, four floats are read at a time
SHARED = 48 * 1024  # bytes of shared memory that a block may have without asking; more is an attribute of the kernel

if SIMULATED:
    function = cuda.jit(device=True)
else:
    from numba.cuda import libdevice
    from numba.cuda.core import config as cuda_config
    from numba.cuda.cudadrv.driver import binding, driver
    from numba.cuda.dispatcher import CUDACache
    from numba.cuda.extending import overload

    function = cuda.jit(device=True, forceinline=True)  # a call would put arrays of sums into slow local memory

    @overload(scalars.mul, target="cuda")
    def _mul(x, y):
        """PTX mul.rn, which no later stage may merge with an addition. For anything but float32 nothing is said."""
        if x == types.float32 and y == types.float32:
            return lambda x, y: libdevice.fmul_rn(x, y)
        return None

    class KernelCache(jit.Guarded, CUDACache):
        """numba-cuda's cache of a kernel, with the files of `fast.jit`; its flag that changes code is in the stamp."""

        def __init__(self, source):
            super().__init__(source)
            self._cache_file._version += f" CUDA_DEBUGINFO_DEFAULT={cuda_config.CUDA_DEBUGINFO_DEFAULT}"


def kernel(**options):
    """cuda.jit(**options) of a kernel, cached."""

    def decorate(source):
        dispatcher = cuda.jit(**options)(source)
        if not SIMULATED:
            jit.keep(dispatcher, source, KernelCache)
        return dispatcher

    return decorate


@function
def thread():
    """(x, y): the place of this thread in its block."""
    return np.int64(np.uint32(cuda.threadIdx.x)), np.int64(np.uint32(cuda.threadIdx.y))


@function
def index(i):
    """An index that is not negative: for a signed one, the compiler adds code that counts from the end."""
    return np.uint64(i)


@function
def shape():
    """(x, y): how many threads the block has."""
    return np.int64(np.uint32(cuda.blockDim.x)), np.int64(np.uint32(cuda.blockDim.y))


@function
def threads():
    """How many threads the block has, over both axes."""
    x, y = shape()
    return x * y


@function
def number():
    """The number of this thread in its block, row by row."""
    x, y = thread()
    return shape()[0] * y + x


@function
def block():
    """(x, y): the place of this thread's block in the grid."""
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


def shared_memory():
    """Bytes of shared memory that a block of the current GPU can have, if its kernel asks for it."""
    return SHARED if SIMULATED else cuda.get_current_device().MAX_SHARED_MEMORY_PER_BLOCK_OPTIN


def launch(kernel, blocks, threads, *arguments, shared=0):
    """Run a kernel, with so many bytes of dynamic shared memory a block.

    numba's advice that few chains make few blocks is not passed on: their number is the user's.
    """
    if shared > SHARED and not SIMULATED:
        allow(kernel.compile(tuple(kernel.typeof_pyval(argument) for argument in arguments)), shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        kernel[blocks, threads, 0, shared](*arguments)


def allow(compiled, shared):
    """Let a compiled kernel have so many bytes of dynamic shared memory: numba-cuda has no option for it."""
    attribute = binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    loaded = compiled.library.get_cufunc()
    driver.cuKernelSetAttribute(attribute, shared, loaded.handle, loaded.device.id)


@kernel()
def _one(out):
    out[0] = 1


def check():
    """Compile a kernel and run its one thread: whatever is missing for that raises what numba-cuda raises."""
    found = np.zeros(1, np.int64)
    launch(_one, 1, 1, out := put(found))
    if get(out)[0] != 1:
        raise RuntimeError("a kernel that writes 1 has not done so")
