"""The kit from Python: `case("log_q_power").check(log_q=..., d_q=..., d_zeta=...)` in somebody's own tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.conformance import names, report, tolerances, verdict
from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.conformance.verdict import Verdict

DTYPES = {"float64": np.float64, "float32": np.float32}


@dataclass(frozen=True)
class KitCase:
    """A quantity with inputs drawn from a seed, in a dtype; its outputs are computed when they are first asked for."""

    quantity: Quantity
    seed: int
    dtype: str

    @property
    def name(self) -> str:
        """Of its quantity."""
        return self.quantity.name

    __name__ = name  # which pytest takes for the test's

    def __repr__(self):
        return f"case({self.name!r}, seed={self.seed}, dtype={self.dtype!r})"

    @property
    def inputs(self) -> dict[str, Array]:
        """The inputs by name, NumPy arrays of the shapes that `conformance show` tells: numbers that float32 holds.

        Yours, new each time: code that clips or turns them in place is judged by what they were.
        """
        return {name: value.copy() for name, value in self._given.items()}

    @cached_property
    def _given(self):
        return quantities.inputs(self.quantity, self.seed, DTYPES[self.dtype])

    @cached_property
    def _right(self):
        """(outputs, tolerances)"""
        outputs = quantities.outputs(self.quantity, self._given)
        return outputs, tolerances.estimate(self.quantity, self.seed, DTYPES[self.dtype])

    def check(self, arrays: dict[str, Any] | None = None, /, **named: Any) -> Verdict:
        """The Verdict on outputs by name, if it is good; AssertionError whose text is the verdict, if it is not.

        Arrays of any kind that NumPy can read (__array__, DLPack, lists, numbers); those that are left out are not
        judged. Names with a point come in a dict: check({"d_rbm.W": ...}). TypeError for names that the quantity does
        not have, for none at all, and for what is not made of real numbers.
        """
        if not isinstance(arrays, Mapping | None):
            raise TypeError(
                f"{self.name}.check takes its arrays by name, {self._example()}, got {type(arrays).__name__}"
            )
        given = {**({} if arrays is None else arrays), **named}
        theirs = {str(name): as_array(name, value) for name, value in given.items()}
        ours, allowed = self._right
        for name in theirs:
            if name not in ours:
                raise TypeError(f"{self.name} has no output {name}{names.guess(name, list(ours))}")
        if not theirs:
            raise TypeError(f"{self.name}.check needs some of {', '.join(ours)}")
        found = verdict.judge(self.quantity, self._given, ours, allowed, theirs)
        if not found.passed:
            raise AssertionError(f"{self!r} disagrees\n{report.as_text(found)}")
        return found

    def _example(self):
        """How `check` is called with the first output."""
        first = next(iter(self._right[0]))
        return f"check({first}=...) or a dict" if first.isidentifier() else f"check({{{first!r}: ...}})"


def case(name: str, seed: int = 0, dtype: str = "float64") -> KitCase:
    """The KitCase of a quantity: .inputs to compute from, .check(...) for the outputs.

    ValueError for another name, a seed below 0, and for a dtype other than float64 and float32.

    >>> one = case("energy")
    >>> a, W, z = (one.inputs[name] for name in ("a", "W", "z"))
    >>> one.inputs["z"].shape, one.check(energy=-(z @ a) - np.sum((z[:, :4] @ W) * z[:, 4:], 1)).passed
    ((6, 8), True)
    >>> one.check(energy=z @ a - np.sum((z[:, :4] @ W) * z[:, 4:], 1))
    Traceback (most recent call last):
    AssertionError: case('energy', seed=0, dtype='float64') disagrees
    FAIL  energy; not attempted: d_a, d_W, d_z
            energy[2]: theirs -1.527737677, ours 2.041028023, off by -3.6, allowed 9.3e-14
          rows that fail: on-vertex 0 of 1, no flag 5 of 5
          looks like: the biases have the opposite sign  (all that differ)
    """
    if not (isinstance(name, str) and name in QUANTITIES):
        raise ValueError(f"no quantity {name}{names.guess(str(name), list(QUANTITIES))}")
    return _case(name, seed, dtype)


def cases(*patterns: str, seed: int = 0, dtype: str = "float64") -> list[KitCase]:
    """KitCases of all quantities that a pattern fits, for pytest.mark.parametrize: cases("objective_dvaes_*").

    ValueError for a pattern that fits none, a seed below 0, and for another dtype; TypeError for what is no string.

    >>> [one.name for one in cases("bound_*")]
    ['bound_importance_weighted', 'bound_variational', 'bound_discrete']
    """
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"patterns must be strings, as in cases('energy', 'log_p_*'), got {pattern!r}")
    return [_case(name, seed, dtype) for name in names.matching(QUANTITIES, patterns or ("*",))]


def _case(name, seed, dtype):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number >= 0, got {seed!r}")
    if not (isinstance(dtype, str) and dtype in DTYPES):
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    return KitCase(QUANTITIES[name], int(seed), dtype)


def as_array(name: str, value: Any) -> Array:
    """A NumPy array, of the same shape, of somebody's array; TypeError if it has no real numbers.

    Taken are lists and numbers, what has __array__ or DLPack, tensors that hold a gradient or lie on a GPU, and objects
    that are numbers (fractions, decimals, mpmath). Not taken are complex numbers, text, and arrays with masked
    elements, of which nobody knows what they stand for.
    """
    for way in ("detach", "cpu"):  # of a tensor that has a gradient, or is on a GPU
        value = getattr(value, way)() if callable(getattr(value, way, None)) else value
    try:
        readable = hasattr(value, "__array__") or not hasattr(value, "__dlpack__")
        found = np.asarray(value) if readable else np.from_dlpack(value)
        if found.dtype == object and found.size and all(map(_is_number, found.flat)):
            found = found.astype(float)  # fractions, decimals and numbers of mpmath
    except (TypeError, ValueError, RuntimeError, BufferError, OverflowError) as error:
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__} ({error})") from error
    if np.ma.is_masked(value):
        raise TypeError(f"{name} has masked elements: fill them, or leave the array out")
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__} of {found.dtype}")
    return found


def _is_number(value):
    """Is it one real number, of whatever kind? No text, which float() would read, and no array."""
    return hasattr(value, "__float__") and not hasattr(value, "__len__") and not isinstance(value, complex)
