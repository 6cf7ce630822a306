"""The cells of table1 that are done, beside the paper's numbers: the rows of the table (`page` writes it).

A row is a mean over seeds of runs that are alike in all on which a number depends, settings, data and measurement;
anything else makes another row. Of several betas the one that is best on validation images is the row's: the test set
has no say in it. A damaged file costs its own run its place, which is said, and not the table.
"""

import csv
import functools
import io
import json
import math
import os
import statistics
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvae_ref.files import reading
from dvae_ref.runs import from_above, lifecycle, measuring
from dvae_ref.sampling import ais
from dvae_ref.table1 import grid, notes

PAPER_RUNS = 5  # Table 1: mean and standard deviation of five runs
AXES = ("dataset", "struct", "k", "baseline")
VARYING = ("seed", "beta", "log_every", "checkpoint_every")  # settings in which the runs of a row may differ
MEASURED = ("data", "data_sha256", "images", "samples", "temperatures", "ais_chains", "checkpoint", "split")


class Unfinished(NamedTuple):
    """A cell that was begun; it may be trained, but is not measured."""

    folder: Path  # relative to the table's
    iterations: int
    total: int | None  # None if it failed before it began
    error: str  # that it failed with, or nothing


class Excluded(NamedTuple):
    """A folder with a config.json that has no part in the table."""

    folder: Path  # relative to the table's
    reason: str


class Row(NamedTuple):
    """A cell of Table 1: one or more seeds at one number of iterations, beta chosen by validation. NLL in nats."""

    dataset: str
    struct: str
    k: int
    baseline: str
    beta: float
    num_train_iter: int
    runs: int
    images: int  # of the test set, that were measured
    images_there: int  # in the test set
    data: str  # where they are from
    nll: float  # mean over runs of the test NLL
    std: float  # over runs; nan for one
    image_standard_error: float  # of one run's NLL, over test images; nan for one image
    log_z_standard_error: float  # the largest of the runs
    log_z_effective_samples: float  # of its AIS chains, the fewest of the runs; nan if none says
    log_z_gap: float  # log Z from above less that from below, of the run with the worst verdict; nan if a run has none
    log_z_verdict: str  # its verdict, or nothing
    paper_nll: float
    paper_std: float
    betas: dict  # beta: runs, of all that it was chosen among
    alike: dict  # other settings, and how it was measured: the same for all runs
    nll_quarter: float  # the same NLL with a quarter of the samples, and a sixteenth; nan if a run does not say
    nll_sixteenth: float
    log_px: np.ndarray | None  # (images,): mean over runs of log p(x); None if a run has no log_px.npz
    mean_log_z_error: float  # of the mean of the runs' log Z

    @property
    def difference(self):
        """The NLL less the paper's, nats; nan where the paper has none."""
        return self.nll - self.paper_nll

    @property
    def z_score(self):
        """The difference in its standard errors: d / sqrt(std^2 / runs + paper_std^2 / 5); nan for other images.

        For a single run the paper's std stands in for its own, and the error of its log Z is added in quadrature. The
        error over test images is no part of it: both means are over the same images. Of a part of them, or of another
        binarization, that is not so, and how much they differ from the paper's is not known.
        """
        if not self.images_are_the_paper_s:
            return math.nan
        spread = self.std if self.runs > 1 else math.hypot(self.paper_std, self.log_z_standard_error)
        return self.difference / math.sqrt(spread**2 / self.runs + self.paper_std**2 / PAPER_RUNS)

    @property
    def images_are_the_paper_s(self):
        """All of the test set, binarized as published."""
        return self.images == self.images_there and self.data.endswith(notes.AS_PUBLISHED)

    @property
    def log_z_is_doubtful(self):
        """By the criterion of the warning of `ais`."""
        return self.log_z_effective_samples < ais.least_effective(self.alike["ais_chains"])

    @property
    def unusual(self):
        """Its settings that are not the usual ones of its cell: texts."""
        return notes.unusual(self)

    @property
    def cell(self):
        """The row's cell in words."""
        return f"{self.dataset} {self.struct} K = {self.k} {self.baseline}, {self.num_train_iter:,} iterations"


@functools.cache
def paper():
    """{(dataset, struct, k, baseline): (nll, std)} of the published Table 1."""
    text = resources.files("dvae_ref").joinpath("data/table1_paper.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        cell = row["dataset"], row["struct"], int(row["k"]), row["baseline"]
        found[cell] = float(row["nll"]), float(row["std"])
    return found


def collect(root):
    """(Rows in the order of the table, list of Unfinished, list of Excluded) of the run folders below a folder.

    A folder whose files are damaged is excluded, with what is wrong, and so is one that is not where its settings
    belong. A cell that failed before it had a config.json is known by its error.txt alone.
    """
    found = {dict: [], Unfinished: [], Excluded: []}
    for config in grid.files(root, "config.json"):
        folder = config.parent
        try:
            run = _run(root, folder)
        except (OSError, ValueError) as error:
            run = Excluded(folder.relative_to(root), str(error))
        found[type(run)].append(run)
    for path in grid.files(root, "error.txt"):
        if not os.path.exists(path.with_name("config.json")):
            found[Unfinished].append(_unfinished(root, path.parent, None))
    return rows(found[dict]), found[Unfinished], found[Excluded]


def _run(root, folder):
    """What a run folder is for a table: a record, with the settings and the log p(x), Unfinished, or Excluded."""
    cell = grid.cell(root, lifecycle.read_settings(folder))
    if cell.folder != folder:
        reason = f"no cell: that of its settings is {cell.folder.relative_to(root)}"
        return Excluded(folder.relative_to(root), reason)
    record = grid.result(cell)
    if not record:
        return _unfinished(root, folder, cell.settings.num_train_iter)
    return record | {"settings": cell.settings.to_json(), "per_image": measuring.per_image(folder, record)}


def _unfinished(root, folder, total):
    """How far the cell came, and the last line of its error.txt, if it has one."""
    try:
        end = reading.tail(folder / "error.txt", grid.TAIL).decode("utf-8", errors="replace")
        said = end.strip().rpartition("\n")[2]
    except (OSError, ValueError):  # none, or no file
        said = ""
    return Unfinished(folder.relative_to(root), grid.iterations_done(folder), total, said)


def rows(records):
    """Rows from evaluation.json records: seeds are averaged, and of several betas the best on validation is kept.

    Runs that differ in any other setting that a number depends on, in the data or in their measurement are rows of
    their own.
    """
    cells = defaultdict(dict)  # {alike: {beta: {seed: record}}}
    for record in records:
        settings = record["settings"]
        alike = {name: value for name, value in settings.items() if name not in VARYING}
        alike |= {name: record.get(name) for name in MEASURED}
        betas = cells[json.dumps(alike, sort_keys=True)]
        betas.setdefault(settings["beta"], {})[settings["seed"]] = record
    made = [_row(betas, json.loads(alike)) for alike, betas in cells.items()]
    return sorted(made, key=_place)


def _place(row):
    """A row's place in the table: that of its cell in the paper's, or behind them all; of a cell, by iterations."""
    cell, known = (row.dataset, row.struct, row.k, row.baseline), list(paper())
    place = known.index(cell) if cell in known else len(known)
    return place, cell, row.num_train_iter


def _best(betas):
    """The {seed: record} of the beta that is best on validation: of those with the most seeds, over those they share.

    A beta with fewer seeds, under way perhaps, may have had the easier ones. Of equals the smallest.
    """
    most = max(map(len, betas.values()))
    compared = [betas[beta] for beta in sorted(betas) if len(betas[beta]) == most]
    shared = set.intersection(*map(set, compared))

    def validation_nll(group):
        return statistics.fmean(group[seed]["best_validation_nll"] for seed in shared or group)

    return min(compared, key=validation_nll)


def _row(betas, alike):
    """The Row of {beta: {seed: record}} that are alike in everything else.

    NLL and log p(x) are means over the runs of the best beta; errors are the largest among them, the effective sample
    is the smallest.
    """
    group = list(_best(betas).values())
    gap, verdict = _from_above(group)
    settings = group[0]["settings"]
    axes = {axis: settings[axis] for axis in AXES}
    log_z_errors = _known(group, "log_z_standard_error")
    nll = [record["nll"] for record in group]
    paper_nll, paper_std = paper().get(tuple(axes.values()), (math.nan, math.nan))
    return Row(
        **axes,
        beta=settings["beta"],
        num_train_iter=settings["num_train_iter"],
        runs=len(group),
        images=group[0]["images"],
        images_there=max(_known(group, "images_there"), default=group[0]["images"]),
        data=group[0].get("data", ""),
        nll=statistics.fmean(nll),
        std=statistics.stdev(nll) if len(nll) > 1 else math.nan,
        image_standard_error=max(_known(group, "nll_standard_error"), default=math.nan),
        log_z_standard_error=max(log_z_errors),
        log_z_effective_samples=min(_known(group, "log_z_effective_samples"), default=math.nan),
        log_z_gap=gap,
        log_z_verdict=verdict,
        paper_nll=paper_nll,
        paper_std=paper_std,
        betas={beta: len(betas[beta]) for beta in sorted(betas)},
        alike=alike,
        nll_quarter=_mean(group, "nll_quarter"),
        nll_sixteenth=_mean(group, "nll_sixteenth"),
        log_px=_log_px(group),
        mean_log_z_error=math.hypot(*log_z_errors) / len(group),
    )


def _from_above(group):
    """(gap, verdict) of the worst run; (nan, "") if a run does not say."""
    gaps, verdicts = _known(group, "log_z_gap"), _known(group, "log_z_verdict")
    if min(len(gaps), len(verdicts)) < len(group):
        return math.nan, ""
    worst = from_above.worst([{"gap": gap, "verdict": verdict} for gap, verdict in zip(gaps, verdicts, strict=True)])
    return worst["gap"], worst["verdict"]


def _mean(group, name):
    """The mean of a number over the runs of a row; nan if a record lacks it."""
    found = _known(group, name)
    if len(found) < len(group):
        return math.nan
    return statistics.fmean(found)


def _log_px(group):
    """(images,): log p(x) of each image, its mean over runs; None if one of them has no log_px.npz."""
    found = _known(group, "per_image")
    if len(found) < len(group):
        return None
    return np.mean([one.log_px for one in found], 0)


def _known(group, name):
    """The values in those records that have one: earlier versions did not write all."""
    return [record[name] for record in group if record.get(name) is not None]
