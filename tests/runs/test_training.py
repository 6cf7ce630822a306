"""Runs that are killed, interrupted or meet NaN: what is left, and that going on from it gives the same bytes."""

import contextlib
import dataclasses
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
from small_run import SMALL_RUN, command

from dvae_ref import cli, tree
from dvae_ref.files import writing
from dvae_ref.runs import datasets, lifecycle, measuring, training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import ais, philox

# Kills its own process half-way through writing last.npz at iteration 100.
KILLED = """
import json, os, signal, sys
import numpy as np
from dvae_ref.cli import main

savez = np.savez

def deadly(file, **arrays):
    header = json.loads(str(arrays.get("header", "{}")))
    if header.get("iteration") == 100:
        savez(file, header=arrays["header"])
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    savez(file, **arrays)

np.savez = deadly
main(sys.argv[1:])
"""


def contents(folder):
    """All but the time it took."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "sessions.json"}


def differing(folder, other):
    """Names of the files that are not the same, byte by byte."""
    a, b = contents(folder), contents(other)
    return sorted(name for name in a | b if a.get(name) != b.get(name))


def test_killed_in_a_checkpoint_and_resumed_on_one_thread_is_the_same_run(straight, tmp_path):
    """Parameters, moments, sampler, metrics, pictures: every file has the bytes of 200 iterations in one go on two
    threads. Metrics beyond the last whole checkpoint had been written and must be cut off."""
    folder = tmp_path / "run"
    killed = command("train", *SMALL_RUN, "--threads", 1, "--run-dir", folder, code=KILLED)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert writing.load_checkpoint(folder / "last.npz")[0]["iteration"] == 50
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 10
    assert len(list(folder.glob(".last.npz.*.part"))) == 1
    assert {"last.npz", "metrics.jsonl", "snapshots.npz"} < set(differing(straight[0], folder))
    resumed = command("train", "--resume", "--threads", 1, "--run-dir", folder)
    assert resumed.returncode == 0, resumed.stderr
    assert differing(straight[0], folder) == []


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.005)


def test_ctrl_c_leaves_a_checkpoint_and_the_command_that_continues(straight, tmp_path):
    folder = tmp_path / "a run"  # a name that needs quotes
    start = [sys.executable, "-m", "dvae_ref", "train", *SMALL_RUN, "--run-dir", str(folder)]
    metrics = folder / "metrics.jsonl"
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    iteration = writing.load_checkpoint(folder / "last.npz")[0]["iteration"]
    assert 10 <= iteration < 200
    assert f"stopped at iteration {iteration}; a checkpoint is written" in text
    printed = shlex.split(text.splitlines()[-1])
    assert printed[:3] == ["python", "-m", "dvae_ref"]
    resumed = command(*printed[3:])
    assert resumed.returncode == 0, resumed.stderr
    assert differing(straight[0], folder) == []


SMALL = Settings(
    struct="1-layer-lin",
    num_train_iter=24,
    batch_size=10,
    chains=7,
    sweeps=1,
    eval_every=8,
    eval_samples=2,
    eval_temperatures=20,
    checkpoint_every=6,
    log_every=4,
)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """For the runs in this process: they are too small to share."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    yield
    numba.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset():
    whole = datasets.load("mnist5k")
    return whole._replace(validation=whole.validation[:40])


@pytest.fixture
def begun():
    """Runs begun in a folder, closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def begin(folder, dataset, settings=SMALL):
            run = stack.enter_context(lifecycle.Run(folder, settings, dataset))
            run.begin()
            return run

        yield begin


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def ends(entries):
    """The last record of each iteration but the very last: it holds the log Z that the next bounds are shown with."""
    return list({entry["iteration"]: entry for entry in entries}.values())[:-1]


def test_metrics_say_what_happened(tmp_path, dataset, begun, monkeypatch):
    """Bounds averaged over log_every iterations; kappa and rate of the last of them; validations where due."""
    bounds, sums = [], []

    def listen(state, bound):
        bounds.append(bound)

    def sum_up(*arguments, record=training.record):
        sums.append(arguments[0].bound_sum)
        return record(*arguments)

    monkeypatch.setattr(training, "record", sum_up)
    assert begun(tmp_path, dataset).advance(on_iteration=listen)
    assert len(bounds) == 24
    log = [record for record in records(tmp_path) if "bound" in record]
    validations = [record for record in records(tmp_path) if "validation_nll" in record]
    assert [record["iteration"] for record in log] == [4, 8, 12, 16, 20, 24]
    assert [record["iteration"] for record in validations] == [8, 16, 24]
    kappa = np.minimum(np.arange(24) / 7.2, 1).reshape(6, 4).mean(1)
    np.testing.assert_allclose([record["kappa"] for record in log], kappa)
    after = np.array([record["log_z_rough"] for record in log])
    before = [200 * math.log(2), *(r["log_z"] if "log_z" in r else r["log_z_rough"] for r in ends(records(tmp_path)))]
    np.testing.assert_allclose(
        [record["bound"] for record in log], np.array(sums) / 4 - kappa * (np.array(before) + after) / 2
    )
    rates = [record["learning_rate"] for record in log]  # iterations 3, 7, 11, 15 | 19 | 23 of 24, counted from 0
    np.testing.assert_allclose(rates, [3e-3, 3e-3, 3e-3, 1e-3, 3e-4, 3e-3 / 33])
    assert all(record["validation_images"] == 40 for record in validations)
    assert np.mean(bounds[-4:]) > np.mean(bounds[:4])


def test_log_z_of_a_record_is_good_to_tenths_of_a_nat(dataset):
    """The short AIS behind a record against a long one, on an RBM that training has moved: it is a tenth or so off,
    and the log Z of the start, D log 2, two nats."""
    settings = dataclasses.replace(SMALL, num_train_iter=60, log_every=60, chains=200, sweeps=20, learning_rate=1e-2)
    state, role = training.start(settings, dataset.mean_x), training.keys(0)
    at_start = state.log_z
    for i in range(60):
        state, _ = training.iterate(state, datasets.batch(dataset, 0, i, settings.batch_size), settings, role)
    z = ais.log_z(role["measurement_log_z"], state.params.rbm, 300, 500)
    state, record = training.record(state, settings, role)
    assert z.standard_error < 0.02
    short = ais.log_z(philox.fold_in(role["record_log_z"], 60), state.params.rbm, 100, 200)
    assert record["log_z_rough"] == state.log_z == short.log_z
    assert abs(state.log_z - z.log_z) < 0.5
    assert abs(at_start - z.log_z) > 1.5


@pytest.mark.parametrize("third", [4.0, 3.0])
def test_the_best_on_validation_is_kept(tmp_path, dataset, monkeypatch, begun, third):
    """Scripted NLLs 5, 3, and one that is no better: best.npz is of the second, last.npz of the end."""
    scripted = iter([5.0, 3.0, third])
    summary = {"nll": 0.0, "nll_standard_error": 0.1, "elbo": -1.0}

    class Result:
        def summary(self):
            return summary | {"nll": next(scripted)}

    monkeypatch.setattr(training.evaluation, "log_likelihood", lambda *_, **__: Result())
    run = begun(tmp_path, dataset)
    assert run.advance()
    best, last = (writing.load_checkpoint(tmp_path / name)[0] for name in ("best.npz", "last.npz"))
    assert (best["iteration"], best["best_nll"]) == (16, 3.0)
    assert (last["iteration"], last["best_iteration"], last["best_nll"]) == (24, 16, 3.0)


@pytest.mark.parametrize(("where", "sampler"), [("iteration", "pa"), ("iteration", "pcd"), ("validation", "pa")])
def test_stopped_and_resumed_in_one_process(tmp_path, dataset, where, sampler, begun):
    """Stopped before iteration 14, or inside the validation at 16, which is then done anew."""
    whole, parts, settings = tmp_path / "whole", tmp_path / "parts", dataclasses.replace(SMALL, sampler=sampler)
    begun(whole, dataset, settings).advance()
    run, calls = begun(parts, dataset, settings), []

    def stop():
        calls.append(run.state.iteration)
        return calls[-1] == 13 if where == "iteration" else calls.count(16) >= 2

    assert not run.advance(stop)
    header, _ = writing.load_checkpoint(parts / "last.npz")
    assert (header["iteration"], header["validated"]) == ((13, 8) if where == "iteration" else (16, 8))
    with pytest.raises(FileExistsError, match="another process is running in"):
        lifecycle.Run(parts, settings, dataset).resume()
    run.close()
    for _ in range(2):  # the second time it is finished already
        with lifecycle.Run(parts, settings, dataset) as again:
            again.resume()
            assert again.advance()
    assert differing(whole, parts) == []


def test_a_folder_with_a_run_is_not_overwritten(tmp_path, dataset, begun):
    begun(tmp_path, dataset).close()
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="holds a run already: --resume continues it"):
        begun(tmp_path, dataset)
    assert contents(tmp_path) == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path, dataset, begun):
    begun(tmp_path, dataset).close()
    other = Settings(**SMALL.to_json() | {"chains": 9, "seed": 4})
    said = r"last\.npz belongs to a run with other settings: seed, chains differ"
    with pytest.raises(ValueError, match=said), lifecycle.Run(tmp_path, other, dataset) as run:
        run.resume()


def test_metrics_that_lost_their_end_are_cut_to_a_whole_line(tmp_path, dataset, begun):
    """As after a power cut: no bytes are made up, the run goes on, and every line is an object."""
    run = begun(tmp_path, dataset)
    run.advance(lambda: run.state.iteration == 14)
    run.close()
    path = tmp_path / "metrics.jsonl"
    before = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(before)[:-7])
    with lifecycle.Run(tmp_path, SMALL, dataset) as again:
        with pytest.warns(UserWarning, match=r"metrics\.jsonl is shorter than its checkpoint knows it"):
            again.resume()
        assert path.read_bytes() == b"".join(before[:-1])
        assert again.advance()
    assert [record["iteration"] for record in records(tmp_path)] == [4, 8, 8, 16, 16, 20, 24, 24]


def test_metrics_and_snapshots_are_on_disk_before_the_checkpoint(tmp_path, dataset, begun, monkeypatch):
    """fsync of metrics.jsonl at its full length, then snapshots.npz and last.npz are put in their places."""
    run, events = begun(tmp_path, dataset), []
    fsync, replace = os.fsync, os.replace

    def note_sync(descriptor):
        if os.path.samestat(os.fstat(descriptor), (tmp_path / "metrics.jsonl").stat()):
            events.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    def note_replace(source, target):
        events.extend([target.name] if target.suffix == ".npz" else [])
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    run.advance(lambda: run.state.iteration == 5)
    assert run.metrics.size > 0
    assert events == [run.metrics.size, "snapshots.npz", "last.npz"]


def test_a_run_does_not_go_on_with_other_data(tmp_path, dataset, begun, monkeypatch):
    """Nor is it measured on them: from the header of the checkpoint, where it says so."""
    begun(tmp_path, dataset).close()
    other = dataset._replace(origin="another draw")
    said = f"last[.]npz was trained on {dataset.origin}; the data that are there now are another draw"
    with pytest.raises(ValueError, match=said), lifecycle.Run(tmp_path, SMALL, other) as run:
        run.resume()
    with pytest.raises(ValueError, match=said):
        measuring.measure(tmp_path, other, checkpoint="last")
    lifecycle.load(tmp_path, "last")
    save_checkpoint = writing.save_checkpoint

    def as_before(path, header, **trees):
        save_checkpoint(path, {name: value for name, value in header.items() if name != "data"}, **trees)

    with monkeypatch.context() as patched, lifecycle.Run(tmp_path, SMALL, dataset) as run:
        patched.setattr(writing, "save_checkpoint", as_before)
        run.resume()
        run.checkpoint()
    with lifecycle.Run(tmp_path, SMALL, other) as run:
        run.resume()


POISONS = {
    "the couplings": lambda state: state.params.rbm.W,
    "the decoder": lambda state: state.params.decoder.out.kernel,
    "Adam's moments": lambda state: state.adam.m.rbm.a,
}


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("what", POISONS)
def test_nan_stops_the_run_and_spares_the_checkpoint(tmp_path, monkeypatch, capsys, what):
    """NaN from the start of the eighth iteration: exit code 1, the iteration, the checkpoint of 6 that goes on."""
    iterate = training.iterate

    def poisoned(state, *rest):
        if state.iteration == 7:
            POISONS[what](state)[1] = np.nan
        return iterate(state, *rest)

    options = [f"--{name.replace('_', '-')}={getattr(SMALL, name)}" for name in Settings.__dataclass_fields__]
    options = [option for option in options if not option.startswith("--lr-")]
    monkeypatch.setattr(training, "iterate", poisoned)
    with pytest.raises(SystemExit) as end:
        cli.main(["train", *options, "--threads", "1", "--run-dir", str(tmp_path)])
    message = capsys.readouterr().err
    assert end.value.code == 1
    assert "not finite at iteration 8" in message
    assert "Traceback" not in message
    header, arrays = writing.load_checkpoint(tmp_path / "last.npz")
    assert header["iteration"] == 6
    assert all(np.all(np.isfinite(array)) for array in arrays.values())
    monkeypatch.setattr(training, "iterate", iterate)
    assert cli.main(["train", "--resume", "--threads", "1", "--run-dir", str(tmp_path)]) == 0


TEAM_OF_ONE, TEAM_OF_TWO = 1, 50  # K, of 10 images each


@pytest.fixture(params=[1, 2])
def some_threads(request):
    if request.param > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("numba was started with one thread")
    numba.set_num_threads(request.param)


@pytest.mark.usefixtures("some_threads")
@pytest.mark.parametrize("k", [TEAM_OF_ONE, TEAM_OF_TWO])
def test_an_rbm_too_large_to_sample_from_says_at_which_iteration(dataset, k):
    """Finite, so that no check for NaN sees it; the sampler runs in line, or beside the network."""
    settings = dataclasses.replace(SMALL, k=k)
    state, role = training.start(settings, dataset.mean_x), training.keys(SMALL.seed)
    x = datasets.batch(dataset, SMALL.seed, 0, SMALL.batch_size)
    at_7 = state._replace(iteration=7)
    assert training.iterate(at_7, x, settings, role)[0].iteration == 8
    state.params.rbm.W[0, 1] = 1e5
    with pytest.raises(training.DivergedError, match=r"^iteration 8: the RBM's weights are too large"):
        training.iterate(at_7, x, settings, role)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
@pytest.mark.parametrize("k", [TEAM_OF_ONE, TEAM_OF_TWO])
def test_the_sampler_beside_the_network_changes_no_byte(dataset, k):
    """Three iterations on one thread and on two; of another seed, nothing is the same."""

    def after_three(threads, seed=SMALL.seed):
        numba.set_num_threads(threads)
        settings = dataclasses.replace(SMALL, k=k, seed=seed)
        state, role = training.start(settings, dataset.mean_x), training.keys(seed)
        for i in range(3):
            x = datasets.batch(dataset, SMALL.seed, i, SMALL.batch_size)
            state, _ = training.iterate(state, x, settings, role)
        return [leaf.tobytes() for leaf in tree.leaves((state.params, state.adam, state.sampler))]

    assert after_three(1) == after_three(2)
    assert after_three(2) != after_three(2, seed=SMALL.seed + 1)


LOOPS_OF_NUMBA = """
import sys
from dvae_ref.runs import datasets, training
from dvae_ref.runs.presets import Settings

settings = Settings(chains=12_000, sweeps=1, batch_size=20, num_train_iter=10)
dataset, role = datasets.load("mnist5k"), training.keys(0)
state = training.start(settings, dataset.mean_x)
for i in range(2):
    state, _ = training.iterate(state, datasets.batch(dataset, 0, i, 20), settings, role)
kernels = [
    (f"{module.__name__}.{name}", kernel.targetoptions.get("parallel", False))
    for module in list(sys.modules.values()) if module.__name__.startswith("dvae_ref")
    for name, kernel in vars(module).items() if getattr(kernel, "signatures", [])
]
print(len(kernels) > 10, [name for name, parallel in kernels if parallel])
"""


def test_training_runs_no_parallel_loop_of_numba():
    """Two at a time, of the sampler and of the network, abort the process on the threading layer "workqueue", all that
    some systems have. Tasks are shared out by fast/tasks.py, which does not depend on it."""
    done = command(code=LOOPS_OF_NUMBA)
    assert (done.returncode, done.stdout) == (0, "True []\n"), done.stderr


def test_a_state_comes_back_from_its_checkpoint(tmp_path, dataset, begun):
    """Every leaf and every number of a state in mid-run."""
    run = begun(tmp_path, dataset)
    run.advance(lambda: run.state.iteration == 5)
    _, state = lifecycle.load_state(tmp_path / "last.npz", training.start(SMALL, dataset.mean_x), SMALL)
    assert state._fields == run.state._fields
    for name, value in run.state._asdict().items():
        if name in training.SCALARS:
            assert getattr(state, name) == value
        else:
            pairs = zip(tree.items(getattr(state, name)), tree.items(value), strict=True)
            assert all(a[0] == b[0] and a[1].tobytes() == b[1].tobytes() for a, b in pairs)
    assert os.path.getsize(tmp_path / "last.npz") > 1e6
