"""The matrix of mistakes and claims: a mistake is made wherever the function is called from, and is gone afterwards."""

import pytest

from dvae_ref.theory import mean_field, overlapping
from validation import matrix

MEAN_FIELD = matrix.FORMULAS[0]


@pytest.fixture
def small(monkeypatch):
    """The matrix of one mistake and one claim."""
    mistake = "one sweep too few"
    formula = MEAN_FIELD._replace(wrong={mistake: MEAN_FIELD.wrong[mistake]}, claims={"mean_field": {}})
    monkeypatch.setattr(matrix, "FORMULAS", (formula,))
    return formula


def test_every_place_is_broken_and_mended():
    right = mean_field.mean_field
    for mistake, wrong in MEAN_FIELD.wrong.items():
        broken = matrix.breaks_of(MEAN_FIELD, mistake)["mean_field"]
        with broken.applied():
            assert mean_field.mean_field is overlapping.mean_field is wrong
        assert mean_field.mean_field is overlapping.mean_field is right


def test_a_mistake_is_counted(small):
    lines = []
    assert matrix.tables(0, lines.append) == []
    assert lines[0] == "| mean_field | mean_field |"
    assert lines[2].startswith("| one sweep too few | ")
    assert " of " in lines[2]


def test_control_what_is_right_is_missed(small, monkeypatch):
    monkeypatch.setattr(matrix, "FORMULAS", (small._replace(wrong={"none": mean_field.mean_field}),))
    lines = []
    assert matrix.tables(0, lines.append) == ["none"]
    assert lines[2] == "| none | \u2013 |"


def test_help_breaks_nothing(monkeypatch, capsys):
    monkeypatch.setattr(matrix, "tables", lambda seed: pytest.fail("a mistake was made"))
    with pytest.raises(SystemExit) as ended:
        matrix.main(["--help"])
    assert ended.value.code == 0
    assert "python -m validation.matrix" in capsys.readouterr().out
