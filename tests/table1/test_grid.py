"""The cells of a table and their folders; one cell begun, stopped, failing, finished, or another's."""

import dataclasses
import errno
import json
import threading
import time
from pathlib import Path

import numba
import pytest
from tables import ITERATIONS, TINY, differing, results, wait_for

from dvae_ref.runs import datasets, lifecycle, measuring
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import grid
from dvae_ref.table1.grid import Measurement


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    before = numba.get_num_threads()
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    yield
    numba.set_num_threads(before)


def tiny(root, **settings):
    return grid.cell(root, Settings(**TINY | settings))


def test_a_grid_is_every_combination_once_in_folders_that_spell_it_out(tmp_path):
    axes = {"dataset": ["mnist5k", "omniglot"], "k": [1, 5], "beta": [30, 30.5], "seed": [0, 3, 0]}
    made = grid.cells(tmp_path, axes, struct="2-layer-nonlin", num_train_iter=1000)
    assert len(made) == len({cell.folder for cell in made}) == 2 * 2 * 2 * 2
    places = [str(cell.folder.relative_to(tmp_path)) for cell in made]
    assert places[:3] == [
        "mnist5k/2-layer-nonlin/dvaes_power-k1-beta30-seed0-1000",
        "mnist5k/2-layer-nonlin/dvaes_power-k1-beta30-seed3-1000",
        "mnist5k/2-layer-nonlin/dvaes_power-k1-beta30.5-seed0-1000",
    ]
    assert places[-1] == "omniglot/2-layer-nonlin/dvaes_power-k5-beta30.5-seed3-1000"
    for cell in made:
        s = cell.settings
        assert grid.cell(tmp_path, s) == cell
        assert (s.struct, s.num_train_iter) == ("2-layer-nonlin", 1000)
    assert {(c.settings.dataset, c.settings.k, c.settings.beta, c.settings.seed) for c in made} == {
        (d, k, b, s) for d in ("mnist5k", "omniglot") for k in (1, 5) for b in (30, 30.5) for s in (0, 3)
    }


def test_betas_that_differ_in_a_late_digit_have_folders_of_their_own(tmp_path):
    made = grid.cells(tmp_path, {"beta": [40, 40.000001, 40.0]})
    assert [cell.folder.name.split("-")[2] for cell in made] == ["beta40", "beta40.000001"]


def test_samplers_have_folders_of_their_own_but_where_an_earlier_version_has_begun(tmp_path):
    pa, pcd = (tiny(tmp_path, sampler=name) for name in ("pa", "pcd"))
    assert pcd.folder.name == f"{pa.folder.name}-pcd"
    pa.folder.mkdir(parents=True)
    config = pa.folder / "config.json"
    for damaged in ("", "{}", json.dumps(pa.settings.to_json())):  # another's is not taken
        config.write_text(damaged)
        assert tiny(tmp_path, sampler="pcd") == pcd
    config.write_text(json.dumps(pcd.settings.to_json()))
    assert tiny(tmp_path, sampler="pcd").folder == pa.folder
    assert tiny(tmp_path, sampler="pcd", chains=21).folder == pcd.folder


def test_beta_is_the_papers_unless_given_or_searched(tmp_path):
    """Without an axis, the paper's choice for each structure; searched, the candidates of Sec. 4."""
    structs = ["1-layer-nonlin", "2-layer-nonlin"]
    made = grid.cells(tmp_path, {"struct": structs, "baseline": ["dvaes_power", "dvaes_exp"]})
    assert [cell.settings.beta for cell in made] == [40, 12, 30, 10]
    made = grid.cells(tmp_path, {"baseline": ["dvaes_power", "dvaes_exp"]}, search_beta=True)
    assert [c.settings.beta for c in made if c.settings.baseline == "dvaes_power"] == [15, 20, 30, 40]
    assert [c.settings.beta for c in made if c.settings.baseline == "dvaes_exp"] == [8, 10, 12, 16]
    with pytest.raises(ValueError, match="either given or searched"):
        grid.cells(tmp_path, {"beta": [3]}, search_beta=True)


def test_a_bad_grid_is_refused_as_a_whole(tmp_path):
    with pytest.raises(ValueError, match="no axes of the table: chains; there are dataset, struct"):
        grid.cells(tmp_path, {"chains": [1]})
    with pytest.raises(ValueError, match="dvaes_power takes a finite beta > 1"):
        grid.cells(tmp_path, {"baseline": ["dvaes_exp", "dvaes_power"], "beta": [1]})


def write_evaluation(cell, **changes):
    record = {"samples": 4000, "temperatures": 10_000, "ais_chains": 1000, "images": 500, "images_there": 500}
    record |= {"checkpoint": "best", "split": "test", "seed": 0, "validated": ITERATIONS}
    record |= {"nll": 90.0, "best_validation_nll": 91.0, "log_z_standard_error": 0.01}
    cell.folder.mkdir(parents=True, exist_ok=True)
    (cell.folder / "evaluation.json").write_text(json.dumps(record | changes))


@pytest.mark.parametrize(
    ("written", "asked", "finished"),
    [
        ({}, Measurement(), True),
        ({"images": 100}, Measurement(), False),
        ({"images": 100}, Measurement(images=100), True),
        ({}, Measurement(images=100), False),
        ({}, Measurement(images=9999), True),
        ({"samples": 10}, Measurement(), False),
        ({"temperatures": 100}, Measurement(), False),
        ({"split": "validation"}, Measurement(), False),
        ({"checkpoint": "last"}, Measurement(), False),
        ({"seed": 7}, Measurement(), False),
        ({"validated": ITERATIONS - 1}, Measurement(), False),
    ],
)
def test_finished_is_what_was_trained_to_the_end_and_measured_as_asked(tmp_path, written, asked, finished):
    """Also where a hand-made `evaluate --split validation` took the place of the measurement."""
    cell = tiny(tmp_path)
    assert not grid.is_finished(cell, asked)
    write_evaluation(cell, **written)
    assert grid.is_finished(cell, asked) is finished


@pytest.mark.parametrize("text", ['{"samples": 40', "{}", "[]", "null", "3", "\xff"])
def test_a_damaged_measurement_is_none(tmp_path, text):
    """It is to be measured again; the report says what is wrong."""
    cell = tiny(tmp_path)
    write_evaluation(cell)
    (cell.folder / "evaluation.json").write_text(text, encoding="latin-1")
    assert not grid.is_finished(cell)
    with pytest.raises(ValueError, match=r"evaluation\.json is damaged"):
        grid.result(cell)
    write_evaluation(cell, images_there=[])
    assert not grid.is_finished(cell)
    with pytest.raises(ValueError, match=r"damaged: expected images_there to be a whole number .* or null, got \[\]"):
        grid.result(cell)


@pytest.mark.parametrize(("reached", "finished"), [(ITERATIONS - 5, False), (ITERATIONS, True)])
@pytest.mark.parametrize("absent", [{}, {"validated": None}])
def test_a_measurement_that_does_not_say_when_goes_by_the_runs_own_record(tmp_path, reached, finished, absent):
    """Of an earlier version, or without last.npz."""
    cell = tiny(tmp_path)
    write_evaluation(cell, **absent)
    path = cell.folder / "evaluation.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in record.items() if name != "validated"} | absent))
    (cell.folder / "metrics.jsonl").write_text(f'{{"iteration": {reached}}}\n')
    assert grid.is_finished(cell) is finished


def test_iterations_are_read_from_the_end_of_a_growing_file(tmp_path):
    assert grid.iterations_done(tmp_path) == 0
    path, lines = tmp_path / "metrics.jsonl", [json.dumps({"iteration": i, "bound": -99.5}) + "\n" for i in range(500)]
    for text, expected in (("", 0), ('{"iter', 0), ("".join(lines), 499), ("".join(lines) + '{"iteration": 50', 499)):
        path.write_text(text)
        assert grid.iterations_done(tmp_path) == expected
    for damaged in ("{}", "[]", "null", '{"iteration": "many"}', '{"iteration": null}', '{"iteration": Infinity}'):
        path.write_text(f"{damaged}\n")
        assert grid.iterations_done(tmp_path) == 0


class Spy:
    """Counts the iterations that are done."""

    def __init__(self, monkeypatch):
        self.iterations = []
        iterate = lifecycle.training.iterate
        monkeypatch.setattr(
            lifecycle.training,
            "iterate",
            lambda state, *rest: (self.iterations.append(state.iteration), iterate(state, *rest))[1],
        )


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch)


MEASUREMENT = Measurement(3, 10, ais_chains=30, images=20)


def test_a_cell_is_run_once_and_measured_again_only_for_another_measurement(tmp_path, spy):
    cell = tiny(tmp_path)
    assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT) is None
    assert len(spy.iterations) == ITERATIONS == grid.iterations_done(cell.folder)
    assert 1 < json.loads((cell.folder / "evaluation.json").read_text())["log_z_effective_samples"] < 30
    before = results(tmp_path)
    stamp = (cell.folder / "evaluation.json").stat().st_mtime_ns
    assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT) is None
    assert (cell.folder / "evaluation.json").stat().st_mtime_ns == stamp
    assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT._replace(images=30)) is None
    after = results(tmp_path)
    folder = str(cell.folder.relative_to(tmp_path))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {f"{folder}/evaluation.json", f"{folder}/log_px.npz"}
    assert json.loads((cell.folder / "evaluation.json").read_text())["images"] == 30
    assert len(spy.iterations) == ITERATIONS


def test_a_cell_is_stopped_anywhere_and_goes_on_to_the_same_bytes(tmp_path, spy):
    """In training, in a validation, and in the measurement, which is then done anew."""
    whole, parts = tiny(tmp_path / "whole"), tiny(tmp_path / "parts")
    assert grid.run_cell(whole, threads=1, measurement=MEASUREMENT) is None
    asked = []

    def stop_at(n):
        """A stop() that says so at its n-th call, of all calls."""

        def stop():
            asked.append(1)
            return len(asked) == n

        return stop

    ends = [grid.run_cell(parts, threads=1, measurement=MEASUREMENT, stop=stop_at(n)) for n in (1, 15, 30)]
    assert ends == [grid.INTERRUPTED] * 3
    assert not (parts.folder / "evaluation.json").exists()
    assert 0 < grid.iterations_done(parts.folder) < ITERATIONS
    measured = asked.copy()

    def stop_in_measurement():
        measured.append(1)
        return grid.iterations_done(parts.folder) == ITERATIONS and (parts.folder / "best.npz").exists()

    assert grid.run_cell(parts, threads=1, measurement=MEASUREMENT, stop=stop_in_measurement) == grid.INTERRUPTED
    assert not (parts.folder / "evaluation.json").exists()
    assert grid.run_cell(parts, threads=1, measurement=MEASUREMENT) is None
    assert differing(tmp_path / "whole", tmp_path / "parts") == []
    assert len(spy.iterations) == 2 * ITERATIONS, "a stop writes a checkpoint: no iteration is done twice"


def test_a_cell_that_was_measured_half_way_is_trained_on(tmp_path, spy):
    """`evaluate` on a cell that was stopped after its first validation: not finished; it ends as one that was not."""
    whole, parts = tiny(tmp_path / "whole"), tiny(tmp_path / "parts")
    assert grid.run_cell(whole, threads=1, measurement=MEASUREMENT) is None
    spy.iterations.clear()

    def stop():
        return len(spy.iterations) > ITERATIONS / 2

    assert grid.run_cell(parts, threads=1, measurement=MEASUREMENT, stop=stop) == grid.INTERRUPTED
    measuring.measure(parts.folder, datasets.load("mnist5k"), **MEASUREMENT._asdict())
    assert json.loads((parts.folder / "evaluation.json").read_text())["validated"] == ITERATIONS / 2
    assert not grid.is_finished(parts, MEASUREMENT)
    assert grid.run_cell(parts, threads=1, measurement=MEASUREMENT) is None
    assert differing(tmp_path / "whole", tmp_path / "parts") == []


@pytest.mark.parametrize("text", ['{"dataset": "mni', "{}", "[]", "null"])
def test_a_cell_with_a_damaged_config_fails_before_it_trains(tmp_path, spy, text):
    cell = tiny(tmp_path)
    cell.folder.mkdir(parents=True)
    (cell.folder / "config.json").write_text(text)
    write_evaluation(cell)
    assert not grid.is_finished(cell)
    said = grid.run_cell(cell, threads=1, measurement=MEASUREMENT)
    assert said.startswith(f"ValueError: {cell.folder}/config.json is damaged")
    assert (cell.folder / "config.json").read_text() == text
    assert (cell.folder / "error.txt").read_text().endswith(f"{said}\n")
    assert spy.iterations == []


def test_an_error_is_written_down_and_gone_after_a_success(tmp_path, monkeypatch, spy):
    cell = tiny(tmp_path)

    def fail(*_, **__):
        raise ZeroDivisionError("in the middle")

    with monkeypatch.context() as patched:
        patched.setattr(lifecycle.training, "validate", fail)
        said = grid.run_cell(cell, threads=1, measurement=MEASUREMENT)
    assert said == "ZeroDivisionError: in the middle"
    text = (cell.folder / "error.txt").read_text()
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: in the middle\n")
    assert not grid.is_finished(cell, MEASUREMENT)
    assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT) is None
    assert not (cell.folder / "error.txt").exists()


def test_an_error_that_cannot_be_written_down_is_told_all_the_same(tmp_path, monkeypatch):
    """A full disk; and a folder that cannot be made, below a file."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(lifecycle.writing, "atomic", full)
        patched.setattr(Path, "write_text", full)
        said = grid.run_cell(tiny(tmp_path / "full"), threads=1, measurement=MEASUREMENT)
    assert said == "OSError: [Errno 28] No space left on device"
    (tmp_path / "file").touch()
    said = grid.run_cell(tiny(tmp_path / "file"), threads=1, measurement=MEASUREMENT)
    assert said.startswith("NotADirectoryError: ")


def test_a_cell_with_other_settings_is_not_taken_for_this_one(tmp_path):
    cell = tiny(tmp_path)
    grid.check_folder(cell)
    cell.folder.mkdir(parents=True)
    (cell.folder / "config.json").write_text(json.dumps(cell.settings.to_json()))
    grid.check_folder(cell)
    other = cell._replace(settings=dataclasses.replace(cell.settings, chains=21, sweeps=2))
    with pytest.raises(ValueError, match="holds a cell with other settings: chains, sweeps differ"):
        grid.check_folder(other)
    assert grid.run_cell(other, threads=1).startswith("ForeignError: ")
    assert [path.name for path in cell.folder.iterdir()] == ["config.json"], "no error.txt: the cell there is fine"


@pytest.mark.parametrize("told", ["on_ais", "on_above", "on_images"])
def test_every_part_of_a_measurement_is_stopped(tmp_path, monkeypatch, told):
    """Annealing down takes as long as annealing up."""
    asked = []

    def measure(*_, **options):
        asked.append(told)
        options[told](1, 2)

    monkeypatch.setattr(lifecycle.Run, "advance", lambda run, stop: True)
    monkeypatch.setattr(measuring, "measure", measure)
    assert grid.run_cell(tiny(tmp_path), threads=1, stop=lambda: bool(asked)) == grid.INTERRUPTED
    assert asked == [told]


def test_a_folder_that_another_process_has_is_waited_for(tmp_path, capsys, monkeypatch):
    """A lock that another holds: nothing is done or written until it is free, and it is no error."""
    monkeypatch.setattr(grid, "LOCK_POLL", 0.01)
    cell, ended = tiny(tmp_path), []
    other = lifecycle.Run(cell.folder, cell.settings, datasets.load("mnist5k"))
    other.begin()
    before = results(tmp_path)
    options = {"threads": 1, "measurement": MEASUREMENT}
    assert grid.run_cell(cell, **options, stop=iter([False, False, True]).__next__) == grid.INTERRUPTED
    waiting = f"another process is running in {cell.folder}; waiting until it ends"
    assert capsys.readouterr().err.splitlines() == [waiting]
    thread = threading.Thread(target=lambda: ended.append(grid.run_cell(cell, **options)))
    thread.start()
    wait_for(lambda: capsys.readouterr().err.splitlines() == [waiting])
    time.sleep(20 * grid.LOCK_POLL)  # attempts that it makes in vain
    assert thread.is_alive()
    assert results(tmp_path) == before
    assert not capsys.readouterr().err
    other.close()
    thread.join(600)  # much, where all is to be compiled on a busy machine
    assert ended == [None]
    assert grid.is_finished(cell, MEASUREMENT)
