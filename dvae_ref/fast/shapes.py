"""The condition under which a twin answers: its arrays are what its kernel was compiled for, and their shapes agree.

Compiled code trusts shapes: it would read and write past the end of an array that is too small. So a twin says what it
takes, `agree((logit_q, "ND"), (b, "ND"))`, and declines everything else; the readable form then broadcasts, or raises.
"""

import numpy as np

_FLOAT32 = np.dtype(np.float32)
_BITS_OF_ONE = np.float32(1).view(np.uint32)


def agree(*layout):
    """Whether every array is float32 in contiguous rows and has a letter for each axis, equal letters of equal length.

    layout: pairs (array, letters). Subclasses of arrays, other byte orders and unaligned memory do not agree.
    """
    lengths = {}
    for array, letters in layout:
        if not plain(array) or not array.flags.c_contiguous or array.ndim != len(letters):
            return False
        for letter, length in zip(letters, array.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                return False
    return True


def alike(*arrays):
    """Whether all are float32 of one shape, which is not (), in whatever order they lie in memory."""
    shape = getattr(arrays[0], "shape", ())
    return shape != () and all(plain(array) and array.shape == shape for array in arrays)


def plain(array):
    """Whether an array is of NumPy's own type, float32 and aligned."""
    return type(array) is np.ndarray and array.dtype == _FLOAT32 and array.flags.aligned


def uniform(array):
    """Whether all numbers of a float32 array are in [0, 1]: their bits, read as integers, are in order up to 1.

    Those of negative numbers and of NaN come after it.
    """
    return array.size == 0 or array.view(np.uint32).max() <= _BITS_OF_ONE
