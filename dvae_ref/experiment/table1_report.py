"""The cells of table1 that are done, beside the paper's numbers: Markdown, CSV and a picture."""

import csv
import io
import json
import math
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from dvae_ref.experiment import files

PAPER_RUNS = 5  # Table 1: mean and standard deviation of five runs
AXES = ("dataset", "struct", "k", "baseline")


class Row(NamedTuple):
    """A cell of Table 1: one or more seeds at one number of iterations, beta chosen by validation. NLL in nats."""

    dataset: str
    struct: str
    k: int
    baseline: str
    beta: float
    num_train_iter: int
    runs: int
    nll: float  # mean over runs of the test NLL
    std: float  # over runs; nan for one
    image_standard_error: float  # of one run's NLL, over test images
    log_z_standard_error: float  # the largest of the runs
    paper_nll: float
    paper_std: float

    @property
    def difference(self):
        return self.nll - self.paper_nll

    @property
    def z_score(self):
        """The difference in its standard errors. The spread over runs is the paper's where there is one run here."""
        spread = self.std if self.runs > 1 else self.paper_std
        return self.difference / math.sqrt(spread**2 / self.runs + self.paper_std**2 / PAPER_RUNS)


def paper():
    """{(dataset, struct, k, baseline): (nll, std)} of the published Table 1."""
    text = resources.files("dvae_ref").joinpath("data/table1_paper.csv").read_text()
    rows = csv.DictReader(io.StringIO(text))
    return {(r["dataset"], r["struct"], int(r["k"]), r["baseline"]): (float(r["nll"]), float(r["std"])) for r in rows}


def collect(root):
    """(Rows in the order of the table, evaluations that are there, folders begun but not finished) below a folder."""
    records, unfinished = [], []
    for config in sorted(Path(root).rglob("config.json")):
        try:
            records.append(json.loads((config.parent / "evaluation.json").read_text()))
        except FileNotFoundError:
            unfinished.append(config.parent)
    return rows(records), len(records), unfinished


def rows(records):
    """Rows from evaluation.json records: seeds are averaged, and of several betas the best on validation is kept."""
    groups = defaultdict(list)
    for record in records:
        s = record["settings"]
        groups[(*(s[axis] for axis in AXES), s["num_train_iter"]), s["beta"]].append(record)
    best = {}
    for (cell, beta), group in groups.items():
        validation = sum(r["best_validation_nll"] for r in group) / len(group)
        best[cell] = min(best.get(cell, (math.inf, None, None)), (validation, beta, group))
    order = {cell: i for i, cell in enumerate(paper())}
    made = [_row(cell, beta, group) for cell, (_, beta, group) in best.items()]
    return sorted(made, key=lambda row: (order.get(row[:4], len(order)), row[:4], row.num_train_iter))


def _row(cell, beta, group):
    *axes, num_train_iter = cell
    nll = [r["nll"] for r in group]
    mean = sum(nll) / len(nll)
    std = math.sqrt(sum((x - mean) ** 2 for x in nll) / (len(nll) - 1)) if len(nll) > 1 else math.nan
    image_error = max(r["nll_standard_error"] for r in group)
    log_z_error = max(r["log_z_standard_error"] for r in group)
    published = paper().get(tuple(axes), (math.nan, math.nan))
    return Row(*axes, beta, num_train_iter, len(group), mean, std, image_error, log_z_error, *published)


def markdown(made):
    """The rows as a Markdown table."""
    lines = [
        "| data | structure | K | model | beta | iterations | runs | test NLL | ± images | log Z ± "
        "| paper | difference | in s.e. |",
        "|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for r in made:
        nll = f"{r.nll:.2f}" + (f" ± {r.std:.2f}" if r.runs > 1 else "")
        published = "–" if math.isnan(r.paper_nll) else f"{r.paper_nll:.2f} ± {r.paper_std:.2f}"
        compared = "– | –" if math.isnan(r.paper_nll) else f"{r.difference:+.2f} | {r.z_score:+.1f}"
        lines.append(
            f"| {r.dataset} | {r.struct} | {r.k} | {r.baseline} | {r.beta:g} | {r.num_train_iter:,} | {r.runs} "
            f"| {nll} | {r.image_standard_error:.2f} | {r.log_z_standard_error:.3f} | {published} | {compared} |"
        )
    return "\n".join(lines) + "\n"


def write(root, made):
    """table1.md, table1.csv and table1.png below root: their paths."""
    from dvae_ref.experiment import plots

    root = Path(root)
    with files.atomic(root / "table1.md") as file:
        file.write(markdown(made).encode())
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*Row._fields, "difference", "z_score"])
    table.writerows([*row, row.difference, row.z_score] for row in made)
    with files.atomic(root / "table1.csv") as file:
        file.write(text.getvalue().encode())
    plots.table(made, root / "table1.png")
    return [root / f"table1.{suffix}" for suffix in ("md", "csv", "png")]
