"""The verdict on somebody's outputs of one quantity, from whatever door they came.

Each array is compared by itself (`compare`). If any differs, three things are asked of them together: which rows fail,
by flags of known trouble; whether they are the outputs for other inputs (`fingerprint`), when looking for a mistake
would find some; and, if not, which mistake they look like (`diagnosis`). A quantity passes if every array that was
given does: arrays that were not are listed, and do not count.
"""

from dataclasses import dataclass, field

import numpy as np

from dvae_ref.conformance import diagnosis, fingerprint, report
from dvae_ref.conformance.compare import Finding, compare
from dvae_ref.conformance.pairs import SECONDS
from dvae_ref.conformance.quantities import trouble


@dataclass(frozen=True)
class Verdict:
    """A quantity: the findings of the arrays that were given, and what a failure looks like (diagnosis.Diagnosis)."""

    quantity: str
    findings: list
    diagnoses: list
    skipped: list = field(default_factory=list)  # arrays that were not given, and did not have to be
    flags: dict = field(default_factory=dict)  # flag: (rows that fail, rows), where rows fail
    note: str = ""  # of inputs that are another seed's

    def __str__(self):
        return report.as_text(self)

    @property
    def passed(self):
        return all(finding.passed for finding in self.findings)

    @property
    def attempted(self):
        return bool(self.findings)

    @property
    def not_explained(self):
        """The arrays whose numbers differ for no reason that is known."""
        explained = set()
        for found in self.diagnoses:
            explained |= set(found.arrays)
        return [name for name in failing(self.findings) if name not in explained]

    @property
    def worst(self):
        """The finding that needs the largest share of its tolerance, one that fails before one that does not."""
        return max(self.findings, key=_badness)


def _badness(finding):
    return not finding.passed, finding.ratio


def failing(findings):
    """The names of arrays whose numbers differ, in the order of the findings."""
    return [finding.array for finding in findings if finding.failure == "differs"]


def unreadable(quantity, error):
    """Of a file that cannot be used: it fails, and the others are looked at all the same."""
    return Verdict(quantity, [Finding("the file", "unreadable", np.inf, str(error))], [])


def judge(item, given, ours, allowed, theirs, every=False, seconds=SECONDS):
    """The Verdict on arrays by name.

    item: the Quantity; given, ours: its inputs and outputs; allowed: the Tolerance of each output; every: all outputs
    are demanded, not only judged where they are there; seconds: for the search of two mistakes at once. Mistakes are
    looked for in arrays whose numbers are all finite, and not where they are the outputs for other inputs.
    """
    findings, skipped, shaped, usable = [], [], {}, {}
    for name, tolerance in allowed.items():
        array = theirs.get(name)
        if array is None and not every:
            skipped.append(name)
            continue
        findings.append(compare(name, ours[name], array, tolerance))
        if findings[-1].failure not in ("missing", "shape"):
            shaped[name] = array.astype(float)
        if findings[-1].failure in ("", "differs"):
            usable[name] = array.astype(float)
    flags, wrong = by_flag(item, given, ours, shaped, allowed), set(failing(findings))
    if not wrong:
        return Verdict(item.name, findings, [], skipped, flags)
    note = fingerprint.other_inputs(item, given, theirs, usable, allowed)
    found = [] if note else diagnosis.of(item, given, usable, wrong, allowed, seconds)
    return Verdict(item.name, findings, found, skipped, flags, note)


def by_flag(item, given, ours, theirs, allowed):
    """{flag: (rows that fail, rows)} of the flags of single rows, and of the rows without one; {} if no row fails.

    A row fails if any of its elements does, in any array that has rows. So "large-logit 2 of 2, no flag 0 of 5" says
    that the formula is right and the numerics are not.
    """
    flags = trouble.of_rows(given)
    flagged = trouble.rows(given)
    fails = np.zeros_like(flagged)
    for name, value in theirs.items():
        axis = trouble.axis_of_rows(item, name, value.shape, len(flagged))
        if axis is not None:
            ratio = diagnosis.ratio(value, ours[name].astype(float), allowed[name])
            agrees = np.moveaxis(ratio <= 1, axis, 0).reshape(len(flagged), -1)  # NaN does not
            fails |= ~agrees.all(1)
    if not fails.any():
        return {}
    flags |= {"no flag": ~flagged}
    return {name: (int(np.sum(fails & rows)), int(rows.sum())) for name, rows in flags.items()}
