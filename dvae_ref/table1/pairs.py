"""Differences between two rows of the table over the same images.

Most of what an NLL owes to its images is common to all models: the standard error of a mean over 10,000 digits is 0.25
nats, that of the mean of log p'(x) - log p(x) some 0.03. So rows that differ in one setting alone are set side by side.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from dvae_ref.runs import evaluation
from dvae_ref.table1.report import MEASURED, Row


class Pair(NamedTuple):
    """Two Rows, and d = NLL of the first - NLL of the second, nats, with what each of its errors is."""

    setting: str  # in which they differ
    first: Row
    second: Row
    difference: float
    image_standard_error: float  # over images, paired; nan for one
    log_z_standard_error: float  # of both
    run_standard_error: float  # of both, over their seeds; nan if one has a single run

    @property
    def standard_error(self):
        """Of d, all that is known together: what other seeds would give is not in it where there was one."""
        return math.hypot(self.image_standard_error, self.log_z_standard_error, _or_zero(self.run_standard_error))

    @property
    def z_score(self):
        """d in its standard errors; nan where these are 0."""
        return self.difference / self.standard_error if self.standard_error else math.nan


def pairs(made):
    """The Pairs of Rows, in their order, that have log p(x) of the same images and differ in a single setting."""
    found = []
    for first, second in itertools.combinations(made, 2):
        differing = [name for name, value in first.alike.items() if second.alike.get(name) != value]
        if len(differing) == 1 and differing[0] not in MEASURED and _are_paired(first, second):
            found.append(_pair(differing[0], first, second))
    return found


def _are_paired(first, second):
    """Do both rows have log p(x) of each image, of the same images? (Equal digests are equal images.)"""
    known = first.alike.get("data_sha256") is not None
    return known and first.log_px is not None and second.log_px is not None


def _pair(setting, first, second):
    """The Pair of two rows with log p(x) of each image: d is the mean of log p''(x) - log p'(x), second less first."""
    by_image = second.log_px - first.log_px
    error = evaluation.standard_error(by_image)
    return Pair(
        setting,
        first,
        second,
        difference=float(np.mean(by_image)),
        image_standard_error=math.nan if error is None else error,
        log_z_standard_error=math.hypot(first.mean_log_z_error, second.mean_log_z_error),
        run_standard_error=math.hypot(_seed_error(first), _seed_error(second)),
    )


def _seed_error(row):
    """The standard error of the mean over a row's runs; nan for one."""
    return row.std / math.sqrt(row.runs)


def _or_zero(value):
    """0 for nan: an error that is not known is left out of a sum of squares."""
    return 0.0 if math.isnan(value) else value
