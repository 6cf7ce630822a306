"""The fuzzer sees what it is there to see: faults of every kind are planted. That there are none, `make fuzz` shows."""

import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import campaign
import child
import json_damage
import judge
import npz_damage
import outcomes
import pytest
from tqdm import tqdm

from dvae_ref.program import entry

LIMITS = child.Limits(seconds=20, memory=child.GIB)


def guarded(work):
    """A program that carries out `work`, as ours do."""
    return lambda: entry.guarded("python -m planted", work)


def raises():
    raise KeyError("planted")


def killed():
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves():
    Path(".last.npz.1f2e3d4c-4711-98765-k3x9.part").touch()


def leaves_in_tmp():
    (Path(os.environ["TMPDIR"]) / "something").touch()


def changes():
    Path("precious.txt").write_text("yours")


def deletes():
    Path("precious.txt").unlink()


def unpickles():
    pickle.loads(pickle.dumps(npz_damage.Planted("a-pickle-ran")))


class Ill:
    def __del__(self):
        raise ValueError("planted")


def ignores():
    found = Ill()
    del found


def hangs():
    time.sleep(1000)


PLANTED = {
    "traceback": raises,
    "signal": killed,
    "left behind": leaves,
    "changed": changes,
    "deleted": deletes,
    "pickle": unpickles,
    "ignored": ignores,
    "exit code": lambda: 3,
    "silent": lambda: 1,
}


def verdict(tmp_path, work, interrupt=None, limits=LIMITS, program="dvae_ref", arguments=("evaluate",)):
    folder, said = tmp_path / "in", tmp_path / "said"
    (folder / "home/.cache").mkdir(parents=True), (folder / "tmp").mkdir(), said.mkdir()
    (folder / "precious.txt").write_text("mine")
    (folder / "link").symlink_to("precious.txt")
    command, before = child.Command(program, list(arguments), interrupt=interrupt), judge.footprint(folder)
    outcome = child.run(guarded(work), command, folder, said, limits)
    return judge.judge("planted/0", command, outcome, before, judge.footprint(folder), "a-pickle-ran")


@pytest.mark.parametrize("kind", PLANTED)
def test_control_what_is_planted_is_seen(tmp_path, kind):
    found = verdict(tmp_path, PLANTED[kind])
    assert kind in [fault for fault, _ in found.faults]
    assert found.command == "dvae_ref ['evaluate']"


def test_control_what_does_not_end_is_killed_and_counted(tmp_path):
    found = verdict(tmp_path, hangs, limits=LIMITS._replace(seconds=0.5))
    assert [fault for fault, _ in found.faults] == ["hung"]
    assert outcomes.row("planted", [found])["hung"] == 1


def test_control_a_temporary_file_that_stays_is_seen(tmp_path):
    assert [fault for fault, _ in verdict(tmp_path, leaves_in_tmp).faults] == ["left behind"]


@pytest.mark.parametrize(("arguments", "kinds"), [(["sample", "--out=link"], []), (["sample"], ["changed"])])
def test_what_a_link_leads_to_may_change_if_the_link_was_asked_for(tmp_path, arguments, kinds):
    found = verdict(tmp_path, changes, arguments=arguments)
    assert [fault for fault, _ in found.faults if fault != "silent"] == kinds


def test_ctrl_c_is_pressed(tmp_path):
    found = verdict(tmp_path, hangs, interrupt=0.1)
    assert (found.code, found.interrupted, found.faults) == (130, True, ())


def test_memory_is_limited(tmp_path):
    """To a GiB besides what there is: bytearray(n) is an allocation of n bytes, and a line says that it failed."""
    found = verdict(tmp_path, lambda: bytearray(2 * child.GIB) and 0)
    assert (found.code, found.faults) == (1, ())


def test_a_lock_that_a_killed_child_held_does_not_keep_the_next_from_its_progress_bar(tmp_path):
    def dies():
        tqdm.get_lock().acquire()
        os.kill(os.getpid(), signal.SIGKILL)

    for work, code in ((dies, None), (lambda: tqdm.get_lock().acquire() and 0, 0)):
        (tmp_path / str(code)).mkdir()
        assert verdict(tmp_path / str(code), work).code == code


def test_the_streams_are_of_the_encoding_that_is_asked_for(tmp_path):
    (tmp_path / "said").mkdir()
    command = child.Command("dvae_ref", [], encoding="ascii")
    outcome = child.run(lambda: print("é"), command, tmp_path, tmp_path / "said", LIMITS)
    assert (outcome.code, outcome.output) == (0, "\\xe9\n")


def test_an_input_that_the_fuzzer_cannot_make_is_a_fault_and_the_campaign_goes_on(tmp_path, monkeypatch):
    def cannot(*_):
        raise RecursionError("deep")

    monkeypatch.setitem(campaign.SURFACES, "json", cannot)
    verdict = campaign.Work({}, tmp_path, seed=0)("json/3")
    assert (verdict.name, verdict.faults) == ("json/3", (("not made", "RecursionError: deep"),))
    assert "| json | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 |" in outcomes.table([verdict])
    assert list(tmp_path.iterdir()) == []


def test_json_of_any_depth_can_be_damaged():
    """At each depth 30 times: what Python's own limits refuse is damaged as bytes."""
    for depth in (1, 300, 900, 1100, 100_000):
        text = b"[" * depth + b"1" + b"]" * depth
        for seed in range(30):
            assert isinstance(json_damage.of_text(random.Random(seed), text), bytes)


def test_control_the_campaign_counts_what_is_planted_in_a_reader():
    """Of twelve inputs, two of each surface: each that reads JSON ends in a traceback or a signal, and is printed."""
    code = f"""
import os, runpy, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import campaign
from dvae_ref.files import reading
make = campaign.programs.make
def read(path):
    if str(path).endswith("config.json"):
        raise KeyError("planted")
    os.kill(os.getpid(), signal.SIGBUS)
def make_and_plant(*given):
    make(*given)
    reading.json_file = read
campaign.programs.make = make_and_plant
sys.argv = ["tests/fuzz", "--inputs=12", "--jobs=1", "--surface", "json", "kits"]
runpy.run_path({str(Path(__file__).parent)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1, done.stderr
    total = re.findall(r"\| all \| (.*) \|", done.stdout)[0].split(" | ")
    found = dict(zip(outcomes.COLUMNS[1:], total, strict=True))
    assert found["inputs"] == "12"
    assert int(found["tracebacks"]) >= 2
    assert int(found["signals"]) >= 2
    assert done.stdout.count("-- json/") + done.stdout.count("-- kits/") >= 6
    assert "KeyError: 'planted'" in done.stdout
