"""Real packages against the kit, and the page of it: python page_of_clients.py [PAGE] [--only scipy dimod ...]

Each file of_*.py here is a package: thin adapters from the kit's inputs to its outputs (CHECKS), and what was found
(FOUND). What is not installed is left out, and said.
"""

import argparse
import contextlib
import importlib
import io
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from dvae_ref.conformance import case

HERE = Path(__file__).parent
NOTES = HERE / "notes.txt"
HEAD = """# Real packages, checked

What the conformance kit says of packages that compute some of its quantities: made by `make clients`, with the
versions of the extra `clients`, seed 0. The adapters are in [examples/clients](examples/clients), a dozen lines each.
"Agrees" is within the tolerances of the kit, which follow from an error estimate; "worst" is the largest share of one.
What does not agree may be another convention, and is called so. Nobody's package is wrong for having been made for
something else.

| package | version | quantity | checked | verdict | worst |
|---|---|---|---|---|---|
"""


def outcome(check):
    """(verdict in words, worst share of the tolerance) of a Check; RuntimeError if it is not what is expected."""
    one = case(check.quantity, dtype=check.dtype)
    try:
        found = one.check(check.answer(one.inputs))
    except AssertionError as error:
        if not check.looks_like or f"looks like: {check.looks_like}" not in str(error):
            raise RuntimeError(f"{check.what}: {error}") from error
        return f"differs: {check.looks_like}", "-"
    if check.looks_like:
        raise RuntimeError(f"{check.what} agrees; expected {check.looks_like}")
    partly = f" (not in it: {', '.join(found.skipped)})" if found.skipped else ""
    return f"agrees{partly}", f"{found.worst.ratio:.2g}"


def printed(lines):
    """What lines of Python print."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(lines, {})
    return text.getvalue()


def rows(module):
    """The table's rows of a client."""
    names, versions = ", ".join(module.PACKAGES), ", ".join(version(name) for name in module.PACKAGES)
    for check in module.CHECKS:
        verdict, worst = outcome(check)
        yield f"| {names} | {versions} | `{check.quantity}` | {check.what} | {verdict} | {worst} |\n"


def found(module):
    """The paragraphs on what was found; RuntimeError where it is so no longer."""
    for one in module.FOUND:
        if printed(one.lines) != one.printed:
            raise RuntimeError(f"{module.__name__}: {one.words} no longer: it prints {printed(one.lines)}")
        output = "".join(f"# {line}\n" for line in one.printed.splitlines())
        yield f"**{module.PACKAGES[0]}.** {one.words}\n\n```text\n{one.lines}\n{output}```\n"


def clients(only):
    """The modules of_*.py, those that are installed; (modules, names of the others)."""
    modules, missing = [], []
    for path in sorted(HERE.glob("of_*.py")):
        if only and path.stem.removeprefix("of_") not in only:
            continue
        try:
            modules.append(importlib.import_module(path.stem))
        except ImportError as error:
            missing.append(f"{path.stem.removeprefix('of_')} ({error})")
    return modules, missing


def page(modules, missing):
    table = [row for module in modules for row in rows(module)]
    notes = [note for module in modules for note in found(module)]
    absent = f"\nNot installed here: {', '.join(missing)}.\n" if missing else ""
    return HEAD + "".join(table) + absent + "\n## What was found\n\n" + "\n".join(notes) + NOTES.read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="file to write; else it is printed")
    parser.add_argument("--only", nargs="+", default=[], help="names of clients: of_NAME.py")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    text = page(*clients(args.only))
    args.page.write_text(text) if args.page else sys.stdout.write(text)


if __name__ == "__main__":
    main()
