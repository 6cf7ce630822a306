"""The pool: calls made once, by whoever comes first; nobody waits for a thread that has died, or never began."""

import ast
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dvae_ref.fast import threads
from dvae_ref.fast.threads import Call, cores, in_order, submit
from dvae_ref.program import console


def ident():
    return threading.get_ident()


def test_another_core_makes_a_call_while_its_caller_goes_on():
    begun = threading.Event()

    def call(x):
        begun.set()
        return x + 1, ident()

    with cores(2):
        made = submit(call, 1)
        assert begun.wait(timeout=60)
        value, thread = made.result()
    assert value == 2
    assert thread != ident()
    assert made.result() == (value, thread)  # made once


def test_with_one_core_a_call_is_made_at_once_and_its_error_raised():
    made = []
    submit(made.append, 1)
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        submit(divmod, 1, 0)


def test_who_wants_a_call_that_nobody_has_begun_makes_it_and_once(pool):
    """The one thread is busy; when it is free again, it finds nothing left to do."""
    free, made = threading.Event(), []
    with cores(2):
        busy = submit(free.wait, 60)
        submit(lambda: made.append(ident())).result()
        assert made == [ident()]
        last = threading.Event()
        submit(last.set)
        free.set()
        assert busy.result()
        assert last.wait(timeout=60)
    assert len(made) == 1
    assert len(pool.free) + len(pool.busy) == 1


class Other(Call):
    """Of another class, as the tasks of a kernel."""


def test_calls_of_one_class_do_not_wait_for_those_of_another(pool):
    """The sampler has two threads although a team has another."""
    free, begun = threading.Event(), threading.Event()
    with cores(2):
        busy = submit(free.wait, 60)
        threads.give(Other(begun.set), 1)
        assert begun.wait(timeout=60)
        waiting = submit(int)
        assert pool.waiting == [waiting] or waiting.begun.locked()  # by the thread that has come free
        free.set()
        assert busy.result()


def test_calls_that_wait_are_not_kept_once_they_are_made(pool):
    """A thread may be busy for hours."""
    free = threading.Event()
    with cores(2):
        busy = submit(free.wait, 60)
        for _ in range(100):
            submit(int).result()
        assert len(pool.waiting) == 1
        free.set()
        assert busy.result()


def test_an_error_is_raised_where_the_result_is_wanted():
    begun = threading.Event()

    def call():
        begun.set()
        raise KeyError("there")

    with cores(2):
        failing = submit(call)
        assert begun.wait(timeout=60)
        with pytest.raises(KeyError, match="there"):
            failing.result()
        assert submit(lambda: "next").result() == "next"


def test_what_a_call_was_made_of_is_not_kept():
    class Large:
        pass

    large = Large()
    seen = threads.weakref.ref(large)
    calls = [Call(id, large), Call(id, large)]
    del large
    calls[0].result()
    assert calls[1].cancel()
    assert seen() is None


def test_a_call_that_is_cancelled_is_made_by_nobody(pool):
    free, made = threading.Event(), []
    with cores(2):
        busy, last = submit(free.wait, 60), threading.Event()
        cancelled = submit(made.append, 1)
        assert cancelled.cancel()
        submit(last.set)
        free.set()
        assert busy.result()
        assert last.wait(timeout=60)
    assert not made
    assert not busy.cancel()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_in_order_however_long_each_takes(count):
    """No more than `count` at a time, each taken up before more are begun."""
    at_work, most, lock, begun = set(), [0], threading.Lock(), []

    def work(i, seconds):
        with lock:
            at_work.add(i)
            most[0] = max(most[0], len(at_work))
        time.sleep(seconds)
        with lock:
            at_work.discard(i)
        return i

    def inputs():
        for i in range(12):
            begun.append(i)
            yield i, 0.01 * (i % 3)

    found = []
    with cores(count):
        for i in in_order(work, inputs()):
            assert len(begun) <= len(found) + count
            found.append(i)
    assert found == list(range(12))
    assert most[0] <= count


def test_after_an_error_what_was_begun_ahead_is_cancelled(pool):
    free, made = threading.Event(), []
    work = {0: lambda: divmod(1, 0), 1: lambda: free.wait(60), 2: lambda: made.append(2)}
    with cores(2):
        busy = submit(free.wait, 60)  # the only thread that there may be
        with pytest.raises(ZeroDivisionError):
            list(in_order(lambda i: work[i](), [(0,), (2,)]))
        free.set()
        assert busy.result()
        assert submit(lambda: "next").result() == "next"
    assert not made


# -- threads that die --------------------------------------------------------------------------------------------------


def dies(*_):
    raise MemoryError


def test_a_call_whose_thread_dies_at_birth_is_made_by_who_wants_it(monkeypatch, pool):
    monkeypatch.setattr(threads.blas, "one_in_this_thread", dies)
    with cores(2):
        for _ in range(3):
            assert submit(ident).result() == ident()
    monkeypatch.undo()
    begun = threading.Event()
    with cores(2):
        while not begun.is_set():  # dead threads do not count as busy
            submit(begun.set)
            begun.wait(0.01)


def test_a_call_for_which_no_thread_can_be_started_is_made_by_who_wants_it(monkeypatch, pool):
    def refuses(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads._thread, "start_new_thread", refuses)
    with cores(2):
        assert submit(ident).result() == ident()
    assert not pool.busy


def test_who_waits_for_a_thread_that_dies_at_its_work_is_told(pool):
    """As if Python itself ended it."""
    with cores(2):
        assert submit(ident).result()
    (thread,) = pool.free or pool.busy
    call = Call(dies)
    call.begun.acquire()
    call.thread = thread
    thread.life = threads.weakref.ref(threads._Life())  # dead
    with pytest.raises(RuntimeError, match="a thread ended before its work was done"):
        call.result()


BIRTH = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from dvae_ref.fast import threads

def dies(*_):
    raise MemoryError

def ours():
    threads.blas.one_in_this_thread = dies
    with threads.cores(2):
        return threads.submit(int, "7").result()

def executor():
    threading.Thread._bootstrap = dies
    return ThreadPoolExecutor(1).submit(int, "7").result()

print(globals()[sys.argv[1]](), flush=True)
"""


@pytest.mark.parametrize(("name", "ends"), [("ours", True), ("executor", False)])
def test_dead_at_birth_and_control_an_executor_waits_for_ever(name, ends):
    process = subprocess.Popen([sys.executable, "-c", BIRTH, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=60 if ends else 5)
        assert ends
        assert (process.returncode, output) == (0, b"7\n")
    except subprocess.TimeoutExpired:
        assert not ends
    finally:
        process.kill()
        process.communicate()


AT_THE_END = """
import time
from dvae_ref.fast import threads

with threads.cores(2):
    threads.submit(time.sleep, 60)
"""


def test_threads_do_not_keep_the_process_from_ending():
    subprocess.run([sys.executable, "-c", AT_THE_END], check=True, timeout=50)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    """It would put calls where nobody makes them."""
    with cores(2):
        submit(ident).result()
        pid = os.fork()
        if not pid:
            begun = threading.Event()
            submit(begun.set)
            os._exit(0 if begun.wait(timeout=60) else 4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# -- the rule ----------------------------------------------------------------------------------------------------------

WAITING = {"Thread", "Timer", "ThreadPoolExecutor"}  # their start waits until the thread has begun


def starts(source):
    """What of WAITING a source names."""
    names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(ast.parse(source))}
    return names & WAITING


def test_nothing_of_ours_starts_a_thread_that_is_waited_for():
    package = Path(threads.__file__).parents[1]
    assert not {path.name: starts(path.read_text()) for path in package.rglob("*.py") if starts(path.read_text())}


def test_nor_does_a_progress_bar():
    assert console.tqdm.monitor_interval == 0
    with console.tqdm(total=1, disable=False, file=io.StringIO(), **console.bar_style()) as bar:
        assert bar.monitor is None


@pytest.mark.parametrize("source", ["threading.Timer(1, f).start()", "with ThreadPoolExecutor(2) as pool:\n    pass"])
def test_control_such_a_thread_is_seen(source):
    assert starts(source)
