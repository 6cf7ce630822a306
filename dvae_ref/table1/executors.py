"""Run cells of table1: on this machine, or on a Dask cluster.

Either way a cell whose process is killed is started again, and goes on from its last checkpoint; it has failed when it
is killed twice without getting any further. No cell stops another.
"""

import _thread
import contextlib
import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
import uuid
from collections import deque
from multiprocessing import resource_tracker
from pathlib import Path

from dvae_ref.program.entry import open_streams
from dvae_ref.program.interrupt import Interrupt
from dvae_ref.program.process import prepare
from dvae_ref.table1.grid import INTERRUPTED, iterations_done, run_cell

POLL = 2.0  # seconds between looks at the cells' progress
KILLED = "its process was killed, twice without getting any further: is there enough memory?"


def tell_nobody(*_):
    """For those who need not hear of a cell."""


class Restarts:
    """Is a cell to be started again that ended early? It is if it came further than the last time, if any.

    So a machine that kills processes now and then costs nothing but time, and a cell that dies at the same iteration,
    for want of memory say, does not go round for ever.
    """

    def __init__(self):
        self.reached = {}

    def worthwhile(self, cell):
        """Whether it did since this was asked of it last, in iterations; the first time, always."""
        before, self.reached[cell] = self.reached.get(cell, -1), iterations_done(cell.folder)
        return self.reached[cell] > before

    def settle(self, running, submit, outcome, interrupted, on_done):
        """Take the futures that are done out of running, {future: cell}: outcome(future) is how the cell ended.

        It is submitted again if it was killed or told to stop by somebody else; on_done(cell, error) is called if not.
        """
        for future in [future for future in running if future.done()]:
            cell, error = running.pop(future), outcome(future)
            if error in (KILLED, INTERRUPTED) and not interrupted() and self.worthwhile(cell):
                running[submit(cell)] = cell
            else:
                on_done(cell, error)


def run_local(todo, *, workers, on_done, on_progress=tell_nobody, **options):
    """Run Cells in `workers` processes of this machine, each cell in one of its own.

    on_done(cell, error) is called as each ends, on_progress(cells that run) now and then; the options are run_cell's.
    Ctrl-C or SIGTERM lets the processes write their checkpoints and starts no more; a second one kills them.
    """
    waiting, restarts = deque(todo), Restarts()
    with Interrupt() as interrupted, Workers(options) as at_work:
        while at_work.cells or (waiting and not interrupted()):
            while waiting and len(at_work.cells) < workers and not interrupted():
                at_work.start(waiting.popleft())
            if interrupted():
                at_work.stop()
            for cell, error in at_work.ended(POLL):
                if error in (KILLED, INTERRUPTED) and interrupted():
                    on_done(cell, INTERRUPTED)
                elif error in (KILLED, INTERRUPTED) and restarts.worthwhile(cell):
                    waiting.appendleft(cell)
                else:
                    on_done(cell, error)
            on_progress(list(at_work.cells.values()))


class Workers:
    """Processes that run a cell each; those that are left at the end are killed.

    A cell has a process of its own, so that what it does to numba, memory or the interpreter ends with it. The pipe to
    it tells how it ended: a result, or its closed end, when it was killed.
    """

    def __init__(self, options):
        self.options, self.cells, self.processes, self.told = options, {}, {}, set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.join()

    def start(self, cell):
        """Begin to run a cell in a process of its own, which ignores Ctrl-C: the terminal sends it to all."""
        context = multiprocessing.get_context("spawn")  # a fork would inherit numba's threads, and their locks
        resource_tracker.ensure_running()  # where it is not, the start of a process unblocks SIGINT
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(sender, cell, self.options))
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # and in the process: stop() is its Ctrl-C
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sender.close()
        self.cells[receiver], self.processes[receiver] = cell, process

    def stop(self):
        """Let them write a checkpoint and end, by SIGTERM; each is told once."""
        for receiver in self.processes.keys() - self.told:
            self.processes[receiver].terminate()
            self.told.add(receiver)

    def ended(self, timeout):
        """[(cell, error)] of those that ended; waits for one, but no longer than the timeout in seconds."""
        results = []
        for receiver in multiprocessing.connection.wait(self.cells, timeout):
            try:
                error = receiver.recv()
            except EOFError:
                error = KILLED
            receiver.close()
            self.processes.pop(receiver).join()
            results.append((self.cells.pop(receiver), error))
        return results


def _work(sender, cell, options):
    """In a worker: run the cell, send how it ended."""
    _thread.start_new_thread(_end_with_parent, ())
    open_streams()
    prepare()  # NumPy is not loaded yet
    sender.send(run_cell(cell, **options))


def _end_with_parent():
    """Stop, with a checkpoint, when the process that started this one is gone: nobody else would."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)


def run_dask(todo, *, address, on_done, on_progress=tell_nobody, data_dir=None, **options):
    """Run Cells on a Dask cluster whose workers see this file system; arguments as for run_local.

    Ctrl-C or SIGTERM lets the cells that run write their checkpoints; after a second one they run to their end unheard.
    A command that is given again waits for them. ImportError says how to install Dask.
    """
    try:
        from dask.distributed import CancelledError, Client, Event, KilledWorker
        from dask.distributed import wait as wait_for
    except ImportError:
        install = "pip install '.[cluster]' in dvae_ref's source folder"
        raise ImportError(f"--scheduler {address} needs Dask: {install}") from None
    from dvae_ref.runs import datasets

    options["data_dir"] = datasets.data_folder(data_dir).absolute()  # a worker's own may be another
    restarts, name = Restarts(), f"stop-{uuid.uuid4()}"
    outcome = functools.partial(_outcome, killed=KilledWorker)
    with Client(address) as client, Interrupt() as interrupted:

        def submit(cell):
            absolute = cell._replace(folder=cell.folder.absolute())
            with contextlib.suppress(OSError):  # the worker will say that it is not there
                absolute.folder.mkdir(parents=True, exist_ok=True)
            return client.submit(_work_for_dask, absolute, name, options, pure=False)

        stop, running = Event(name, client), {submit(cell): cell for cell in todo}
        while running:
            if interrupted():
                stop.set()
            with contextlib.suppress(TimeoutError, CancelledError):  # the second when the scheduler is lost
                wait_for(list(running), timeout=POLL, return_when="FIRST_COMPLETED")
            restarts.settle(running, submit, outcome, interrupted, on_done)
            on_progress(list(running.values()))


def _outcome(future, killed):
    """What a cell's future says: run_cell's result, KILLED, or an error of Dask's. One that the scheduler no longer
    knows is said to be so, and is not waited for.
    """
    if future.status == "finished":
        return future.result()
    if future.status == "error":
        error = future.exception()
        return KILLED if isinstance(error, killed) else f"{type(error).__name__}: {error}"
    return f"the Dask scheduler does not answer any more ({future.status})"


def _work_for_dask(cell, stop_name, options):
    """On a Dask worker, in a thread that is not its main one: run_cell, until the client sets the Event `stop_name`."""
    from dask.distributed import Event, get_worker

    worker = get_worker()
    if worker.state.nthreads > 1:
        return f"{worker.address} has {worker.state.nthreads} threads: start dask worker with --nthreads 1"
    if not Path(cell.folder).is_dir():
        return f"{cell.folder} is not seen by {worker.address}: the workers must share the file system"
    return run_cell(cell, stop=now_and_then(Event(stop_name).is_set), **options)


def now_and_then(ask):
    """ask(), but every POLL seconds at most; True for ever after it was, or when nobody answers.

    The training asks in every iteration, and a question goes to another machine, or to a file.
    """
    asked, answer = -POLL, False

    def answered():
        nonlocal asked, answer
        if not answer and time.monotonic() - asked >= POLL:
            asked = time.monotonic()
            try:
                answer = ask()
            except OSError:
                answer = True
        return answer

    return answered
