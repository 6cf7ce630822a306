"""Timing on machines that do other things too: contenders take turns, and medians over the rounds count."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

REST = 0.3  # seconds: the threads of PyTorch and JAX go on spinning for a while after their turn


class Case(NamedTuple):
    """The same work done by several contenders, the first of which is dvae_ref.

    A contender is called without arguments and returns an array or a number to compare: `agree(ours, theirs)` is the
    largest deviation, in standard errors (or what `agreement` says). A string in its place says why it is absent.
    """

    name: str
    unit: str
    scale: float  # seconds times scale is in that unit
    contenders: dict[str, Callable | str]
    agree: Callable
    agreement: str = "standard errors"


def measure(case, rounds, seconds):
    """{contender: record} of a case: after a warm-up, rounds in turn until both `rounds` and `seconds` are spent.

    Before each turn the others' threads are left to fall asleep, and the contender has a run that is not timed.
    A record has the median, the least and the largest in the case's unit, and `ratio`, the median over the rounds of
    their time / ours of the same round: what disturbs the machine for longer than a round falls out of it.
    """
    present = {name: run for name, run in case.contenders.items() if callable(run)}
    results = {name: run() for name, run in present.items()}
    for run in present.values():
        run()
    times, start = {name: [] for name in present}, time.perf_counter()
    while len(times[next(iter(times))]) < rounds or time.perf_counter() - start < seconds:
        for name, run in present.items():
            time.sleep(REST)
            run()  # its own threads awake, its tables in the caches: this is to be had in training, too
            before = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - before)
    ours = next(iter(present))
    records = {name: {"absent": reason} for name, reason in case.contenders.items() if not callable(reason)}
    for name, spent in times.items():
        ratios = [theirs / own for theirs, own in zip(spent, times[ours], strict=True)]
        records[name] = {
            "median": case.scale * statistics.median(spent),
            "least": case.scale * min(spent),
            "largest": case.scale * max(spent),
            "rounds": len(spent),
            "ratio": statistics.median(ratios),
            "deviation": None if name == ours else float(case.agree(results[ours], results[name])),
        }
    return {name: records[name] for name in case.contenders}


def optional(load, *arguments):
    """load(*arguments), a contender, or the reason why it cannot run."""
    try:
        return load(*arguments)
    except ImportError as error:
        return f"not installed ({error.name})" if error.name else f"cannot be imported ({error})"
