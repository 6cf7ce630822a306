"""Stand-ins for schedulers._work, where spawned processes can import them: a cell ends as its folder's name says."""

import os
import signal
import time


def progress(cell, iteration):
    cell.folder.mkdir(parents=True, exist_ok=True)
    (cell.folder / "metrics.jsonl").write_text(f'{{"iteration": {iteration}}}\n')


def starts(cell):
    """How often it was started, this time included."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    with open(cell.folder / "starts", "a") as file:
        file.write(f"{os.getpid()}\n")
    return len((cell.folder / "starts").read_text().splitlines())


def work(sender, cell, options):
    kind, count = cell.folder.name.split("-")[0], starts(cell)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "advancing" and count < 4:
        progress(cell, count)
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "told" and count == 1:
        sender.send("interrupted")
        return
    if kind == "endless":
        time.sleep(600)
    sender.send("an error" if kind == "failing" else None)


def stoppable(sender, cell, options):
    """Ends when it is told to, as run_cell does, and says which signals it got."""
    signal.signal(signal.SIGTERM, lambda *_: sender.send("interrupted"))
    signal.signal(signal.SIGINT, lambda *_: (cell.folder / "SIGINT").touch())
    starts(cell)
    signal.pause()


def deaf(sender, cell, options):
    """Ends only when it is killed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    starts(cell)
    time.sleep(600)
