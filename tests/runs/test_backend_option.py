import json
import shutil

import pytest

from dvae_ref import cli
from dvae_ref.runs import lifecycle, measuring
from dvae_ref.sampling import ais, backend, population_annealing
from dvae_ref.table1 import executors, grid


@pytest.fixture
def evaluate(straight, tmp_path, monkeypatch, capsys):
    """Run `evaluate --backend NAME` where there is no CUDA: the log Z it prints."""
    run_dir = shutil.copytree(straight[0], tmp_path / "run")
    for library in ("OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    monkeypatch.setattr(backend, "why_not_cuda", lambda: "there is none here")

    def run(name):
        options = {"run-dir": run_dir, "samples": 5, "temperatures": 300, "images": 20, "threads": 1, "backend": name}
        arguments = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
        assert cli.main(["evaluate", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])["log_z"]

    return run


def test_auto_is_the_cpu_where_there_is_no_cuda(evaluate):
    assert evaluate("auto") == evaluate("cpu")


def test_cuda_by_name_fails_and_says_why(evaluate, capsys):
    with pytest.raises(SystemExit) as end:
        evaluate("cuda")
    assert end.value.code == 1
    assert 'BackendError: backend="cuda" cannot be used: there is none here' in capsys.readouterr().err


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Run `train --backend NAME` where there is no CUDA: the run folder."""
    for library in ("OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    monkeypatch.setattr(backend, "why_not_cuda", lambda: "there is none here")

    def run(name):
        small = {"num-train-iter": 3, "batch-size": 10, "chains": 20, "sweeps": 2, "log-every": 3, "threads": 1}
        small |= {
            "eval-every": 3,
            "eval-samples": 1,
            "eval-temperatures": 3,
            "backend": name,
            "run-dir": tmp_path / name,
        }
        code = cli.main(["train", *(str(part) for key, value in small.items() for part in (f"--{key}", value))])
        assert code == 0
        return tmp_path / name

    return run


@pytest.mark.filterwarnings("ignore:annealing ended with an effective sample")
def test_every_sampler_of_a_training_is_told(train, monkeypatch):
    """The update's, the record's and the validation's: with a GPU that is the CPU in disguise."""
    told = []

    def disguised(name, function):
        def call(*arguments, **options):
            told.append((name, options.pop("backend")))
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(backend, "why_not_cuda", lambda: None)
    monkeypatch.setattr(population_annealing, "step", disguised("step", population_annealing.step))
    monkeypatch.setattr(ais, "log_z", disguised("log_z", ais.log_z))
    train("cuda")
    assert told == [("step", "cuda")] * 3 + [("log_z", "cuda")] * 2


@pytest.mark.filterwarnings("ignore:annealing ended with an effective sample")
def test_training_is_told_as_well(train, capsys):
    cpu, auto = ((train(name) / "last.npz").read_bytes() for name in ("cpu", "auto"))
    assert cpu == auto
    with pytest.raises(SystemExit) as end:
        train("cuda")
    assert end.value.code == 1
    assert 'BackendError: backend="cuda" cannot be used: there is none here' in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:annealing ended with an effective sample")
def test_a_cell_of_table1_tells_its_run_and_its_measurement(tmp_path, monkeypatch):
    told = []

    class Told(lifecycle.Run):
        def __init__(self, folder, settings, dataset, threads, sampled_by):
            told.append(sampled_by)
            super().__init__(folder, settings, dataset, threads, sampled_by)

    monkeypatch.setattr(backend, "why_not_cuda", lambda: "there is none here")
    monkeypatch.setattr(lifecycle, "Run", Told)
    monkeypatch.setattr(measuring, "measure", lambda *arguments, **options: told.append(options["backend"]))
    small = {"batch_size": 10, "chains": 20, "sweeps": 2, "eval_samples": 1, "eval_temperatures": 3}
    (cell,) = grid.cells(tmp_path, {}, num_train_iter=3, **small)
    assert grid.run_cell(cell, threads=1, backend="auto") is None
    assert told == ["auto", "auto"]


def test_table1_tells_its_cells(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(executors, "run_local", lambda todo, **options: given.update(options))
    cli.main(["table1", "--backend", "auto", "--num-train-iter", "3", "--out", str(tmp_path), "--threads", "1"])
    assert given["backend"] == "auto"
