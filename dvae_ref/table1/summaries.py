"""Runs of which a line of numbers is left, and no log p(x) of each image: summaries.csv of a folder of records.

Its columns are the fields of a Summary. They stand on the page of results below the table, in a picture beside it, and
are in no row of the table: what cannot be paired image by image is not compared.
"""

import csv
import io
import math
from typing import NamedTuple

from dvae_ref.files import reading
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import report
from dvae_ref.table1.markdown import grid, shown


class Summary(NamedTuple):
    """A line of summaries.csv: a run of which nothing else is left. nll and elbo in nats; nan where it is not known."""

    dataset: str
    struct: str
    k: int
    baseline: str
    beta: float
    num_train_iter: int
    images: int  # of the test set
    samples: int  # an image
    nll: float
    nll_standard_error: float
    elbo: float
    log_z: float
    log_z_standard_error: float
    validation_nll: float  # over all images, by 100 samples each
    validation_elbo: float
    cpu_minutes: float

    std = math.nan  # over runs: there is one each
    unusual = ()  # no setting is

    @property
    def image_standard_error(self):
        return self.nll_standard_error

    @property
    def paper(self):
        """(mean, standard deviation) of its Table 1, nats; nan where it has no such cell."""
        return report.paper().get(self[:4], (math.nan, math.nan))

    @property
    def paper_nll(self):
        return self.paper[0]

    @property
    def paper_std(self):
        return self.paper[1]


def read(path):
    """The Summaries in a summaries.csv; none if there is no file. ValueError names a line that is none.

    A line has all fields, in the order of the columns; an empty one is not known. Dataset, structure, K, baseline and
    the number of iterations have to be those of some `Settings`.
    """
    try:
        rows = list(csv.reader(io.StringIO(reading.content(path, "CSV file", reading.MOST_JSON).decode())))
    except FileNotFoundError:
        return []
    if not rows or tuple(rows[0]) != Summary._fields:
        raise ValueError(f"{path}: expected the columns {', '.join(Summary._fields)}")
    lines = enumerate(rows, 1)
    next(lines)  # the columns
    return [_summary(row, f"{path}, line {number}") for number, row in lines]


def _summary(row, place):
    """The Summary of a row's texts; ValueError, with its place, for what is none, or is of no cell of a table."""
    try:
        kinds = zip(Summary.__annotations__.values(), row, strict=True)
        made = Summary._make([_value(kind, text) for kind, text in kinds])
        axes = dict(zip(report.AXES, made, strict=False))  # the first fields
        Settings(**axes, num_train_iter=made.num_train_iter)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return made


def _value(kind, text):
    """A field of this type of a text; of an empty one nan, 0 or nothing. ValueError for a number that is not finite."""
    if not text:
        return EMPTY[kind]
    value = kind(text)
    if kind is float and not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {text}")
    return value


EMPTY = {str: "", int: 0, float: math.nan}
SHOWN = (  # title, attribute of a Summary, format
    ("data", "dataset", ""),
    ("structure", "struct", ""),
    ("K", "k", "d"),
    ("model", "baseline", ""),
    ("beta", "beta", "g"),
    ("samples", "samples", ",d"),
    ("test NLL", "nll", ".2f"),
    ("± images", "nll_standard_error", ".2f"),
    ("ELBO, test", "elbo", ".2f"),
    ("log Z", "log_z", ".2f"),
    ("its ±", "log_z_standard_error", ".3f"),
    ("validation NLL", "validation_nll", ".2f"),
    ("ELBO, validation", "validation_elbo", ".2f"),
    ("CPU, minutes", "cpu_minutes", ".0f"),
    ("paper, 1,000,000", "paper_nll", ".2f"),
)


def lines(summaries):
    """A Markdown table, without the columns that none of them has a number for."""
    titles, columns = [], []
    for title, name, how in SHOWN:
        column = [_cell(getattr(summary, name), how) for summary in summaries]
        if any(cell != "–" for cell in column):
            titles.append((title, bool(how)))
            columns.append(column)
    return grid(titles, zip(*columns, strict=True))


def _cell(value, how):
    """Its text; a dash for what is not known."""
    return "–" if value == 0 else shown(value, how)
