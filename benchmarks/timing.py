"""Timing on machines that do other things too: contenders take turns, and medians over the rounds count.

A slow stretch of the machine slows everybody in a round, so that ratios within a round hardly notice; the least time
says what a contender can do undisturbed, the median what it does here. Times of different runs do not compare.
"""

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.processes import Worker


class Case(NamedTuple):
    """The same work done by several contenders, the first of which is dvae_ref.

    A contender is ("module:function", *arguments): what is called in its process to make it (benchmarks.worker). Its
    answer is compared: `agree(ours, theirs)` is the largest deviation, in standard errors (or what `agreement` says).
    """

    name: str
    unit: str
    scale: float  # seconds times scale is in that unit
    contenders: dict[str, tuple]
    agree: Callable
    agreement: str = "standard errors"
    rounds: int = 7  # at least, and
    seconds: float = 8  # at least


def measure(case, cores, quick=False):
    """{contender: record} of a case, and the BLAS that dvae_ref loaded.

    Contenders start one after the other, and have a run or two to warm up; then all of them take turns.
    """
    rounds, seconds = (3, 0) if quick else (case.rounds, case.seconds)
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(made, cores)) for name, made in case.contenders.items()}
        times = take_turns(workers, rounds, seconds)
    return summarize(case, workers, times), next(iter(workers.values())).blas


def take_turns(workers, rounds, seconds):
    """{name: seconds of each round}, until both `rounds` and `seconds` are spent; a worker that fails drops out.

    Who came last in a round begins the next: nobody always follows the same other.
    """
    times, names = {name: [] for name in workers}, list(workers)
    start, done = time.perf_counter(), 0
    while done < rounds or time.perf_counter() - start < seconds:
        for name in names:
            if not workers[name].out:
                times[name].append(workers[name].turn())
        names.reverse()
        done += 1
    return {name: [spent for spent in found if spent is not None] for name, found in times.items()}


def summarize(case, workers, times):
    """{contender: record}: of those that took part the median, the least and the largest time in the case's unit;
    `ratio`, the median over the rounds of their time / ours of the same round: what disturbs the machine for longer
    than a round falls out of it; `deviation` of the answer from ours; memory in MB, at most and after the imports.
    """
    first = next(iter(workers))
    ours = workers[first]
    records = {}
    for name, worker in workers.items():
        if worker.out:
            records[name] = worker.out
            continue
        spent = times[name]
        ratio, deviation = None, None
        if not ours.out:
            ratio = statistics.median(a / b for a, b in zip(spent, times[first], strict=True))
        if not ours.out and name != first:
            deviation = float(case.agree(ours.answer, worker.answer))
        records[name] = {
            "median": case.scale * statistics.median(spent),
            "least": case.scale * min(spent),
            "largest": case.scale * max(spent),
            "rounds": len(spent),
            "ratio": ratio,
            "deviation": deviation,
            "memory": {"peak": worker.peak, "imports": worker.imports},
        }
    return records
