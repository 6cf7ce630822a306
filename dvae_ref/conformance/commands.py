"""The commands of python -m dvae_ref conformance: show, export and check."""

import textwrap

from tqdm import tqdm

from dvae_ref.conformance import check as checking
from dvae_ref.conformance import export as exporting
from dvae_ref.conformance import glossary, names, report, vectors
from dvae_ref.conformance import quantity as quantities
from dvae_ref.conformance.catalogue import QUANTITIES
from dvae_ref.program.console import UsageError, at_least, bar_style, conclude


def run(args):
    """Say what there is, export a kit, or check somebody's outputs."""
    actions = {"show": show, "export": export, "check": check}
    return actions[args.action](args)


def show(args):
    """Without names a line a quantity; with names all that an implementer has to know."""
    try:
        chosen = names.matching(QUANTITIES, args.names)
    except ValueError as error:
        raise UsageError(error) from error
    if not args.names:
        for item in QUANTITIES.values():
            print(f"{item.name:38s} {item.equation}")
    for name in chosen:
        print(description(QUANTITIES[name]))
    return 0


def description(item):
    """A Quantity in words, and its arrays."""
    text = " ".join(item.meaning.split()).removesuffix(".") + "."
    if item.gradient_of:
        text += f" Gradients: of {item.gradient_of}."
    given = quantities.inputs(item, 0)
    lines = [f"{item.name}  ({item.equation})"]
    lines += textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="  ")
    lines += ["  inputs:", *_arrays(given, False)]
    lines += ["  outputs:", *_arrays(quantities.outputs(item, given), True)]
    return "\n".join(lines) + "\n"


def _arrays(named, is_output):
    """A line an array."""
    for name, value in named.items():
        yield f"    {name:32s} {value.shape!s:10s} {glossary.meaning(name, is_output)}"


def export(args):
    """Write a kit, and say where."""
    at_least(args, seed=0)
    write = {"npz": exporting.export, "json": exporting.export_json}[args.format]
    with tqdm(total=len(QUANTITIES), desc="export", unit="quantity", leave=False, **bar_style()) as bar:
        write(args.folder, args.seed, args.dtype, lambda name: bar.update())
    record = {"folder": str(args.folder), "quantities": len(QUANTITIES), "seed": args.seed, "dtype": args.dtype}
    what = f" and {vectors.MANIFEST}" if args.format == "npz" else ""
    conclude(args, record, f"wrote {len(QUANTITIES)} quantities{what} to {args.folder}")
    return 0


def check(args):
    """0 if all that is there agrees, 1 if not; UsageError if there is nothing to compare."""
    try:
        manifest = vectors.read_manifest(args.folder)
        theirs = checking.answers(args.theirs)
        for line in checking.misspelt(theirs, manifest):
            print(line)
        chosen = asked_for(manifest, args, theirs)
        verdicts = checking.check(args.folder, theirs, manifest, chosen, show_verdict, args.all)
    except (ValueError, OSError) as error:
        raise UsageError(error) from error
    passed = all(verdict.passed for verdict in verdicts)
    record = {"passed": passed, "quantities": [report.as_record(verdict) for verdict in verdicts]}
    conclude(args, record, report.summary(verdicts))
    return int(not passed)


def show_verdict(verdict):
    """What was not attempted is counted, and not listed."""
    if verdict.attempted:
        print(report.as_text(verdict))


def asked_for(manifest, args, theirs):
    """The quantities to check; ValueError if there are none, or none of their files."""
    listed = {entry["name"]: entry for entry in manifest["quantities"]}
    unknown = sorted(set(listed) - set(QUANTITIES))
    if unknown:
        raise ValueError(f"{args.folder} has quantities that this version does not know: {', '.join(unknown)}")
    chosen = names.matching(listed, args.only or ["*"])
    if not checking.any_of(theirs, [listed[name] for name in chosen]):
        what = "quantities" if isinstance(theirs, dict) else "files"
        first = chosen[0] if isinstance(theirs, dict) else listed[chosen[0]]["file"]
        raise ValueError(f"{args.theirs} has none of the {what}, e.g. {first}")
    return chosen
