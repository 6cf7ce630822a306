"""Verdicts in words, and as records."""

import sys

from dvae_ref.conformance.catalogue import needed_by

MOST = 12  # arrays of a verdict that are listed, one a line, and by name: a whole model has fifty


def as_text(verdict):
    """A line a quantity, or more if it fails."""
    rest = f"; not attempted: {', '.join(verdict.skipped)}" if verdict.skipped and verdict.attempted else ""
    if not verdict.attempted:
        return f"--    {verdict.quantity:38s} not attempted"
    worst = verdict.worst
    if verdict.passed:
        return f"ok    {verdict.quantity:38s} worst {worst.ratio:8.2g} of the tolerance, at {worst.where}{rest}"
    lines = [f"FAIL  {verdict.quantity}{rest}"]
    failed = [finding for finding in verdict.findings if not finding.passed]
    lines += [f"        {finding.where}" for finding in failed[:MOST]]
    lines += [f"        and {len(failed) - MOST} arrays more"] * (len(failed) > MOST)
    if verdict.flags:
        counts = (f"{name} {bad} of {rows}" for name, (bad, rows) in verdict.flags.items() if rows)
        lines.append(f"      rows that fail: {', '.join(counts)}")
    if verdict.note:
        return "\n".join([*lines, f"      {verdict.note}"])
    for diagnosis in verdict.diagnoses:
        whole = len(verdict.diagnoses) == 1 and not verdict.not_explained
        arrays = "all that differ" if whole else listed(diagnosis.arrays)
        lines.append(f"      looks like: {' -- or: '.join(diagnosis.mistakes)}  ({arrays})")
    if verdict.not_explained:
        lines.append(f"      like no mistake known here: {listed(verdict.not_explained)}")
        lines += [f"      {line}" for line in located(verdict)]
    return "\n".join(lines)


def located(verdict):
    """Of a whole model, which is computed in this order: how far it is right."""
    right = {finding.array: finding.passed for finding in verdict.findings}
    if not verdict.quantity.startswith("objective") or "q" not in right:
        return []
    if not right["q"]:
        return ["q differs: begin with the encoder's networks, and what they are given"]
    if not right.get("bound", True):
        return ["q agrees, and with it the encoder: begin with log p(zeta), log q(zeta|x), the decoder and the bound"]
    return ["q and the bound agree: the gradient alone differs"] if "bound" in right else []


def listed(names):
    """All of a few names, of many the first."""
    names = list(names)
    return ", ".join(names) if len(names) <= MOST else f"{', '.join(names[:3])} and {len(names) - 3} more"


def as_record(verdict):
    findings = [finding._asdict() | {"ratio": min(finding.ratio, sys.float_info.max)} for finding in verdict.findings]
    diagnoses = [diagnosis._asdict() for diagnosis in verdict.diagnoses]
    more = {"attempted": verdict.attempted, "skipped": verdict.skipped, "flags": verdict.flags, "note": verdict.note}
    return {"quantity": verdict.quantity, "passed": verdict.passed, "arrays": findings, "diagnoses": diagnoses, **more}


def mend_first(verdicts):
    """ "; mend first: ..." of the failing quantities that contain no other that fails, if some do."""
    failed = [verdict.quantity for verdict in verdicts if not verdict.passed]
    contain = {name: [other for other in failed if other in needed_by(name)] for name in failed}
    first = [name for name in failed if not contain[name]]
    if len(first) == len(failed):
        return ""
    return f"; mend first: {', '.join(first)} ({len(failed) - len(first)} of the others contain these)"


def summary(verdicts):
    """The last line: how many agree, fail and were not attempted, and where to begin."""
    tried = [verdict for verdict in verdicts if verdict.attempted]
    failed = sum(not verdict.passed for verdict in tried)
    if len(tried) == 1:
        text = f"the one quantity that is there {'disagrees' if failed else 'agrees'}"
    else:
        text = f"{failed} of {len(tried)} quantities disagree" if failed else f"all {len(tried)} quantities agree"
    skipped = len(verdicts) - len(tried)
    return text + (f"; not attempted: {skipped}" if skipped else "") + mend_first(tried)
