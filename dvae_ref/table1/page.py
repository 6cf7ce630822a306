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
    lines = grid(COLUMNS, [_cells(row) for row in made])
    said, origins = notes.notes(made), sorted({(r.dataset, r.data) for r in made if r.data})
    lines += [""] * bool(said) + [f"- {note}" for note in said]
    lines += [""] * bool(origins) + [f"- data {name}: {origin}" for name, origin in origins]
    lines += differences(made)
    lines += [""] * bool(unfinished)
    for u in unfinished:
        failed = f"; it failed: {u.error}" if u.error else ""
        reached = "not begun" if u.total is None else f"{u.iterations:,} of {u.total:,} iterations"
        lines.append(f"- not finished: {u.folder}, {reached}{failed}")
    lines += [""] * bool(excluded) + [f"- left out: {e.folder}: {e.reason}" for e in excluded]
    return "\n".join(lines) + "\n"


def grid(columns, rows):
    """The lines of a Markdown table; columns: (title, is it a number)."""
    titles = _line(title for title, _ in columns)
    rule = "".join("|--:" if number else "|---" for _, number in columns) + "|"
    return [titles, rule, *map(_line, rows)]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _cells(r):
    nll = f"{r.nll:.2f}" + (f" ± {r.std:.2f}" if r.runs > 1 else "")
    published = "–" if math.isnan(r.paper_nll) else f"{r.paper_nll:.2f} ± {r.paper_std:.2f}"
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
        f"{r.log_z_gap:+.3f}, {r.log_z_verdict}" if r.log_z_verdict else "–",
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
    single = any(math.isnan(pair.run_standard_error) for pair in found)
    heading = "Test NLL of two rows over the same images, nats:"
    return ["", heading, "", *grid(PAIR_COLUMNS, map(_pair_cells, found)), *["", f"- {ONE_RUN}"] * single]


def _pair_cells(pair):
    first, second = pair.first, pair.second
    values = [f"{'K = ' if pair.setting == 'k' else ''}{row.alike[pair.setting]}" for row in (first, second)]
    axes = {"struct": first.struct, "k": f"K = {first.k}", "baseline": first.baseline}
    iterations = {"num_train_iter": f"{first.num_train_iter:,} iterations"}
    same = ", ".join(text for name, text in (axes | iterations).items() if name != pair.setting)
    return [
        first.dataset,
        same,
        *values,
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
    with writing.atomic(root / "table1.md") as file:
        file.write(markdown(made, unfinished, excluded).encode())
    text = io.StringIO()
    table = csv.writer(text)
    columns = [*(name for name in Row._fields if name not in NOT_IN_CSV), "difference", "z_score"]
    table.writerow([*columns, "not_as_in_the_paper"])
    for row in made:
        table.writerow([*(getattr(row, name) for name in columns), "; ".join(notes.departures(row))])
    with writing.atomic(root / "table1.csv") as file:
        file.write(text.getvalue().encode())
    pictured = [*made, *others]
    if pictured:
        plots.table(pictured, root / "table1.png")
    return [root / f"table1.{suffix}" for suffix in ("md", "csv", "png")[: 3 if pictured else 2]]
