"""benchmarks.reading counts what a reader would count by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import reading

ROOT = Path(__file__).parent.parent
SOURCE = '''"""A docstring
of two lines."""

import os  # code


def f(x, *rest):
    """One line."""
    # a comment

    y = x if rest else [z for z in x[1:]]
    return (
        y
    )


class A:
    """It."""

    def g(self): return lambda: (n := 1)
'''


def test_a_source_counted_by_hand():
    """Code: import, def f, y, the return's 3, class A, def g. Read: 2 + 1 + 1 lines of docstrings, a comment.
    Tricks: if-else, comprehension, slice; lambda, walrus. f has 5 lines, g has 1."""
    assert reading.count(SOURCE) == reading.Count(code=8, doc=5, tricks=5, functions=(5, 1))


def test_counts_add_up_and_quantiles_are_of_all_functions():
    both = reading.count(SOURCE) + reading.count(SOURCE)
    assert both == reading.Count(16, 10, 10, (5, 1, 5, 1))
    assert [reading.quantile(range(1, 11), share) for share in (0.5, 0.9, 1.0)] == [6, 10, 10]


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("dvae_ref/theory/mixture.py", "theory"),
        ("dvae_ref/cli.py", "the rest of dvae_ref"),
        ("validation/claims/ais.py", "validation"),
        ("docs/examples/conformance_numpy.py", None),
    ],
)
def test_rooms(path, room):
    assert reading.room(path) == room


def test_the_table_of_this_tree():
    """Every room, and the whole package as the sum of its rooms."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.reading"], cwd=ROOT, capture_output=True, text=True)
    if "git" in done.stderr:
        pytest.skip("no git repository here")
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in done.stdout.splitlines() if "|" in line}
    assert set(reading.ROOMS) | set(reading.FOLDERS) | {"dvae_ref"} <= rows.keys()
    lines = {name: int(row[0]) for name, row in rows.items() if row[0].strip().isdigit()}
    assert lines["dvae_ref"] == sum(lines[name] for name in (*reading.ROOMS, "the rest of dvae_ref"))
