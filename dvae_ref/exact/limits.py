"""How much is enumerated without asking, and how long more would take."""

import time
from collections.abc import Callable
from typing import Any

MOST = 2**62  # the numbers of states are int64


def check(states: int, limit: int, force: bool, what: str, sample: Callable[..., int], *problem: Any) -> None:
    """Raise ValueError if an enumeration visits more than `limit` states, unless forced, or more than 2^62.

    The message states the time it would take, from the rate of sample(*problem), which enumerates a small part of the
    same problem and returns the number of its states. The first call, which may compile, is not timed.
    """
    if states > MOST:
        raise ValueError(f"{what} would visit more than 2^62 states, which no force brings to an end")
    if states <= limit or force:
        return
    sample(*problem)
    start = time.perf_counter()
    visited = sample(*problem)
    seconds = (time.perf_counter() - start) / visited * states
    raise ValueError(
        f"{what} would visit {states:.2g} states, which takes {duration(seconds)} on this machine; without force=True "
        f"at most {limit:.2g} are visited"
    )


def duration(seconds: float) -> str:
    """`about 12 minutes`: two digits in the largest unit that is not below one."""
    for unit, length in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"about {seconds / length:.2g} {unit}"
    return f"about {seconds:.2g} seconds"
