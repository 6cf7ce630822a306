"""The page of results, made from records: `python -m dvae_ref table1 --from docs/results`."""

import math
import re
from pathlib import Path

from dvae_ref.experiment import files, table1_page, table1_records, table1_report, table1_summaries

BLOCK = re.compile(r"(<!-- from the records: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_page(root):
    """table1.md, .csv and .png below the records' folder, and its page: the paths written.

    The page is the file beside the folder, of its name and .md, if there is one: what stands in it between
    `<!-- from the records: WHAT -->` and `<!-- end -->` is made anew; WHAT is table, runs or summaries N, of runs of so
    many iterations. ValueError for another WHAT.
    """
    root = Path(root)
    found, summaries = table1_report.collect(root), table1_summaries.read(root / "summaries.csv")
    paths = table1_page.write(root, *found, others=[s for s in summaries if not math.isnan(s.nll)])
    page = root.with_suffix(".md")
    if not page.exists():
        return paths
    text = filled(page.read_text(encoding="utf-8"), page, root, found, summaries)
    with files.atomic(page) as file:
        file.write(text.encode())
    return [*paths, page]


def filled(text, path, root, found, summaries):
    """The text of a page with its blocks made anew."""

    def block(match):
        what, _, number = match[2].partition(" ")
        if what == "table":
            lines = table1_page.markdown(*found).splitlines() if found[0] else ["No runs yet."]
        elif what == "runs":
            lines = run_lines(root)
        elif what == "summaries" and number.isdigit():
            lines = table1_summaries.lines([s for s in summaries if s.num_train_iter == int(number)])
        else:
            raise ValueError(f"{path}: expected a block of table, runs or summaries N, got {match[2]!r}")
        return match[1] + "\n" + "\n".join(lines) + "\n\n" + match[3]

    return BLOCK.sub(block, text)


def run_lines(root):
    """A Markdown table of the records: by what commits, in what time, by what command."""
    rows = []
    for path in sorted(Path(root).rglob("record.json")):
        found = table1_records.read(path)
        hours = "–" if found["cpu_hours"] is None else f"{found['cpu_hours']:.1f}"
        commits = ", ".join(text[:10] for text in found["commits"]) or "–"
        rows.append([str(path.parent.relative_to(root)), commits, hours, f"`{found['command']}`"])
    columns = (("run", False), ("commits", False), ("CPU hours", True), ("command", False))
    return table1_page.grid(columns, rows) if rows else ["No runs yet."]
