"""The command line, writing down what is done in which cell, and killing itself where it is told to.

Run as a script it is python -m dvae_ref, and worker processes that it spawns import it again; `dask worker --preload`
takes it, too. From the environment:

JOURNAL  file to append "cell pid event" lines to; the events are "iterate N", "replace FILE", "measured"
DIE      "cell|event|whom": SIGKILL to whom (self, parent, group) just before that event of the cell with that end of a
         name; once
PACE     seconds to wait at each iteration, so that others can look
"""

import os
import signal
import sys
import time
from pathlib import Path

from dvae_ref import cli

if "JOURNAL" in os.environ and not hasattr(signal, "journal"):  # Dask loads it more than once
    from dvae_ref.runs import lifecycle, measuring

    signal.journal = True

    def note(folder, event):
        die_here(folder, event)
        with open(os.environ["JOURNAL"], "a") as file:
            file.write(f"{Path(folder).name} {os.getpid()} {event}\n")

    def die_here(folder, event):
        cell, where, whom = os.environ.get("DIE", "||").split("|")
        died = Path(os.environ["JOURNAL"] + ".died")
        if where == event and Path(folder).name.endswith(cell) and not died.exists():
            died.touch()
            kill = {"self": (os.kill, os.getpid()), "parent": (os.kill, os.getppid()), "group": (os.killpg, 0)}
            send, target = kill[whom]
            send(target, signal.SIGKILL)

    def iterate(self, *rest, original=lifecycle.Run._iterate):
        time.sleep(float(os.environ.get("PACE", 0)))
        note(self.folder, f"iterate {self.state.iteration + 1}")
        return original(self, *rest)

    def measure(folder, *rest, original=measuring.measure, **options):
        original(folder, *rest, **options)
        note(folder, "measured")

    def replace(source, target, original=os.replace):
        note(Path(target).parent, f"replace {Path(target).name}")
        original(source, target)

    lifecycle.Run._iterate, measuring.measure, lifecycle.writing.os.replace = iterate, measure, replace


def read(path):
    """{cell: [(pid, event, argument)]}, in the order in which it happened."""
    cells = {}
    for line in Path(path).read_text().splitlines():
        cell, pid, event, *argument = line.split()
        cells.setdefault(cell, []).append((int(pid), event, *argument))
    return cells


def check(entries, iterations, checkpoint_every):
    """[pids that worked on a cell, in turn].

    AssertionError unless they took turns, each from the checkpoint that the one before left, and ended it once.
    """
    pids = list(dict.fromkeys(pid for pid, *_ in entries))
    turns = [pid for i, (pid, *_) in enumerate(entries) if i == 0 or entries[i - 1][0] != pid]
    assert turns == pids, f"two at a time: {turns}"
    reached = 0
    for pid in pids:
        done = [int(entry[2]) for entry in entries if entry[:2] == (pid, "iterate")]
        if done:
            assert done == list(range(done[0], done[-1] + 1)), f"skipped or repeated within a process: {done}"
            resumed = done[0] - 1
            # noted as it begins: killed in an iteration that a checkpoint would end, it goes on from the last one
            saved = {n // checkpoint_every * checkpoint_every for n in (reached, reached - 1)}
            assert resumed in {reached, *saved}, f"{resumed} after {reached}"
            reached = done[-1]
    assert reached == iterations, f"ended at {reached}"
    measured, written = (("measured",), ("replace", "evaluation.json"))
    times = [entry[1:] for entry in entries].count(measured)  # noted once its file is there: one may be killed between
    assert times == 1 or (times == 0 and written in [entry[1:] for entry in entries]), (
        f"measured once, not {times} times"
    )
    return pids


if __name__ == "__main__":
    sys.exit(cli.main())
