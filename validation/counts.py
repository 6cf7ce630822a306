"""Counts over many runs on the hard machines, a NamedTuple a row: as CSV, as Markdown, from the command line."""

import argparse
import csv
import itertools

import numba

from dvae_ref import blas
from validation import machines


def write(file, kind, rows):
    """Rows of this kind as CSV, each as soon as it is known."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(kind._fields)
    for row in rows:
        writer.writerow([f"{value:.4g}" if isinstance(value, float) else value for value in row])
        file.flush()


def read(file, kind):
    """The rows of a file that `write` wrote."""
    rows = []
    for line in csv.DictReader(file):
        values = {name: of(line[name]) for name, of in kind.__annotations__.items()}
        rows.append(kind(**values))
    return rows


def markdown(head, words, lines):
    """A table of lines of text, whose first columns, so many, are words, and the others numbers."""
    rule = ("---",) * words + ("--:",) * (len(head) - words)
    return "\n".join(map(_row, (head, rule, *lines)))


def _row(cells):
    return "| " + " | ".join(cells) + " |"


def percent(count, whole, digits=0):
    """A share in percent; nothing of nothing."""
    if whole == 0:
        return ""
    return f"{100 * count / whole:.{digits}f}"


def main(argv, program, about, kind, rows, table):
    """The command line of a program whose rows(machine, runs, seed) are of this kind, and are shown by table(rows)."""
    parser = argparse.ArgumentParser(f"python -m validation.{program}", description=about.splitlines()[0])
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help="names (default: all)")
    parser.add_argument("--runs", type=int, default=300, help="of each row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write rows here as CSV, each as soon as it is known")
    parser.add_argument("--table", metavar="FILE", help="print the table of a file of rows, and run nothing")
    options = parser.parse_args(argv)
    if options.table:
        with open(options.table, newline="", encoding="utf-8") as file:
            print(table(read(file, kind)))
        return 0
    try:
        chosen = [machines.named(name) for name in options.machines] or machines.machines()
    except ValueError as error:
        parser.error(str(error))
    numba.set_num_threads(1)
    with blas.one_thread():
        found = itertools.chain.from_iterable(rows(machine, options.runs, options.seed) for machine in chosen)
        if not options.out:
            print(table(found))
            return 0
        with open(options.out, "w", newline="", encoding="utf-8") as file:
            write(file, kind, found)
    return 0
