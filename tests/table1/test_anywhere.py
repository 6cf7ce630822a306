"""Cells in executors of any kind: threads, processes, and one that somebody wrote for himself."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from tables import TINY

from dvae_ref.program import interrupt
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import anywhere, executors, grid

MEASUREMENT = grid.Measurement(3, 10, ais_chains=30, images=20)
AXES = {"seed": (0, 1)}


class Inline(Executor):
    """The least that is an executor: a task is done where it is submitted."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


def threads():
    return ThreadPoolExecutor(2)


def processes():
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The folder of the two cells, run one after the other without an executor."""
    out = tmp_path_factory.mktemp("expected")
    for cell in grid.cells(out, AXES, **TINY):
        assert grid.run_cell(cell, threads=1, measurement=MEASUREMENT) is None
    return out


def contents(out):
    """The bytes of what a run's numbers are in, by path."""
    names = ("last.npz", "best.npz", "metrics.jsonl", "evaluation.json", "log_px.npz")
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.name in names}


@pytest.mark.filterwarnings("ignore:annealing ended with an effective sample")
@pytest.mark.parametrize("make", [Inline, threads, processes])
def test_the_bytes_are_the_same_in_any_executor(expected, tmp_path, make):
    ended = []
    with make() as executor:
        failed = anywhere.train_table(
            tmp_path, executor, AXES, MEASUREMENT, on_done=lambda *end: ended.append(end), **TINY
        )
    assert failed == {}
    assert [error for _, error in ended] == [None, None]
    assert contents(tmp_path) == contents(expected)
    assert len(contents(expected)) == 10
    assert not list(tmp_path.rglob("*.part"))
    with make() as executor:
        assert anywhere.train_table(tmp_path, executor, AXES, MEASUREMENT, on_done=ended.append, **TINY) == {}
    assert len(ended) == 2  # what is finished is not begun


def cells(tmp_path, *names):
    return [grid.Cell(tmp_path / name, Settings(seed=i)) for i, name in enumerate(names)]


def run(monkeypatch, run_cell, todo, workers=1):
    """[(folder's name, error)] of run_on in threads, with a stand-in for the work."""
    monkeypatch.setattr(anywhere, "run_cell", run_cell)
    monkeypatch.setattr(anywhere, "POLL", 0.05)
    monkeypatch.setattr(executors, "POLL", 0.05)
    ended = []
    with ThreadPoolExecutor(workers) as executor:
        anywhere.run_on(executor, todo, on_done=lambda cell, error: ended.append((cell.folder.name, error)))
    return ended


@pytest.mark.parametrize(("given", "found"), [("~/data", "home/data"), ("data", "here/data"), (None, None)])
def test_the_data_are_where_they_are_from_here(tmp_path, monkeypatch, given, found):
    """A worker may be in another folder, and another user's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    told = []
    monkeypatch.setattr(anywhere, "run_cell", lambda cell, stop, data_dir: told.append(data_dir))
    anywhere.run_on(Inline(), cells(tmp_path, "a"), on_done=executors.tell_nobody, data_dir=given)
    assert told == [found and tmp_path / found]


def test_a_cell_that_fails_stops_no_other(tmp_path, monkeypatch):
    def run_cell(cell, stop):
        if cell.folder.name == "raises":
            raise RuntimeError("no such thing")
        return "an error" if cell.folder.name == "failing" else None

    ended = run(monkeypatch, run_cell, cells(tmp_path, "raises", "failing", "fine"))
    assert dict(ended) == {"raises": "RuntimeError: no such thing", "failing": "an error", "fine": None}


def test_one_that_was_told_to_stop_by_somebody_else_goes_on_as_long_as_it_gets_further(tmp_path, monkeypatch):
    begun = []

    def run_cell(cell, stop):
        begun.append(cell)
        if cell.folder.name == "further":
            cell.folder.mkdir(exist_ok=True)
            (cell.folder / "metrics.jsonl").write_text(f'{{"iteration": {len(begun)}}}\n')
        return grid.INTERRUPTED if len(begun) < 4 else None

    assert run(monkeypatch, run_cell, cells(tmp_path, "further")) == [("further", None)]
    begun.clear()
    assert run(monkeypatch, run_cell, cells(tmp_path, "stuck")) == [("stuck", grid.INTERRUPTED)]
    assert len(begun) == 2


def test_ctrl_c_stops_what_runs_and_begins_nothing_more(tmp_path, monkeypatch):
    begun = threading.Event()

    def run_cell(cell, stop):
        assert cell.folder.name == "runs"
        begun.set()
        while not stop():
            begun.wait(0.01)
        return grid.INTERRUPTED

    def interrupt():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ended = run(monkeypatch, run_cell, cells(tmp_path, "runs", "waits"))
    thread.join()
    assert sorted(ended) == [("runs", grid.INTERRUPTED), ("waits", grid.INTERRUPTED)]
    assert not list(tmp_path.rglob("*.part"))


def test_an_error_of_the_listener_stops_what_runs(tmp_path, monkeypatch):
    """It ran to its end, for days perhaps, and who had called the executor waited for it."""
    monkeypatch.setattr(anywhere, "POLL", 0.05)
    monkeypatch.setattr(executors, "POLL", 0.05)
    told, asked = [], time.monotonic() + 60

    def run_cell(cell, stop):
        while cell.folder.name == "runs" and not stop() and time.monotonic() < asked:
            time.sleep(0.01)
        told.append(cell.folder.name)

    def on_done(cell, error):
        raise ZeroDivisionError(cell.folder.name)

    monkeypatch.setattr(anywhere, "run_cell", run_cell)
    with pytest.raises(ZeroDivisionError, match="ends"), ThreadPoolExecutor(2) as executor:
        anywhere.run_on(executor, cells(tmp_path, "runs", "ends", "waits"), on_done=on_done)
    assert time.monotonic() < asked
    assert "runs" in told


def test_sigterm_does_not_abandon_what_other_threads_do(tmp_path, monkeypatch):
    """It once did: AbandonedError left `run_on` before it had told anybody to stop."""
    monkeypatch.setattr(interrupt, "PATIENCE", 0.01)
    monkeypatch.setattr(interrupt, "AGAIN", 0.01)
    asked = time.monotonic() + 60

    def run_cell(cell, stop):
        os.kill(os.getpid(), signal.SIGTERM)
        with interrupt.abandonable():
            time.sleep(0.3)  # many times SIGALRM
        while not stop() and time.monotonic() < asked:
            time.sleep(0.01)
        return grid.INTERRUPTED

    assert run(monkeypatch, run_cell, cells(tmp_path, "runs")) == [("runs", grid.INTERRUPTED)]
    assert time.monotonic() < asked


def die(cell, sign, options):
    os._exit(9)


def test_a_broken_pool_is_an_error_of_each_of_its_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(anywhere, "_work", die)
    ended = []
    with processes() as executor:
        anywhere.run_on(executor, cells(tmp_path, "a", "b"), on_done=lambda cell, error: ended.append(error))
    assert len(ended) == 2
    assert all(error.startswith("BrokenProcessPool: ") for error in ended)


def test_a_wrong_axis_is_refused_before_anything_is_submitted(tmp_path):
    with pytest.raises(ValueError, match="no axes of the table: epochs"):
        anywhere.train_table(tmp_path, None, {"epochs": (1,)})
