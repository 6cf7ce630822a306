"""Which mistake do wrong outputs look like: the right ones are recomputed with each, and compared.

Every mistake that may be made in the quantity makes outputs of its own, from the same inputs. It explains an array that
differs if theirs is within SLACK tolerances of that. First named is the mistake that explains most of what differs;
what is left goes through the same again, so that two mistakes in two places of a model are found one after the other.
If no single one explains all, pairs are tried (`pairs`).

A wrong name is worse than none. So a mistake that would have changed arrays which are right is not named unless it
explains more than it contradicts, or the values are right and the gradients, written by hand, are not, or the other way
round; and tolerances are sharpened, lest numbers that are hardly off be like any mistake that hardly changes them.
"""

from typing import NamedTuple

import numpy as np

from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.mistakes import REGISTRY, Case
from dvae_ref.conformance.pairs import SECONDS, explaining

BLOWN_UP = 1e3  # times what is right
HALF_THE_DIGITS = 1e-8
SLACK = 4  # tolerances: rounding in a wrong formula may be worse conditioned than in the right one


class Diagnosis(NamedTuple):
    """Mistakes that explain the same failing arrays equally well."""

    mistakes: tuple  # of names
    arrays: tuple


def case_of(quantity, given, theirs=None):
    """theirs: somebody's outputs, for mistakes that have to guess a number."""
    given = as_floats(given)
    return Case(quantity, given, quantities.outputs(quantity, given), theirs or {})


def alternatives(case):
    """(mistake, {output: what it makes of it}) of every mistake that may be made in a quantity with these inputs; what
    a mistake leaves alone is as it should be."""
    found = []
    for mistake in REGISTRY:
        if mistake.concerns(case.quantity.name):
            found.append((mistake, case.outputs | mistake.wrong(case)))
    return found


def of(quantity, given, theirs, failing, tolerances, seconds=SECONDS):
    """Diagnoses for the failing arrays of somebody's outputs: one mistake, or two at once (looked for so many seconds),
    or several for some of the arrays each.

    theirs: finite arrays of the right shapes, by name; failing: the names of those that differ; tolerances: of all
    outputs. Mistakes that explain equally well are named together: K = 1 makes many of them the same.
    """
    case = case_of(quantity, given, theirs)
    wrongs = alternatives(case)
    tolerances = sharpened(tolerances, case.outputs, theirs, failing)
    found = diagnose(wrongs, theirs, failing, tolerances, case.outputs)
    if len(found) == 1 and set(found[0].arrays) == failing:
        return found

    def errors_of(wrong):
        return errors(wrong, theirs, tolerances, case.outputs)

    pairs = explaining(case, wrongs, failing, errors_of, seconds)
    return [Diagnosis(tuple(pairs), tuple(sorted(failing)))] if pairs else found


def sharpened(tolerances, ours, theirs, failing):
    """Tolerances with which a mistake explains a failing array only if it takes off three quarters of its error at
    least: what is a little off by rounding alone is like no mistake that hardly changes the array."""
    found = dict(tolerances)
    for name in failing:
        error = float(np.max(ratio(theirs[name], ours[name], tolerances[name])))
        scale = min(1.0, error / (4 * SLACK))
        before = tolerances[name]
        found[name] = before._replace(absolute=scale * before.absolute, relative=scale * before.relative)
    return found


def diagnose(wrongs, theirs, failing, tolerances, ours):
    """Diagnoses for the failing arrays out of these alternatives, those that explain most first; what nothing explains
    is not in any."""
    compared = [(mistake, errors(wrong, theirs, tolerances, ours)) for mistake, wrong in wrongs]
    found, remaining = [], set(failing)
    best = best_explanation(compared, remaining, failing)
    while best:
        found.append(best)
        remaining -= set(best.arrays)
        best = best_explanation(compared, remaining, failing)
    return found


def as_floats(arrays):
    """Arrays of any float in float64, integers as they are."""
    floats = {name: value.astype(float) for name, value in arrays.items() if value.dtype.kind == "f"}
    return arrays | floats


def errors(wrong, theirs, tolerances, ours):
    """{array: the largest |theirs - what a mistake makes of it| in units of the tolerance}, of all their arrays."""
    return {name: _error(theirs[name], wrong[name], tolerances[name], ours[name]) for name in theirs}


def _error(theirs, wrong, tolerance, ours):
    """Of an array that a mistake blows up, say by 1 / (1 - q), half the digits have to agree: plain formulas subtract,
    and lose the others."""
    size = float(np.max(np.abs(wrong), initial=0))
    if size > BLOWN_UP * np.max(np.abs(ours), initial=0):
        tolerance = tolerance._replace(absolute=tolerance.absolute + HALF_THE_DIGITS * size)
    return float(np.max(ratio(theirs, wrong, tolerance)))


def ratio(theirs, ours, tolerance):
    """|theirs - ours| / tolerance; where nothing is allowed, 0 for equal and infinity for different numbers."""
    with np.errstate(over="ignore"):  # numbers near the largest one are off by infinity
        error, allowed = np.abs(theirs - ours), tolerance.allow(ours)
        exact = allowed == 0
        return np.where(exact, np.where(error > 0, np.inf, 0), error / np.where(exact, 1, allowed))


def best_explanation(compared, remaining, failing):
    """The mistakes that explain most of the remaining arrays. Of those, the ones that would have changed the fewest
    arrays that are right, that are not such as may be made anywhere, that contradict the fewest others, and that need
    no slack. None if nothing explains any."""
    ranked = {}
    for mistake, error in compared:
        fits = {name for name, value in error.items() if value <= SLACK}
        explained = tuple(sorted(remaining & fits))
        contradicted = set() if mistake.anywhere else set(error) - fits
        right = contradicted - failing
        if explained and _credible(explained, right):
            tight = max(error[name] for name in explained) <= 1
            rank = (len(explained), -len(right), not mistake.anywhere, -len(contradicted), tight, explained)
            ranked.setdefault(rank, []).append(mistake.name)
    if not ranked:
        return None
    best = max(ranked)
    return Diagnosis(tuple(ranked[best]), best[-1])


def _credible(explained, right):
    """May a mistake have been made that explains these arrays, but would have changed others, which are right? If those
    are fewer; or if it was made in the values, and not in gradients that somebody wrote by hand, or the other way
    round."""
    kinds = [set(map(quantities.is_gradient, names)) for names in (explained, right)]
    by_hand = max(map(len, kinds)) == 1 and kinds[0] != kinds[1]
    return by_hand or len(right) < len(explained)
