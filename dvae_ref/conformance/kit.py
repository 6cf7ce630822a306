"""The kit from Python: `case("log_q_power").check(log_q=..., d_q=..., d_zeta=...)` in somebody's own tests."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dvae_ref.conformance import names, report, tolerances, verdict
from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.conformance.quantity import Quantity

DTYPES = {"float64": np.float64, "float32": np.float32}


@dataclass(frozen=True)
class KitCase:
    """A quantity with inputs drawn from a seed, in a dtype."""

    quantity: Quantity
    seed: int
    dtype: str

    @property
    def name(self):
        return self.quantity.name

    __name__ = name  # which pytest takes for the test's

    def __repr__(self):
        return f"case({self.name!r}, seed={self.seed}, dtype={self.dtype!r})"

    @cached_property
    def inputs(self):
        """The inputs by name, NumPy arrays: numbers that float32 holds exactly, in either dtype."""
        return quantities.inputs(self.quantity, self.seed, DTYPES[self.dtype])

    @cached_property
    def _right(self):
        """(outputs, tolerances)"""
        outputs = quantities.outputs(self.quantity, self.inputs)
        return outputs, tolerances.estimate(self.quantity, self.seed, DTYPES[self.dtype])

    def check(self, arrays=None, /, **named):
        """The Verdict on outputs by name, if it is good; AssertionError whose text is the verdict, if it is not.

        Arrays of any kind that NumPy can read (__array__, DLPack, lists, numbers); those that are left out are not
        judged. Names with a point come in a dict: check({"d_rbm.W": ...}). TypeError for names that the quantity does
        not have, for none at all, and for what is not made of real numbers.
        """
        given = ({} if arrays is None else dict(arrays)) | named
        theirs = {name: as_array(name, value) for name, value in given.items()}
        ours, allowed = self._right
        for name in theirs:
            if name not in ours:
                raise TypeError(f"{self.name} has no output {name}{names.guess(name, list(ours))}")
        if not theirs:
            raise TypeError(f"{self.name}.check needs some of {', '.join(ours)}")
        found = verdict.judge(self.quantity, self.inputs, ours, allowed, theirs)
        if not found.passed:
            raise AssertionError(f"{self!r} disagrees\n{report.as_text(found)}")
        return found


def case(name, seed=0, dtype="float64"):
    """The KitCase of a quantity: .inputs to compute from, .check(...) for the outputs.

    ValueError for another name, a seed below 0, and for a dtype other than float64 and float32.
    """
    if name not in QUANTITIES:
        raise ValueError(f"no quantity {name}{names.guess(name, list(QUANTITIES))}")
    return _case(name, seed, dtype)


def cases(*patterns, seed=0, dtype="float64"):
    """KitCases of all quantities that a pattern fits, for pytest.mark.parametrize: cases("objective_dvaes_*")."""
    return [_case(name, seed, dtype) for name in names.matching(QUANTITIES, patterns or ("*",))]


def _case(name, seed, dtype):
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number >= 0, got {seed!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    return KitCase(QUANTITIES[name], int(seed), dtype)


def as_array(name, value):
    """A NumPy array of somebody's array; TypeError if it has no real numbers."""
    for way in ("detach", "cpu"):  # of a tensor that has a gradient, or is on a GPU
        value = getattr(value, way)() if callable(getattr(value, way, None)) else value
    try:
        readable = hasattr(value, "__array__") or not hasattr(value, "__dlpack__")
        found = np.asarray(value) if readable else np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__} ({error})") from error
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got {type(value).__name__} of {found.dtype}")
    return found
