"""Contenders for the benchmarks to be tested with: each is made in a process of its own (benchmarks.worker)."""

import os
import threading
import time


def sleeper(answer, seconds):
    """A run takes so long."""

    def run():
        time.sleep(seconds)
        return answer

    return run


def witness():
    """Its answer: what it was given to run on."""
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    return lambda: {"cores": len(os.sched_getaffinity(0))} | {name: os.environ.get(name) for name in names}


def spinner():
    """A thread of it never rests."""

    def spin():
        while True:
            pass

    threading.Thread(target=spin, daemon=True).start()
    return lambda: None


def hungry(megabytes):
    """A run takes memory, and gives it back."""
    print("what libraries print must not get between the replies", flush=True)
    return lambda: len(b"x" * (megabytes * 2**20))


def failing(at, how):
    """Run number `at`, counted from 1, is its last; 0: it is not even made."""
    calls = 0

    def run():
        nonlocal calls
        calls += 1
        if calls == at:
            how()
        return 1.0

    if at == 0:
        how()
    return run


def stop():
    raise RuntimeError("a contender that fails, for a test")


def die():
    os.abort()
