"""Every claim holds in its quick form, and a sample of the breaks is caught. (`--sabotage` tries them all.)"""

from pathlib import Path

import pytest

from validation import claims, report, sabotage
from validation.__main__ import run
from validation.breaks import BREAKS, training

SLOW = ("reparameterisation", "iw_bounds", "gradients", "log_px", "training", "population", "gibbs", "ais")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in claims.NAMES])
def test_claim_holds(name):
    [claim] = claims.load([name])
    result = run(claim, quick=True, seed=0)
    assert result.passed, report.as_text(result)
    page = report.page([result], quick=True, seed=0)
    assert page.count("data:image/svg+xml;base64,") == len(claim.equations) + 1


BREAKS_PAGE = Path(__file__).parents[2] / "docs" / "breaks.md"


def test_the_page_has_all_breaks_of_what_trains_and_none_survives():
    page = BREAKS_PAGE.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| break")]
    assert "survives" not in page
    for row, broken in zip(rows, training.BREAKS, strict=True):
        assert row.startswith(f"| {broken.name} | {broken.claim} | ")


def test_fifteen_were_asked_for_and_fifteen_are_ours():
    assert (len(training.ASKED), len(training.OTHERS)) == (15, 15)


QUICK = ("mean_field", "gaussian_integral", "gibbs", "released_code", "enumeration", "adam", "evaluation", "training")


@pytest.mark.parametrize("broken", [b for b in BREAKS if b.claim in QUICK], ids=lambda b: b.name)
def test_break_is_caught(broken):
    outcome = sabotage.try_break(broken, seed=0)
    assert outcome.sound
    assert outcome.failed > 0


def test_there_are_breaks_for_every_claim():
    assert {b.claim for b in BREAKS} == set(claims.NAMES)
    assert len({b.name for b in BREAKS}) == len(BREAKS) >= 25
