"""The campaign of kills sees what a kill does to a command that is not careful; the real ones are `make kills`'s."""

import json
import os
import signal
import time
from pathlib import Path

import child
import kills
import pytest

SLEEP = 0.8  # seconds: most of a command's time, so that most kills fall into it


def careful():
    """Writes beside the place, moves, and takes away what it finds half-written."""
    Path("half").unlink(missing_ok=True)
    Path("half").write_text("first")
    time.sleep(SLEEP)
    Path("half").rename("whole")


def careless():
    """Goes on with what is there, as if it were whole."""
    if not Path("whole").exists():
        Path("whole").write_text("first")
        time.sleep(SLEEP)
        Path("whole").write_text("first and second")


def forgetful():
    """Leaves a file behind when it is killed, for good."""
    left = Path("left")
    if not left.exists():
        left.touch()
        time.sleep(SLEEP)
        left.unlink()
    Path("whole").touch()


def fails_afterwards():
    if Path("begun").exists():
        raise SystemExit("it is there already")
    Path("begun").touch()
    time.sleep(SLEEP)
    Path("begun").unlink()


class InTheMiddle(kills.Campaign):
    """Kills when the command has written its first file, however long it took to: no control that needs luck."""

    def kill(self, case, folder, after):
        with self.said() as said:
            pid = child.begin(self.mains[case.program], self.command(case, folder), folder, said)
            while not WRITTEN & {path.name for path in folder.iterdir()} and not os.waitid(os.P_PID, pid, LOOK):
                time.sleep(0.01)
            return int(child.wait(pid, [(0, signal.SIGKILL)])[2])


WRITTEN = {"half", "whole", "left", "begun"}
LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT  # whether it has ended


def tally(tmp_path, main, campaign=InTheMiddle, count=6):
    (tmp_path / "template").mkdir()
    planted = kills.Case("planted", ("go",), 100, alone=False)
    return campaign(tmp_path, {"planted": main}, seed=0).run("planted", planted, count)


@pytest.mark.parametrize("campaign", [kills.Campaign, InTheMiddle])
def test_a_careful_command_differs_in_nothing(tmp_path, campaign):
    found = tally(tmp_path, careful, campaign)
    assert found.differing == ()
    assert found.killed >= 6
    assert found.again >= 2


def test_control_other_bytes_are_seen(tmp_path):
    assert set(tally(tmp_path, careless).differing) == {"whole has other bytes"}


def test_control_a_file_that_stays_is_seen(tmp_path):
    assert set(tally(tmp_path, forgetful).differing) == {"left is left behind"}


def test_control_a_command_that_cannot_go_on_is_seen(tmp_path):
    found = tally(tmp_path, fails_afterwards)
    assert found.differing
    assert all("exit code 1" in line for line in found.differing)


def test_train_goes_on_with_resume_where_a_checkpoint_is(tmp_path):
    assert kills.arguments_again(kills.TRAIN, tmp_path) == list(kills.TRAIN)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.npz").touch()
    assert kills.arguments_again(kills.TRAIN, tmp_path) == ["train", "--resume", "--run-dir=run"]


def test_contents_are_names_and_bytes_and_of_sessions_the_end(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").touch()
    (tmp_path / "run" / "empty").mkdir(parents=True)
    (tmp_path / "run" / ".lock").touch()
    (tmp_path / "run" / "a").write_bytes(b"1")
    (tmp_path / "run" / "sessions.json").write_text(json.dumps({"sessions": [{"to": 3}, {"to": 7}]}))
    assert kills.contents(tmp_path) == {"run/a": b"1", "run/sessions.json": b"7", "run/empty/": b""}
