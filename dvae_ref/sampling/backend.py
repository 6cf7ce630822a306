"""Where the samplers run: "cpu", "cuda", or "auto", which is CUDA if it can be and the CPU otherwise.

The choice changes how long a result takes and not the result: spins are the same, bit for bit (docs/cuda.md).
"""

import functools
import importlib.util
import logging
import os

BACKENDS = ("cpu", "cuda", "auto")

_LOGGER = logging.getLogger(__name__)


class BackendError(OSError):
    """CUDA was asked for by name and cannot be had; the message says why and what to do."""


def resolve(backend: str) -> str:
    """ "cpu" or "cuda". ValueError for an unknown name; BackendError for "cuda" where there is none.

    "auto" without CUDA is the CPU; the log is told why, once a process.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if backend == "cpu":
        return "cpu"
    obstacle = why_not_cuda()
    if obstacle is None:
        return "cuda"
    if backend == "cuda":
        raise BackendError(f'backend="cuda" cannot be used: {obstacle}')
    _fall_back(obstacle)
    return "cpu"


@functools.cache
def why_not_cuda() -> str | None:
    """What stands in the way of CUDA, or None; looked for once a process, and a kernel is tried."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "the package numba-cuda is not installed (pip install '.[cuda]' in dvae_ref's source folder)"
    try:
        from numba import cuda
    except ImportError as error:
        return f"numba-cuda cannot be imported ({error}); does its version go with numba's?"
    if getattr(cuda, "implementation", None) != "NVIDIA":
        return "numba takes its own CUDA target for numba-cuda's, whose .pth file this environment does not read"
    if not cuda.is_available():
        return f"no NVIDIA driver or no GPU was found{_error_of(cuda)}"
    return _why_no_kernel()


def _why_no_kernel():
    """What the compiler, the driver or the GPU says against a kernel of one thread, or None."""
    from dvae_ref.sampling.cuda import device

    try:
        device.check()
    except Exception as error:  # numba-cuda's, the driver's, the linker's, assertions: nothing in common
        said = str(error).strip() or "no reason is given"
        return f"a kernel of one thread could not be compiled and run ({type(error).__name__}: {said.splitlines()[0]})"
    return None


def _error_of(cuda):
    """What the driver said, if it said anything."""
    if os.environ.get("NUMBA_DISABLE_CUDA", "0") not in ("", "0"):
        return " (NUMBA_DISABLE_CUDA is set)"
    said = cuda.cuda_error()
    return f" ({str(said).strip().splitlines()[0]})" if said else ""


@functools.cache  # once for each reason, and there is one
def _fall_back(obstacle):
    _LOGGER.warning('backend="auto": sampling on the CPU, because %s', obstacle)
