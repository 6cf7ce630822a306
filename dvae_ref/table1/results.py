"""The page of results, made from records: `python -m dvae_ref table1 --from docs/results`."""

import math
import re
from pathlib import Path

from dvae_ref.files import writing
from dvae_ref.table1 import grid, markdown, page, records, report, summaries

NO_RUNS = "No runs yet."
BEGIN = "<!-- from the records: "
BLOCK = re.compile(rf"({BEGIN}([^<>]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_page(root):
    """table1.md, .csv and .png below the records' folder, and its page: the paths written.

    The page is the file beside the folder, of its name and .md, if there is one: what stands in it between
    `<!-- from the records: WHAT -->` and `<!-- end -->` is made anew; WHAT is table, runs or summaries N, of runs of so
    many iterations. ValueError for another WHAT, and for a block that does not end before the next begins.
    """
    root = Path(root)
    found = report.collect(root)
    others = summaries.read(root / "summaries.csv")
    measured = [summary for summary in others if not math.isnan(summary.nll)]
    paths = page.write(root, *found, others=measured)
    target = beside(root)
    if not target.exists():
        return paths
    text = filled(target.read_text(encoding="utf-8"), target, root, found, others)
    writing.write_utf8(target, text)
    paths.append(target)
    return paths


def beside(folder):
    """The page of a folder: its whole name and .md, of `results.old`, too; that of `.` is in the folder above."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}.md")


def filled(text, path, root, found, others):
    """The text of a page with its blocks made anew: between two comments that stay, lines for what the first names.

    What stands outside of the blocks is by hand, and is not touched; twice filled, the text is the same. ValueError for
    a block that nobody knows, or whose end is missing, before the page is written.
    """

    def block(match):
        if BEGIN in match[0][len(BEGIN) :]:
            raise ValueError(f"{path}: the block {match[2]!r} has no <!-- end --> before the next one begins")
        what, _, number = match[2].partition(" ")
        if what == "table":
            text = page.markdown(*found) if found[0] else NO_RUNS
        elif what == "runs":
            text = "\n".join(run_lines(root))
        elif what == "summaries" and number.isdigit():
            text = "\n".join(summaries.lines([s for s in others if s.num_train_iter == int(number)]))
        else:
            raise ValueError(f"{path}: expected a block of table, runs or summaries N, got {match[2]!r}")
        return f"{match[1]}\n{text.rstrip()}\n\n{match[3]}"

    return BLOCK.sub(block, text)


def run_lines(root):
    """A Markdown table of the records: by what commits, in what time, by what command."""
    rows = []
    for path in grid.files(root, "record.json"):
        found = records.read(path)
        hours = markdown.shown(math.nan if found["cpu_hours"] is None else found["cpu_hours"], ".2g")
        commits = ", ".join(text[:10] for text in found["commits"]) or "–"
        rows.append([str(path.parent.relative_to(root)), commits, hours, f"`{found['command']}`"])
    columns = (("run", False), ("commits", False), ("CPU hours", True), ("command", False))
    return markdown.grid(columns, rows) if rows else [NO_RUNS]
