"""Two mistakes at once, where no single one explains what differs: E = +h·s + s·J·s with s = -1, 1 is D-Wave's.

Of fifty mistakes there are a thousand pairs, each a computation or two; most are ruled out beforehand by what each does
alone. As with so many pairs some would fit some array by chance, a pair is named only if it explains every array of
theirs, the right ones too, to rounding.
"""

import time
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.mistakes import Case, Mistake

SECONDS = 5.0  # for the pairs of a quantity
SLACK = 4  # tolerances, as for a single mistake
JOINED = " -- and at once: "


def explaining(case, wrongs, failing, errors, seconds=SECONDS):
    """Names "A -- and at once: B" of the pairs of combinable mistakes that explain every array of theirs.

    wrongs: (mistake, outputs) of the single mistakes; errors(outputs) -> {array: error in tolerances}. Tried are pairs
    that change all that fails, those first that explain most by themselves; where only one of the two changes an array,
    it has to explain it by itself.
    """
    until, single = time.monotonic() + seconds, []
    for mistake, wrong in wrongs:
        changed = {name for name, value in case.outputs.items() if not np.array_equal(wrong[name], value)}
        if mistake.combines and changed:
            single.append(Single(mistake, changed, errors(wrong)))
    single.sort(key=lambda one: -len(failing & one.fits()))
    found = []
    for first, second in combinations(single, 2):
        if time.monotonic() > until:
            break
        if _may_explain(first, second, failing) and _explains(case, first.mistake, second.mistake, errors):
            found.append(first.mistake.name + JOINED + second.mistake.name)
    return found


class Single(NamedTuple):
    """A mistake by itself: the arrays it changes, and the errors of theirs that are left."""

    mistake: Mistake
    changed: set
    errors: dict  # of each of their arrays, in tolerances

    def fits(self):
        """Their arrays that it explains."""
        return {name for name, error in self.errors.items() if error <= SLACK}


def _may_explain(first, second, failing):
    """Do they change all that fails, and is what one alone changes explained by that one, where it is given?"""
    return (
        failing <= first.changed | second.changed
        and (first.changed - second.changed) & set(first.errors) <= first.fits()
        and (second.changed - first.changed) & set(second.errors) <= second.fits()
    )


def _explains(case, first, second, errors):
    """In either order: most mistakes commute."""
    for inner, outer in ((first, second), (second, first)):
        left = errors(_both(case, inner, outer))
        if left and max(left.values()) <= SLACK:
            return True
    return False


def _both(case, inner, outer):
    """The outputs with the outer mistake made in a quantity in which the inner one has been made."""

    def compute(inputs, **hooks):
        item = replace(case.quantity, compute=partial(case.quantity.compute, **hooks))
        outputs = quantities.outputs(item, inputs)
        return outputs | inner.wrong(Case(item, inputs, outputs))

    item = replace(case.quantity, compute=compute)
    outputs = quantities.outputs(item, case.inputs)
    return outputs | outer.wrong(Case(item, case.inputs, outputs))
