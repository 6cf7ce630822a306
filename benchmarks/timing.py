"""Timing on machines that do other things too: contenders take turns, and medians over the rounds count."""

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
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(made, cores)) for name, made in case.contenders.items()}
        times = take_turns(workers, 3 if quick else case.rounds, 0 if quick else case.seconds)
    return summarize(case, workers, times), next(iter(workers.values())).blas


def take_turns(workers, rounds, seconds):
    """{name: seconds of each round}, until both `rounds` and `seconds` are spent; a worker that fails drops out.

    Who came last in a round begins the next: nobody always follows the same other.
    """
    times, start, done = {name: [] for name in workers}, time.perf_counter(), 0
    while done < rounds or time.perf_counter() - start < seconds:
        for name, worker in list(workers.items())[:: -1 if done % 2 else 1]:
            if not worker.out and (spent := worker.turn()) is not None:
                times[name].append(spent)
        done += 1
    return times


def summarize(case, workers, times):
    """{contender: record}: of those that took part the median, the least and the largest time in the case's unit;
    `ratio`, the median over the rounds of their time / ours of the same round: what disturbs the machine for longer
    than a round falls out of it; `deviation` of the answer from ours; memory in MB, at most and after the imports.
    """
    ours = next(iter(workers))
    records = {}
    for name, worker in workers.items():
        spent = times[name]
        beside = not workers[ours].out
        records[name] = worker.out or {
            "median": case.scale * statistics.median(spent),
            "least": case.scale * min(spent),
            "largest": case.scale * max(spent),
            "rounds": len(spent),
            "ratio": statistics.median(a / b for a, b in zip(spent, times[ours], strict=True)) if beside else None,
            "deviation": float(case.agree(workers[ours].answer, worker.answer)) if beside and name != ours else None,
            "memory": {"peak": worker.peak, "imports": worker.imports},
        }
    return records
