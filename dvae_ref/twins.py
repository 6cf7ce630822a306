"""A function for reading and its compiled twin: the function of the same name in dvae_ref/fast/.

A twin takes the same arguments and returns the same, or NotImplemented for arrays that it was not made for. Nothing
else in the theory knows of it.

Numbers of the two agree to rounding, and are not the same: which one answers depends on the arguments' types, shapes
and strides, and on whether Numba compiles, so that a program has the same numbers each time that it runs.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from dvae_ref.arrays import floats, shapes_named

Call = ParamSpec("Call")
Value = TypeVar("Value", covariant=True)
_enabled = True


class Twinned(Protocol[Call, Value]):
    """A function that has a compiled twin."""

    readable: Callable[..., Any]
    twin: Callable[[], Callable[..., Any]]  # the compiled one, loaded when it is first asked for

    def __call__(self, *args: Call.args, **options: Call.kwargs) -> Value: ...


def twinned(readable: Callable[Call, Value]) -> Twinned[Call, Value]:
    """Decorate a readable function: what its twin takes goes to the twin. `function.readable` is the readable one.

    Arrays of integers go to the readable form as float64. TypeError for numbers that are neither: float16, complex.
    """
    module, name = readable.__module__.rpartition(".")[2], readable.__name__

    @functools.cache
    def twin():
        compiled = getattr(importlib.import_module(f"dvae_ref.fast.{module}"), name)
        return compiled if importlib.import_module("dvae_ref.fast.jit").ENABLED else _declines

    @shapes_named
    @functools.wraps(readable)
    def function(*args, **options):
        if _enabled:
            value = twin()(*args, **options)
            if value is not NotImplemented:
                return value
        args = floats(args)
        _check(args, readable)
        return readable(*args, **options)

    function.readable, function.twin = readable, twin
    return function


def _declines(*args, **options):
    """The twin where numba is told not to compile, by NUMBA_DISABLE_JIT=1."""
    return NotImplemented


def _check(argument, function):
    """TypeError for arrays of numbers, however deep in tuples, that are neither float32 nor float64."""
    if isinstance(argument, tuple):
        for field in argument:
            _check(field, function)
    elif isinstance(argument, np.ndarray) and (argument.dtype.kind != "f" or argument.dtype.itemsize < 4):
        module = function.__module__.rpartition(".")[2]
        raise TypeError(f"{module}.{function.__name__} takes float32, float64 or integers; got {argument.dtype}")


@contextlib.contextmanager
def readable_only() -> Iterator[None]:
    """While it lasts, everything runs as it is read, in this thread and all others."""
    global _enabled
    _enabled, before = False, _enabled
    try:
        yield
    finally:
        _enabled = before
