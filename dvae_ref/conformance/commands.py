"""The commands of python -m dvae_ref conformance: show, export and check."""

import sys
import textwrap
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from dvae_ref.conformance import check as checking
from dvae_ref.conformance import export as exporting
from dvae_ref.conformance import glossary, vectors
from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.program.console import UsageError, at_least, bar_style, conclude


def run(args):
    """Say what there is, export a kit, or check somebody's outputs."""
    return {"show": show, "export": export, "check": check}[args.action](args)


def show(args):
    """Without names a line a quantity; with names all that an implementer has to know."""
    unknown = [name for name in args.names if not any(fnmatch(known, name) for known in QUANTITIES)]
    if unknown:
        raise UsageError(f"no quantity {', '.join(unknown)}; there are {', '.join(QUANTITIES)}")
    for item in QUANTITIES.values():
        if not args.names:
            print(f"{item.name:28s} {item.equation}")
        elif any(fnmatch(item.name, name) for name in args.names):
            print(description(item))
    return 0


def description(item):
    """A Quantity in words, and its arrays."""
    given = quantities.inputs(item, 0)
    arrays = {"inputs": given, "outputs": quantities.outputs(item, given)}
    text = " ".join(item.meaning.split()) + (f" Gradients: of {item.gradient_of}." if item.gradient_of else "")
    lines = [f"{item.name}  ({item.equation})", *textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="  ")]
    for role, named in arrays.items():
        lines.append(f"  {role}:")
        for name, value in named.items():
            lines.append(f"    {name:32s} {value.shape!s:10s} {glossary.meaning(name, role == 'outputs')}")
    return "\n".join(lines) + "\n"


def export(args):
    at_least(args, seed=0)
    with tqdm(total=len(QUANTITIES), desc="export", unit="quantity", leave=False, **bar_style()) as bar:
        exporting.export(args.folder, args.seed, args.dtype, lambda name: bar.update())
    record = {"folder": str(args.folder), "quantities": len(QUANTITIES), "seed": args.seed, "dtype": args.dtype}
    conclude(args, record, f"wrote {len(QUANTITIES)} quantities and {vectors.MANIFEST} to {args.folder}")
    return 0


def check(args):
    """0 if everything agrees, 1 if not; UsageError if there is nothing to compare."""
    try:
        manifest = vectors.read_manifest(args.folder)
        names = asked_for(manifest, args)
        verdicts = checking.check(args.folder, args.theirs, manifest, names, lambda verdict: print(as_text(verdict)))
    except (ValueError, OSError) as error:
        raise UsageError(error) from error
    failed = [verdict.quantity for verdict in verdicts if not verdict.passed]
    text = (
        f"{len(failed)} of {len(verdicts)} quantities disagree" if failed else f"all {len(verdicts)} quantities agree"
    )
    conclude(args, {"passed": not failed, "quantities": [as_record(verdict) for verdict in verdicts]}, text)
    return int(bool(failed))


def asked_for(manifest, args):
    """The quantities to check; ValueError if there are none, or none of their files."""
    listed = {entry["name"]: entry["file"] for entry in manifest["quantities"]}
    if unknown := sorted(set(listed) - set(QUANTITIES)):
        raise ValueError(f"{args.folder} has quantities that this version does not know: {', '.join(unknown)}")
    patterns = args.only or ["*"]
    names = [name for name in listed if any(fnmatch(name, pattern) for pattern in patterns)]
    if not names:
        raise ValueError(f"--only {' '.join(patterns)}: no such quantity; there are {', '.join(listed)}")
    if not any((Path(args.theirs) / listed[name]).exists() for name in names):
        raise ValueError(f"{args.theirs} has none of the files, e.g. {listed[names[0]]}")
    return names


def as_text(verdict):
    """A line a quantity, or more if it fails."""
    worst = verdict.worst
    if verdict.passed:
        return f"ok    {verdict.quantity:28s} worst {worst.ratio:8.2g} of the tolerance, at {worst.where}"
    lines = [f"FAIL  {verdict.quantity}"]
    lines += [f"        {finding.where}" for finding in verdict.findings if not finding.passed]
    for diagnosis in verdict.diagnoses:
        whole = len(verdict.diagnoses) == 1 and not verdict.unexplained
        arrays = "all that differ" if whole else ", ".join(diagnosis.arrays)
        lines.append(f"      looks like: {' -- or: '.join(diagnosis.mistakes)}  ({arrays})")
    if verdict.unexplained:
        lines.append(f"      like no mistake known here: {', '.join(verdict.unexplained)}")
    return "\n".join(lines)


def as_record(verdict):
    findings = [finding._asdict() | {"ratio": min(finding.ratio, sys.float_info.max)} for finding in verdict.findings]
    diagnoses = [diagnosis._asdict() for diagnosis in verdict.diagnoses]
    return {"quantity": verdict.quantity, "passed": verdict.passed, "arrays": findings, "diagnoses": diagnoses}
