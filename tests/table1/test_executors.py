"""run_local with stand-ins for the work, which are killed, fail or hang; run_dask with a real scheduler and workers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import journal
import pytest
from stub_workers import deaf, stoppable, work
from tables import differing, environment, is_gone, run, start, wait_for, workers_of

from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import executors, grid
from dvae_ref.table1.grid import Cell


@pytest.fixture(autouse=True)
def stubs(monkeypatch):
    monkeypatch.setattr(executors, "_work", work)
    monkeypatch.setattr(executors, "POLL", 0.1)


def cells(tmp_path, *names):
    return [Cell(tmp_path / name, Settings(seed=i)) for i, name in enumerate(names)]


def started(cell):
    """The processes that were started for it."""
    path = cell.folder / "starts"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def run_local(todo, workers=2, **options):
    """[(folder's name, error)] as they ended."""
    ended = []
    executors.run_local(
        todo, workers=workers, on_done=lambda cell, error: ended.append((cell.folder.name, error)), **options
    )
    return ended


def test_whatever_happens_to_a_cell_the_others_are_run(tmp_path):
    """Killed without progress: twice, then it has failed. Killed, but further each time: again and again. Told to stop
    by somebody else: again. An error: once."""
    names = ("killed", "fine-1", "advancing", "failing", "told", "fine-2")
    todo = cells(tmp_path, *names)
    ended = dict(run_local(todo))
    assert ended == dict.fromkeys(names) | {"killed": executors.KILLED, "failing": "an error"}
    assert [len(started(cell)) for cell in todo] == [2, 1, 4, 1, 2, 1]


def test_so_many_at_a_time_and_no_more(tmp_path):
    """Two of three endless ones are begun; progress is reported of these."""
    todo, seen = cells(tmp_path, "endless-1", "endless-2", "endless-3"), []

    def on_progress(running):
        seen.append([cell.folder.name for cell in running])
        if all(started(cell) for cell in todo[:2]):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run_local(todo, on_progress=on_progress)
    assert seen[-1] == ["endless-1", "endless-2"]
    assert [len(started(cell)) for cell in todo] == [1, 1, 0]


def test_an_error_of_the_listener_leaves_no_worker_behind(tmp_path):
    todo = cells(tmp_path, "endless", "waiting")
    (tmp_path / "waiting").mkdir()

    def on_done(cell, error):
        wait_for(lambda: started(todo[0]))
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        executors.run_local(todo, workers=2, on_done=on_done)
    assert len(started(todo[0])) == 1
    assert all(is_gone(pid) for pid in started(todo[0]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_once(tmp_path, monkeypatch, number):
    """To workers that run, as SIGTERM; what waits is not begun; the handlers are as before."""
    monkeypatch.setattr(executors, "_work", stoppable)
    todo = cells(tmp_path, "a", "b", "c")
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def interrupt():
        wait_for(lambda: started(todo[0]) and started(todo[1]))
        for pid in started(todo[0]) if number == signal.SIGINT else ():
            os.kill(pid, number)  # as a terminal would: it is blocked
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ended = run_local(todo)
    thread.join()
    assert sorted(ended) == [("a", grid.INTERRUPTED), ("b", grid.INTERRUPTED)]
    assert [len(started(cell)) for cell in todo] == [1, 1, 0]
    assert not list(tmp_path.rglob("SIGINT"))
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_ctrl_c_does_not_wait(tmp_path, monkeypatch):
    """Nor does a worker that does not listen survive it."""
    todo = cells(tmp_path, "deaf")

    def interrupt_twice():
        wait_for(lambda: started(todo[0]))
        for _ in range(2):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(executors, "_work", deaf)
    thread = threading.Thread(target=interrupt_twice)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_local(todo)
    thread.join()
    assert all(is_gone(pid) for pid in started(todo[0]))


# ---- Dask


def test_without_dask_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(ImportError, match=r"--scheduler tcp://x:1 needs Dask: pip install '\.\[cluster\]'"):
        executors.run_dask(cells(tmp_path, "a"), address="tcp://x:1", on_done=print)


def test_an_answer_is_asked_fornow_and_then(monkeypatch):
    clock, answers = iter(range(100)), [False, False, True]
    monkeypatch.setattr(executors, "POLL", 2.0)
    monkeypatch.setattr(executors.time, "monotonic", lambda: next(clock))
    asked = executors.now_and_then(lambda: answers.pop(0))
    given = [asked() for _ in range(10)]
    assert given == sorted(given)
    assert given[0] is False
    assert given[-1] is True
    assert not answers

    def gone():
        raise OSError

    assert executors.now_and_then(gone)()


@pytest.fixture
def cluster(tmp_path):
    """begin(out, workers, threads, die, pace): (address of a Dask scheduler, the processes: its own, its workers')."""
    dask, here = [sys.executable, "-m", "dask"], {"cwd": tmp_path, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:

        def process(*arguments, **options):
            started = stack.enter_context(subprocess.Popen([*dask, *arguments], **here, **options))
            stack.callback(started.kill)
            return started

        def begin(out, workers=2, threads=1, **options):
            file = tmp_path / "scheduler.json"
            scheduler = process(
                "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}"
            )
            given = ("--no-nanny", "--no-dashboard", f"--nthreads={threads}", f"--preload={journal.__file__}")
            env = environment(out, **options) | {"OPENBLAS_NUM_THREADS": "1", "DASK_LOGGING__DISTRIBUTED": "error"}
            made = [process("worker", f"--scheduler-file={file}", *given, env=env) for _ in range(workers)]
            wait_for(lambda: file.exists() and file.read_text().rstrip().endswith("}"))  # it is not written at once
            return json.loads(file.read_text())["address"], (scheduler, *made)

        yield begin


def test_dask_with_one_of_two_workers_killed(straight_table, tmp_path, cluster):
    """SIGKILL at iteration 17 of a cell: the other worker takes it over from the checkpoint at 10. Nothing is lost,
    nothing is run twice to its end, and the bytes are those of a local run."""
    out = tmp_path / "table"
    address, (_, *workers) = cluster(out, die="seed1-40|iterate 17|self")
    done = run(out, "--seed", "0", "1", f"--scheduler={address}")
    assert done.returncode == 0, done.stderr
    assert differing(straight_table[0], out) == []
    pids = workers_of(out)
    assert len(pids[1]) == 2
    (lost,) = [worker for worker in workers if worker.poll() is not None]
    assert (lost.pid, lost.returncode) == (pids[1][0], -signal.SIGKILL)
    assert {pid for turn in pids.values() for pid in turn} <= {worker.pid for worker in workers}


def test_a_lost_scheduler_is_told_of_every_cell(tmp_path, cluster):
    """SIGKILL to it, with two cells waiting for a worker: each ends, with a reason that can be understood."""
    address, (scheduler,) = cluster(tmp_path / "table", workers=0)
    todo, ended = cells(tmp_path, "a", "b"), {}
    executors.run_dask(
        todo, address=address, on_done=lambda *end: ended.update([end]), on_progress=lambda _: scheduler.kill()
    )
    assert ended == dict.fromkeys(todo, "the Dask scheduler does not answer any more (cancelled)")


@pytest.mark.slow
def test_ctrl_c_stops_the_cells_on_a_cluster(straight_table, tmp_path, cluster):
    """With a checkpoint; the workers live, and run the same command to its end without doing an iteration twice."""
    out = tmp_path / "table"
    address, (_, *workers) = cluster(out, pace=0.2)
    arguments = ("--seed", "0", "1", f"--scheduler={address}")
    with start(out, *arguments) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, text = process.communicate(timeout=120)
    assert process.returncode == 130, text
    assert text.count(": interrupted\n") == 2
    done = run(out, *arguments)
    assert done.returncode == 0, done.stderr
    assert differing(straight_table[0], out) == []
    for entries in journal.read(f"{out}.journal").values():
        iterations = [entry[2] for entry in entries if entry[1] == "iterate"]
        assert len(iterations) == len(set(iterations))
    assert all(worker.poll() is None for worker in workers)


@pytest.mark.slow
def test_dask_refuses_what_cannot_work(tmp_path, cluster):
    """Workers of several threads, which would share numba's; and, at the same cluster, a folder they do not see."""
    address, _ = cluster(tmp_path / "table", workers=1, threads=2)
    (tmp_path / "file").touch()
    ended, todo = {}, cells(tmp_path, "a", "file/no-folder")
    executors.run_dask(todo, address=address, on_done=lambda *end: ended.update([end]))
    assert ended.keys() == set(todo)
    assert all("has 2 threads: start dask worker with --nthreads 1" in error for error in ended.values())
    cell = todo[0]
    worker = SimpleNamespace(address="tcp://there:1", state=SimpleNamespace(nthreads=1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dask.distributed.get_worker", lambda: worker)
        missing = executors._work_for_dask(cell._replace(folder=tmp_path / "nowhere"), "stop", {})
    assert missing == f"{tmp_path}/nowhere is not seen by tcp://there:1: the workers must share the file system"


def test_what_dask_says_of_a_cell():
    class KilledError(Exception):
        pass

    def future(status, **values):
        return SimpleNamespace(status=status, **{name: lambda value=value: value for name, value in values.items()})

    outcomes = [
        executors._outcome(future(*args[:1], **args[1]), KilledError)
        for args in [
            ("finished", {"result": None}),
            ("finished", {"result": "an error"}),
            ("error", {"exception": KilledError("lost")}),
            ("error", {"exception": ModuleNotFoundError("no dvae_ref")}),
            ("cancelled", {}),
        ]
    ]
    assert outcomes[:4] == [None, "an error", executors.KILLED, "ModuleNotFoundError: no dvae_ref"]
    assert "the Dask scheduler does not answer any more (cancelled)" in outcomes[4]
