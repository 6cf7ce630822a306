"""The registry of mistakes, and what a mistake is told."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch

from dvae_ref.conformance import quantity
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


@dataclass(frozen=True)
class Mistake:
    name: str
    quantities: tuple  # patterns of the names it may be made in
    wrong: Callable  # Case -> {output: what the mistake makes of it}

    @property
    def anywhere(self):
        return "*" in self.quantities

    @property
    def combines(self):
        """May it be one of two at once? Not what any array may have, nor what is read off somebody's numbers."""
        return not self.anywhere and "gibbs" not in self.quantities[:1]

    def concerns(self, name):
        return any(fnmatch(name, pattern) for pattern in self.quantities)


REGISTRY = []


def mistake(name, *quantities):
    """Register a function of a Case as the mistake `name` in the quantities of these names (* is a wildcard)."""

    def register(wrong):
        REGISTRY.append(Mistake(name, quantities, wrong))
        return wrong

    return register


@contextlib.contextmanager
def replaced(target, **values):
    """While it lasts, these attributes of a module or a class are others."""
    before = {name: vars(target)[name] for name in values}
    try:
        for name, value in values.items():
            setattr(target, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)


def scaled(outputs, factor, *names):
    """The named outputs, all without names, times a factor."""
    chosen = {name: outputs[name] for name in outputs if name in names or not names}
    return {name: factor * value.astype(float) for name, value in chosen.items()}


def negated(outputs, *names):
    """All outputs, the named ones with the other sign."""
    return {name: -value if name in names else value for name, value in outputs.items()}
