"""Coverage of error bars on a few runs, what would be seen, and the table on the page."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from validation import counts, error_bars, machines

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "error_bars.csv"
PAGE = ROOT / "docs" / "error_bars.md"
RUNS = 20


def estimates(log_z, scale, runs=300):
    """With errors that are the quantiles of a normal law of 0.05, told as `scale` times that."""
    values = log_z + 0.05 * ndtri((np.arange(runs) + 0.5) / runs)
    return np.stack([values, np.full(runs, 0.05 * scale)], 1)


@pytest.mark.parametrize(("scale", "one", "two"), [(1, 68, 95), (0.5, 38, 67), (2, 95, 100)])
def test_error_bars_of_another_size_would_be_seen(scale, one, two):
    machine = machines.named("ferromagnet")
    row = error_bars.summary(machine, "none", estimates(machine.log_z, scale), np.zeros(300, bool))
    assert row.within_one / 3 == pytest.approx(one, abs=1)
    assert row.within_two / 3 == pytest.approx(two, abs=1)


def test_a_row_counts_what_it_says():
    """Right; right, with a warning; wrong by 4 errors with one, and without."""
    machine = machines.named("ferromagnet")
    found = machine.log_z + np.array([[0.0], [0.15], [-0.4], [0.4]]), np.full((4, 1), 0.1)
    row = error_bars.summary(machine, "estimate", np.concatenate(found, 1), np.array([False, True, True, False]))
    assert row[:3] == ("ferromagnet", "estimate", 4)
    assert (row.within_one, row.within_two, row.wrong) == (1, 2, 2)
    assert (row.wrong_and_warned, row.right_and_warned) == (1, 1)
    assert row.ratio == pytest.approx(np.mean(np.exp([0, 0.15, -0.4, 0.4])))


def test_what_misses_a_mode_is_wrong_and_says_so():
    machine = machines.named("golf hole")
    for name in ("AIS, bias", "AIS batch", "PA 100, bias"):
        row = error_bars.row(machine, name, RUNS)
        assert (row.wrong, row.wrong_and_warned) == (RUNS, RUNS), name


def test_what_misses_none_is_right_and_silent():
    row = error_bars.row(machines.named("ferromagnet"), "AIS, uniform", RUNS)
    assert row.within_two >= RUNS - 4
    assert (row.wrong, row.right_and_warned) == (0, 0)


def test_rows_are_read_back():
    machine = machines.named("ferromagnet")
    row = error_bars.summary(machine, "AIS, bias", estimates(machine.log_z, 1), np.ones(300, bool))
    file = io.StringIO()
    counts.write(file, error_bars.Row, [row])
    file.seek(0)
    (read,) = counts.read(file, error_bars.Row)
    assert read[:8] == row[:8]
    assert read[8:] == pytest.approx(row[8:], rel=1e-3)
    assert "| ferromagnet | AIS, bias | " in error_bars.table([read])


def published():
    with FILE.open(newline="", encoding="utf-8") as file:
        return counts.read(file, error_bars.Row)


def test_every_estimate_on_every_machine_was_published():
    every = [(machine.name, estimate) for machine in machines.machines() for estimate in error_bars.ESTIMATES]
    assert [(row.machine, row.estimate) for row in published()] == every
    assert {row.runs for row in published()} == {300}


def test_whatever_was_wrong_in_most_runs_was_said_to_be():
    """Of the published: estimates that are wrong in half of the runs or more came with a warning in 95% of these.
    `step` of a training run and the schedules of before have none to give."""
    rows = [row for row in published() if row.estimate in QUESTIONED]
    wrong = [row for row in rows if row.wrong >= row.runs / 2]
    assert len(wrong) > 10
    for row in wrong:
        assert row.wrong_and_warned >= 0.95 * row.wrong, row


QUESTIONED = ("AIS, uniform", "AIS, bias", "AIS batch", "PA 100, uniform", "PA 100, bias")


def test_the_page_shows_what_was_published():
    lines = re.findall(r"^\| .*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert lines == error_bars.table(published()).splitlines()


def test_bad_names_are_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        error_bars.main(["spin"])
    assert stopped.value.code == 2
    assert "the hard machines are easy, " in capsys.readouterr().err
