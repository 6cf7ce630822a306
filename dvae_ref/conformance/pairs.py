"""Two mistakes at once, where no single one explains what differs: E = +h·s + s·J·s with s = -1, 1 is D-Wave's."""

import time
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.mistakes import Case

SECONDS = 5.0  # for the pairs of a quantity
SLACK = 4  # tolerances, as for a single mistake
JOINED = " -- and at once: "


def explaining(case, wrongs, failing, errors, seconds=SECONDS):
    """Names "A -- and at once: B" of the pairs of combinable mistakes that explain every array of theirs.

    wrongs: (mistake, outputs) of the single mistakes; errors(outputs) -> {array: error in tolerances}. Tried are pairs
    that change all that fails, those first that explain most by themselves; where only one of the two changes an array,
    it has to explain it by itself.
    """
    until, found = time.monotonic() + seconds, []
    single = [(one, _changed(case, wrong), errors(wrong)) for one, wrong in wrongs if one.combines]
    single.sort(key=lambda one: -sum(one[2].get(name, np.inf) <= SLACK for name in failing))
    for first, second in combinations([one for one in single if one[1]], 2):
        if time.monotonic() > until:
            break
        if _may_explain(first, second, failing) and _explains(case, first[0], second[0], errors):
            found.append(first[0].name + JOINED + second[0].name)
    return found


def _changed(case, wrong):
    """The arrays that a mistake changes."""
    return {name for name, value in case.outputs.items() if not np.array_equal(wrong[name], value)}


def _may_explain(first, second, failing):
    if not failing <= first[1] | second[1]:
        return False
    alone = [(name, one) for one, other in ((first, second), (second, first)) for name in one[1] - other[1]]
    return all(one[2].get(name, 0) <= SLACK for name, one in alone)


def _explains(case, first, second, errors):
    """In either order: most mistakes commute."""
    return any(
        max(errors(_both(case, *pair)).values(), default=np.inf) <= SLACK for pair in ((first, second), (second, first))
    )


def _both(case, inner, outer):
    """The outputs with the outer mistake made in a quantity in which the inner one has been made."""

    def compute(inputs, **hooks):
        item = replace(case.quantity, compute=partial(case.quantity.compute, **hooks))
        outputs = quantities.outputs(item, inputs)
        return outputs | inner.wrong(Case(item, inputs, outputs))

    item = replace(case.quantity, compute=compute)
    outputs = quantities.outputs(item, case.inputs)
    return outputs | outer.wrong(Case(item, case.inputs, outputs))
