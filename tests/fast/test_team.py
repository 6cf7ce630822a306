"""Teams: means over all members, one result for any number of cores, errors and dead threads that do not hang."""

import os
import threading
import time

import numpy as np
import pytest

from dvae_ref.fast import team, threads


@pytest.mark.parametrize("active", [1, 2, 4])
def test_means_are_over_all_members_round_after_round(active):
    """Members that arrive late (rank 0 sleeps) are waited for; 50 rounds, each with numbers of its own."""

    def work(rank):
        means = []
        for turn in range(50):
            if rank == 0 and turn % 10 == 0:
                time.sleep(0.002)
            means.append(team.mean(np.array([rank + turn, -turn], float)))
        return np.array(means)

    turns = np.arange(50.0)
    for means in team.run(work, 4, active):
        np.testing.assert_array_equal(means, np.stack([1.5 + turns, -turns], 1))


def test_no_more_than_the_active_ones_run_at_a_time():
    running, most, lock = set(), [0], threading.Lock()

    def work(rank):
        for _ in range(5):
            with lock:
                running.add(rank)
                most[0] = max(most[0], len(running))
            time.sleep(0.001)
            with lock:
                running.discard(rank)
            team.mean(np.zeros(1))

    team.run(work, 4, 2)
    assert most[0] == 2


def test_the_team_of_one_is_the_caller():
    """Its mean is the mean."""
    here = threading.get_ident()
    assert team.run(lambda rank: (rank, team.mean(3.0), threading.get_ident()), 1, 1) == [(0, 3.0, here)]


def test_without_a_team_and_after_one_the_mean_is_the_mean():
    array = np.ones(3)
    assert team.mean(array) is array
    team.run(lambda rank: team.mean(array), 2, 2)
    assert team.mean(array) is array


@pytest.mark.parametrize(("size", "active", "shared"), [(1, 1, False), (1, 2, True), (2, 2, False)])
def test_a_member_gives_nothing_away_but_a_team_of_one_does(size, active, shared):
    assert team.run(lambda rank: threads.may_share(), size, active) == [shared] * size


def test_teams_of_several_callers_do_not_wait_for_each_other():
    """As with two models trained in threads of one process; begun half and half, the teams would stop for ever."""

    def call():
        for _ in range(30):
            team.run(lambda rank: [team.mean(np.ones(1)) for _ in range(10)], 5, 2)

    callers = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert not any(caller.is_alive() for caller in callers)


@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_stops_all_and_is_raised(failing):
    """Not the one that it leaves the others with; the next team is not affected."""

    def work(rank):
        if rank == failing:
            raise KeyError("here")
        return team.mean(np.zeros(1))

    with pytest.raises(KeyError, match="here"):
        team.run(work, 3, 3)
    assert len(team.run(lambda rank: team.mean(np.ones(1)), 3, 1)) == 3


def test_one_that_comes_to_fewer_means_stops_all():
    """It fails before the others wait for it: they would for ever."""

    def work(rank):
        team.mean(np.zeros(1))
        if rank == 1:
            raise KeyError("late")
        return team.mean(np.zeros(1))

    with pytest.raises(KeyError, match="late"):
        team.run(work, 3, 2)


@pytest.mark.parametrize("active", [1, 3])
def test_a_member_whose_thread_dies_at_birth_is_an_error(active, monkeypatch, pool):
    """And none that waits: the one that has begun is told."""
    begun, stopped = [], threading.Event()

    def dies_but_the_first():
        begun.append(None)
        if len(begun) > 1:
            raise MemoryError

    monkeypatch.setattr(threads.blas, "one_in_this_thread", dies_but_the_first)

    def work(rank):
        try:
            return team.mean(np.zeros(1))
        except team.StoppedError:
            stopped.set()
            raise

    with pytest.raises(RuntimeError, match="a thread ended before its work was done"):
        team.run(work, 3, active)
    assert stopped.wait(timeout=60)


def test_a_member_whose_thread_cannot_be_started_is_an_error(monkeypatch, pool):
    """The second of two: the first, which has been, ends at its first meeting."""
    started, ended, start = [], threading.Event(), threads._thread.start_new_thread

    def start_one(*args):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(start(*args))

    def work(rank):
        try:
            team.mean(np.zeros(1))
        finally:
            ended.set()

    monkeypatch.setattr(threads._thread, "start_new_thread", start_one)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        team.run(work, 3, 3)
    assert ended.wait(timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    """It would wait for ever for those of its parent."""

    def work():
        team.run(lambda rank: team.mean(np.ones(1)), 2, 2)

    work()
    pid = os.fork()
    if not pid:
        threading.Timer(60, os._exit, [3]).start()
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
