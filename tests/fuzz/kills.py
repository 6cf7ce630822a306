"""python tests/fuzz/kills.py: commands that are killed at random times, given again, compared with undisturbed ones.

    make kills                                        200 kills
    python tests/fuzz/kills.py --kills 20 --seed 7    others
    python tests/fuzz/kills.py --command train        of one command

A command is begun, killed (SIGKILL) and given again, up to three times; then it runs to its end. What is in its folder
has to be what one left there that ran undisturbed as `python -m PROGRAM`: the same names, the same bytes, nothing else.
sessions.json holds times: of it the last iteration is compared. evaluation.json holds the commit: change no file
of the checkout meanwhile.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import child
import places
import programs
import published

MOST = 3  # kills in a row
END = 300.0  # seconds after which a command that should end counts as hung
RUN = ("--struct=1-layer-lin", "--num-train-iter=40", "--batch-size=5", "--chains=4", "--sweeps=1", "--eval-every=10",
       "--eval-samples=1", "--eval-temperatures=4", "--checkpoint-every=5", "--log-every=5")  # fmt: skip
TRAIN = ("train", *RUN, "--run-dir=run")
EVALUATE = ("evaluate", "--run-dir=run", "--samples=400", "--temperatures=400", "--ais-chains=100")
TABLE = (
    "table1",
    *RUN,
    "--seed",
    "0",
    "1",
    "--workers=2",
    "--samples=4",
    "--temperatures=10",
    "--images=20",
    "--out=t",
)
FETCH = ("data", "fetch", "binarized_mnist", "--data-dir=data", "--insecure")
FIGURES = ("fig1", "fig2c", "--quick", "--out=out")


class Case(NamedTuple):
    """A command, how many of a hundred kills are its, and what it finds in its folder."""

    program: str
    arguments: tuple
    share: int
    given: tuple = ()  # folders of the template
    alone: bool = True  # can it run as `python -m`, without what was changed in this process?


CASES = {
    "train": Case("dvae_ref", TRAIN, 35),
    "evaluate": Case("dvae_ref", EVALUATE, 15, given=("run",)),
    "table1": Case("dvae_ref", TABLE, 10),
    "conformance export": Case("dvae_ref", ("conformance", "export", "kit"), 15),
    "data fetch": Case("dvae_ref", FETCH, 15, alone=False),
    "figures": Case("figures", FIGURES, 10, alone=False),
}


class Tally(NamedTuple):
    """What became of a command's kills."""

    command: str
    killed: int  # times
    again: int  # times that it was given again, to its end
    differing: tuple  # what is not as it should be, in words
    seconds: float  # that it takes undisturbed


def arguments_again(arguments, folder):
    """Of the command that goes on: of train, with --resume once there is a checkpoint."""
    if arguments[0] == "train" and (folder / "run" / "last.npz").exists():
        return ["train", "--resume", "--run-dir=run"]
    return list(arguments)


def contents(folder):
    """{path: bytes} of all files below a folder but locks; of sessions.json what is the same every time."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            if path.is_file() and name != ".lock":
                found[str(path.relative_to(folder))] = reached(path) if name == "sessions.json" else path.read_bytes()
            elif path.is_dir() and not any(path.iterdir()):
                found[f"{path.relative_to(folder)}/"] = b""
    return {path: content for path, content in found.items() if not path.startswith("home") and path != "tmp/"}


def reached(path):
    """The iteration that a run came to, by its sessions.json."""
    return str(json.loads(path.read_bytes())["sessions"][-1]["to"]).encode()


def differences(expected, found):
    """In words."""
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            yield f"{path} is missing"
        elif path not in expected:
            yield f"{path} is left behind"
        elif expected[path] != found[path]:
            yield f"{path} has other bytes{other_values(path, expected[path], found[path])}"


def other_values(path, expected, found):
    """Of an object in JSON, the names of the values that differ."""
    if not path.endswith(".json"):
        return ""
    a, b = json.loads(expected), json.loads(found)
    return ": " + ", ".join(name for name in a | b if a.get(name) != b.get(name))


class Campaign:
    """Kills of one command after another, in a scratch folder with a template beside them."""

    def __init__(self, scratch, mains, seed):
        self.scratch, self.mains, self.random = Path(scratch), mains, random.Random(seed)

    def run(self, name, case, kills):
        """The Tally of so many kills of a command."""
        begun = time.perf_counter()
        expected = contents(self.undisturbed(case))
        seconds, killed, again, wrong = time.perf_counter() - begun, 0, 0, []
        if case.alone:  # that was with all imports: once more without, to know when to kill
            begun = time.perf_counter()
            wrong += differences(expected, contents(self.to_the_end(case, self.folder(case))))
            seconds = time.perf_counter() - begun
        while killed < kills:
            folder = self.folder(case)
            for _ in range(self.random.randint(1, min(MOST, kills - killed))):
                killed += self.kill(case, folder, self.random.uniform(0, seconds))
            again += 1
            try:
                found = list(differences(expected, contents(self.to_the_end(case, folder))))
            except RuntimeError as error:
                found = [str(error)]
            wrong += found
            for line in found:
                print(f"-- {name}, after {killed} kills: {line}", flush=True)
            shutil.rmtree(folder)
        return Tally(name, killed, again, tuple(wrong), seconds)

    def folder(self, case):
        """A new one, with what the command finds there."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        return programs.copied(self.scratch / "template", folder, *case.given)

    def command(self, case, folder):
        return child.Command(case.program, arguments_again(case.arguments, folder))

    def kill(self, case, folder, after):
        """Begin the command and kill it: was it still there?"""
        with self.said() as said:
            pid = child.begin(self.mains[case.program], self.command(case, folder), folder, said)
            return int(child.wait(pid, [(after, signal.SIGKILL)])[2])

    def to_the_end(self, case, folder):
        """The folder, when the command has run to its end there. RuntimeError if it fails."""
        with self.said() as said:
            pid = child.begin(self.mains[case.program], self.command(case, folder), folder, said)
            status, _, hung = child.wait(pid, [(END, signal.SIGKILL)])
            code = os.waitstatus_to_exitcode(status)
            if code or hung:
                raise RuntimeError(f"exit code {code}{', hung' * hung}: {child.output(said)[-1500:]}")
        return folder

    def undisturbed(self, case):
        """A folder in which the command ran to its end, as a program of its own where it can be."""
        folder = self.folder(case)
        if not case.alone:
            return self.to_the_end(case, folder)
        line = [sys.executable, "-m", case.program, *case.arguments]
        environment = os.environ | {"PYTHONPATH": str(places.ROOT)}
        done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: {done.stderr}")
        return folder

    @contextlib.contextmanager
    def said(self):
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            yield Path(folder)


def small_figures():
    """Figures whose models are trained in a second."""
    from figures import fig2c, snapshots

    snapshots.TRAINING["quick"] = {"num_train_iter": 20, "batch_size": 10, "chains": 4, "sweeps": 1, "log_every": 5}
    snapshots.TRAINING["quick"] |= {"struct": "1-layer-lin", "checkpoint_every": 4, "eval_samples": 1}
    snapshots.TRAINING["quick"] |= {"eval_temperatures": 4}
    fig2c.SCALES["quick"] = fig2c.Scale(10, 4)


def table(tallies):
    """Markdown."""
    lines = ["| command | kills | given again to the end | differences | undisturbed |", "|---|--:|--:|--:|--:|"]
    for t in tallies:
        lines.append(f"| {t.command} | {t.killed} | {t.again} | {len(t.differing)} | {t.seconds:.1f} s |")
    sums = (sum(t.killed for t in tallies), sum(t.again for t in tallies), sum(len(t.differing) for t in tallies))
    return "\n".join([*lines, f"| all | {sums[0]} | {sums[1]} | {sums[2]} | |"])


def main():
    parser = argparse.ArgumentParser("python tests/fuzz/kills.py", description="Kill commands, and give them again.")
    parser.add_argument("--kills", type=int, default=200, help="of all commands (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the times (default: 0)")
    parser.add_argument("--command", choices=tuple(CASES), nargs="+", default=tuple(CASES), help="only these")
    args = parser.parse_args()
    shares = {name: CASES[name].share for name in args.command}
    with tempfile.TemporaryDirectory(prefix="kills-", dir=places.SCRATCH) as scratch:
        mains = programs.load(cells_here=False)
        programs.make(Path(scratch) / "template", mains["dvae_ref"])
        server, address = published.serve(Path(scratch) / "template" / "data")
        try:
            published.publish(address)
            small_figures()
            campaign = Campaign(scratch, mains, args.seed)
            tallies = []
            for name, share in shares.items():
                tallies.append(campaign.run(name, CASES[name], round(args.kills * share / sum(shares.values()))))
                print(table(tallies[-1:]).splitlines()[2], flush=True)
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
    print(table(tallies))
    return int(any(tally.differing for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
