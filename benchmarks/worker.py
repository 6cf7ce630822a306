"""python -m benchmarks.worker CORES MODULE:FUNCTION, started by benchmarks.processes: a contender on its own.

The function's arguments come on stdin, pickled; what it makes is a `run`, called without arguments, or (run, answer) if
`run` returns nothing to compare. The first reply, a pickle on stdout, has the answer, or says what is not installed;
then every line on stdin is a turn, and its reply is (seconds, seconds of all cores together, peak memory in MB).
"""

import importlib
import os
import pickle
import sys
import time
from pathlib import Path

import dvae_ref
from benchmarks import computer, either

EDITABLE = "__editable___dvae_ref"  # how the finder of an editable install is named: it serves what a tree lacks
OURS = "benchmarks.ours:", "benchmarks.rows:"


def main():
    """Reply, then take turns until stdin ends."""
    only_this_tree()
    cores, target = int(sys.argv[1]), sys.argv[2]
    ours = target.startswith(OURS)
    computer.use_cores(cores, blas_threads=1 if ours else cores)
    if ours:  # what the command line does
        either.module("process").prepare()
    orders, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    module, function = target.split(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except ImportError as error:
        _send(replies, {"absent": _what_is_missing(error)})
        return
    imported = computer.peak_memory()
    arguments = pickle.load(orders)
    made = make(*arguments)
    run, answer = made if isinstance(made, tuple) else (made, made)
    tree = Path(dvae_ref.__file__).parent.parent
    first = {"answer": answer(), "imports": imported, "blas": computer.blas(), "tree": str(tree)}
    run()
    _send(replies, first)
    while orders.readline():
        seconds, busy = _seconds(run)
        _send(replies, (seconds, busy, computer.peak_memory()))


def only_this_tree():
    """No module of dvae_ref from elsewhere: an older tree that lacks one would be given that of the installed tree."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if EDITABLE not in getattr(finder, "__module__", "")]


def _seconds(run):
    """Seconds of a run by the clock, and of processor time over all cores."""
    run()  # its threads awake, its tables in the caches: this is to be had in training, too
    before, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - before, time.process_time() - busy


def _send(replies, value):
    """A reply, whole: who reads it stops this process right after."""
    pickle.dump(value, replies)
    replies.flush()


def _what_is_missing(error):
    """Why a contender takes no part: the package that is not installed, or the error of its import."""
    if error.name:
        return f"not installed ({error.name})"
    return f"cannot be imported ({error})"


if __name__ == "__main__":
    main()
