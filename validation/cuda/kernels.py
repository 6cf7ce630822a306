"""The kernels that are proved, each with the types it is launched with."""

from typing import NamedTuple

from numba import types

from dvae_ref.sampling.cuda import ais, gibbs, resampling

_STATES = types.uint8[:, ::1]
_PANEL, _COLUMNS, _SCHEDULE, _LOG_W, _WHOLE = *3 * (types.float32[::1],), types.float64[::1], types.int64[::1]
_SIDE = (_PANEL, _COLUMNS)
_INT, _KEY = types.int64, (types.uint64, types.uint64)


class Kernel(NamedTuple):
    """A kernel as it is launched."""

    source: object  # what cuda.jit has made
    arguments: tuple  # their types
    doubles: bool  # whether it is meant to have float64 instructions
    threads: int  # of a block


KERNELS = {
    "gibbs": Kernel(gibbs.sweep_kernel, (_STATES, _STATES, *_SIDE, *_SIDE, _INT, _INT, *_KEY), False, 128),
    "ais": Kernel(
        ais.anneal_kernel,
        (_STATES, _STATES, _LOG_W, _SCHEDULE, _WHOLE, _INT, *_SIDE, _COLUMNS, *_SIDE, _COLUMNS, *_KEY),
        True,
        128,
    ),
    "resampling: whole weights": Kernel(resampling.weigh_kernel, (_COLUMNS, _WHOLE), False, 256),
    "resampling: prefix sum": Kernel(resampling.scan_kernel, (_WHOLE, _WHOLE, _WHOLE), False, 256),
    "resampling: blocks' totals": Kernel(resampling.shift_kernel, (_WHOLE, _WHOLE), False, 256),
    "resampling: shares": Kernel(resampling.share_kernel, (_WHOLE, types.float64, _WHOLE), True, 256),
    "resampling: search": Kernel(resampling.search_kernel, (_WHOLE, _WHOLE), False, 256),
    "resampling: gather": Kernel(resampling.gather_kernel, (_STATES, _WHOLE, _STATES), False, 256),
}
