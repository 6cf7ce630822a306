"""The table: averages over seeds, the choice of beta, the comparison with the paper, by numbers computed by hand."""

import csv
import json
import math
import os
import shutil

import pytest

from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import plots
from dvae_ref.runs.presets import BASELINES, Settings
from dvae_ref.table1 import grid, notes, page, report


def record(nll, validation=85.0, error=0.01, images=10_000, data="as published", **settings):
    given = {"dataset": "binarized_mnist", "num_train_iter": 50_000}
    return {
        "settings": Settings(**given | settings).to_json(),
        "nll": nll,
        "best_validation_nll": validation,
        "nll_standard_error": 0.25,
        "log_z_standard_error": error,
        "data": data,
        "images": images,
        "images_there": 10_000,
        "samples": 4000,
        "temperatures": 10_000,
        "ais_chains": 1000,
        "checkpoint": "best",
        "split": "test",
        "seed": 0,
        "validated": settings.get("num_train_iter", 50_000),
    }


WHERE = "binarized_mnist 1-layer-nonlin K = 1 dvaes_power, 50,000 iterations"


def only(made):
    (row,) = made
    return row


def test_the_papers_table_is_complete_and_in_its_order():
    """2 data sets x 4 structures x 3 K x 8 columns, as printed; some entries of its text."""
    paper = report.paper()
    assert len(paper) == 192
    assert list(paper) == [
        (dataset, struct, k, baseline)
        for dataset in ("binarized_mnist", "omniglot")
        for struct in STRUCTURES
        for k in (1, 5, 25)
        for baseline in BASELINES
    ]
    assert paper["binarized_mnist", "1-layer-nonlin", 1, "dvaes_power"] == (84.93, 0.02)
    assert paper["binarized_mnist", "4-layer-nonlin", 25, "dvaes_power"] == (82.82, 0.02)
    assert paper["omniglot", "1-layer-lin", 5, "dvaes_gi"] == (112.26, 0.70)
    assert paper["omniglot", "2-layer-nonlin", 1, "dvae_spike_exp"] == (103.10, 0.31)
    assert paper["omniglot", "4-layer-nonlin", 25, "dvaes_power"] == (98.88, 0.09)


def test_seeds_are_averaged():
    """85.0, 85.2, 85.4: mean 85.2, standard deviation 0.2 (of the sample, n - 1)."""
    made = report.rows([record(85.0 + 0.2 * seed, seed=seed, error=0.01 * (seed + 1)) for seed in range(3)])
    row = only(made)
    assert (row.runs, row.num_train_iter, row.beta, row.images) == (3, 50_000, 40, 10_000)
    assert row.nll == pytest.approx(85.2, abs=1e-12)
    assert row.std == pytest.approx(0.2, abs=1e-12)
    assert row.log_z_standard_error == pytest.approx(0.03)
    assert row.difference == pytest.approx(85.2 - 84.93)


def test_difference_in_standard_errors():
    """The paper says 84.93 +- 0.02 of five. Three runs: 0.27 / sqrt(0.04 / 3 + 0.0004 / 5) = 0.27 / 0.115816 = 2.3313.
    One run, with log Z good to 0.015: 0.07 / sqrt(0.0004 + 0.000225 + 0.00008) = 0.07 / 0.0265518 = 2.6364."""
    three = only(report.rows([record(85.0 + 0.2 * seed, seed=seed) for seed in range(3)]))
    assert three.z_score == pytest.approx(2.3313, abs=5e-5)
    one = only(report.rows([record(85.0, error=0.015)]))
    assert math.isnan(one.std)
    assert one.z_score == pytest.approx(2.6364, abs=5e-5)
    below = only(report.rows([record(84.86, error=0.015)]))
    assert below.z_score == pytest.approx(-2.6364, abs=5e-5)


def test_a_part_of_the_images_is_not_compared_in_standard_errors(tmp_path):
    """The paper's number is of all 10,000: the difference stands, its standard errors are a dash, and nan in CSV."""
    part, whole = record(85.0, images=100), record(85.0, k=5)
    made = report.rows([part, whole])
    assert math.isnan(made[0].z_score)
    assert made[1].z_score > 0
    text = page.markdown(made)
    assert "| 84.93 ± 0.02 | +0.07 | – | 50,000 iterations; 100 of 10,000 images |\n" in text
    assert "\n- no difference in s.e. where only a part of the test images was measured" in text
    (anew,) = report.rows([record(85.0, data="IDX files, binarized with seed 1")])
    assert math.isnan(anew.z_score)
    assert "or they were binarized anew" in page.markdown([anew])
    elsewhere = report.rows([record(85.0, images=100, dataset="mnist5k")])
    assert "only a part" not in page.markdown([*made[1:], *elsewhere]), "there is nothing to compare"
    path = page.write(tmp_path, made)[1]
    with open(path, newline="") as file:
        assert next(csv.DictReader(file))["z_score"] == "nan"
    old = {name: value for name, value in whole.items() if name != "images_there"}
    assert only(report.rows([old])).z_score == made[1].z_score


def test_one_image_has_no_error_over_images(tmp_path):
    made = report.rows([record(85.0, images=1) | {"nll_standard_error": None}])
    assert "| 85.00 | – | – | – | 0.010 |" in page.markdown(made)
    assert len(page.write(tmp_path, made)) == 3


def test_beta_is_chosen_by_validation_not_by_test():
    """Mean validation NLL over the seeds: 30 has 85.1, 20 has 85.3, 40 has 85.2, though 40 has the best run, and 20 the
    best test NLL. Only the runs of the chosen one are averaged."""
    records = [
        *(record(84.0, validation=85.3, beta=20.0, seed=seed) for seed in (0, 1)),
        *(record(85.5 + seed, validation=85.1, beta=30.0, seed=seed) for seed in (0, 1)),
        record(85.1, validation=84.0, beta=40.0, seed=0),
        record(85.1, validation=86.4, beta=40.0, seed=1),
    ]
    for order in (records, records[::-1]):
        row = only(report.rows(order))
        assert (row.beta, row.runs, row.nll) == (30, 2, 86.0)


def test_betas_are_compared_over_the_same_seeds():
    """30 has the better mean, of a seed that is easier: 40 has more. With as many seeds, those in common decide."""
    one = [record(85.0, validation=84.0, beta=30.0), *(record(86.0, validation=85.0, seed=s) for s in range(3))]
    row = only(report.rows(one))
    assert (row.beta, row.runs) == (40, 3)
    assert f"\n- beta of {WHERE}: chosen among 30 (1 run), 40 (3 runs)\n" in page.markdown([row])
    assert "chosen among" not in page.markdown(report.rows(one[1:]))
    shifted = [
        *(record(1.0, validation=v, beta=30.0, seed=s) for s, v in ((0, 80.0), (1, 85.2))),
        *(record(2.0, validation=v, beta=40.0, seed=s) for s, v in ((1, 85.1), (2, 90.0))),
    ]
    assert only(report.rows(shifted)).beta == 40
    apart = [record(1.0, validation=85.0, beta=30.0), record(2.0, validation=84.9, beta=40.0, seed=1)]
    assert only(report.rows(apart)).beta == 40


def test_how_often_something_is_written_does_not_split_seeds():
    made = report.rows([record(1.0), record(2.0, seed=1, log_every=7), record(3.0, seed=2, checkpoint_every=7)])
    assert only(made).runs == 3


def test_rows_that_look_alike_are_told_apart_below_the_table():
    records = [record(1.0), record(2.0, seed=1, chains=20), record(3.0, seed=2, sampler="pcd", data="another")]
    text = page.markdown(report.rows(records))
    differing = "chains 1000, 20, 1000; data as published, as published, another; sampler pa, pa, pcd"
    assert f"\n- {WHERE}: 3 rows differ, from the top, in {differing}\n" in text
    apart = report.rows([*records[:1], record(4.0, k=5), record(4.0, images=100)])
    assert "rows differ" not in page.markdown(apart)


@pytest.mark.parametrize(("effective", "doubtful"), [(9.9, True), (10.0, False), (None, False)])
def test_a_log_z_of_few_effective_chains_is_named(effective, doubtful):
    """Of the worst of the runs, by the criterion of the warning of AIS; records of earlier versions do not say."""
    records = [record(85.0, seed=seed) | {"log_z_effective_samples": 600.0} for seed in range(2)]
    last = record(85.0, seed=2) | ({"log_z_effective_samples": effective} if effective else {})
    row = only(report.rows([*records, last]))
    assert row.log_z_effective_samples == (effective or 600)
    said = f"log Z of {WHERE} cannot be trusted: an effective sample of {effective} of 1,000 chains; take more "
    assert (f"\n- {said}--temperatures\n" in page.markdown([row])) is doubtful
    assert math.isnan(only(report.rows([record(85.0)])).log_z_effective_samples)


VERDICTS = [
    (("closed", 0.02), ("closed", -0.05), "-0.050, closed", None),
    (("closed", 0.02), ("open", 0.4), "+0.400, open", "+0.40 nats from above: annealing up has missed probability"),
    (("contradictory", -1.0), ("open", 4.0), "-1.000, contradictory", "-1.00 nats from above: training's replicas"),
    (("open", 4.0), (None, None), "–", None),
    (("open", 4.0), ("closed", None), "–", None),  # a file may say half of it
    (("open", 4.0), (None, 0.02), "–", None),
]


@pytest.mark.parametrize(("one", "other", "cell", "note"), VERDICTS)
def test_the_worst_verdict_on_log_z_is_shown(one, other, cell, note):
    """The worst of the runs, and of equal verdicts the larger gap; nothing if a run does not say."""
    records = [
        record(85.0, seed=seed) | {"log_z_verdict": verdict, "log_z_gap": gap}
        for seed, (verdict, gap) in enumerate([one, other])
    ]
    records.append({k: v for k, v in record(85.0, seed=2).items() if k != "log_z_gap"} | {"log_z_verdict": one[0]})
    assert "| 0.010 | – | 84.93" in page.markdown(report.rows(records))
    text = page.markdown(report.rows(records[:2]))
    assert f"| 0.010 | {cell} | 84.93" in text
    assert ("nats from above" in text) is (note is not None)
    assert note is None or f"\n- log Z of {WHERE}, {note}" in text


def test_what_is_not_alike_is_not_averaged():
    """Other iterations, sampler, data or measurement are other rows; the table's order is the paper's."""
    records = [
        record(1.0, baseline="dvaes_power"),
        record(2.0, seed=1, sampler="pcd"),
        record(3.0, seed=2, num_train_iter=1000),
        record(4.0, seed=3, images=100),
        record(5.0, seed=4, data="another draw"),
        record(6.0, baseline="dvaes_exp"),
        record(7.0, dataset="mnist5k"),
        record(8.0, k=5),
        record(9.0, struct="1-layer-lin", k=25),
        record(10.0, dataset="omniglot", struct="1-layer-lin"),
    ]
    made = report.rows(records)
    assert [row.runs for row in made] == [1] * 10
    nll = [row.nll for row in made]
    assert nll[:3] == [9, 6, 3]
    assert set(nll[3:7]) == {1, 2, 4, 5}
    assert nll[7:] == [8, 10, 7]


def test_a_cell_that_is_not_in_the_paper_stands_without_it():
    row = only(report.rows([record(90.0, k=7)]))
    assert math.isnan(row.paper_nll)
    assert (
        "| 1, – | 90.00 | – | – | 0.25 | 0.010 | – | – | – | – | 50,000 iterations; no cell of the paper |"
        in page.markdown([row])
    )


MARKDOWN = """\
| data | structure | K | model | beta | iterations | runs, the paper's | test NLL | with S/4 | with S/16 | ± images \
| log Z ± | from above | paper | difference | in s.e. | not as in the paper |
|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|---|
| binarized_mnist | 1-layer-nonlin | 1 | dvaes_power | 40 | 50,000 | 3, 5 | 85.20 ± 0.20 | 85.80 | 87.20 | 0.25 \
| 0.010 | +0.020, closed | 84.93 ± 0.02 | +0.27 | +2.3 | 50,000 iterations |
| binarized_mnist | 1-layer-nonlin | 5 | dvaes_power | 40 | 50,000 | 1, 5 | 84.00 | – | – | 0.25 | 0.010 \
| – | 84.21 ± 0.02 | -0.21 | -8.7 | 50,000 iterations |

- data binarized_mnist: as published

- not finished: {under_way}, 25 of 50,000 iterations
- not finished: {failing}, 0 of 50,000 iterations; it failed: ValueError: no ink
"""


AS_THE_PAPER = {"num_train_iter": 1_000_000, "baseline": "dvaes_exp"}


@pytest.mark.parametrize(
    ("settings", "measured", "said"),
    [
        ({}, {}, []),
        ({"seed": 7, "log_every": 3}, {}, []),
        ({"beta": 10.0}, {}, []),
        ({"num_train_iter": 5000}, {}, ["5,000 iterations"]),
        ({}, {"samples": 500}, ["500 samples"]),
        ({}, {"temperatures": 1000, "ais_chains": 100}, ["1,000 temperatures", "100 AIS chains"]),
        ({}, {"images": 2000}, ["2,000 of 10,000 images"]),
        ({}, {"data": "IDX files, binarized with seed 1"}, ["binarized anew"]),
        ({"dataset": "mnist5k"}, {}, ["no cell of the paper"]),
        ({"sampler": "pcd", "chains": 20}, {}, ["sampler pcd", "chains 20"]),
        ({"lr_boundaries": (0.1, 0.6, 0.75, 0.95)}, {}, ["lr_boundaries [0.1, 0.6, 0.75, 0.95]"]),
        ({"eval_every": 7}, {"samples": 1, "data": "x"}, ["1 samples", "binarized anew", "eval_every 7"]),
    ],
)
def test_what_is_not_as_in_the_paper_stands_in_the_row(settings, measured, said):
    """Beta is chosen by validation there and here; neither it nor what is written down makes a number."""
    row = only(report.rows([record(85.0, **AS_THE_PAPER | settings) | measured]))
    assert sorted(notes.departures(row)) == sorted(said)
    assert f" | {'; '.join(notes.departures(row)) or '–'} |\n" in page.markdown([row])


def put(root, entry, evaluation=True):
    """The folder of a cell with this record."""
    settings = Settings.from_json(entry["settings"])
    folder = grid.cell(root, settings).folder
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings.to_json()))
    if evaluation:
        (folder / "evaluation.json").write_text(json.dumps(entry))
    return folder


def test_files_say_what_was_found(tmp_path):
    """Two cells in three and one runs; one under way that was measured on validation, one that failed."""
    for seed in range(3):
        nll = 85.0 + 0.2 * seed
        more = {"nll_quarter": nll + 0.6, "nll_sixteenth": nll + 2, "log_z_gap": 0.01 * seed, "log_z_verdict": "closed"}
        put(tmp_path, record(nll, seed=seed) | more)
    put(tmp_path, record(84.0, k=5))
    under_way = put(tmp_path, record(0, seed=5) | {"split": "validation"})
    failing = put(tmp_path, record(0, dataset="omniglot"), evaluation=False)
    (under_way / "metrics.jsonl").write_text('{"iteration": 25}\n')
    (failing / "error.txt").write_text("Traceback (most recent call last):\nValueError: no ink\n")
    found = report.collect(tmp_path)
    paths = page.write(tmp_path, *found)
    assert [path.name for path in paths] == ["table1.md", "table1.csv", "table1.png"]
    places = {"under_way": under_way.relative_to(tmp_path), "failing": failing.relative_to(tmp_path)}
    assert paths[0].read_text() == MARKDOWN.format(**places)
    with open(paths[1], newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["runs"], first["k"], first["data"], second["std"]) == ("3", "1", "as published", "nan")
    assert float(first["z_score"]) == pytest.approx(2.3313, abs=5e-5)
    assert (first["not_as_in_the_paper"], second["nll_quarter"]) == ("50,000 iterations", "nan")
    assert float(second["difference"]) == pytest.approx(84.00 - 84.21)
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_a_cell_that_failed_before_it_began_is_listed(tmp_path):
    """Without data it leaves error.txt alone; no row, so no picture, but the reason."""
    folder = grid.cell(tmp_path, Settings(dataset="omniglot")).folder
    folder.mkdir(parents=True)
    (folder / "error.txt").write_text("Traceback (most recent call last):\nFileNotFoundError: chardata.mat\n")
    found = report.collect(tmp_path)
    assert [path.name for path in page.write(tmp_path, *found)] == ["table1.md", "table1.csv"]
    line = f"- not finished: {folder.relative_to(tmp_path)}, not begun; it failed: FileNotFoundError: chardata.mat\n"
    assert (tmp_path / "table1.md").read_text().endswith(f"\n\n{line}")
    assert len((tmp_path / "table1.csv").read_text().splitlines()) == 1


def test_what_is_no_cell_or_damaged_is_left_out_and_named(tmp_path):
    """A copy of a cell, whose seed would count twice; another program's config.json; damaged files of cells."""
    folder = put(tmp_path, record(85.0))
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/config.json").write_text('{"colour": 2}')
    damaged = [put(tmp_path, record(85.0, seed=seed)) for seed in range(1, 6)]
    for there, text in zip(damaged, ('{"settings": {', "{}", "[]", "null", "3"), strict=True):
        (there / "evaluation.json").write_text(text)
    last = put(tmp_path, record(85.0, seed=6))
    (last / "config.json").write_text("[]")
    made, unfinished, excluded = report.collect(tmp_path)
    assert (only(made).runs, unfinished) == (1, [])
    reasons = {str(e.folder): e.reason for e in excluded}
    assert reasons.pop("copy") == f"no cell: that of its settings is {folder.relative_to(tmp_path)}"
    assert "config.json is damaged: expected settings dataset," in reasons.pop("theirs")
    assert "config.json is damaged: expected an object of settings" in reasons.pop(str(last.relative_to(tmp_path)))
    assert list(reasons) == [str(there.relative_to(tmp_path)) for there in damaged]
    assert all("evaluation.json is damaged" in reason for reason in reasons.values())
    assert f"\n- left out: copy: no cell: that of its settings is {folder.relative_to(tmp_path)}\n" in (
        page.markdown(made, unfinished, excluded)
    )


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize(
    "name", ["nll", "best_validation_nll", "nll_quarter", "nll_standard_error", "log_z_standard_error", "log_z_gap"]
)
def test_numbers_that_nobody_adds_up_end_no_table(tmp_path, name, seeds):
    """Sums and squares of them are infinite, or an OverflowError."""
    for seed in seeds:
        put(tmp_path, record(85.0, seed=seed) | {"log_z_gap": 0.0, "log_z_verdict": "closed", name: 1e308})
    found = report.collect(tmp_path)
    assert (found[0], found[1]) == ([], [])
    assert all(f"damaged: expected {name} to be a number" in one.reason for one in found[2])
    assert len(page.write(tmp_path, *found)) == 2


@pytest.mark.parametrize("name", ["nll", "best_validation_nll", "nll_standard_error", "log_z_standard_error"])
def test_numbers_up_to_1e100_stand_in_a_table(tmp_path, name):
    for seed in range(2):
        put(tmp_path, record(85.0, seed=seed) | {name: 1e100 * (1 - seed)})
    assert len(page.write(tmp_path, *report.collect(tmp_path))) == 3


def test_what_utf_8_cannot_say_ends_no_table(tmp_path):
    """The name of a folder in another encoding; half of a pair of UTF-16 in JSON."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    put(tmp_path, record(85.0) | {"data": "\ud800"})
    markdown, table, _ = page.write(tmp_path, *report.collect(tmp_path))
    assert "left out: caf\\udce9: " in markdown.read_text(encoding="utf-8")
    assert ",\\ud800," in table.read_text(encoding="utf-8")


def test_cells_may_lie_on_another_disk(tmp_path):
    """One of them, or all of a data set. A link elsewhere is not followed: it may go round."""
    out, disk = tmp_path / "out", tmp_path / "disk"
    put(disk, record(85.0))
    put(disk, record(90.0, dataset="mnist5k"))
    out.mkdir()
    (out / "mnist5k").symlink_to(disk / "mnist5k")
    cell = grid.cell(out, Settings.from_json(record(85.0)["settings"]))
    cell.folder.parent.mkdir(parents=True)
    cell.folder.symlink_to(grid.cell(disk, cell.settings).folder)
    (out / "mine").mkdir()
    (out / "mine" / "round").symlink_to(out)
    made, *rest = report.collect(out)
    assert [row.dataset for row in made] == ["binarized_mnist", "mnist5k"]
    assert rest == [[], []]


def test_rows_of_one_cell_are_told_apart_in_the_picture(tmp_path, monkeypatch):
    caught = []
    monkeypatch.setattr(plots, "_write", lambda figure, path: caught.append(figure))
    made = report.rows([record(85.0), record(85.2, sampler="pcd", chains=20)])
    plots.table(made, tmp_path / "table1.png")
    (axes,) = caught[0].axes
    usual, other = (label.get_text() for label in axes.get_yticklabels())
    assert other == f"{usual}  sampler pcd  chains 20"


def test_the_picture_shows_both_with_their_errors(tmp_path, monkeypatch):
    caught = []
    monkeypatch.setattr(plots, "_write", lambda figure, path: caught.append(figure))
    records = [record(85.0 + 0.2 * seed, seed=seed) for seed in range(3)]
    made = report.rows([*records, record(84.0, k=5), record(90.0, dataset="mnist5k")])
    plots.table(made, tmp_path / "table1.png")
    mnist, small = caught[0].axes
    assert [axes.get_title(loc="left") for axes in caught[0].axes] == ["binarized_mnist", "mnist5k"]
    here, there = mnist.containers
    assert here.get_label() == "here"
    assert "paper" in there.get_label()
    assert ends(here) == [pytest.approx(pair) for pair in ([85.0, 85.4], [83.75, 84.25])]
    assert ends(there) == [pytest.approx(pair) for pair in ([84.91, 84.95], [84.19, 84.23])]
    assert mnist.get_yticks().tolist() == [0, 1]
    for container, side in ((here, -1), (there, 1)):  # ours above, and the first row on top
        assert all(0 < side * (y - row) < 0.4 for row, y in enumerate(container[0].get_ydata()))
    bottom, top = mnist.get_ylim()
    assert -1 < top < -0.2 < 1.2 < bottom < 2
    assert ends(small.containers[0]) == [pytest.approx([89.75, 90.25])]
    assert mnist.yaxis_inverted()
    labels = [label.get_text() for label in mnist.get_yticklabels()]
    assert labels == [f"1-layer-nonlin  K={k}  dvaes_power  50,000 it." for k in (1, 5)]


def ends(container):
    """Of the error bars, left and right."""
    return [sorted(segment[:, 0]) for segment in container[2][0].get_segments()]


def test_betas_of_the_paper_are_its_candidates_but_where_the_code_differs():
    """The authors' runs used 14 for DVAE++'s exponentials in two cells, which the paper's list does not have."""
    used = {
        (dataset, struct, baseline): BASELINES[baseline].beta(dataset, struct)
        for dataset in ("binarized_mnist", "omniglot")
        for struct in STRUCTURES
        for baseline in BASELINES
    }
    outside = {key[0::2]: beta for key, beta in used.items() if beta not in BASELINES[key[2]].candidates}
    assert set(outside.values()) == {14}
    assert {baseline for _, baseline in outside} == {"dvaepp_exp"}
