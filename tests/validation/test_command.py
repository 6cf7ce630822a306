"""The command: exit codes, the report, the JSON line. Claims here are made up and take no time."""

import json
import re

import pytest

from validation import __main__ as command
from validation import claims, sabotage
from validation.claim import Claim, Finding, at_most, close, mean_score, score


def made_up(name, *findings):
    def check(quick, seed):
        if not findings:
            raise ValueError("the check broke")
        return list(findings), [1, 2, 3]

    def picture(data, figure):
        figure.subplots().plot(data)

    return Claim(name, f"{name} <is> & stated", (r"x \geq \frac{1}{2}",), check, picture, (1, 2))


GOOD = made_up("good", close("pi", 3.14159, 3.14159265, 1e-4, "digits"), score("mean", 1.02, 1.0, 0.01))
BAD = made_up("bad", at_most("an error", 2.0, 1.0, "a <script>"), close("nothing", float("nan"), 1.0, 1.0, "NaN"))
RAISING = made_up("raising")


@pytest.fixture
def main(monkeypatch, tmp_path, capsys):
    """main(claims, *arguments) -> (exit code, output, folder of the report)."""

    def call(chosen, *arguments):
        monkeypatch.setattr(claims, "load", lambda names: chosen)
        code = command.main([*arguments, "--out", str(tmp_path), "--no-progress"])
        return code, capsys.readouterr().out, tmp_path

    return call


def test_claims_that_hold_exit_with_0(main):
    code, out, folder = main([GOOD])
    assert code == 0
    assert "all claims hold (1 claims, 2 findings)" in out
    assert "good: holds" in out
    assert (folder / "report.html").exists()


@pytest.mark.parametrize("failing", [BAD, RAISING], ids=["bad", "raising"])
def test_a_claim_that_fails_exits_with_1_and_the_others_are_still_checked(main, failing):
    code, out, folder = main([failing, GOOD])
    assert code == 1
    assert f"{failing.name}: FAILS" in out
    assert "good: holds" in out
    assert "1 of 2 claims FAIL" in out
    page = (folder / "report.html").read_text()
    assert "1 of 2 claims fail." in page
    assert "<script" not in page


def test_the_report_is_one_file_that_needs_no_network(main):
    _, _, folder = main([GOOD, BAD])
    page = (folder / "report.html").read_text()
    sources = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    assert sources
    assert all(s.startswith(("data:image/svg+xml;base64,", "#")) for s in sources)
    assert not re.search(r"https?://|@import|<link|url\(", page)
    assert [p.name for p in folder.iterdir()] == ["report.html"]
    assert "good &lt;is&gt; &amp; stated" in page


def test_json_is_the_last_line_and_holds_every_finding(main):
    code, out, _ = main([GOOD, BAD], "--json", "--quick")
    record = json.loads(out.splitlines()[-1])
    assert (code, record["passed"]) == (1, False)
    assert [c["name"] for c in record["claims"]] == ["good", "bad"]
    pi, mean = record["claims"][0]["findings"]
    assert (pi["oracle"], pi["passed"], pi["would_have_caught"]) == (3.14159265, True, None)
    assert mean["error"] == pytest.approx(2)
    assert mean["would_have_caught"] == pytest.approx(0.06)
    assert record["claims"][1]["findings"][1]["estimate"] is None  # NaN is not JSON


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such_claim"], "there are enumeration, mean_field"),
        (["--seed", "-1"], "0 <= seed"),
        (["--quik"], "did you mean --quick?"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_there_is(arguments, said, capsys):
    with pytest.raises(SystemExit) as error:
        command.main(arguments)
    assert error.value.code == 2
    assert said in capsys.readouterr().err


def test_list_names_every_claim(capsys):
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(claims.NAMES)


def test_findings_are_judged_by_their_bounds():
    assert close("", 1.1, 1.0, 0.11, "").passed
    assert not close("", 1.1, 1.0, 0.09, "").passed
    assert close("", 110, 100, 0.11, "", relative=True).passed
    assert not Finding("", 1.0, 1.0, float("nan"), 1.0, "").passed
    assert score("", 1.04, 1.0, 0.01).passed
    assert not score("", 0.94, 1.0, 0.01).passed
    assert score("", 0.94, 1.0, 0.01, allowance=0.02).passed


def test_mean_score_takes_the_standard_error_of_the_mean():
    import numpy as np

    finding = mean_score("", np.array([1.0, 2.0, 3.0, 6.0]), 2.0)
    assert finding.error == pytest.approx(1 / (np.sqrt(14 / 3) / 2))


class Formulas:
    """Something to break."""

    @staticmethod
    def two():
        return 2.0


def breaks(value):
    return sabotage.Break(f"two is {value}", "made up", ((Formulas, "two", lambda f: staticmethod(lambda: value)),))


@pytest.mark.parametrize(
    ("bound", "code", "said"), [(0.5, 0, "every break is caught"), (5.0, 1, "1 SURVIVE: two is 3.0")]
)
def test_sabotage_exits_with_1_if_a_break_survives(main, monkeypatch, bound, code, said):
    def check(quick, seed):
        return [close("two", Formulas.two(), 2.0, bound, "")], None

    claim = Claim("made up", "", (), check, lambda data, figure: None, (1, 1))
    monkeypatch.setattr("validation.breaks.BREAKS", (breaks(3.0),))
    sabotage.unbroken.cache_clear()
    found, out, _ = main([claim], "--sabotage", "--json")
    assert (found, said in out) == (code, True)
    assert json.loads(out.splitlines()[-1])["passed"] is (code == 0)
    assert Formulas.two() == 2.0


def test_a_claim_that_fails_unbroken_catches_nothing(main, monkeypatch):
    claim = Claim("made up", "", (), lambda quick, seed: ([at_most("", 2.0, 1.0, "")], None), None, (1, 1))
    monkeypatch.setattr("validation.breaks.BREAKS", (breaks(3.0),))
    sabotage.unbroken.cache_clear()
    assert main([claim], "--sabotage")[0] == 1


def test_a_break_that_merely_does_not_run_is_an_error(monkeypatch):
    def check(quick, seed):
        raise TypeError("takes no arguments")

    claim = Claim("made up", "", (), check, None, (1, 1))
    monkeypatch.setattr(claims, "load", lambda names: [claim])
    with pytest.raises(TypeError):
        sabotage.checked("made up", {}, 0)
