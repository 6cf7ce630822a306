"""Teams: means over all members, one result for any number of cores, errors that do not hang."""

import os
import threading
import time

import numpy as np
import pytest

from dvae_ref import team


@pytest.mark.parametrize("active", [1, 2, 4])
def test_means_are_over_all_members_round_after_round(active):
    """Members that arrive late (rank 0 sleeps) are waited for; 50 rounds, each with numbers of its own."""

    def work(member):
        means = []
        for turn in range(50):
            if member.rank == 0 and turn % 10 == 0:
                time.sleep(0.002)
            means.append(member.mean(np.array([member.rank + turn, -turn], float)))
        return np.array(means)

    turns = np.arange(50.0)
    for means in team.run(work, 4, active):
        np.testing.assert_array_equal(means, np.stack([1.5 + turns, -turns], 1))


def test_no_more_than_the_active_ones_run_at_a_time():
    running, most, lock = set(), [0], threading.Lock()

    def work(member):
        for _ in range(5):
            with lock:
                running.add(member.rank)
                most[0] = max(most[0], len(running))
            time.sleep(0.001)
            with lock:
                running.discard(member.rank)
            member.mean(np.zeros(1))

    team.run(work, 4, 2)
    assert most[0] == 2


def test_the_team_of_one_is_the_caller():
    thread = threading.current_thread()
    assert team.run(lambda member: (member.mean(np.array(3.0)), threading.current_thread()), 1, 1) == [(3.0, thread)]


def test_the_helper_makes_a_call_while_its_caller_goes_on():
    begun = threading.Event()

    def call(x):
        begun.set()
        return x + 1, threading.current_thread().name

    wait = team.Alone(helped=True).beside(call, 1)
    assert begun.wait(timeout=60)
    assert wait() == (2, "helper")
    assert team.Alone(helped=False).beside(call, 1)() == (2, threading.current_thread().name)


def test_who_waits_for_a_call_that_the_helper_has_not_come_to_makes_it_and_once():
    alone, free, made = team.Alone(helped=True), threading.Event(), []
    busy = alone.beside(free.wait, 60)
    alone.beside(lambda: made.append(threading.current_thread()))()
    assert made == [threading.current_thread()]
    free.set()
    assert busy()
    last = threading.Event()
    alone.beside(last.set)
    assert last.wait(timeout=60)  # the helper has been through its queue
    assert len(made) == 1


def test_an_error_of_the_helper_is_raised_where_its_call_is_waited_for():
    alone, begun = team.Alone(helped=True), threading.Event()

    def call():
        begun.set()
        raise KeyError("there")

    wait = alone.beside(call)
    assert begun.wait(timeout=60)
    with pytest.raises(KeyError, match="there"):
        wait()
    assert alone.beside(lambda: "next")() == "next"


def test_teams_of_several_callers_do_not_wait_for_each_other():
    """As with two models trained in threads of one process; begun half and half, the teams would stop for ever."""

    def call():
        for _ in range(30):
            team.run(lambda member: [member.mean(np.ones(1)) for _ in range(10)], 5, 2)

    callers = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert not any(caller.is_alive() for caller in callers)


def test_an_error_stops_all_and_is_raised():
    """Not the broken barrier that it leaves the others with; the next team is not affected."""

    def work(member):
        if member.rank == 2:
            raise KeyError("here")
        return member.mean(np.zeros(1))

    with pytest.raises(KeyError, match="here"):
        team.run(work, 3, 3)
    assert len(team.run(lambda member: member.mean(np.ones(1)), 3, 1)) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    "work",
    [
        lambda: team.Alone(helped=True).beside(threading.current_thread)(),
        lambda: team.run(lambda member: member.mean(np.ones(1)), 2, 2),
    ],
    ids=["helper", "team"],
)
def test_a_forked_child_has_threads_of_its_own(work):
    """It would wait for ever for those of its parent, or put calls into a queue that nobody reads."""
    work()
    pid = os.fork()
    if not pid:
        threading.Timer(60, os._exit, [3]).start()
        work()
        begun = threading.Event()
        team.Alone(helped=True).beside(begun.set)
        os._exit(0 if begun.wait(timeout=30) else 4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
