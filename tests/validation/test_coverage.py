"""Coverage of brackets on a few runs, what would be seen, and the table on the page."""

import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from dvae_ref.sampling import modes, philox
from dvae_ref.sampling.bracket import Bracket, End, Start
from validation import counts, coverage, machines

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "bracket_coverage.csv"
PAGE = ROOT / "docs" / "bracket_coverage.md"
RUNS = 40
LEAST = 0.95 - 2 * math.sqrt(0.95 * 0.05 / RUNS)  # of the runs: two standard errors below 95%


@pytest.fixture(scope="module")
def found():
    """Row by (machine, path, start), of 40 runs; the warnings of few effective chains are expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [row for name in ("ferromagnet", "golf hole") for row in coverage.rows(machines.named(name), RUNS)]
    return {row[:3]: row for row in rows}


def test_from_exact_samples_a_bracket_contains_log_z(found):
    """In 95% of the runs, less two standard errors, and never off by more than five; AIS alone does on one
    of these four paths, closed brackets on one."""
    exact = [row for (_, _, start), row in found.items() if start == "exact samples"]
    assert len(exact) == 4
    for row in exact:
        assert row.contains >= LEAST * RUNS
        assert row.far == 0
    assert [row.ais_contains > LEAST * RUNS for row in exact] == [True, False, False, False]
    assert [row.closed > RUNS / 2 for row in exact] == [True, False, False, False]


def test_what_neither_knows_is_closed_and_wrong(found):
    """A mode that the start holds no more than annealing does: the check passes, off by more than five errors."""
    for path in ("uniform", "bias"):
        assert found["golf hole", path, "replicas"].closed_far == RUNS
        assert found["golf hole", path, "fresh chains"].closed_far == RUNS
    assert found["ferromagnet", "bias", "replicas"].closed_far > 0.8 * RUNS
    assert found["ferromagnet", "uniform", "replicas"].closed_far == 0


@pytest.mark.parametrize(("path", "verdict"), [("bias", "contradictory"), ("uniform", "closed")])
def test_a_mean_field_contradicts_what_neither_knows(path, verdict):
    """Replicas of the ferromagnet's biases are in one of its two modes, as AIS is: closed and 0.9 nats too low by their
    gap. The bound, 0.07 below log Z, is hundreds of errors above either estimate; where both modes are found it changes
    nothing. Of five runs each the most frequent verdict: two in a hundred are another."""
    machine = machines.named("ferromagnet")
    annealed, least = coverage._Temperature(machine, path), modes.lower_bound(machine.rbm)
    assert machine.log_z - 0.08 < least <= machine.log_z
    by_gap, by_both = [], []
    for key in (philox.fold_in(philox.key(5), i) for i in range(5)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            below, _ = annealed.below(philox.fold_in(key, 0))
            replicas = Start(annealed.replicas(philox.fold_in(key, 1)), "replicas")
        found = Bracket(below, annealed.above(philox.fold_in(key, 2), replicas))
        by_gap.append(found.verdict)
        by_both.append(found._replace(least=least).verdict)
    assert by_gap.count("closed") >= 3
    assert by_both.count(verdict) >= 4


def brackets(log_z, scale, runs=300):
    """Of estimates with normal errors of 0.05, told as `scale` times that."""
    rng = np.random.default_rng(1)
    ends = log_z + 0.05 * rng.standard_normal((runs, 2))
    return [Bracket(*(End(value, 0.05 * scale, 1000, "", True) for value in pair)) for pair in ends]


@pytest.mark.parametrize(("scale", "holds"), [(1, True), (0.5, False)])
def test_error_bars_of_half_the_size_would_be_seen(scale, holds):
    machine = machines.ferromagnet()
    row = coverage.summary(machine, "none", "none", brackets(machine.log_z, scale), [100.0] * 300)
    assert (row.contains >= (0.95 - 2 * math.sqrt(0.95 * 0.05 / 300)) * 300) is holds
    assert row.contains + row.closed_outside + sum(b.verdict != "closed" for b in brackets(machine.log_z, scale)) >= 300


def test_a_row_counts_what_it_says():
    """Exact log Z: 1.88. Contained and closed; closed and below it by 8 errors; open; contradictory."""
    machine = machines.ferromagnet()
    log_z = machine.log_z
    ends = [(0.0, 0.0), (-0.4, -0.4), (-1.0, 0.0), (1.0, 0.0)]
    found = [Bracket(*(End(log_z + off, 0.05, 100, "", True) for off in pair)) for pair in ends]
    row = coverage.summary(machine, "path", "start", found, [50.0, 60, 70, 80])
    assert row[:4] == ("ferromagnet", "path", "start", 4)
    assert (row.contains, row.closed, row.open, row.contradictory) == (2, 2, 1, 1)
    assert (row.closed_outside, row.closed_far, row.far, row.ais_contains) == (1, 1, 2, 1)
    assert (row.effective, row.below_error) == (65, 0.05)
    assert row.below == pytest.approx(-0.2)
    assert row.above == pytest.approx(0.0)


def test_rows_are_read_back():
    machine = machines.ferromagnet()
    row = coverage.summary(machine, "snapshots", "start", brackets(machine.log_z, 1), [math.nan] * 300)
    file = io.StringIO()
    counts.write(file, coverage.Row, [row])
    file.seek(0)
    (read,) = counts.read(file, coverage.Row)
    assert read[:12] == row[:12]
    assert math.isnan(read.effective)
    assert read[13:] == pytest.approx(row[13:], rel=1e-3)
    assert "| ferromagnet | snapshots | start | " in coverage.table([read])


def published():
    with FILE.open(newline="", encoding="utf-8") as file:
        return counts.read(file, coverage.Row)


def test_the_published_coverage_holds():
    """From exact samples: in 95% of 300 runs within two standard errors of that share, or more; none off by five."""
    rows = published()
    assert {row.machine for row in rows} == {machine.name for machine in machines.machines()}
    assert {row.runs for row in rows} == {300}
    for row in rows:
        if row.start == "exact samples":
            assert row.contains >= (0.95 - 2 * math.sqrt(0.95 * 0.05 / 300)) * 300, row
            assert row.far == 0, row


def test_a_mean_field_knows_of_whatever_is_closed_and_far_off():
    """What the page says of the bounds and of these rows: five errors of the estimate from above, or more."""
    short = {machine.name: machine.log_z - modes.lower_bound(machine.rbm) for machine in machines.machines()}
    assert [f"{short[name]:.1g}" for name in ("golf hole", "one large weight")] == ["0.009", "0.003"]
    assert [f"{value:.2f}" for value in list(short.values())[:5]] == ["0.37", "0.07", "0.03", "0.04", "6.65"]
    rows = [row for row in published() if row.closed_far]
    assert len(rows) == 11
    for row in rows:
        beyond = -short[row.machine] - row.above
        assert max(0.2, 5 * row.above_error) < beyond < 5.1


def test_the_page_shows_what_was_published():
    lines = re.findall(r"^\| .*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    table = coverage.table(published()).splitlines()
    start = lines.index(table[0])
    assert lines[start : start + len(table)] == table


def test_bad_names_are_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        coverage.main(["spin"])
    assert stopped.value.code == 2
    assert "the hard machines are easy, " in capsys.readouterr().err
