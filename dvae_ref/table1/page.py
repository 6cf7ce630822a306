"""The table as Markdown, CSV and a picture.

In Markdown a dash is a number that is not known; of a few numbers, nan in the CSV. NLL, log Z and differences in nats.
"""

import csv
import functools
import io
import math
from pathlib import Path

from dvae_ref.files import writing
from dvae_ref.table1 import notes
from dvae_ref.table1.pairs import pairs
from dvae_ref.table1.report import PAPER_RUNS, Row

PAIR_COLUMNS = (
    ("data", False),
    ("the same", False),
    ("first", False),
    ("second", False),
    ("first - second", True),
    ("± images", True),
    ("± log Z", True),
    ("± runs", True),
    ("in s.e.", True),
)
NOT_IN_CSV = ("betas", "alike", "log_px", "mean_log_z_error")
ONE_RUN = "± runs is a dash where one of the two is a single run: what another seed would give is not known"


def _runs(row):
    """Over how many runs the NLL is a mean, and over how many the paper's is."""
    return f"{row.runs}, {PAPER_RUNS}"


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
    lines += differences(made)
    lines += listed(map(_not_finished, unfinished))
    lines += listed(f"left out: {e.folder}: {e.reason}" for e in excluded)
    return "\n".join(lines) + "\n"


def listed(texts):
    """The lines of a Markdown list, with an empty one before it; none where there is nothing to list."""
    lines = [f"- {text}" for text in texts]
    if lines:
        lines.insert(0, "")
    return lines


def _not_finished(cell):
    """What there is to say of an Unfinished cell."""
    reached = "not begun" if cell.total is None else f"{cell.iterations:,} of {cell.total:,} iterations"
    failed = f"; it failed: {cell.error}" if cell.error else ""
    return f"not finished: {cell.folder}, {reached}{failed}"


def grid(columns, rows):
    """The lines of a Markdown table; columns: (title, is it a number), rows: the texts of their cells."""
    titles = _line(title for title, _ in columns)
    rule = "".join("|--:" if number else "|---" for _, number in columns) + "|"
    return [titles, rule, *map(_line, rows)]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _cells(row):
    """The texts of a Row, one for each of COLUMNS."""
    texts = []
    for _, what, how in COLUMNS:
        value = what(row) if callable(what) else getattr(row, what)
        texts.append(shown(value, how))
    return texts


def differences(made):
    """The lines of the paired differences; none where nothing can be paired.

    Their own table, since an error over images that two rows have in common says nothing of which is the better.
    """
    found = pairs(made)
    if not found:
        return []
    lines = ["", "Test NLL of two rows over the same images, nats:", ""]
    cells = functools.partial(_pair_cells, everywhere=_unusual_everywhere(made))
    lines += grid(PAIR_COLUMNS, map(cells, found))
    if any(math.isnan(pair.run_standard_error) for pair in found):
        lines += listed([ONE_RUN])
    return lines


def _unusual_everywhere(made):
    """The settings that are unusual in every row, and so say nothing of a pair."""
    everywhere = set(made[0].unusual)
    for row in made:
        everywhere.intersection_update(row.unusual)
    return everywhere


PAIR_FORMS = {"k": "K = {}", "num_train_iter": "{:,}"}  # of the two values, by the setting that differs


def _pair_cells(pair, everywhere):
    """The texts of a Pair, one for each of PAIR_COLUMNS: what is the same in both rows, then the two values.

    That is the cell, its length, and settings that are unusual in both, but for those that are so `everywhere`.
    """
    first, second = pair.first, pair.second
    form = PAIR_FORMS.get(pair.setting, "{}")
    same = {"struct": first.struct, "k": f"K = {first.k}", "baseline": first.baseline}
    same["num_train_iter"] = f"{first.num_train_iter:,} iterations"
    same.pop(pair.setting, None)
    unusual = set(first.unusual) & set(second.unusual) - everywhere
    return [
        first.dataset,
        ", ".join(list(same.values()) + sorted(unusual)),
        form.format(first.alike[pair.setting]),
        form.format(second.alike[pair.setting]),
        f"{pair.difference:+.2f}",
        shown(pair.image_standard_error, ".3f"),
        f"{pair.log_z_standard_error:.3f}",
        shown(pair.run_standard_error, ".3f"),
        f"{pair.z_score:+.1f}",
    ]


def shown(value, how):
    """The text of a cell: a number in its format, a dash for nan; a text as it is."""
    if isinstance(value, str):
        return value
    return "–" if math.isnan(value) else format(value, how)


def write(root, made, unfinished=(), excluded=(), others=()):
    """table1.md and table1.csv below root, and table1.png if there is a row: their paths.

    others: further rows of the picture, with what it takes of a Row. Each file is written atomically, one after the
    other. OSError for the first that cannot be.
    """
    from dvae_ref.runs import plots

    root = Path(root)
    paths = [root / "table1.md", root / "table1.csv"]
    for path, text in zip(paths, (markdown(made, unfinished, excluded), _csv(made)), strict=True):
        with writing.atomic(path) as file:
            file.write(text.encode())
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
