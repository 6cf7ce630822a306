"""Which mistake do wrong outputs look like: the right ones are recomputed with each, and compared."""

from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.mistakes import REGISTRY, Case

SLACK = 4  # tolerances: rounding in a wrong formula may be worse conditioned than in the right one


class Diagnosis(NamedTuple):
    """Mistakes that explain the same failing arrays equally well."""

    mistakes: tuple  # of names
    arrays: tuple


def alternatives(quantity, given):
    """(mistake, {output: what it makes of it}) of every mistake that may be made in a quantity with these inputs; what
    a mistake leaves alone is as it should be."""
    given = as_floats(given)
    case = Case(quantity, given, quantities.outputs(quantity, given))
    concerned = [mistake for mistake in REGISTRY if mistake.concerns(quantity.name)]
    return [(mistake, case.outputs | mistake.wrong(case)) for mistake in concerned]


def diagnose(wrongs, theirs, failing, tolerances):
    """Diagnoses for the failing arrays out of these alternatives, those that explain most first; what nothing explains
    is not in any."""
    agreeing = [(mistake, agreement(wrong, theirs, tolerances)) for mistake, wrong in wrongs]
    found, remaining = [], set(failing)
    while best := best_explanation(agreeing, remaining):
        found.append(best)
        remaining -= set(best.arrays)
    return found


def as_floats(arrays):
    """In float64, but for the integers among the inputs."""
    return {name: value.astype(float) if value.dtype.kind == "f" else value for name, value in arrays.items()}


def best_explanation(agreeing, remaining):
    """The mistakes that explain most of the remaining arrays and, among these, contradict fewest others; of mistakes
    that do so equally well not those that may be made anywhere. None if nothing explains any."""
    ranked = {}
    for mistake, agrees in agreeing:
        if explained := tuple(sorted(array for array in remaining if agrees.get(array))):
            contradicted = sum(not value for value in agrees.values())
            rank = (len(explained), -contradicted, not mistake.anywhere, explained)
            ranked.setdefault(rank, []).append(mistake.name)
    if not ranked:
        return None
    best = max(ranked)
    return Diagnosis(tuple(ranked[best]), best[-1])


def agreement(wrong, theirs, tolerances):
    """{array: do theirs agree, within the slack, with what a mistake makes of it}."""
    return {
        name: bool(np.all(np.abs(value - wrong[name]) <= SLACK * tolerances[name].allow(wrong[name])))
        for name, value in theirs.items()
    }
