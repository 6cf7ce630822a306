"""Ratios to a commit: two trees that are two, ratios the right way up, rows that see other work, usage."""

import json
import shutil
import subprocess
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__, against, rows, timing
from benchmarks.processes import ROOT, Worker
from dvae_ref.sampling import pcd

CASE = timing.Case(
    "a case", "ms", 1e3, dict.fromkeys(("now", "before"), ("dvae_ref.contender:made",)), lambda a, b: abs(a - b)
)
CONTENDER = """
    import time

    def made():
        def run():
            until = time.process_time() + SECONDS
            while time.process_time() < until:
                pass
            return SECONDS
        return run
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """One whose commit takes 60 ms of processor for what the tree at hand does in 20."""
    git = shutil.which("git") or pytest.skip("needs git")
    root = tmp_path / "repository"
    package = root / "dvae_ref"
    (package / "program").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "program" / "process.py").write_text("def prepare(): pass\n")
    contender = textwrap.dedent(CONTENDER)
    (package / "contender.py").write_text(contender.replace("SECONDS", "0.06"))
    shutil.copytree(ROOT / "benchmarks", root / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "old"],
    ):
        subprocess.run([git, "-C", root, *command], check=True, capture_output=True)
    (package / "contender.py").write_text(contender.replace("SECONDS", "0.02"))
    monkeypatch.setattr(against, "ROOT", root)
    return root


def test_each_side_runs_its_own_tree(repository):
    with against.checked_out("HEAD") as trees:
        assert trees["now"] == repository
        answers = {}
        for side, made in CASE.contenders.items():
            with Worker(made, 1, trees[side]) as worker:
                answers[side] = worker.answer
        assert answers == {"now": 0.02, "before": 0.06}
    assert not trees["before"].exists()


def test_a_tree_other_than_the_one_asked_for_takes_no_part(repository, tmp_path):
    """A folder without dvae_ref would quietly be served by whatever is installed."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "empty" / "benchmarks")
    (tmp_path / "empty" / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "contenders.py", tmp_path / "empty" / "tests")
    with Worker(("tests.contenders:sleeper", 1.0, 0.0), 1, tmp_path / "empty") as worker:
        assert "failed" in worker.out


FINDER = f"""
import importlib.machinery

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.startswith("dvae_ref."):
            return importlib.machinery.PathFinder.find_spec(name, [{str(ROOT / "dvae_ref")!r}])
"""


@pytest.mark.parametrize(("finder", "served"), [("__editable___dvae_ref_0_2_0_finder", False), ("another", True)])
def test_a_lacking_module_is_not_served_by_an_editable_install(repository, tmp_path, monkeypatch, finder, served):
    """Its finder finds every module of dvae_ref that is on no path; another one's shows that this one would."""
    site = tmp_path / "site"
    site.mkdir()
    (site / f"{finder}.py").write_text(FINDER)
    (site / "sitecustomize.py").write_text(f"import sys, {finder}\nsys.meta_path.append({finder}.Finder)\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    contender = repository / "dvae_ref" / "contender.py"
    contender.write_text("import dvae_ref.tree\n" + contender.read_text())
    with Worker(("dvae_ref.contender:made",), 1, repository) as lacking:
        assert ("absent" in lacking.out) is not served
        assert (lacking.answer is not None) is served


def test_ratios_say_how_many_times_as_fast_this_tree_is(repository, monkeypatch, capsys):
    """Three times, by the processor's time; turned over it would be a third."""
    monkeypatch.setattr(rows, "cases", lambda: {"row": CASE})
    assert __main__.main(["against", "HEAD", "--cores", "1", "--rounds", "4", "--seconds", "0", "--json"]) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    record = json.loads(last)
    (row,) = record["runs"][0]["rows"]
    before, now = row["contenders"]["before"], row["contenders"]["now"]
    assert 2.5 < before["busy_ratio"] < 3.5
    assert before["least_ratio"] <= before["ratio"]
    assert before["ratio_of_least"] == pytest.approx(before["least"] / now["least"])
    assert before["deviation"] == pytest.approx(0.04)
    assert now["rounds"] == 4
    assert len(record["commit"]) == 40
    assert any(line.startswith("row ") and "differ 0.04" in line for line in printed)


def test_who_came_last_begins_the_next_round():
    order = []
    workers = {
        name: SimpleNamespace(out={}, turn=lambda name=name: order.append(name) or 1.0) for name in ("now", "before")
    }
    timing.take_turns(workers, rounds=3, seconds=0)
    assert order == ["now", "before", "before", "now", "now", "before"]


def test_a_row_that_fails_is_named_and_makes_the_exit_code_1(repository, monkeypatch, capsys):
    (repository / "dvae_ref" / "contender.py").write_text("def made(): raise RuntimeError\n")
    monkeypatch.setattr(rows, "cases", lambda: {"row": CASE})
    assert __main__.main(["against", "HEAD", "--cores", "1", "--rounds", "1", "--seconds", "0"]) == 1
    assert "now: failed with exit code 1" in capsys.readouterr().out


@pytest.mark.parametrize("rev", ["no-such-commit", "--output=x", "HEAD:dvae_ref"])
def test_what_is_no_commit_is_refused(repository, rev, capsys):
    assert against.main(["--rows=gibbs", "--", rev]) == 1
    assert "git rev-parse" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["HEAD", "--rows", "speed"], "no row speed"),
        (["HEAD", "--cores", "0"], "must lie in 1"),
        (["HEAD", "--rounds", "0"], "at least 1"),
        ([], "REV"),
    ],
)
def test_wrong_usage_is_refused(given, message, capsys):
    with pytest.raises(SystemExit) as end:
        against.main(given)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_every_row():
    text = against.build_parser().format_help()
    for name in rows.cases():
        kind = name.split("-")[0]
        assert f"\n  {kind}" in text
    assert len(rows.cases()) == 4 + 1 + 2 + 24 + 1


# -- the rows ----------------------------------------------------------------------------------------------------------


def made(name):
    target, *arguments = rows.cases()[name].contenders["now"]
    function = getattr(rows, target.split(":")[1])
    found = function(*arguments)
    return found if isinstance(found, tuple) else (found, found)


@pytest.mark.parametrize("name", ["gibbs-100", "gibbs-200", "gibbs-400", "moments-100", "moments-200"])
def test_a_run_does_what_its_unit_is_counted_in(name, monkeypatch):
    """Calls, or spins drawn, of a run, by a sampler that counts: a run of so many seconds is divided by that."""
    drawn = []

    def step(key, state, rbm, sweeps):
        drawn.append(1000 * len(rbm.a) * sweeps)
        return pcd.step(key, state, rbm, 0)

    case, (run, _) = rows.cases()[name], made(name)
    monkeypatch.setattr(rows, "pcd", SimpleNamespace(step=step))
    monkeypatch.setattr(rows.ours, "pcd", SimpleNamespace(step=step, samples=pcd.samples))
    run()
    whole = 1e9 / sum(drawn) if case.unit == "ns/spin" else 1e3 / len(drawn)
    assert case.scale == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("name", ["step-1-layer-lin-k1", "step-1-layer-lin-k5", "step-1-layer-lin-k25-alone"])
def test_a_run_takes_the_steps_that_it_is_divided_by(name, monkeypatch):
    taken = []
    case, (run, _) = rows.cases()[name], made(name)
    monkeypatch.setattr(rows.ours.training, "iterate", lambda state, *_: taken.append(state) or (state, None))
    run()
    assert case.unit == "ms"
    assert case.scale == pytest.approx(1e3 / len(taken), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "spoilt", "limit"),
    [
        ("gibbs-100", lambda z: 1 - z, 5),
        ("moments-100", lambda m: 1 - m, 6),  # the largest of 10,200
        ("step-1-layer-lin-k1", lambda arrays: [*arrays[:-1], -arrays[-1]], 1e-4),
        ("step-1-layer-lin-k1-alone", lambda arrays: [1.01 * arrays[0], *arrays[1:]], 1e-4),
        ("evaluation", lambda log_px: log_px + 0.1, 1e-2),
    ],
)
def test_a_row_agrees_with_itself_and_sees_other_work(name, spoilt, limit):
    case, (run, answer) = rows.cases()[name], made(name)
    run()
    first, second = answer(), answer()
    assert case.agree(first, second) < limit
    assert case.agree(first, spoilt(second)) > limit


def test_annealing_is_compared_by_its_standard_errors(monkeypatch):
    monkeypatch.setattr(rows, "TEMPERATURES", 100)
    case, (_, answer) = rows.cases()["ais"], made("ais")
    log_z, error = answer()
    assert case.agree((log_z, error), (log_z, error)) == 0
    assert case.agree((log_z, error), (log_z + 10 * error, error)) == pytest.approx(10 / np.sqrt(2))
