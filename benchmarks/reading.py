"""How densely the tree is written, by room: python -m benchmarks.reading [COMMIT ...]

Counted by tokenize and ast alone, so any commit can be measured, also one that does not run. A line of code is one that
is neither blank nor comment nor docstring; what is written on lines of their own to be read is a doc line.

"Tricks" are what puts several ideas on a line: conditional expressions, lambdas, walruses, stars, clauses of
comprehensions, slices. A function's length is its lines of code, the signature among them. Such numbers point at places
to read; whether what stands there is good they do not say.
"""

import argparse
import ast
import io
import subprocess
import sys
import tarfile
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOMS = ("theory", "fast", "model", "sampling", "exact", "files", "program", "runs", "table1", "conformance")
FOLDERS = ("validation", "figures", "benchmarks", "tests")
TRICKS = (ast.IfExp, ast.Lambda, ast.NamedExpr, ast.Starred, ast.comprehension, ast.Slice)
QUIET = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


class Count(NamedTuple):
    """Of a file, or of a room's files together."""

    code: int  # lines
    doc: int  # lines
    tricks: int
    functions: tuple  # their lengths, lines of code

    def __add__(self, other):
        return Count(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Count(0, 0, 0, ())


def count(source):
    """The Count of a source text."""
    tree = ast.parse(source)
    docstrings = docstring_lines(tree)
    code, comments = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.update(lines)
        elif token.type not in QUIET:
            code.update(lines)
    code -= docstrings
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = (len(code & set(range(node.lineno, node.end_lineno + 1))) for node in functions)
    tricks = sum(isinstance(node, TRICKS) for node in ast.walk(tree))
    return Count(len(code), len(docstrings | comments - code), tricks, tuple(lengths))


def docstring_lines(tree):
    """The numbers of the lines that docstrings take."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            text = node.body[0]
            lines.update(range(text.lineno, text.end_lineno + 1))
    return lines


def room(path):
    """Where a file of the tree belongs: a folder, or a room of the package; None for what is not counted."""
    folder, *rest = Path(path).parts
    if folder != "dvae_ref":
        return folder if folder in FOLDERS else None
    return rest[0] if rest[0] in ROOMS else "the rest of dvae_ref"


def sources(commit):
    """(path, text) of the Python files of a commit; of the working tree for None."""
    if commit is None:
        listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True).stdout
        yield from ((path, Path(path).read_text()) for path in listed.split())
        return
    archive = subprocess.run(["git", "archive", commit], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if member.name.endswith(".py"):
                yield member.name, members.extractfile(member).read().decode()


def by_room(commit):
    """{room: Count}, with "dvae_ref" for the whole package."""
    found = {}
    for path, text in sources(commit):
        place = room(path)
        if place:
            counted = count(text)
            found[place] = found.get(place, NOTHING) + counted
            if place not in FOLDERS:
                found["dvae_ref"] = found.get("dvae_ref", NOTHING) + counted
    return found


def quantile(lengths, share):
    """The length that this share of the functions does not exceed."""
    ordered = sorted(lengths) or [0]
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def table(found):
    """Lines of a Markdown table, a room each: tricks and doc lines are in 100 lines of code."""
    yield "| room | code lines | tricks / 100 | doc / 100 | function median | p90 | max |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    order = ("dvae_ref", *ROOMS, "the rest of dvae_ref", *FOLDERS)
    for name in (name for name in order if name in found):
        c = found[name]
        dense, said = (100 * part / max(c.code, 1) for part in (c.tricks, c.doc))
        lengths = (quantile(c.functions, share) for share in (0.5, 0.9, 1.0))
        yield f"| {name} | {c.code} | {dense:.1f} | {said:.0f} | " + " | ".join(map(str, lengths)) + " |"


def main(arguments=None):
    """Print a table for each commit, or for the working tree."""
    parser = argparse.ArgumentParser("python -m benchmarks.reading", description=__doc__.split("\n")[0])
    parser.add_argument("commits", nargs="*", metavar="COMMIT", help="default: the files as they are here")
    for commit in parser.parse_args(arguments).commits or [None]:
        print(f"{commit or 'the working tree'}:\n")
        print("\n".join(table(by_room(commit))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
