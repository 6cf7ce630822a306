"""The registry of mistakes, and what a mistake is told."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch

import numpy as np

from dvae_ref.conformance import quantity
from dvae_ref.conformance.quantities.machines import machine
from dvae_ref.conformance.quantities.smoothings import smoothing_of
from dvae_ref.conformance.quantity import Quantity


@dataclass(frozen=True)
class Case:
    """A quantity, its inputs and right outputs, in float64, and somebody's own, for mistakes with a number to guess."""

    quantity: Quantity
    inputs: dict
    outputs: dict
    theirs: dict = field(default_factory=dict)

    def again(self, changes=None, **hooks):
        """The outputs for other inputs, or with hooks of the quantity's compute."""
        return quantity.outputs(self.quantity, self.inputs | (changes or {}), **hooks)

    @property
    def machine(self):
        """The RBM of the inputs a (D,) and W (left, right)."""
        return machine(self.inputs)

    @property
    def kind(self):
        """Of the smoothing that the quantity is named after: exp, of log_q_exp."""
        return self.quantity.name.rpartition("_")[2]

    @property
    def smoothing(self):
        """r(zeta|z) of that kind, with the inputs' beta."""
        return smoothing_of(self.inputs, self.kind)

    @property
    def t(self):
        """The centred coordinate of zeta, of its shape."""
        return self.smoothing.t(self.inputs["zeta"])

    @property
    def d(self):
        """The rows' weights in the sum that is differentiated, a column: (rows, 1)."""
        return self.inputs["cotangent"][:, None]


@dataclass(frozen=True)
class Mistake:
    """A mistake, the quantities that it may be made in, and what it makes of their outputs."""

    name: str
    quantities: tuple  # patterns of names
    wrong: Callable  # Case -> {output: what the mistake makes of it}
    anywhere: bool = False  # any array by itself may have it
    read_off: bool = False  # it has a number that is read off somebody's

    @property
    def combines(self):
        """May it be one of two at once? Not what any array may have, nor what is read off somebody's numbers."""
        return not (self.anywhere or self.read_off or self.quantities[0] == "gibbs")

    def concerns(self, name):
        """May it be made in the quantity of this name?"""
        return any(fnmatch(name, pattern) for pattern in self.quantities)


REGISTRY = []
ROUNDING = 1e-9  # more than it, of numbers of order one


def mistake(name, *quantities, anywhere=False, read_off=False):
    """Register a function of a Case as the mistake `name` in the quantities of these names (* is a wildcard), or tuples
    of names."""

    def register(wrong):
        REGISTRY.append(Mistake(name, flat(quantities), wrong, anywhere, read_off))
        return wrong

    return register


def flat(names):
    """Names, and those in lists or tuples of names, in one tuple."""
    found = []
    for name in names:
        found += [name] if isinstance(name, str) else flat(name)
    return tuple(found)


def closest(case, options):
    """Of several outputs those that are closest to somebody's, the first where nobody's are known: a number that he has
    chosen is read off so.

    So a clip at 1e-6 is recognised without a mistake for each number. Whether the closest explains his outputs is
    judged as of any other mistake.
    """
    if not case.theirs:
        return options[0]
    with np.errstate(all="ignore"):
        off = [distance(case, option) for option in options]
    return options[np.argmin(off)]


def distance(case, option):
    """The sum over arrays of the error, in units of that of the right one, where this is more than rounding.

    1 at most for an array, as much as if nothing had been explained: an array that a mistake blows up outweighs no
    other.
    """
    found, total = case.outputs | option, 0.0
    for name, value in case.theirs.items():
        least = ROUNDING * np.max(np.abs(value), initial=1.0)
        size = np.max(np.abs(value - case.outputs[name]), initial=least)
        total += min(1.0, float(np.max(np.abs(value - found[name]), initial=0.0) / size))
    return total


@contextlib.contextmanager
def replaced(target, **values):
    """While it lasts, these attributes of a module or a class are others, for all threads."""
    before = {name: vars(target)[name] for name in values}
    try:
        for name, value in values.items():
            setattr(target, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)


def gradients(outputs):
    """Those of the outputs that are gradients."""
    return {name: value for name, value in outputs.items() if quantity.is_gradient(name)}


def scaled(outputs, factor, *names):
    """The named outputs, all without names, times a factor."""
    return {name: factor * outputs[name].astype(float) for name in outputs if name in names or not names}


def negated(outputs, *names):
    """All outputs, the named ones with the other sign."""
    return outputs | scaled(outputs, -1, *names)
