"""Inputs by name, one after another: made of (seed, name) alone, run, judged."""

import gc
import multiprocessing
import random
import shutil
import tempfile
from pathlib import Path

import child
import command_lines
import data_inputs
import doors
import json_inputs
import judge
import kits
import npz_inputs
import places
import programs
import run_folders

SURFACES = {
    "command_lines": command_lines.make,
    "run_folders": run_folders.make,
    "npz": npz_inputs.make,
    "json": json_inputs.make,
    "data": data_inputs.make,
    "kits": kits.make,
    "doors": doors.make,
}
MARKER = "a-pickle-ran"


def names(inputs, surfaces):
    """So many names, the surfaces in turn."""
    surfaces = list(surfaces)
    return [f"{surfaces[i % len(surfaces)]}/{i // len(surfaces)}" for i in range(inputs)]


def run(wanted, seed, jobs=1, show=False):
    """Yield the Verdict of each input as it comes."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=places.SCRATCH) as scratch:
        scratch = Path(scratch)
        mains = programs.load()
        programs.make(scratch / "template", mains["dvae_ref"])
        gc.collect()
        gc.freeze()  # or a child that looks for garbage would copy all that is here
        work = Work(mains, scratch, seed, show)
        if jobs == 1:
            yield from map(work, wanted)
        else:
            with multiprocessing.get_context("fork").Pool(jobs) as pool:
                yield from pool.imap_unordered(work, wanted)


class Work:
    """name -> Verdict."""

    def __init__(self, mains, scratch, seed, show=False):
        self.mains, self.scratch, self.seed, self.show = mains, scratch, seed, show

    def __call__(self, name):
        folder, said = (self.scratch / f"{kind}-{name.replace('/', '-')}" for kind in ("in", "said"))
        folder.mkdir(), said.mkdir()
        try:
            command = self.make(name, folder)
        except Exception as error:  # of the fuzzer: a fault as others are, and the campaign goes on
            shutil.rmtree(folder), shutil.rmtree(said)
            return judge.not_made(name, error)
        try:
            before = judge.footprint(folder)
            outcome = child.run(self.mains[command.program], command, folder, said)
            after = judge.footprint(folder)
            verdict = judge.judge(name, command, outcome, before, after, MARKER)
            if self.show:
                print(command, "\n", *sorted(after.keys() - before.keys()), "\n", outcome.output)
            return verdict
        finally:
            shutil.rmtree(folder), shutil.rmtree(said)

    def make(self, name, folder):
        """The Command of an input, and its files in the folder."""
        surface, _, _ = name.partition("/")
        (folder / "home/.cache").mkdir(parents=True)
        (folder / "tmp").mkdir()
        (folder / "precious.txt").write_text("mine")
        return SURFACES[surface](random.Random(f"{self.seed}/{name}"), folder, self.scratch / "template", MARKER)
