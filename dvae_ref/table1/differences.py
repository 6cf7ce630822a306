"""Paired differences (`pairs`) in Markdown: a line each, or, where many rows differ in one setting, a square.

They have tables of their own, since an error over images that two rows have in common says nothing of which is the
better. Eight models make 28 pairs, which nobody finds his own in as lines: in a square each model has a line and a
column, and all its errors are one number.
"""

import math
from collections import defaultdict

from dvae_ref.table1 import notes
from dvae_ref.table1.markdown import grid, listed, shown
from dvae_ref.table1.pairs import pairs
from dvae_ref.table1.report import MEASURED

COLUMNS = (
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
AS_LINES = 3  # pairs of one kind: those of three rows
ONE_RUN = "± runs is a dash where one of the two is a single run: what another seed would give is not known"
ALL_ERRORS = "NLL of the row less that of the column, nats, ± all its errors that are known, together"
FORMS = {"k": "K = {}", "num_train_iter": "{:,}", "baseline": "{}", "struct": "{}", "sampler": "{}"}  # of values


def lines(made):
    """The lines of all paired differences of these Rows; none where nothing can be paired."""
    kinds = _kinds(made)
    few = {kind: group for kind, group in kinds.items() if len(group) <= AS_LINES}
    found = _table(few) if few else []
    for kind, group in kinds.items():
        if kind not in few:
            found += _square(kind, group)
    return found


def _kinds(made):
    """{(data, what is the same, the setting that differs, how both were measured): Pairs}, in the order of the rows.

    Two measurements of the same models are two kinds, also where their words are the same.
    """
    found, everywhere = defaultdict(list), _everywhere(made)
    for pair in pairs(made):
        how = tuple(pair.first.alike[name] for name in MEASURED)
        found[pair.first.dataset, _same(pair, everywhere), pair.setting, how].append(pair)
    return found


def _said(row):
    """What is unusual in a row's settings, and other than the paper's in its measurement: a set of texts."""
    return {*row.unusual, *notes.measured(row)}


def _everywhere(made):
    """What is `_said` of every row, and so says nothing of a pair."""
    said = list(map(_said, made))
    return set.intersection(*said) if said else set()


def _same(pair, everywhere):
    """What is the same in both rows, in words: the cell, its length, and what is `_said` of both, but for what is said
    `everywhere`."""
    first, second = pair.first, pair.second
    same = {"struct": first.struct, "k": f"K = {first.k}", "baseline": first.baseline}
    same["num_train_iter"] = f"{first.num_train_iter:,} iterations"
    same.pop(pair.setting, None)
    said = _said(first) & _said(second) - everywhere
    return ", ".join([*same.values(), *sorted(said)])


def _value(row, setting):
    """A row's value of the setting that differs, which is named where the value does not say it."""
    return FORMS.get(setting, f"{setting} {{}}").format(row.alike[setting])


def _table(kinds):
    """The lines of one table of the Pairs of these kinds, and a word on single runs if there are any."""
    rows, single = [], False
    for (data, same, *_), group in kinds.items():
        rows += [[data, same, *_cells(pair)] for pair in group]
        single |= any(math.isnan(pair.run_standard_error) for pair in group)
    lead = ["", "Test NLL of two rows over the same images, nats:", ""]
    return lead + grid(COLUMNS, rows) + listed([ONE_RUN] * single)


def _cells(pair):
    """The texts of a Pair that follow on what is the same: one for each of COLUMNS but the first two."""
    return [
        _value(pair.first, pair.setting),
        _value(pair.second, pair.setting),
        f"{pair.difference:+.2f}",
        shown(pair.image_standard_error, ".3f"),
        f"{pair.log_z_standard_error:.3f}",
        shown(pair.run_standard_error, ".3f"),
        shown(pair.z_score, "+.1f"),
    ]


def _square(kind, group):
    """The lines of a table of the Pairs of one kind, the first row of each by the second, and of a heading."""
    data, same, setting, _ = kind
    texts = {}
    for pair in group:
        place = _value(pair.first, setting), _value(pair.second, setting)
        texts[place] = f"{pair.difference:+.2f} ± {shown(pair.standard_error, '.2f')}"
    firsts, seconds = dict.fromkeys(first for first, _ in texts), dict.fromkeys(second for _, second in texts)
    columns = [("", False), *((second, True) for second in seconds)]
    rows = [[first, *(texts.get((first, second), "") for second in seconds)] for first in firsts]
    return ["", f"{data}, {same}: {ALL_ERRORS}", "", *grid(columns, rows)]
