"""Every claim holds in its quick form, and a sample of the breaks is caught. (`--sabotage` tries them all.)"""

from pathlib import Path

import numpy as np
import pytest

from validation import claims, matrix, report, sabotage
from validation.__main__ import run
from validation.breaks import BREAKS, training
from validation.claim import spread

SLOW = ("reparameterisation", "iw_bounds", "gradients", "log_px", "training", "population", "gibbs", "ais")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in claims.NAMES])
def test_claim_holds(name):
    [claim] = claims.load([name])
    result = run(claim, quick=True, seed=0)
    assert result.passed, report.as_text(result)
    page = report.page([result], quick=True, seed=0)
    assert page.count("data:image/svg+xml;base64,") == len(claim.equations) + 1


BREAKS_PAGE = Path(__file__).parents[2] / "docs" / "breaks.md"


def test_the_page_has_all_breaks_and_mistakes_and_none_survives():
    page = BREAKS_PAGE.read_text(encoding="utf-8")
    assert "survives" not in page
    of_claims, of_mistakes = page.split("## Mistakes against claims")
    rows = [line for line in of_claims.splitlines() if line.startswith("| ") and not line.startswith("| break")]
    for row, broken in zip(rows, BREAKS, strict=True):
        name = broken.name.replace("|", r"\|")
        assert row.startswith(f"| {name} | {broken.claim} | ")
    for formula in matrix.FORMULAS:
        assert all(f"\n| {mistake} | " in of_mistakes for mistake in formula.wrong)


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


@pytest.mark.parametrize("allowance", [0.0, 0.05])
def test_a_spread_of_scores_sees_what_it_says_it_sees(allowance):
    """Of 2,000 samples of 700 normal scores none fails; with error bars too long by `would_have_caught` 84% do or more,
    to 4.5 standard errors (3.7%), and with ones half of that too long one in ten at most."""
    scores = np.random.default_rng(0).standard_normal((2000, 700))
    found = [spread("scores", row, allowance) for row in scores]
    assert all(f.passed for f in found)
    caught = found[0].would_have_caught
    assert 0.15 < caught < 0.2
    failed = [
        np.mean([not spread("scores", row / (1 + by), allowance).passed for row in scores])
        for by in (caught, caught / 2)
    ]
    assert failed[0] > 0.84 - 0.037
    assert failed[1] < 0.1
