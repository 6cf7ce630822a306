"""Break a formula of dvae_ref, check the claim that rests on it, and see whether the claim notices.

Without it a claim that passes might be one that cannot fail. A break is caught if a finding fails that holds unbroken,
by its bound or by an error that a user would see as well; a break that merely does not run is no catch. What survives
is told, and fails the command: the claim is to be sharpened, or the break is none.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dvae_ref.conformance.mistakes.registry import replaced
from validation import claims
from validation.claim import failure
from validation.report import number, ratio

PAGE = """# What validation catches

Each row is a way to get it wrong: a formula, an order of operations or a constant broken while the quick check of a
claim runs, or the part of it that can see the break (`validation/breaks/`). It is caught if a finding fails that holds
without it. The last columns are of the finding that is furthest out: its error, and the bound that it had to keep.
`python -m validation --sabotage --table docs/breaks.md` writes this page.

{table}

## Mistakes against claims

A function that several claims rest on, broken wherever it is called from: how many findings of each claim fail. A
dash is none; an order of sweeps, for one, is no mistake where they have converged (`validation/matrix.py`).

{matrix}
"""


@dataclass(frozen=True)
class Break:
    """One way to get it wrong: while it lasts, every (target, attribute) is what its function makes of the original.

    part: what of the claim's check is run, its keyword arguments.
    """

    name: str
    claim: str
    patches: tuple[tuple[object, str, Callable], ...]
    part: dict = field(default_factory=dict)

    @contextlib.contextmanager
    def applied(self):
        """While it lasts, the broken functions stand in the places of the original ones."""
        with contextlib.ExitStack() as stack:
            for target, attribute, broken in self.patches:
                stack.enter_context(replaced(target, **{attribute: broken(vars(target)[attribute])}))
            yield


def around(way):
    """What makes of an original a function that calls way(original, *arguments)."""

    def broken(original):
        return lambda *arguments, **options: way(original, *arguments, **options)

    return broken


def instead(value):
    """What puts a value in the original's place, whatever that was."""
    return lambda original: value


def breaks(claim, name, target, attribute, way, **part):
    """The Break that calls way(original, *arguments) wherever the original is called."""
    return Break(name, claim, ((target, attribute, around(way)),), part)


def known(claim, target, attribute, wrong, **part):
    """A Break for each of the library's wrong functions that may take the place of this one: {name: function}."""
    return [Break(name, claim, ((target, attribute, instead(f)),), part) for name, f in wrong.items()]


class Outcome(NamedTuple):
    """How a claim took a break: how many of its findings fail, and the one that is furthest out."""

    broken: Break
    failed: int
    findings: int
    worst: object
    sound: bool  # does the same check pass unbroken?

    @property
    def caught(self):
        return self.sound and self.failed > 0

    def to_json(self):
        """For the report's JSON."""
        return {
            "name": self.broken.name,
            "claim": self.broken.claim,
            "caught": self.caught,
            "failed": self.failed,
            "findings": self.findings,
            "worst": self.worst.to_json(),
        }


def try_break(broken, seed):
    """The Outcome of the claim's quick check under the break."""
    sound = unbroken(broken.claim, tuple(broken.part.items()), seed)
    with broken.applied(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        findings = checked(broken.claim, broken.part, seed)
    failed = [f for f in findings if not f.passed]
    return Outcome(broken, len(failed), len(findings), max(failed or findings, key=ratio), sound)


@functools.cache
def unbroken(claim, part, seed):
    """Whether the claim's quick check passes as it should: without this control, any failure would count as a catch."""
    return all(f.passed for f in checked(claim, dict(part), seed))


def checked(claim, part, seed):
    """The findings of a quick check; an exception, which a user would see too, is a finding that failed."""
    try:
        return claims.load([claim])[0].check(quick=True, seed=seed, **part)[0]
    except (ArithmeticError, ValueError) as error:  # no other: a break that merely does not run shows nothing
        return [failure(error)]


def table(outcomes):
    """Markdown: a break a line, with the finding of its claim that is furthest out."""
    lines = ["| break | claim | findings that fail | furthest out | error | bound |", "|---|---|--:|---|--:|--:|"]
    for o in outcomes:
        counts = f"{o.failed} of {o.findings}" if o.caught else "none: it survives"
        worst = o.worst.quantity.replace("|", "\\|")
        numbers = f"{number(o.worst.error, 2)} | {number(o.worst.bound, 2)}"
        name = o.broken.name.replace("|", "\\|")
        lines.append(f"| {name} | {o.broken.claim} | {counts} | {worst} | {numbers} |")
    return "\n".join(lines)


def as_text(outcome):
    """An Outcome in a line: caught, or it survives; UNSOUND where the check fails without the break."""
    worst = outcome.worst
    verdict = "SURVIVES" if outcome.sound else "UNSOUND "
    if outcome.caught:
        verdict = "caught  "
    detail = f"{outcome.failed} of {outcome.findings} findings fail; {worst.quantity}: error {number(worst.error, 3)}"
    return f"{verdict} {outcome.broken.claim:18s} {outcome.broken.name:62s} {detail} > {number(worst.bound, 3)}"
