"""What was promised of every command, whatever it is given, and what of it did not hold."""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from dvae_ref.conformance.catalogue import QUANTITIES

CODES = (0, 1, 2, 130)
OURS = re.compile(  # names of what commands write, and may write over
    r"config\.json|metrics\.jsonl|(last|best|snapshots|log_px)\.npz|evaluation\.json|record\.json|sessions\.json|error\.txt|\.lock|.*\.(png|pdf)"
    r"|table1\.(md|csv)|manifest\.json|report\.html|(fig\w*|gradient_variance|pcd_vs_pa|\w+-[0-9a-f]{10})\.npz"
    rf"|({'|'.join(QUANTITIES)})\.npz"
)
STRAY = re.compile(r".*\.part|\.fetch-.*|\.tmp.*|tmp.{8}")
WARNING = re.compile(r"^\S+\.py:\d+: \w*Warning", re.MULTILINE)


class Verdict(NamedTuple):
    """What was found of one input."""

    name: str  # SURFACE/INDEX
    code: int | None
    signal: int | None
    seconds: float
    cpu: float
    interrupted: bool
    warnings: int  # of Python's, shown to the user
    faults: tuple  # (kind, detail), empty if all that is promised holds
    output: str  # where there are faults
    command: str


def footprint(folder):
    """{path: what tells whether it was changed} of all that is below a folder, links not followed."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            there = os.lstat(path)
            changing = () if stat.S_ISDIR(there.st_mode) else (there.st_size, there.st_mtime_ns, there.st_ino)
            if stat.S_ISLNK(there.st_mode):
                changing = (os.readlink(path),)
            found[os.path.relpath(path, folder)] = (stat.S_IFMT(there.st_mode), *changing)
    return found


def judge(name, command, outcome, before, after, marker):
    """The Verdict. before, after: footprints of the input's folder; marker: the file that a pickle, if it ran, made."""
    faults = [*_of_process(outcome), *_of_files(command, before, after, marker)]
    warned = len(WARNING.findall(outcome.output))
    interrupted = command.interrupt is not None and outcome.seconds > command.interrupt
    shown = (outcome.output, f"{command.program} {command.arguments}"[:2000]) if faults else ("", "")
    return Verdict(
        name, outcome.code, outcome.signal, outcome.seconds, outcome.cpu, interrupted, warned, tuple(faults), *shown
    )


def not_made(name, error):
    """The Verdict of an input that the fuzzer failed to make."""
    fault = ("not made", f"{type(error).__name__}: {error}"[:200])
    return Verdict(name, None, None, 0.0, 0.0, False, 0, (fault,), "", "")


def _of_process(outcome):
    if outcome.hung:
        yield "hung", f"killed after {outcome.seconds:.0f} s"
    elif outcome.signal is not None:
        yield "signal", str(outcome.signal)
    elif outcome.code not in CODES:
        yield "exit code", str(outcome.code)
    elif outcome.code in (1, 2) and not outcome.output.strip():
        yield "silent", f"exit code {outcome.code}, and not a word"
    if "Traceback (most recent call last)" in outcome.output:
        yield "traceback", outcome.output.strip().rpartition("\n")[2][:200]
    if "Exception ignored" in outcome.output:
        yield "ignored", outcome.output.partition("Exception ignored")[2][:200]


def _links(footprint):
    return {path for path, state in footprint.items() if stat.S_ISLNK(state[0])}


def _of_files(command, before, after, marker):
    given = [argument.partition("=")[2] or argument for argument in command.arguments]
    asked = {os.path.normpath(value) for value in given if value}
    asked |= {os.path.normpath(os.path.join(os.path.dirname(link), before[link][1])) for link in asked & _links(before)}
    for path, state in after.items():
        name, is_folder = Path(path).name, stat.S_ISDIR(state[0])
        if path == marker:
            yield "pickle", "ran"
        elif state == before.get(path):
            continue
        elif STRAY.fullmatch(name) or path.startswith("tmp/"):
            yield "left behind", path
        elif not (is_folder or path in asked or OURS.fullmatch(name)):
            yield ("changed" if path in before else "left behind"), path
    for path in before.keys() - after.keys():
        if path not in asked and not OURS.fullmatch(Path(path).name):
            yield "deleted", path
