"""A run that goes on under another BLAS, CPU or version of the random streams says so, once, and writes it down."""

import json

import pytest

from dvae_ref import cli
from dvae_ref.files import writing
from dvae_ref.runs import datasets, environment, lifecycle, plots
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import philox
from dvae_ref.table1 import grid

SMALL = {"num_train_iter": 4, "batch_size": 20, "chains": 10, "sweeps": 1, "checkpoint_every": 2, "log_every": 2}
SMALL |= {"eval_every": 4, "eval_samples": 1, "eval_temperatures": 5}


def run(folder):
    return lifecycle.Run(folder, Settings(**SMALL), datasets.load("mnist5k", None))


@pytest.fixture
def half_way(tmp_path):
    """A run folder at iteration 2 of 4."""
    with run(tmp_path / "run") as begun:
        begun.begin()
        begun.advance(lambda: begun.state.iteration == 2)
    return tmp_path / "run"


def written(folder, **changes):
    """Let last.npz be written under another environment; a value None is none at all."""
    header, arrays = writing.load_checkpoint(folder / "last.npz")
    if changes:
        header["environment"] |= changes
    else:
        del header["environment"]
    writing.save_checkpoint(folder / "last.npz", header, **arrays)


def resumed(folder):
    """(what it says, the record of it in metrics.jsonl) of a run that goes on to its end."""
    with run(folder) as again:
        again.resume()
        assert again.advance()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return again.notice, [line for line in lines if "resumed" in line]


def test_what_is_recorded(half_way):
    recorded = writing.load_checkpoint(half_way / "last.npz")[0]["environment"]
    assert recorded == environment.here()
    assert recorded["random streams"] == str(philox.STREAMS)
    assert recorded["BLAS kernel"]
    assert all(isinstance(value, str) for value in recorded.values())


def test_under_the_same_nothing_is_said(half_way):
    assert resumed(half_way) == (None, [])


def test_under_another_it_is_said_and_written_down(half_way):
    written(half_way, **{"BLAS kernel": "Nehalem", "random streams": "1"})
    said, records = resumed(half_way)
    now = environment.here()
    changes = [f"BLAS kernel Nehalem -> {now['BLAS kernel']}", f"random streams 1 -> {philox.STREAMS}"]
    assert said == f"from here on, bytes may differ: {', '.join(changes)}"
    before = now | {"BLAS kernel": "Nehalem", "random streams": "1"}
    assert records == [{"iteration": 2, "resumed": {"before": before, "now": now}}]
    assert writing.load_checkpoint(half_way / "last.npz")[0]["environment"] == now
    training, validation = plots.read_metrics(half_way / "metrics.jsonl")
    assert list(training["iteration"]) == [2, 4]
    assert list(validation["iteration"]) == [4]


def test_a_checkpoint_of_0_1_is_resumed_and_it_is_said(half_way):
    written(half_way)
    said, records = resumed(half_way)
    assert "does not say" in said
    assert "\n" not in said
    assert records == [{"iteration": 2, "resumed": {"before": None, "now": environment.here()}}]


def test_the_command_says_it_in_a_line(half_way, capsys):
    written(half_way, NumPy="1.0")
    assert cli.main(["train", "--resume", "--threads", "1", "--run-dir", str(half_way)]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "bytes may differ" in line]
    assert said == [f"from here on, bytes may differ: NumPy 1.0 -> {environment.here()['NumPy']}"]


def test_a_cell_of_the_table_says_it_on_standard_error(half_way, capsys):
    written(half_way, NumPy="1.0")
    cell = grid.Cell(half_way, Settings(**SMALL))
    measurement = grid.Measurement(samples=1, temperatures=5, ais_chains=5, images=2)
    assert grid.run_cell(cell, threads=1, measurement=measurement) is None
    assert f"{half_way}: from here on, bytes may differ: NumPy 1.0 -> " in capsys.readouterr().err


class Library:
    """What threadpoolctl says of one."""

    def __init__(self, filepath, version, **more):
        self.filepath, self.internal_api, self.version = filepath, "openblas", version
        for name, value in more.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("found", "version", "kernel"),
    [
        ([Library("/scipy.libs/b.so", "0.3.1"), Library("/numpy.libs/a.so", "0.3.2")], "openblas 0.3.2", "unknown"),
        (
            [Library("/lib/a.so", "1", architecture="Zen"), Library("/lib/b.so", "2")],
            "openblas 1, openblas 2",
            "Zen, unknown",
        ),
        ([], "", ""),
    ],
)
def test_the_blas_that_counts_is_numpy_s_where_it_has_its_own(monkeypatch, found, version, kernel):
    monkeypatch.setattr(environment.blas, "libraries", lambda: found)
    assert (environment.here()["BLAS"], environment.here()["BLAS kernel"]) == (version, kernel)
