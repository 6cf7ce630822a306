"""What the kit consists of: quantities, their inputs drawn from a seed, their outputs computed in a dtype.

Outputs are computed by the library itself, in the dtype of the inputs: its own tests hold it against enumeration,
quadrature and 50 digits, and the example of docs/examples in plain NumPy, which knows nothing of it, holds the kit.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def nothing(inputs):
    """No output has anything of the kind."""
    return {}


@dataclass(frozen=True)
class Quantity:
    """An equation of the paper, in the paper's coordinates zeta and q.

    draw(rng) returns the inputs by name, any floats; compute(inputs, **hooks) the outputs by name, in the inputs'
    dtype. Outputs called d_... are gradients. Hooks, keyword arguments with defaults, are there for mistakes to use.
    """

    name: str
    equation: str  # where the paper states it
    meaning: str
    draw: Callable
    compute: Callable
    gradient_of: str = ""  # what the gradients are gradients of
    terms: Callable = nothing  # by output, the size of the terms it is a sum of, where they may cancel
    subtracted: Callable = nothing  # by output, the size of what cancels in plain formulas alone
    row_axis: int = 0  # of outputs with so many axes, or else their last one: where the inputs' rows are counted


def inputs(quantity, seed, dtype=np.float64):
    """The inputs of a seed: numbers that float32 holds exactly, so that both dtypes mean the same; integers as drawn.

    Every quantity has random numbers of its own, so that one more quantity leaves the others as they are.
    """
    rng = np.random.default_rng([seed, zlib.crc32(quantity.name.encode())])
    found = {}
    for name, value in quantity.draw(rng).items():
        found[name] = _cast(_cast(np.asarray(value), np.float32), dtype)
    return found


def _cast(value, dtype):
    """In the dtype, if it is an array of floats."""
    return value.astype(dtype) if value.dtype.kind == "f" else value


def outputs(quantity, given, **hooks):
    """The outputs for these inputs, arrays of the inputs' dtype (integers stay integers)."""
    dtype = next(value.dtype for value in given.values() if value.dtype.kind == "f")
    found = {}
    for name, value in quantity.compute(given, **hooks).items():
        found[name] = _cast(np.asarray(value), dtype)
    return found


def is_gradient(name):
    """Is an output of this name a gradient?"""
    return name.startswith("d_")
