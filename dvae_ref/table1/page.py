"""The table as Markdown, CSV and a picture."""

import csv
import io
import math
from pathlib import Path

from dvae_ref.files import writing
from dvae_ref.table1 import notes
from dvae_ref.table1.pairs import pairs
from dvae_ref.table1.report import PAPER_RUNS, Row

COLUMNS = (  # title, is it a number
    ("data", False),
    ("structure", False),
    ("K", True),
    ("model", False),
    ("beta", True),
    ("iterations", True),
    ("runs, the paper's", True),
    ("test NLL", True),
    ("with S/4", True),
    ("with S/16", True),
    ("± images", True),
    ("log Z ±", True),
    ("from above", False),
    ("paper", True),
    ("difference", True),
    ("in s.e.", True),
    ("not as in the paper", False),
)
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


def markdown(made, unfinished=(), excluded=()):
    """The rows as a Markdown table, paired differences, the data, what is not finished, and what was left out."""
    origins = sorted({(r.dataset, r.data) for r in made if r.data})
    lines = grid(COLUMNS, [_cells(row) for row in made])
    lines += listed(notes.notes(made))
    lines += listed(f"data {name}: {origin}" for name, origin in origins)
    lines += differences(made)
    lines += listed(map(_not_finished, unfinished))
    lines += listed(f"left out: {e.folder}: {e.reason}" for e in excluded)
    return "\n".join(lines) + "\n"


def listed(texts):
    """The lines of a Markdown list, with an empty one before it; none where there is nothing to list."""
    lines = [f"- {text}" for text in texts]
    return ["", *lines] if lines else []


def _not_finished(cell):
    reached = "not begun" if cell.total is None else f"{cell.iterations:,} of {cell.total:,} iterations"
    failed = f"; it failed: {cell.error}" if cell.error else ""
    return f"not finished: {cell.folder}, {reached}{failed}"


def grid(columns, rows):
    """The lines of a Markdown table; columns: (title, is it a number)."""
    titles = _line(title for title, _ in columns)
    rule = "".join("|--:" if number else "|---" for _, number in columns) + "|"
    return [titles, rule, *map(_line, rows)]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _cells(r):
    nll = f"{r.nll:.2f}"
    if r.runs > 1:
        nll += f" ± {r.std:.2f}"
    published, from_above = "–", "–"
    if not math.isnan(r.paper_nll):
        published = f"{r.paper_nll:.2f} ± {r.paper_std:.2f}"
    if r.log_z_verdict:
        from_above = f"{r.log_z_gap:+.3f}, {r.log_z_verdict}"
    return [
        r.dataset,
        r.struct,
        str(r.k),
        r.baseline,
        f"{r.beta:g}",
        f"{r.num_train_iter:,}",
        f"{r.runs}, {PAPER_RUNS}",
        nll,
        shown(r.nll_quarter, ".2f"),
        shown(r.nll_sixteenth, ".2f"),
        shown(r.image_standard_error, ".2f"),
        f"{r.log_z_standard_error:.3f}",
        from_above,
        published,
        shown(r.difference, "+.2f"),
        shown(r.z_score, "+.1f"),
        "; ".join(notes.departures(r)) or "–",
    ]


def differences(made):
    """The lines of the paired differences; none where nothing can be paired."""
    found = pairs(made)
    if not found:
        return []
    lines = ["", "Test NLL of two rows over the same images, nats:", ""]
    lines += grid(PAIR_COLUMNS, map(_pair_cells, found))
    if any(math.isnan(pair.run_standard_error) for pair in found):
        lines += listed([ONE_RUN])
    return lines


def _pair_cells(pair):
    first, second = pair.first, pair.second
    form = "K = {}" if pair.setting == "k" else "{}"
    same = {"struct": first.struct, "k": f"K = {first.k}", "baseline": first.baseline}
    same["num_train_iter"] = f"{first.num_train_iter:,} iterations"
    same.pop(pair.setting, None)
    return [
        first.dataset,
        ", ".join(same.values()),
        form.format(first.alike[pair.setting]),
        form.format(second.alike[pair.setting]),
        f"{pair.difference:+.2f}",
        shown(pair.image_standard_error, ".3f"),
        f"{pair.log_z_standard_error:.3f}",
        shown(pair.run_standard_error, ".3f"),
        f"{pair.z_score:+.1f}",
    ]


def shown(value, how):
    return "–" if math.isnan(value) else format(value, how)


def write(root, made, unfinished=(), excluded=(), others=()):
    """table1.md and table1.csv below root, and table1.png if there is a row: their paths.

    others: further rows of the picture, with what it takes of a Row.
    """
    from dvae_ref.runs import plots

    root = Path(root)
    paths = [root / "table1.md", root / "table1.csv"]
    for path, text in zip(paths, (markdown(made, unfinished, excluded), _csv(made)), strict=True):
        with writing.atomic(path) as file:
            file.write(text.encode())
    pictured = [*made, *others]
    if pictured:
        paths.append(root / "table1.png")
        plots.table(pictured, paths[-1])
    return paths


def _csv(made):
    """The rows as CSV."""
    text = io.StringIO()
    table = csv.writer(text)
    columns = [name for name in Row._fields if name not in NOT_IN_CSV]
    columns += ["difference", "z_score"]
    table.writerow([*columns, "not_as_in_the_paper"])
    for row in made:
        values = [getattr(row, name) for name in columns]
        table.writerow([*values, "; ".join(notes.departures(row))])
    return text.getvalue()
