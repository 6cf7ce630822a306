"""The table as Markdown, CSV and a picture.

In Markdown a dash is a number that is not known; of a few numbers, nan in the CSV. NLL, log Z and differences in nats.
"""

import csv
import io
import math
from pathlib import Path

from dvae_ref.files import writing
from dvae_ref.table1 import differences, notes
from dvae_ref.table1.markdown import grid, listed, shown
from dvae_ref.table1.report import PAPER_RUNS, Row

NOT_IN_CSV = ("betas", "alike", "log_px", "mean_log_z_error")


def _runs(row):
    """Over how many runs the NLL is a mean, and over how many the paper's is, if it has the cell."""
    return f"{row.runs}, –" if math.isnan(row.paper_nll) else f"{row.runs}, {PAPER_RUNS}"


def _nll(row):
    """The mean over runs, ± their standard deviation if there are several."""
    return f"{row.nll:.2f} ± {row.std:.2f}" if row.runs > 1 else f"{row.nll:.2f}"


def _from_above(row):
    """log Z from above less that from below, nats, and what that says."""
    return f"{row.log_z_gap:+.3f}, {row.log_z_verdict}" if row.log_z_verdict else "–"


def _published(row):
    """The paper's NLL of the cell ± the standard deviation of its runs."""
    return "–" if math.isnan(row.paper_nll) else f"{row.paper_nll:.2f} ± {row.paper_std:.2f}"


def _departures(row):
    """What is not as in the paper."""
    return "; ".join(notes.departures(row)) or "–"


COLUMNS = (  # title, attribute or function of a Row, format of a number; "s": a text that is set as numbers are
    ("data", "dataset", ""),
    ("structure", "struct", ""),
    ("K", "k", "d"),
    ("model", "baseline", ""),
    ("beta", "beta", "g"),
    ("iterations", "num_train_iter", ",d"),
    ("runs, the paper's", _runs, "s"),
    ("test NLL", _nll, "s"),
    ("with S/4", "nll_quarter", ".2f"),
    ("with S/16", "nll_sixteenth", ".2f"),
    ("± images", "image_standard_error", ".2f"),
    ("log Z ±", "log_z_standard_error", ".3f"),
    ("from above", _from_above, ""),
    ("paper", _published, "s"),
    ("difference", "difference", "+.2f"),
    ("in s.e.", "z_score", "+.1f"),
    ("not as in the paper", _departures, ""),
)


def markdown(made, unfinished=(), excluded=()):
    """The rows as a Markdown table, then lists: notes, the data, paired differences, what is not finished or left out.

    made: the Rows; unfinished, excluded: as of `report.collect`. A list that has nothing in it is not there.
    """
    origins = sorted({(r.dataset, r.data) for r in made if r.data})
    titles = [(title, bool(how)) for title, _, how in COLUMNS]
    lines = grid(titles, map(_cells, made))
    lines += listed(notes.notes(made))
    lines += listed(f"data {name}: {origin}" for name, origin in origins)
    lines += differences.lines(made)
    lines += listed(map(_not_finished, unfinished))
    lines += listed(f"left out: {e.folder}: {e.reason}" for e in excluded)
    return "\n".join(lines) + "\n"


def _not_finished(cell):
    """What there is to say of an Unfinished cell."""
    reached = "not begun" if cell.total is None else f"{cell.iterations:,} of {cell.total:,} iterations"
    failed = f"; it failed: {cell.error}" if cell.error else ""
    return f"not finished: {cell.folder}, {reached}{failed}"


def _cells(row):
    """The texts of a Row, one for each of COLUMNS."""
    texts = []
    for _, what, how in COLUMNS:
        value = what(row) if callable(what) else getattr(row, what)
        texts.append(shown(value, how))
    return texts


def write(root, made, unfinished=(), excluded=(), others=()):
    """table1.md and table1.csv below root, and table1.png if there is a row: their paths.

    others: further rows of the picture, with what it takes of a Row. Each file is written atomically, one after the
    other. OSError for the first that cannot be.
    """
    from dvae_ref.runs import plots

    root = Path(root)
    paths = [root / "table1.md", root / "table1.csv"]
    for path, text in zip(paths, (markdown(made, unfinished, excluded), _csv(made)), strict=True):
        writing.write_utf8(path, text)
    pictured = list(made) + list(others)
    if pictured:
        paths.append(root / "table1.png")
        plots.table(pictured, paths[-1])
    return paths


def _csv(made):
    """The rows as CSV: the fields of a Row that are one number or text, and what is not as in the paper."""
    text = io.StringIO()
    table = csv.writer(text)
    columns = [name for name in Row._fields if name not in NOT_IN_CSV]
    columns += ["difference", "z_score"]
    table.writerow([*columns, "not_as_in_the_paper"])
    for row in made:
        values = [getattr(row, name) for name in columns]
        values.append("; ".join(notes.departures(row)))
        table.writerow(values)
    return text.getvalue()
