"""What the arrays of a checkpoint have to hold, by their names; shapes and types are those of a State just begun.

A file of the right shapes may still hold what no training leaves there, and what compiled code would follow out of its
arrays: an ancestor beyond the last chain, a bit of a unit that is not there, a count about to overflow.
"""

import numpy as np

from dvae_ref.files.schema import shortened
from dvae_ref.sampling import fields

COUNTS = ("sweeps", "updates", "resamplings")
SIDES = {"left": 0, "right": 1}  # packed states of chains: which entry of their `shape` counts the units
MOST = 2**62  # of a count: room to go on from there


def check(items, like, path):
    """ValueError unless these (name, array) hold what belongs under their names; `like` are those of a State of the
    same shapes and types that was just begun."""
    begun = dict(like)
    for name, array in items:
        if name not in begun:
            raise ValueError(f"{path} holds {shortened(name)}, which is no part of it")
        place, _, last = name.rpartition(".")
        if last == "shape":
            _demand_equal(array, begun[name], path, name)
        elif last in SIDES:
            units = int(begun[f"{place}.shape"][SIDES[last]])
            _demand_units(array, units, path, name)
        else:
            _demand_finite(array, path, name)
            least, most = _range(name, last, array)
            _demand_range(array, least, most, path, name)


def _range(name, last, array):
    """The least and the most that an array of this name may hold."""
    if last in COUNTS:
        return 0, MOST
    if name.startswith("kept.moments."):
        return 0, 1
    if last == "families":  # the ancestor of each chain, by number
        return 0, len(array) - 1
    if last == "variance" or name.startswith("adam.v."):  # squares
        return 0, np.inf
    return -np.inf, np.inf


def _demand_equal(array, expected, path, name):
    if not np.array_equal(array, expected):
        raise ValueError(f"{path}: {name} is {array.tolist()}, expected {expected.tolist()}")


def _demand_finite(array, path, name):
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ValueError(f"{path}: {name} has {np.sum(~np.isfinite(array))} values that are not finite")


def _demand_range(array, least, most, path, name):
    if array.size and not (least <= np.min(array) and np.max(array) <= most):
        found = f"{np.min(array)} to {np.max(array)}"
        raise ValueError(f"{path}: {name} reaches from {found}; expected {least} to {most}")


def _demand_units(packed, units, path, name):
    """Four units to a byte (`fields.pack`): no bit is up that is none of them."""
    stray = packed & ~fields.pack(np.ones((1, units)))
    if np.any(stray):
        worst = np.max(packed[stray > 0])
        raise ValueError(
            f"{path}: {name} holds {worst}; expected the bits of {units} units, four to a byte, at most 15"
        )
