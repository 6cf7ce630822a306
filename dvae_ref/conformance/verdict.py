"""The verdict on somebody's outputs of one quantity, from whatever door they came."""

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
        explained = {name for found in self.diagnoses for name in found.arrays}
        return [f.array for f in self.findings if f.failure == "differs" and f.array not in explained]

    @property
    def worst(self):
        return max(self.findings, key=lambda finding: (not finding.passed, finding.ratio))


def unreadable(quantity, error):
    """Of a file that cannot be used: it fails, and the others are looked at all the same."""
    return Verdict(quantity, [Finding("the file", "unreadable", np.inf, str(error))], [])


def judge(item, given, ours, allowed, theirs, every=False, seconds=SECONDS):
    """The Verdict on arrays by name. item: the Quantity; given, ours: its inputs and outputs; allowed: the Tolerance of
    each output; every: all outputs are demanded, not only judged where they are there; seconds: for the search of two
    mistakes at once."""
    names = [name for name in allowed if every or name in theirs]
    findings = [compare(name, ours[name], theirs.get(name), allowed[name]) for name in names]
    usable = {name: theirs[name].astype(float) for name in allowed if _usable(ours[name], theirs.get(name))}
    failing = {finding.array for finding in findings if finding.failure == "differs"}
    skipped = [name for name in allowed if name not in names]
    shaped = {name: theirs[name].astype(float) for name in allowed if _shaped(ours[name], theirs.get(name))}
    flags = by_flag(item, given, ours, shaped, allowed)
    if not failing:
        return Verdict(item.name, findings, [], skipped, flags)
    note = fingerprint.other_inputs(item, given, theirs, usable, allowed)
    found = [] if note else diagnosis.of(item, given, usable, failing, allowed, seconds)
    return Verdict(item.name, findings, found, skipped, flags, note)


def _usable(ours, theirs):
    return _shaped(ours, theirs) and bool(np.all(np.isfinite(theirs)))


def _shaped(ours, theirs):
    return theirs is not None and theirs.shape == ours.shape


def by_flag(item, given, ours, theirs, allowed):
    """{flag: (rows that fail, rows)} of the flags of single rows, and of the rows without one; {} if no row fails."""
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
