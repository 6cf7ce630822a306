"""Arrays in signatures and in print."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]  # its shape, and what it holds, stand in the docstring
SMALL = 12  # numbers that are printed one by one


def short(named: tuple) -> str:
    """The repr of a NamedTuple that holds arrays, in a line or a few: large ones by shape, type and range."""
    fields = named._fields  # type: ignore[attr-defined]
    return f"{type(named).__name__}({', '.join(f'{f}={_shown(v)}' for f, v in zip(fields, named, strict=True))})"


def _shown(value):
    if isinstance(value, np.ndarray) and value.size > SMALL:
        ends = f", {value.min():.4g} to {value.max():.4g}" if value.dtype.kind in "fiu" else ""
        return f"<{value.shape} {value.dtype}{ends}>"
    leaves = list(_leaves(value)) if isinstance(value, tuple) else []
    if leaves and (total := sum(leaf.size for leaf in leaves)) > SMALL:
        return f"<{type(value).__name__} of {len(leaves)} arrays, {total:,} numbers>"
    return repr(value)


def _leaves(value):
    """The arrays in a nested tuple."""
    if isinstance(value, tuple):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, np.ndarray):
        yield value
