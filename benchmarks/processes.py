"""Contenders in processes of their own, of which one at a time is awake: threads that spin disturb nobody else.

        here                                        the worker's process
        arguments, pickled, on its stdin    ->      imports, makes the contender, has a run to warm up
        {"answer": ...} or {"absent": ...}  <-      and is stopped (SIGSTOP)
        SIGCONT, a line on its stdin        ->      a run to wake up, a run that counts
        (seconds, busy, peak)               <-      and is stopped

A process of its own for each also means memory of its own, imports of its own, and libraries that cannot get in each
other's way.
"""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FORCING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # make OpenBLAS use another kernel than the one for this CPU


class Worker:
    """A contender (target, *arguments) in its process: see benchmarks.worker. It sleeps but for its turns.

    `out` is empty, or says why it takes no part: {"absent": ...} or {"failed": ...}. tree: a folder with `benchmarks`
    and `dvae_ref`, to take these from. `busy`: processor seconds of each turn.
    """

    def __init__(self, contender, cores, tree=ROOT):
        target, *arguments = contender
        command = [sys.executable, "-m", "benchmarks.worker", str(cores), target]
        environment = {name: value for name, value in os.environ.items() if name not in FORCING}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
        self.out, self.answer, self.imports, self.peak, self.blas, self.busy = {}, None, None, None, None, []
        # In a process group of its own, a sleeper that lost its parent is ended by the system, however that one ended.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=tree, process_group=0
        )
        first = self._ask(pickle.dumps(arguments)) or {}
        if "absent" in first:
            self.out = first
        elif first:
            self.answer, self.imports, self.blas = first["answer"], first["imports"], first["blas"]
            if Path(first["tree"]).resolve() != Path(tree).resolve():
                self.out = {"failed": f"took dvae_ref from {first['tree']}, not from {tree}"}

    def turn(self):
        """Seconds of its run, the second after it woke; None if it failed. Then it is stopped again."""
        self.process.send_signal(signal.SIGCONT)
        found = self._ask(b"\n")
        if found is None:
            return None
        seconds, busy, self.peak = found
        self.busy.append(busy)
        return seconds

    def _ask(self, order):
        """Its reply, after which it sleeps; None if there was none."""
        try:
            self.process.stdin.write(order)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it may have replied before it ended
        try:
            reply = pickle.load(self.process.stdout)
        except EOFError:
            self.out = {"failed": f"failed with exit code {self.process.wait()}"}
            return None
        self._sleep()
        return reply

    def _sleep(self):
        """Stop it, and wait until it has stopped: the next turn must not begin beside it."""
        os.kill(
            self.process.pid, signal.SIGSTOP
        )  # send_signal would reap one that has ended, and leave none to wait for
        if hasattr(os, "waitid"):  # until it does, or has ended
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
