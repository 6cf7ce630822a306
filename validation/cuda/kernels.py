"""The kernels that are proved, each with the types it is launched with."""

from typing import NamedTuple

from numba import types

from dvae_ref.sampling.cuda import ais, gibbs, layout, resampling, tiles

_NIBBLES, _STATES = types.uint8[::1], types.uint8[:, ::1]
_FLOATS, _LOG_W, _WHOLE = types.float32[::1], types.float64[::1], types.int64[::1]
_INT, _KEY = types.int64, (types.uint64, types.uint64)
_RESIDENT, _TILED = (types.NamedUniTuple(_INT, len(plan._fields), plan) for plan in (layout.Plan, tiles.Plan))
_GIBBS, _AIS = (_NIBBLES, _INT), (_NIBBLES, _INT, _LOG_W, _FLOATS, _WHOLE, _INT)


class Kernel(NamedTuple):
    """A kernel as it is launched."""

    source: object  # what cuda.jit has made
    arguments: tuple  # their types
    doubles: bool  # whether it is meant to have float64 instructions
    threads: int  # of a block, at most


KERNELS = {
    "gibbs": Kernel(gibbs.resident_kernel, (*_GIBBS, _FLOATS, _WHOLE, _RESIDENT, _INT, _INT, *_KEY), False, 256),
    "gibbs, tiles": Kernel(gibbs.tiled_kernel, (*_GIBBS, _FLOATS, _TILED, _INT, _INT, *_KEY), False, 256),
    "ais": Kernel(ais.resident_kernel, (*_AIS, _FLOATS, _WHOLE, _RESIDENT, *_KEY), True, 256),
    "ais, tiles": Kernel(ais.tiled_kernel, (*_AIS, _FLOATS, _TILED, *_KEY), True, 256),
    "resampling: whole weights": Kernel(resampling.weigh_kernel, (_FLOATS, _WHOLE), False, 256),
    "resampling: prefix sum": Kernel(resampling.scan_kernel, (_WHOLE, _WHOLE, _WHOLE), False, 256),
    "resampling: blocks' totals": Kernel(resampling.shift_kernel, (_WHOLE, _WHOLE), False, 256),
    "resampling: shares": Kernel(resampling.share_kernel, (_WHOLE, types.float64, _WHOLE), True, 256),
    "resampling: search": Kernel(resampling.search_kernel, (_WHOLE, _WHOLE), False, 256),
    "resampling: gather": Kernel(resampling.gather_kernel, (_STATES, _WHOLE, _STATES), False, 256),
}
