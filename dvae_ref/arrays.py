"""Arrays in signatures, in print, and in errors."""

import functools
import inspect
import re
from collections.abc import Callable
from numbers import Number
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]  # its shape, and what it holds, stand in the docstring
SMALL = 12  # numbers that are printed one by one
Call = ParamSpec("Call")
Value = TypeVar("Value")
NUMPYS = re.compile(r"operands could not be broadcast|matmul: |shapes .* not aligned|cannot reshape array")


def shapes_named(function: Callable[Call, Value]) -> Callable[Call, Value]:
    """Decorate a function: where NumPy says that shapes do not go together, a ValueError says whose they are; where
    Python says that something has no such attribute or operator, a TypeError says which argument is not of its kind.

    >>> import numpy as np
    >>> shapes_named(lambda logit_q, b: logit_q + b)(np.zeros((5, 7)), np.zeros((5, 6)))
    Traceback (most recent call last):
    ValueError: arrays.<lambda> takes arrays that go together; got logit_q (5, 7), b (5, 6)
    """
    as_written = inspect.unwrap(function)
    parameters = as_written.__code__.co_varnames  # type: ignore[attr-defined]
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

    @functools.wraps(function)
    def named(*args: Call.args, **options: Call.kwargs) -> Value:
        try:
            return function(*args, **options)
        except (AttributeError, TypeError) as error:
            given = [*zip(parameters, args, strict=False), *options.items()]
            wrong = next(_of_another_kind(as_written.__annotations__, given), None)
            if wrong is None:
                raise
            raise TypeError(f"{name}: {wrong}") from error
        except ValueError as error:
            given = [*zip(parameters, args, strict=False), *options.items()]
            found = ", ".join(shape for argument, value in given for shape in _shapes(argument, value))
            if not (found and NUMPYS.match(str(error))):  # of tuples of arrays, NumPy's own says the two shapes
                raise
        raise ValueError(f"{name} takes arrays that go together; got {found}")

    return named


def in_floats(function: Callable[Call, Value]) -> Callable[Call, Value]:
    """Decorate a function: as `shapes_named`, and arrays of integers and truth values are taken as float64. NumPy would
    take e^x of an int8 in float16, minus a uint8 modulo 256, and fill an array like one of integers with integers.

    >>> import numpy as np
    >>> in_floats(lambda z: np.full_like(z, 0.5))(np.array([True, False])).tolist()
    [0.5, 0.5]
    """

    @shapes_named
    @functools.wraps(function)
    def taken(*args: Call.args, **options: Call.kwargs) -> Value:
        return function(*map(floats, args), **{name: floats(value) for name, value in options.items()})

    return taken


def floats(value: Any) -> Any:
    """An array of integers or truth values, of any shape, as float64; so those in a tuple; anything else as it is."""
    if isinstance(value, tuple):
        parts = [floats(part) for part in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    whole = isinstance(value, np.ndarray) and value.dtype.kind in "biu"
    return value.astype(np.float64) if whole else value


def _of_another_kind(kinds, given):
    """What to say of each (argument, value) that is not its annotation, the fields of NamedTuples included."""
    for argument, value in given:
        types, words = _kind(kinds.get(argument))
        if not isinstance(value, types):
            yield f"{argument} must be {words}; got {type(value).__name__}"
        elif fields := getattr(value, "_fields", ()):
            inner = _of_another_kind(inspect.get_annotations(type(value)), zip(fields, value, strict=True))
            yield from (f"{argument}.{said}" for said in inner)


def _kind(annotation):
    """The types that an annotation stands for, and what they are called: any, where it is no type."""
    if annotation is Array or annotation is np.ndarray:
        return (np.ndarray, np.generic, Number), "an array"
    if annotation in (int, float):
        return (Number, np.generic, np.ndarray), "a number"
    return (annotation, f"of the type {annotation.__name__}") if isinstance(annotation, type) else (object, "")


def _shapes(name, value):
    """`name (5, 7)` of an array, and of each that is a field of a NamedTuple."""
    if isinstance(value, np.ndarray):
        yield f"{name} {value.shape}"
    for field in getattr(value, "_fields", ()):
        yield from _shapes(f"{name}.{field}", getattr(value, field))


def short(named: tuple) -> str:
    """The repr of a NamedTuple that holds arrays, in a line or a few: large ones by shape, type and range."""
    fields = named._fields  # type: ignore[attr-defined]
    return f"{type(named).__name__}({', '.join(f'{f}={_shown(v)}' for f, v in zip(fields, named, strict=True))})"


def _shown(value):
    """An array or a tree by its shape and size, if it is large; else its repr."""
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
