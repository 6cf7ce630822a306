"""What the numbers of the table do not show: where a row is not as the paper's, and what is to be said below it."""

import math
from collections import defaultdict

from dvae_ref.runs.presets import Settings

LENGTH = {"num_train_iter": 1_000_000}  # the paper's; and how it measured
MEASUREMENT = {"samples": 4000, "temperatures": 10_000, "ais_chains": 1000}
WORDS = {"num_train_iter": "iterations", "ais_chains": "AIS chains"}
AS_PUBLISHED = "as published"  # ends the origin of data that are binarized as the paper's (`datasets`)
AXES = ("dataset", "struct", "k", "baseline")
FROM_ABOVE = {  # what a verdict that is not "closed" says
    "open": "annealing up has missed probability, or its error bars are guesses; take more --temperatures",
    "contradictory": "training's replicas or q(z|x) leave out a part of the prior",
}
OTHER_IMAGES = (
    "no difference in s.e. where only a part of the test images was measured, or they were binarized anew: they are "
    "not the paper's, and the error over images counts"
)


def departures(row):
    """What of a row is not as in the paper's Table 1: texts. Those who pay for it are the numbers beside.

    First how long it was trained and measured, then its images, then settings that are not the usual ones of its cell;
    any beta is as in the paper, which chose it by validation.
    """
    said = _other_numbers(row, LENGTH | MEASUREMENT)
    if math.isnan(row.paper_nll):
        said.append("no cell of the paper")
    elif not row.data.endswith(AS_PUBLISHED):
        said.append("binarized anew")
    return said + _part_of_images(row) + unusual(row)


def measured(row):
    """How a row was measured, where that is not as the paper did: texts."""
    return _other_numbers(row, MEASUREMENT) + _part_of_images(row)


def _other_numbers(row, papers):
    """The numbers of a row that are not the paper's, each with its word."""
    return [f"{row.alike[name]:,} {WORDS.get(name, name)}" for name, one in papers.items() if row.alike[name] != one]


def _part_of_images(row):
    """How many images were measured, if not all: a text or none."""
    return [f"{row.images:,} of {row.images_there:,} images"] * (row.images < row.images_there)


def unusual(row):
    """The settings of a row that are not the usual ones of its cell and length: texts."""
    axes = {name: row.alike[name] for name in AXES}
    usual = Settings(**axes, num_train_iter=row.num_train_iter).to_json() | {"beta": row.beta}
    said = []
    for name, value in usual.items():
        if name in row.alike and row.alike[name] != _plain(value):
            said.append(f"{name} {row.alike[name]}")
    return said


def _plain(value):
    """A setting as JSON holds it, where tuples are lists."""
    return list(value) if isinstance(value, tuple) else value


def notes(made):
    """What is to be said below the table of these Rows: texts, in the order of the rows.

    At the end, in what rows of one cell differ, which do not show it otherwise.
    """
    said = []
    if any(not row.images_are_the_paper_s and not math.isnan(row.paper_nll) for row in made):
        said.append(OTHER_IMAGES)
    same = defaultdict(list)
    for row in made:
        said.extend(_of_row(row))
        same[row.cell, row.images].append(row.alike)
    for (cell, _), group in same.items():
        differing = "; ".join(_differing(group))
        if differing:
            said.append(f"{cell}: {len(group)} rows differ, from the top, in {differing}")
    return said


def _of_row(row):
    """What makes its log Z doubtful, from below and from above, and among what its beta was chosen: texts."""
    if row.log_z_is_doubtful:
        effective = f"an effective sample of {row.log_z_effective_samples:.1f} of {row.alike['ais_chains']:,} chains"
        yield f"log Z of {row.cell} cannot be trusted: {effective}; take more --temperatures"
    if row.log_z_verdict in FROM_ABOVE:
        yield f"log Z of {row.cell}, {row.log_z_gap:+.2f} nats from above: {FROM_ABOVE[row.log_z_verdict]}"
    if len(row.betas) > 1:
        among = ", ".join(f"{beta:g} ({n} run{'s' * (n > 1)})" for beta, n in row.betas.items())
        yield f"beta of {row.cell}: chosen among {among}"


def _differing(group):
    """The settings in which these rows differ, each with its value in every row: texts."""
    for name in group[0]:
        values = [alike[name] for alike in group]
        if any(value != values[0] for value in values):
            yield f"{name} {', '.join(map(str, values))}"
