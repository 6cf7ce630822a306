"""What a new user meets: no message sends him to an index that has no dvae_ref, hours are told before they pass."""

import argparse
import csv
import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from dvae_ref import cli, options
from dvae_ref.fast import jit
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import durations
from dvae_ref.runs.presets import BASELINES, Settings
from dvae_ref.runs.progress import Progress

ROOT = Path(__file__).parent.parent
INDEX = re.compile(r"pip install\s+(?:-\S+\s+)*['\"]?dvae[_-]ref\b")


def from_an_index(text):
    """Where a text says to install what is on no index."""
    return INDEX.findall(text)


def pages():
    folders = ("dvae_ref", "docs", "validation", "figures", "benchmarks", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".md"}]
    return [*found, *(path for path in (ROOT / "README.md", ROOT / "Makefile") if path.exists())]


def test_nothing_says_to_install_from_an_index():
    assert [str(path) for path in pages() if path.name != Path(__file__).name and from_an_index(path.read_text())] == []


@pytest.mark.parametrize(
    "text", ["pip install dvae_ref[data]", "pip install 'dvae-ref[cuda]'", "pip install -U dvae_ref"]
)
def test_control_an_index_is_seen(text):
    assert from_an_index(text)


def test_both_doors_of_the_command_line_are_one():
    code = "import sys; from dvae_ref.__main__ import main; sys.argv = ['dvae-ref', '--version']; main()"
    for start in (["-c", code], ["-m", "dvae_ref", "--version"]):
        done = subprocess.run([sys.executable, *start], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("dvae_ref 0.")


# -- hours ------------------------------------------------------------------------------------------------------------


def test_milliseconds_are_those_of_the_documents():
    with open(ROOT / "docs/results/milliseconds.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for row in rows:
        assert durations.milliseconds(row["struct"], int(row["k"])) == float(row["milliseconds"])


def test_hours_of_the_whole_table_are_those_of_its_commands():
    """Five seeds, to a thousand hours, in README and docs/table1.md; the table of milliseconds there is the csv's."""
    (seed,) = re.findall(r"# ([\d,]+) hours in all, a seed", (ROOT / "docs/results/commands.txt").read_text())
    told = f"some {round(5 * int(seed.replace(',', '')), -3):,} core hours"
    page = (ROOT / "docs/table1.md").read_text()
    assert told in (ROOT / "README.md").read_text()
    assert told in page
    for struct, taken in durations.MILLISECONDS.items():
        assert f"| {struct} | {' | '.join(f'{value:.3g}' for value in taken)} | " in page


def test_names_are_explained_alike_by_help_and_page():
    titles = {name: one.title for table in (BASELINES, STRUCTURES) for name, one in table.items()}
    shown = dict(re.findall(r"^  (\S+) +(.*)$", options.glossary(), re.MULTILINE))
    assert {name: shown.get(name) for name in titles} == titles
    page = (ROOT / "docs/table1.md").read_text()
    assert dict(re.findall(r"^\| `(\w\S+)` \| ([^|]+) \|$", page, re.MULTILINE)) == titles


def test_hours_are_told_where_there_are_any():
    assert durations.notice(durations.hours(Settings())) == (
        "this takes about 3 hours of one core (a Zen 5); a first try: --num-train-iter 5000"
    )
    assert durations.notice(durations.hours(Settings(num_train_iter=5000))) is None
    assert "about 15 minutes" in durations.notice(0.25)
    assert "about 90 minutes" in durations.notice(1.4999)
    assert "about 2 hours" in durations.notice(1.5)
    assert "56 minutes" in durations.notice(durations.hours(Settings(), 330_000))
    dear = Settings(struct="4-layer-nonlin", k=50)
    np.testing.assert_allclose(durations.hours(dear), (192 + 25 * 144 / 20) / 3.6, rtol=1e-12)


def test_the_try_that_is_offered_is_small():
    args = cli.build_parser().parse_args(["train", *durations.TRY.split()])
    assert durations.hours(Settings(num_train_iter=args.num_train_iter)) < 0.1


def test_as_many_mistakes_are_known_as_the_document_says():
    from dvae_ref.conformance.mistakes import registry

    (told,) = re.findall(r"The registry knows (\d+) by name", (ROOT / "docs/conformance.md").read_text())
    assert len({mistake.name for mistake in registry.REGISTRY}) == int(told)


# -- compiling --------------------------------------------------------------------------------------------------------


def test_compiling_is_said_once_and_only_where_it_is_done(monkeypatch):
    said = []
    monkeypatch.setattr(jit, "_listeners", [])
    jit.announce(lambda: said.append("compiling"))
    assert not said
    kernel = jit.compiled()(lambda x: x + 1)
    other = jit.compiled()(lambda x: x + 2)
    assert (kernel(1), other(1)) == (2, 3)
    assert said in ([], ["compiling"])  # [] where NUMBA_DISABLE_JIT is set, or these are on disk
    jit._compiling()
    jit._compiling()
    assert said == ["compiling"]


def test_the_clock_of_the_bar_starts_after_the_first_iteration():
    class Run:
        settings = Settings(num_train_iter=10)
        state = type("State", (), {"iteration": 0})

    with Progress(Run) as progress:
        begun = progress.bar.start_t
        progress.bar._time = lambda: begun + 43  # so long the first one takes
        progress.iteration(None, -1.0)
        assert progress.bar.start_t == begun + 43 == progress.bar.last_print_t


# -- defaults ---------------------------------------------------------------------------------------------------------


def defaults_shown():
    """{option: what --help says is its default}."""
    text = io.StringIO()
    with redirect_stdout(text), pytest.raises(SystemExit):
        cli.build_parser().parse_args(["train", "--help"])
    joined = " ".join(text.getvalue().split())
    return dict(
        re.findall(r"--([a-z0-9-]+) (?:(?! --[a-z]).)*?\(default: ([^\s)]+)\)", joined[joined.index("options:") :])
    )


def test_defaults_that_are_shown_are_the_defaults_when_typed_in(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    shown = defaults_shown()
    names = {f.name.replace("_", "-") for f in fields(Settings) if f.default is not None}
    assert names <= set(shown)
    words = [word for name in sorted(names) for word in (f"--{name}", shown[name])]
    args = cli.build_parser().parse_args(["train", *words])
    given = {f.name: getattr(args, f.name) for f in fields(Settings) if hasattr(args, f.name)}
    assert len(given) == len(names)
    assert Settings(**given) == Settings()


def test_numbers_may_be_fractions():
    assert options.numbers("1/3,0.1,2") == (1 / 3, 0.1, 2.0)
    assert options.numbers(options.shown((1 / 33, np.pi))) == (1 / 33, np.pi)
    for wrong in ("1/0", "1/2/3", "/", "1/", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            options.numbers(wrong)
