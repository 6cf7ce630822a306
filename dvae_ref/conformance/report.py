"""Verdicts in words, and as records.

In a text the first lines say what differs and where, then which rows of known trouble, then the mistake it looks like;
of many quantities the last line says which to mend first: those that fail and contain none that fails
(`catalogue.needed_by`).
"""

import sys

from dvae_ref.conformance.catalogue import needed_by

MOST = 12  # arrays of a verdict that are listed, one a line, and by name: a whole model has fifty


def as_text(verdict):
    """A line a quantity, or more if it fails."""
    if not verdict.attempted:
        return f"--    {verdict.quantity:38s} not attempted"
    rest = ""
    if verdict.skipped:
        rest = f"; not attempted: {', '.join(verdict.skipped)}"
    if verdict.passed:
        worst = verdict.worst
        return f"ok    {verdict.quantity:38s} worst {worst.ratio:8.2g} of the tolerance, at {worst.where}{rest}"
    lines = [f"FAIL  {verdict.quantity}{rest}", *_failures(verdict)]
    if verdict.flags:
        lines.append(f"      rows that fail: {', '.join(_counts(verdict.flags))}")
    if verdict.note:
        lines.append(f"      {verdict.note}")
    else:
        lines += _causes(verdict)
    return "\n".join(lines)


def _failures(verdict):
    """A line an array, of the first so many."""
    failed = [finding.where for finding in verdict.findings if not finding.passed]
    for where in failed[:MOST]:
        yield f"        {where}"
    if len(failed) > MOST:
        yield f"        and {len(failed) - MOST} arrays more"


def _counts(flags):
    for name, (bad, rows) in flags.items():
        if rows:
            yield f"{name} {bad} of {rows}"


def _causes(verdict):
    """What it looks like, and what like nothing known."""
    whole = len(verdict.diagnoses) == 1 and not verdict.not_explained
    for diagnosis in verdict.diagnoses:
        arrays = "all that differ" if whole else listed(diagnosis.arrays)
        yield f"      looks like: {' -- or: '.join(diagnosis.mistakes)}  ({arrays})"
    if verdict.not_explained:
        yield f"      like no mistake known here: {listed(verdict.not_explained)}"
        for line in located(verdict):
            yield f"      {line}"


def located(verdict):
    """Of a whole model, which is computed in this order: how far it is right."""
    right = {finding.array: finding.passed for finding in verdict.findings}
    if not verdict.quantity.startswith("objective") or "q" not in right:
        return []
    if not right["q"]:
        return ["q differs: begin with the encoder's networks, and what they are given"]
    if "bound" not in right:
        return []
    if not right["bound"]:
        return ["q agrees, and with it the encoder: begin with log p(zeta), log q(zeta|x), the decoder and the bound"]
    return ["q and the bound agree: the gradient alone differs"]


def listed(names):
    """All of a few names, of many the first."""
    names = list(names)
    if len(names) <= MOST:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more"


def as_record(verdict):
    """A Verdict for JSON, which has no infinity."""
    arrays = []
    for finding in verdict.findings:
        arrays.append(finding._asdict() | {"ratio": min(finding.ratio, sys.float_info.max)})
    return {
        "quantity": verdict.quantity,
        "passed": verdict.passed,
        "arrays": arrays,
        "diagnoses": [diagnosis._asdict() for diagnosis in verdict.diagnoses],
        "attempted": verdict.attempted,
        "skipped": verdict.skipped,
        "flags": verdict.flags,
        "note": verdict.note,
    }


def mend_first(verdicts):
    """ "; mend first: ..." of the failing quantities that contain no other that fails, if some do."""
    failed = [verdict.quantity for verdict in verdicts if not verdict.passed]
    first = [name for name in failed if needed_by(name).isdisjoint(failed)]
    if len(first) == len(failed):
        return ""
    return f"; mend first: {', '.join(first)} ({len(failed) - len(first)} of the others contain these)"


def summary(verdicts):
    """The last line: how many agree, fail and were not attempted, and where to begin."""
    tried = [verdict for verdict in verdicts if verdict.attempted]
    failed = len([verdict for verdict in tried if not verdict.passed])
    if len(tried) == 1:
        text = f"the one quantity that is there {'disagrees' if failed else 'agrees'}"
    elif failed:
        text = f"{failed} of {len(tried)} quantities disagree"
    else:
        text = f"all {len(tried)} quantities agree"
    if len(tried) < len(verdicts):
        text += f"; not attempted: {len(verdicts) - len(tried)}"
    return text + mend_first(tried)
