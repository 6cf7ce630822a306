"""The kit's mistakes in a function of the theory, against every claim that rests on it: python -m validation.matrix

`--sabotage` tries each break on the claim that is there to catch it, and ends with this. Here a mistake is made
wherever the function is called from, and each claim says how many of its findings fail: where nothing does, the mistake
is not seen there, or, as another order of sweeps that have converged, is none.
"""

import argparse
import sys
from typing import NamedTuple

from dvae_ref.conformance.mistakes.formulas import IMPORTANCE_WEIGHTED, MEAN_FIELD
from dvae_ref.theory import bounds, mean_field, overlapping
from dvae_ref.theory.smoothing import Exponential, Power, named
from validation.sabotage import Break, try_break


class Formula(NamedTuple):
    """A function that may be wrong: where it is called from, its wrong forms, and {claim: what of its check is run}."""

    name: str
    places: tuple
    wrong: dict
    claims: dict


CELL = {"cells": (("dvaes_power", 2, 2),)}
FORMULAS = (
    Formula(
        "mean_field",
        ((mean_field, "mean_field"), (overlapping, "mean_field")),
        MEAN_FIELD,
        {
            "mean_field": {},
            "gradient_of_log_p": {"names": named(Power)},
            "iw_bounds": {"names": named(Exponential)},
            "gradients": CELL,
        },
    ),
    Formula(
        "importance_weighted",
        ((bounds, "importance_weighted"),),
        IMPORTANCE_WEIGHTED,
        {"iw_bounds": {"names": named(Exponential)}, "gradients": CELL},
    ),
)


def claims():
    """The names of all that are tried."""
    tried = set()
    for formula in FORMULAS:
        tried.update(formula.claims)
    return tried


def breaks_of(formula, mistake):
    """{claim: the Break of the mistake, wherever the function is called from}."""
    function = formula.wrong[mistake]
    patches = tuple((target, attribute, lambda _: function) for target, attribute in formula.places)
    return {claim: Break(mistake, claim, patches, part) for claim, part in formula.claims.items()}


def row(formula, mistake, seed):
    """{claim: Outcome} of a mistake."""
    return {claim: try_break(broken, seed) for claim, broken in breaks_of(formula, mistake).items()}


def cell(outcome):
    """How many findings fail, of how many."""
    return f"{outcome.failed} of {outcome.findings}" if outcome.caught else "\u2013"


def tables(seed, say=print):
    """Markdown, a table a formula; the mistakes that no claim catches."""
    missed = []
    for formula in FORMULAS:
        say(f"| {formula.name} | {' | '.join(formula.claims)} |")
        say("|---" * (1 + len(formula.claims)) + "|")
        for mistake in formula.wrong:
            outcomes = row(formula, mistake, seed)
            say(f"| {mistake} | {' | '.join(map(cell, outcomes.values()))} |")
            if not any(outcome.caught for outcome in outcomes.values()):
                missed.append(mistake)
        say("")
    return missed


def main(argv=None):
    """0 if every mistake is caught by a claim, 1 if not."""
    argparse.ArgumentParser("python -m validation.matrix", description=__doc__.partition(":")[0]).parse_args(argv)
    missed = tables(seed=0)
    print(f"no claim catches: {', '.join(missed)}" if missed else "every mistake is caught")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
