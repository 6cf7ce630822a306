"""Records of finished cells, the page that is made of them, and this repository's own page."""

import importlib.util
import json
import math
import re
import shlex
import shutil
from pathlib import Path

import numba
import numpy as np
import pytest

from dvae_ref import __version__, cli
from dvae_ref.files import writing
from dvae_ref.runs import measuring, plots, sessions
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import grid, records, report, results, summaries
from dvae_ref.table1.pairs import pairs

ROOT = Path(__file__).parents[2]
TINY = {
    "struct": "1-layer-lin",
    "num_train_iter": 8,
    "batch_size": 10,
    "chains": 20,
    "sweeps": 1,
    "eval_every": 4,
    "eval_samples": 2,
    "eval_temperatures": 4,
    "log_every": 2,
}
MEASUREMENT = grid.Measurement(32, 10, ais_chains=30, images=20)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A table's folder: two models finished, one that is begun."""
    root = tmp_path_factory.mktemp("table")
    for baseline in ("dvaes_power", "dvaes_exp"):
        cell = grid.cell(root, Settings(baseline=baseline, **TINY))
        assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT) is None
    begun = grid.cell(root, Settings(baseline="dvaes_gauss", **TINY))
    calls = iter(range(100))
    assert grid.run_cell(begun, threads=1, stop=lambda: next(calls) > 3) == grid.INTERRUPTED
    return root


@pytest.fixture
def table(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "table")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_record_has_all_that_the_table_needs(table, tmp_path):
    """The table of the records is that of the runs, paired differences included, without checkpoints."""
    kept = records.record_all(table, tmp_path / "kept")
    assert len(kept) == 2
    for folder in kept:
        assert names(folder) == ["config.json", "evaluation.json", "log_px.npz", "metrics.jsonl", "record.json"]
        assert sum(path.stat().st_size for path in folder.iterdir()) < 20_000
    of_runs, of_records = (report.collect(root) for root in (table, tmp_path / "kept"))
    for a, b in zip(of_runs[0], of_records[0], strict=True):
        assert repr(a._replace(log_px=None)) == repr(b._replace(log_px=None))
        assert a.log_px.tobytes() == b.log_px.tobytes()
    assert (len(of_runs[1]), of_records[1], of_records[2]) == (1, [], [])


def test_a_record_says_of_what_code_it_is_and_what_it_took(table, tmp_path):
    (folder, *_) = records.record_all(table, tmp_path / "kept")
    found = records.read(folder / "record.json")
    assert found["versions"] == [__version__]
    assert found["commits"] == [sessions.commit()] * (sessions.commit() is not None)
    assert found["commit_of_the_measurement"] == sessions.commit()
    assert 0 <= found["cpu_hours"] < 1
    for path in table.rglob("sessions.json"):
        path.unlink()  # as of version 0.1
    (folder, *_) = records.record_all(table, tmp_path / "old", commit="1c7b2bf")
    found = records.read(folder / "record.json")
    assert (found["versions"], found["commits"], found["cpu_hours"]) == ([], ["1c7b2bf"], None)


def test_a_run_of_train_is_recorded_in_the_place_of_its_cell(table, tmp_path):
    """Wherever it lies; two that would be in one place are refused."""
    cell = grid.cell(table, Settings(**TINY))
    shutil.move(cell.folder, tmp_path / "mine" / "run")
    (folder,) = records.record_all(tmp_path / "mine", tmp_path / "kept")
    assert folder == grid.cell(tmp_path / "kept", cell.settings).folder
    shutil.copytree(tmp_path / "mine" / "run", tmp_path / "mine" / "copy")
    with pytest.raises(ValueError, match=r"copy and .*run are both "):
        records.record_all(tmp_path / "mine", tmp_path / "kept")


@pytest.mark.parametrize("removed", [None, "last.npz"])
def test_a_run_is_not_replaced_by_its_record(table, removed):
    """Its metrics would be thinned, and evaluation.json away for a while: also where its checkpoints are gone."""
    cell = grid.cell(table, Settings(**TINY))
    if removed:
        (cell.folder / removed).unlink()
    before = {path: path.read_bytes() for path in cell.folder.iterdir()}
    with pytest.raises(ValueError, match="holds a run, and is no folder for a record"):
        records.write_record(cell.folder, cell.folder, *records.finished(table)[cell.folder])
    assert {path: path.read_bytes() for path in cell.folder.iterdir()} == before


def test_another_run_is_not_replaced_by_a_record(table, tmp_path):
    """--record with the --out of another table."""
    other = shutil.copytree(table, tmp_path / "other")
    with pytest.raises(ValueError, match="holds a run, and is no folder for a record"):
        records.record_all(table, other)
    assert not list(other.rglob("record.json"))


@pytest.mark.parametrize("name", ["metrics.jsonl", "log_px.npz", "sessions.json"])
def test_of_a_damaged_run_nothing_is_recorded(table, tmp_path, name):
    """What is there of an earlier recording stays as it is."""
    cell = grid.cell(table, Settings(**TINY))
    there = grid.cell(tmp_path / "kept", cell.settings).folder
    (cell.folder / name).write_bytes(b"{")
    with pytest.raises(ValueError, match=name):
        records.record_all(table, tmp_path / "kept")
    assert not there.exists()


def test_measured_anew_a_record_is_replaced(table, tmp_path):
    """Without log_px.npz of that measurement it has none."""
    before = records.record_all(table, tmp_path / "kept")
    cell = grid.cell(table, Settings(**TINY))
    assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT._replace(samples=16)) is None
    (cell.folder / "log_px.npz").unlink()
    assert records.record_all(table, tmp_path / "kept") == before
    folder = grid.cell(tmp_path / "kept", cell.settings).folder
    assert json.loads((folder / "evaluation.json").read_text())["samples"] == 16
    assert not (folder / "log_px.npz").exists()


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "log_px.npz"])
def test_a_record_cut_short_is_no_record(table, tmp_path, monkeypatch, name):
    """No number of an earlier measurement stands beside files of a later one: evaluation.json is taken away first."""
    (folder, *_) = records.record_all(table, tmp_path / "kept")
    assert (folder / "evaluation.json").exists()

    def full(path):
        if path.name == name:
            raise OSError(28, "No space left on device", str(path))
        return atomic(path)

    atomic = writing.atomic
    monkeypatch.setattr(writing, "atomic", full)
    with pytest.raises(OSError, match="No space left"):
        records.record_all(table, tmp_path / "kept")
    assert not (folder / "evaluation.json").exists()


def metrics(path, count, validations):
    lines = []
    for i in range(1, count + 1):
        lines.append({"iteration": i, "bound": -float(i)})
        if i % (count // validations) == 0:
            lines.append({"iteration": i, "validation_nll": 1.0})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


@pytest.mark.parametrize(("count", "most"), [(10, 10), (200, 200), (201, 101), (10_000, 200), (399, 200)])
def test_metrics_are_thinned_evenly_to_the_last(tmp_path, count, most):
    lines = metrics(tmp_path / "metrics.jsonl", count, 5)
    kept = [json.loads(line) for line in records.thinned(tmp_path / "metrics.jsonl").splitlines()]
    assert [line for line in kept if line not in lines] == []
    assert [line for line in kept if "bound" not in line] == [line for line in lines if "bound" not in line]
    iterations = [line["iteration"] for line in kept if "bound" in line]
    assert (len(iterations), iterations[-1]) == (most, count)
    assert len(set(np.diff(iterations))) == 1
    assert kept == [line for line in lines if line in kept], "in their order"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dataset": "omniglot", "struct": "4-layer-nonlin", "baseline": "dvaepp_exp", "k": 25, "seed": 3},
        {"num_train_iter": 50_000, "beta": 12.5, "lr_boundaries": (0.1, 0.2, 0.3, 0.4), "sampler": "pcd"},
        {"learning_rate": 1e-5, "eval_every": 7, **TINY},
    ],
)
def test_the_command_of_a_record_asks_for_that_very_cell(settings, tmp_path):
    """Parsed as the command line does."""
    made = Settings(**settings)
    measured = {"samples": 16, "temperatures": 10_000, "ais_chains": 1000, "images": 20, "images_there": 500}
    words = shlex.split(records.command(made, measured))
    assert words[:4] == ["python", "-m", "dvae_ref", "table1"]
    args = cli.build_parser().parse_args([*words[3:], "--out", str(tmp_path)])
    from dvae_ref.table1 import command

    (cell,) = command.asked_for(args)
    assert cell.settings == made
    assert (args.samples, args.temperatures, args.images) == (16, 10_000, 20)
    assert "--images" not in records.command(made, measured | {"images": 500})


PAGE = """# Mine

<!-- from the records: table -->
old
<!-- end -->
between
<!-- from the records: runs --><!-- end -->
<!-- from the records: runs -->
<!-- end -->
<!-- from the records: summaries 5000 -->
<!-- end -->
"""
LINE = "binarized_mnist,1-layer-nonlin,1,dvaes_power,40,5000,,,,,,,,98.05,-103.89,"


def test_the_command_makes_the_table_the_picture_and_the_page(table, tmp_path, capsys):
    kept = tmp_path / "results"
    assert cli.main(["table1", "--record", str(kept), "--out", str(table), "--commit", "abc"]) == 0
    (kept / "summaries.csv").write_text(f"{','.join(summaries.Summary._fields)}\n{LINE}\n")
    kept.with_suffix(".md").write_text(PAGE)
    assert cli.main(["table1", "--from", str(kept), "--json"]) == 0
    files = json.loads(capsys.readouterr().out.splitlines()[-1])["files"]
    assert files == [*(str(kept / f"table1.{kind}") for kind in ("md", "csv", "png")), str(kept.with_suffix(".md"))]
    page = kept.with_suffix(".md").read_text()
    assert page.startswith("# Mine\n\n<!-- from the records: table -->\n\n| data | structure |")
    assert "| mnist5k | 1-layer-lin, K = 1, 8 iterations | dvaes_exp | dvaes_power |" in page
    assert "\n<!-- end -->\nbetween\n<!-- from the records: runs --><!-- end -->\n" in page, "no block of lines"
    assert page.count("<!-- from the records: runs -->\n\n| run | commits |") == 1
    assert page.count("`python -m dvae_ref table1 --dataset mnist5k --struct 1-layer-lin") == 2
    assert "| binarized_mnist | 1-layer-nonlin | 1 | dvaes_power | 40 | 98.05 | -103.89 | 84.93 |" in page
    assert "old" not in page
    assert cli.main(["table1", "--from", str(kept)]) == 0
    assert kept.with_suffix(".md").read_text() == page


def test_without_a_page_there_is_the_table_alone(table, tmp_path):
    records.record_all(table, tmp_path / "kept")
    assert [path.name for path in results.write_page(tmp_path / "kept")] == [
        "table1.md",
        "table1.csv",
        "table1.png",
    ]


def test_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["table1", "--record", "a", "--from", "b"])
    assert end.value.code == 2
    with pytest.raises(SystemExit) as end:
        cli.main(["table1", "--from", str(tmp_path / "none")])
    assert end.value.code == 1
    assert "no folder of records" in capsys.readouterr().err
    assert cli.main(["table1", "--record", str(tmp_path / "kept"), "--out", str(tmp_path / "none")]) == 0
    assert "nothing is finished" in capsys.readouterr().out


def test_an_unknown_block_is_named(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept.md").write_text("<!-- from the records: tabel -->\n<!-- end -->\n")
    with pytest.raises(ValueError, match=r"kept\.md: expected a block of table, runs or summaries N, got 'tabel'"):
        results.write_page(tmp_path / "kept")


def test_what_stands_between_blocks_is_never_lost(tmp_path):
    """Where the end of a block is missing, what is by hand was taken for a part of it."""
    (tmp_path / "kept").mkdir()
    text = PAGE.replace("old\n<!-- end -->", "old")
    (tmp_path / "kept.md").write_text(text)
    with pytest.raises(ValueError, match=r"kept\.md: the block 'table' has no <!-- end --> before the next one"):
        results.write_page(tmp_path / "kept")
    assert (tmp_path / "kept.md").read_text() == text


def test_a_page_is_that_of_the_whole_name(tmp_path):
    """`runs.old` made the page of `runs` anew."""
    assert results.beside(tmp_path / "runs.old") == tmp_path / "runs.old.md"


@pytest.mark.parametrize("folder", [".", "../kept/inner/.."])
def test_the_folder_one_is_in_has_its_page_above(tmp_path, monkeypatch, folder):
    (tmp_path / "kept" / "inner").mkdir(parents=True)
    (tmp_path / "kept.md").write_text(PAGE)
    monkeypatch.chdir(tmp_path / "kept")
    assert results.write_page(folder)[-1] == tmp_path / "kept.md"
    assert "old" not in (tmp_path / "kept.md").read_text()


HEADER = ",".join(summaries.Summary._fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the columns dataset, struct"),
        ("a,b\n", "expected the columns dataset, struct"),
        (f"{HEADER}\n{LINE},1\n", "line 2"),
        (f"{HEADER}\n{LINE}\n{LINE.replace('98.05', 'nan')}\n", "line 3: expected a finite number, got nan"),
        (f"{HEADER}\n{LINE.replace('98.05', 'x')}\n", "line 2: could not convert"),
        (f"{HEADER}\n{LINE.replace('dvaes_power', 'dvaes_pow')}\n", "line 2: unknown baseline 'dvaes_pow'"),
    ],
)
def test_damaged_summaries_are_named(tmp_path, text, said):
    (tmp_path / "summaries.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        summaries.read(tmp_path / "summaries.csv")


def test_summaries_stand_beside_the_paper_with_what_is_known():
    found = summaries.read(ROOT / "docs/results/summaries.csv")
    (one,) = (s for s in found if s.num_train_iter == 50_000 and s.baseline == "dvaes_exp")
    assert (one.nll, one.paper_nll, one.paper_std, one.cpu_minutes) == (87.58, 84.69, 0.08, 72)
    assert math.isnan(one.validation_elbo)
    assert summaries.lines([one])[2].endswith("| 89.94 | 72 | 84.69 |")
    assert sorted(s.num_train_iter for s in found) == [5000] * 32 + [50_000] * 4


def test_the_page_of_this_repository_is_made_of_its_records():
    """`python -m dvae_ref table1 --from docs/results` would change nothing; commands.py, neither. Control: an edit."""
    root = ROOT / "docs/results"
    page, found = root.with_suffix(".md").read_text(), report.collect(root)
    others = summaries.read(root / "summaries.csv")

    def made(text):
        return results.filled(text, "page", root, found, others)

    assert made(page) == page
    assert found[1:] == ([], [])
    edited = page.replace("87.58", "87.48")
    assert edited != page
    assert made(edited) != edited
    spec = importlib.util.spec_from_file_location("commands", root / "commands.py")
    commands = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(commands)
    text = (root / "commands.txt").read_text()
    assert text == "".join(f"{line}\n" for line in commands.lines())
    assert text.count("python -m dvae_ref table1 ") == 192


def of_seed(iterations, seed):
    """NLL of population annealing, of PCD, PCD - PA over the same images, and its error of images and log Z."""
    cell = ROOT / f"docs/results/binarized_mnist/1-layer-nonlin/dvaes_power-k1-beta40-seed{seed}-{iterations}"
    pa, pcd = (np.load(f"{cell}{ending}/log_px.npz") for ending in ("", "-pcd"))
    by_image = pa["log_px"] - pcd["log_px"]
    of_log_z = np.hypot(pa["log_z_standard_error"], pcd["log_z_standard_error"])
    error = np.hypot(by_image.std(ddof=1) / np.sqrt(len(by_image)), of_log_z)
    return -pa["log_px"].mean(), -pcd["log_px"].mean(), by_image.mean(), error


def of_seeds(found):
    """The same of the means over seeds, with their error over seeds."""
    *means, _ = np.mean(found, 0)
    return *means, np.std(np.array(found)[:, 2], ddof=1) / np.sqrt(len(found))


def test_pcd_beside_population_annealing_seed_by_seed_is_what_the_records_say():
    text = (ROOT / "docs/results.md").read_text().split("## Population annealing against PCD")[1].split("\n## ")[0]
    rows = re.findall(r"^\| *([\d,]*) *\| (\d|mean) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) >= 8
    for first, seed, told in rows:
        if first:
            iterations, found = int(first.replace(",", "")), []
        if seed != "mean":
            found.append(of_seed(iterations, seed))
        pa, pcd, gain, error = of_seeds(found) if seed == "mean" else found[-1]
        assert told == f"{pa:.2f} | {pcd:.2f} | {gain:.3f} ± {error:.3f}"


def test_the_paper_s_observations_are_told_as_the_records_say():
    """Every difference with an error, but for its sign, is that of a pair of rows."""
    text = (ROOT / "docs/results.md").read_text().split("## The paper's six observations")[1].split("\n## ")[0]
    told = set(re.findall(r"\d\.\d\d ± \d\.\d\d", text))
    made, *_ = report.collect(ROOT / "docs/results")
    assert len(told) >= 9
    assert told <= {f"{abs(pair.difference):.2f} ± {pair.standard_error:.2f}" for pair in pairs(made)}


def test_records_of_this_repository_are_whole():
    """Those that there are: log p(x) that belongs, no file of a run besides."""
    for path in (ROOT / "docs/results").rglob("record.json"):
        assert {"config.json", "evaluation.json", "metrics.jsonl"} < set(names(path.parent))
        record = json.loads((path.parent / "evaluation.json").read_text())
        assert measuring.per_image(path.parent, record) is not None
        assert plots.read_metrics(path.parent / "metrics.jsonl")
        assert not list(path.parent.glob("*last*"))
