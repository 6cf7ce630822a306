"""A run's files as somebody may have left them: what is not a run's own is refused, by name, at once."""

import dataclasses
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from small_run import command

from dvae_ref.files import npz, writing
from dvae_ref.runs import lifecycle, measuring, training
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import grid

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Settings(
    struct="1-layer-lin",
    num_train_iter=24,
    batch_size=10,
    chains=7,
    sweeps=1,
    eval_every=8,
    eval_samples=2,
    eval_temperatures=4,
    checkpoint_every=6,
    log_every=4,
)


@pytest.fixture(scope="module")
def stopped(dataset, tmp_path_factory):
    """The folder of a run that is stopped before iteration 7, before the first validation."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with lifecycle.Run(folder, SMALL, dataset) as run:
        run.begin()
        run.advance(lambda: run.state.iteration == 7)
    return folder


@pytest.fixture
def folder(stopped, tmp_path):
    """The same, to be spoilt at will."""
    return shutil.copytree(stopped, tmp_path / "run")


def resume(folder, dataset):
    with lifecycle.Run(folder, SMALL, dataset) as run:
        run.resume()
        return run.state


def rewrite(path, edit):
    """A checkpoint with another header or other arrays: edit(header, arrays) changes them in place."""
    header, arrays = writing.load_checkpoint(path)
    edit(header, arrays)
    whole = {"format": writing.FORMAT, "version": writing.VERSION} | header
    np.savez(path, header=np.array(json.dumps(whole)), **arrays)


def spoil(name, value):
    def edit(_, arrays):
        arrays[name].flat[0] = value

    return edit


def reshape(name, change):
    def edit(_, arrays):
        arrays[name] = change(arrays[name])

    return edit


ARRAYS = {
    "nibbles above 15": (spoil("sampler.chains.left", 255), "sampler.chains.left holds 255; expected the bits of 100"),
    "too narrow": (
        reshape("sampler.chains.left", lambda a: np.ascontiguousarray(a[:, :-1])),
        r"expected sampler.chains.left to be uint8 \(7, 25\), found uint8 \(7, 24\)",
    ),
    "too wide": (
        reshape("sampler.chains.right", lambda a: np.repeat(a, 2, 1)),
        r"expected sampler.chains.right to be uint8 \(7, 25\), found uint8 \(7, 50\)",
    ),
    "another type": (
        reshape("sampler.chains.left", lambda a: a.astype(np.int64)),
        "expected sampler.chains.left to be uint8 .*, found int64",
    ),
    "fewer chains": (
        reshape("sampler.chains.left", lambda a: a[:5]),
        r"expected sampler.chains.left to be uint8 \(7, 25\), found uint8 \(5, 25\)",
    ),
    "families that are none": (spoil("sampler.families", 10**12), "sampler.families reaches from"),
    "NaN": (spoil("adam.m.rbm.W", np.nan), "adam.m.rbm.W has 1 values that are not finite"),
    "an array missing": (lambda _, arrays: arrays.pop("params.rbm.a"), "expected params.rbm.a to be .* found nothing"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_no_state_are_not_resumed_from(folder, dataset, kind):
    edit, message = ARRAYS[kind]
    rewrite(folder / "last.npz", edit)
    with pytest.raises(ValueError, match=rf"last\.npz: {message}"):
        resume(folder, dataset)


HEADERS = {
    "iteration": ("7", "expected iteration to be a whole number of 0 or more, got '7'"),
    "validated": (25, "validated is 25 of 24 iterations"),
    "log_z": (None, "expected log_z to be a number, got None"),
    "best_nll": ("", "expected best_nll to be a number or null, got ''"),
    "metrics_bytes": (-1, "expected metrics_bytes to be a whole number of 0 or more, got -1"),
    "settings": ([], r"expected settings to be an object, got \[\]"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_are_no_state_s_are_not_resumed_from(folder, dataset, name):
    value, message = HEADERS[name]
    rewrite(folder / "last.npz", lambda header, _: header.update({name: value}))
    with pytest.raises(ValueError, match=rf"last\.npz is damaged: {message}"):
        resume(folder, dataset)


def test_control_a_checkpoint_that_is_written_anew_is_resumed_from(folder, dataset):
    rewrite(folder / "last.npz", lambda header, arrays: None)
    assert resume(folder, dataset).iteration == 7


def test_control_a_checkpoint_of_the_last_iteration_is_resumed_from(folder, dataset):
    """And of no later one, whichever of its iterations it is."""
    last = {"iteration": 24, "validated": 24, "best_iteration": 24, "best_nll": 90.0}
    rewrite(folder / "last.npz", lambda header, _: header.update(last))
    assert resume(folder, dataset).iteration == 24
    for name in ("iteration", "validated", "best_iteration"):
        rewrite(folder / "last.npz", lambda header, _, name=name: header.update(last | {name: 25}))
        with pytest.raises(ValueError, match=rf"last\.npz is damaged: {name} is 25 of 24 iterations"):
            resume(folder, dataset)


def strict(path):
    """The object in a JSON file, whose parser knows no NaN and no Infinity."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(path.read_text(), parse_constant=refuse)


def test_there_is_no_best_before_the_first_validation_and_files_say_null(folder, dataset):
    """0.1 wrote Infinity, which is no JSON; its checkpoints are read all the same."""
    state = resume(folder, dataset)
    assert (state.best_nll, state.best_iteration) == (math.inf, 0)
    text = str(npz.read(folder / "last.npz")["header"])
    assert '"best_nll": null' in text
    assert "Infinity" not in text
    rewrite(folder / "last.npz", lambda header, _: header.update(best_nll=math.inf))
    assert '"best_nll": Infinity' in str(npz.read(folder / "last.npz")["header"])
    assert resume(folder, dataset).best_nll == math.inf
    small = {"samples": 2, "images": 2, "temperatures": 4, "ais_chains": 5}
    record = measuring.measure(folder, dataset, checkpoint="last", **small)
    assert record["best_validation_nll"] is None
    assert strict(folder / "evaluation.json")["best_validation_nll"] is None


def test_what_strict_json_cannot_say_is_not_written(tmp_path):
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            writing.write_json(tmp_path / "evaluation.json", {"nll": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["1e400", "NaN", "Infinity", '"90"', "null", "true", "[]"])
def test_a_measurement_that_is_no_number_is_damaged_and_not_finished(tmp_path, text):
    """It does not end the table, and it does not count."""
    cell = grid.cell(tmp_path, SMALL)
    record = {"checkpoint": "best", "split": "test", "seed": 0, "validated": 24, "images": 500, "images_there": 500}
    record |= {"samples": 4000, "temperatures": 10_000, "ais_chains": 1000}
    record |= {"nll": 90.0, "best_validation_nll": 91.0, "log_z_standard_error": 0.01}
    cell.folder.mkdir(parents=True)
    path = cell.folder / "evaluation.json"
    writing.write_json(path, record)
    assert grid.is_finished(cell)
    path.write_text(path.read_text().replace("90.0", text))
    assert not grid.is_finished(cell)
    with pytest.raises(ValueError, match=r"evaluation\.json is damaged"):
        grid.result(cell)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("k", True, "k must be a whole number, at least 1, got True"),
        ("k", 10**400, "k must be a whole number, at least 1, got 1000"),
        ("chains", 2**63, "chains must be a whole number, at least 2, got 9223372036854775808"),
        ("beta", "40", "beta must be a number, got '40'"),
        ("beta", True, "beta must be a number, got True"),
        ("epsilon", None, "epsilon must be a number, got None"),
        ("learning_rate", 10**400, "learning_rate must be a number, got 1000"),
        ("dataset", [], r"dataset must be a text, got \[\]"),
        ("struct", {}, "struct must be a text, got {}"),
        ("lr_boundaries", 0.5, "lr_boundaries must be a list of numbers, got 0.5"),
        ("lr_factors", ["1"], r"lr_factors must be a list of numbers, got \['1'\]"),
        ("lr_factors", "11111", "lr_factors must be a list of numbers, got '11111'"),
    ],
)
def test_settings_of_another_type_or_out_of_range_are_named(folder, name, value, message):
    path = folder / "config.json"
    path.write_text(json.dumps(strict(path) | {name: value}))
    with pytest.raises(ValueError, match=rf"config\.json is damaged: {message}"):
        lifecycle.read_settings(folder)


@pytest.mark.parametrize(
    "line", [b"[" * 3000, b'{"iteration": 1e400}', b'{"iteration": "7"}', b'{"iteration": -1}', b"\xff"]
)
def test_a_damaged_end_of_the_metrics_is_no_progress(folder, line):
    assert grid.iterations_done(folder) == 4
    with open(folder / "metrics.jsonl", "ab") as file:
        file.write(line + b"\n")
    assert grid.iterations_done(folder) == 0


def test_the_state_s_scalars_are_those_that_the_header_is_checked_for():
    from dvae_ref.files import schema

    assert set(training.SCALARS) < set(schema.HEADER)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def begin(folder, dataset):
    with lifecycle.Run(folder, SMALL, dataset) as run:
        run.begin()


FOREIGN = ("metrics.jsonl", "best.npz", "evaluation.json", "curves.png", "reconstructions.png", "samples.png")


@pytest.mark.parametrize("name", [*FOREIGN, "config.json"])
def test_files_of_something_else_are_not_overwritten(tmp_path, dataset, name):
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(
        FileExistsError, match=rf"{name} is there, but no run of these settings: take another --run-dir"
    ):
        begin(tmp_path, dataset)
    assert path.read_text() == "mine"
    assert names(tmp_path) == sorted([".lock", name])


def test_a_config_of_other_settings_is_not_overwritten(tmp_path, dataset):
    writing.write_json(tmp_path / "config.json", SMALL.to_json() | {"seed": 4})
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(FileExistsError, match=r"config\.json is there, but no run of these settings"):
        begin(tmp_path, dataset)
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize("moment", ["config.json", "metrics.jsonl", "last.npz"])
def test_a_beginning_that_was_killed_begins_again(tmp_path, dataset, monkeypatch, moment):
    """Just before the file of this name is in its place."""
    replace, metrics = writing.os.replace, lifecycle.Metrics

    class Killed(BaseException):
        pass

    def deadly_replace(source, target):
        if target.name == moment:
            raise Killed
        replace(source, target)

    def deadly_metrics(path, *rest):
        if path.name == moment:
            raise Killed
        return metrics(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "replace", deadly_replace)
        patched.setattr(lifecycle, "Metrics", deadly_metrics)
        with pytest.raises(Killed):
            begin(tmp_path, dataset)
    assert not (tmp_path / "last.npz").exists()
    begin(tmp_path, dataset)
    assert names(tmp_path) == [".lock", "config.json", "last.npz", "metrics.jsonl", "sessions.json"]


def test_when_a_run_writes_what(tmp_path, dataset, monkeypatch):
    """Of ten iterations: a checkpoint after each sixth and at the end, before its validation and after; a record after
    each fourth, a validation after each eighth and at the end."""
    written, trained, checkpoint = [], [], lifecycle.Run.checkpoint

    def spied(run, name="last.npz"):
        written.append((name, run.state.iteration, run.state.validated))
        checkpoint(run, name)

    monkeypatch.setattr(lifecycle.Run, "checkpoint", spied)
    with lifecycle.Run(tmp_path / "run", dataclasses.replace(SMALL, num_train_iter=10), dataset) as run:
        run.begin()
        assert run.advance(on_iteration=lambda state, bound: trained.append(state.iteration))
    assert trained == list(range(1, 11))
    last = [when for name, *when in written if name == "last.npz"]
    assert last == [[0, 0], [6, 0], [10, 8], [10, 10]]
    assert ("best.npz", 8, 8) in written
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(line["iteration"], "bound" in line) for line in lines] == [(4, True), (8, True), (8, False), (10, False)]


def test_other_files_of_a_folder_do_not_matter(tmp_path, dataset):
    (tmp_path / "notes.txt").write_text("mine")
    begin(tmp_path, dataset)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [".last.npz.00000000-1-1-abcd.part", ".best.npz.k3x9_abc.part"])
def test_who_has_the_lock_removes_what_other_trainers_left(folder, dataset, name):
    """Wherever they were: a worker of a cluster that was lost, say."""
    (folder / name).touch()
    (folder / ".evaluation.json.00000000-1-1-abcd.part").touch()
    resume(folder, dataset)
    assert ".evaluation.json.00000000-1-1-abcd.part" in names(folder)
    assert name not in names(folder)


HOLDS = """
import sys, time
import numpy as np
from dvae_ref.runs import datasets, lifecycle
from dvae_ref.runs.presets import Settings

settings = lifecycle.read_settings(sys.argv[1])
run = lifecycle.Run(sys.argv[1], settings, datasets.load(settings.dataset))
run.resume()
print("holding", flush=True)
time.sleep(600)
"""


def test_a_folder_is_its_trainer_s_however_that_ends(folder, dataset):
    """A second process is refused with a line; after kill -9 the lock's file is still there, and in nobody's way."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, folder], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"holding\n"
        with pytest.raises(lifecycle.LockedError, match=r"^another process is running in .*run$"):
            resume(folder, dataset)
        done = command("train", "--resume", "--run-dir", folder, "--threads", 1)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith(f"LockedError: another process is running in {folder}")
        holder.kill()
    assert (folder / ".lock").exists()
    assert resume(folder, dataset).iteration == 7


def test_what_is_no_lock_of_ours_may_lie_in_its_place(folder, dataset):
    (folder / ".lock").write_text("of 0.1")
    assert resume(folder, dataset).iteration == 7


def test_where_there_is_no_fcntl_nothing_fails_on_import():
    """As on systems that are not POSIX: data list, and all that training imports."""
    code = "import sys; sys.modules['fcntl'] = None\n"
    code += "from dvae_ref.runs import lifecycle\nfrom dvae_ref import commands\nfrom dvae_ref.cli import main\n"
    done = command(code=code + "sys.exit(main(['data', 'list', 'mnist5k']))")
    assert done.returncode == 0, done.stderr
    assert "mnist5k: bundled" in done.stdout
