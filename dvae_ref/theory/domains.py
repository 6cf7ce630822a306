"""What numbers and arrays that come from outside have to be: refused by name, with the value and what was expected."""

from typing import Any

import numpy as np

from dvae_ref.arrays import Array

MOST = 2**62  # of a whole number: room to count on from there, in int64


def whole(name: str, value: object, least: int = 0, most: int = MOST) -> int:
    """The whole number, as an int: 3, np.int8(3), np.array(3) and 3.0 are 3.

    ValueError unless least <= value <= most, without a fraction; TypeError for what is no number.
    """
    number = value.item() if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0 else value
    if not isinstance(number, int | float):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    if not least <= number <= most or number % 1:
        raise ValueError(f"{name} must be a whole number >= {least}{_at_most(most)}; got {value}")
    return int(number)


def _at_most(most):
    return "" if most == MOST else f" and <= {most}"


def real(name: str, array: Any) -> None:
    """TypeError unless this is an array of real numbers. Of NumPy's own subclasses, a memmap is one; masks are lost on
    the way and matrices multiply otherwise."""
    if type(array) not in (np.ndarray, np.memmap):
        raise TypeError(f"{name} must be an array of real numbers; got {type(array).__name__}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers; got {array.dtype}")


def number(name: str, value: Any) -> float:
    """One finite real number, as a float; TypeError for anything else than one number, ValueError for inf and NaN."""
    if not isinstance(value, float | int | np.generic | np.ndarray) or np.ndim(value):
        raise TypeError(f"{name} must be one number; got {type(value).__name__}")
    real(name, found := np.asarray(value))
    finite(name, found)
    return float(found)


def array(name: str, values: Any) -> Array:
    """An array of real numbers, any shape, or what NumPy makes one of; TypeError for others, and for a masked one."""
    found = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    real(name, found)
    return found


def finite(name: str, array: Array) -> None:
    """ValueError unless all of an array of real numbers, of any shape, is finite."""
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} has {np.sum(~np.isfinite(array))} values that are not finite")


def instance(name: str, value: object, kind: type) -> None:
    """TypeError unless the value is of this class."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {_article(kind.__name__)} {kind.__name__}; got {type(value).__name__}")


def _article(word):
    return "an" if word[0] in "AEIOUR" else "a"  # an RBM


def check_uniform(**numbers: Array) -> None:
    """Raise ValueError unless all numbers of these arrays, of any shape, are in [0, 1]; each is called by its name."""
    for name, values in numbers.items():
        within = (values >= 0) & (values <= 1)  # NaN is not
        if not np.all(within):
            worst = np.asarray(values)[~np.asarray(within)].flat[0]
            raise ValueError(f"{name} is a uniform number in (0, 1); got {worst}")


def inside(rho: Array) -> Array:
    """rho, of any shape, moved to between its dtype's least normal number and the largest below 1: no 0 and no 1."""
    info = np.finfo(rho.dtype)
    return np.clip(rho, info.tiny, 1 - info.epsneg)
