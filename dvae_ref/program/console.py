"""What the commands share: checks of their arguments, what they say, their progress bars."""

import json
import os
import sys

import numba
from tqdm import tqdm

from dvae_ref.program.entry import UsageError

tqdm.monitor_interval = 0  # no thread to look after bars: where memory is too short for it, its start waits for ever


def at_least(args, **least):
    """UsageError for an argument below its least value, by the name of its option. What is not given passes."""
    for name, value in least.items():
        given = getattr(args, name)
        if given is not None and given < value:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {value}, got {given}")


def usable_cores():
    """Cores that this process may use: by its CPU affinity, where the system has one, and by NUMBA_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, numba.config.NUMBA_NUM_THREADS)


def use_threads(args):
    """Let numba use --threads, which is all usable cores where it is not given."""
    most = numba.config.NUMBA_NUM_THREADS
    args.threads = usable_cores() if args.threads is None else args.threads
    if not 1 <= args.threads <= most:
        raise UsageError(f"--threads must lie in 1 to {most}, got {args.threads}")
    numba.set_num_threads(args.threads)


def say(text):
    """A line on standard error, at once: progress and warnings. Results go to standard output, by `conclude`."""
    print(text, file=sys.stderr, flush=True)


def conclude(args, record, text):
    """Print a command's result; with --json its record follows, one JSON object in the last line."""
    print(text)
    if args.json:
        print(json.dumps(record))


def bar_style():
    """A progress bar on standard error; fewer lines where it is no terminal. It looks at the clock at every step."""
    return {"mininterval": 0.2 if sys.stderr.isatty() else 10, "miniters": 1, "dynamic_ncols": True}


class Stage:
    """A progress bar that is there while its stage lasts: from the first report to the last."""

    def __init__(self, total, **options):
        self.total, self.options, self.bar = total, options, None

    def advance(self, n):
        """Report that n more units of work are done."""
        self.bar = self.bar or tqdm(total=self.total, **self.options, **bar_style())
        self.bar.update(n)
        if self.bar.n >= self.total:
            self.bar.close()

    def reach(self, done, total):
        """Report how many units of work are done in all; total is as samplers report it, and not needed."""
        self.advance(done - (self.bar.n if self.bar else 0))
