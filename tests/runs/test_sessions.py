"""sessions.json: who trained a run, how far, and how long it took."""

import os
import subprocess
import time

import pytest

from dvae_ref import __version__
from dvae_ref.files import writing
from dvae_ref.runs import sessions
from dvae_ref.runs.sessions import Sessions

TIMES = ("cpu_seconds", "seconds")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.json"


def spans(path):
    return [(session["from"], session["to"]) for session in sessions.read(path)]


def test_each_time_that_a_run_is_gone_on_with_is_an_entry(path):
    """Killed after 30, which were not saved; stopped at once; finished. What is empty is left out later."""
    Sessions(path, 0, 1).write(0)
    assert spans(path) == [(0, 0)]
    first = Sessions(path, 0, 2)
    first.write(10)
    first.write(20)
    Sessions(path, 20, 1).write(20)
    last = Sessions(path, 20, 1)
    last.write(50)
    assert spans(path) == [(0, 20), (20, 50)]
    found = sessions.read(path)
    assert [session["threads"] for session in found] == [2, 1]
    assert {session["version"] for session in found} == {__version__}


def test_what_was_done_beyond_the_checkpoint_is_done_anew(path):
    """A checkpoint put back by hand: what came after it is no part of the run any more."""
    Sessions(path, 0, 1).write(20)
    Sessions(path, 20, 1).write(50)
    Sessions(path, 10, 1).write(60)
    assert spans(path) == [(0, 20), (10, 60)]


def test_time_is_that_of_the_process_and_of_the_clock(path):
    """Asleep for 0.2 s and at work for 0.1 s; no more than the test itself takes."""
    start, cpu = time.monotonic(), time.process_time()
    session = Sessions(path, 0, 1)
    time.sleep(0.2)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    session.write(1)
    (found,) = sessions.read(path)
    assert 0.3 <= found["seconds"] <= time.monotonic() - start
    assert 0.1 <= found["cpu_seconds"] <= time.process_time() - cpu


@pytest.mark.parametrize("text", ["half of", "{}", '{"sessions": [{"from": 1}]}', '{"sessions": [{"to": NaN}]}'])
def test_a_damaged_file_stops_nobody(path, text):
    path.write_text(text)
    with pytest.warns(UserWarning, match=r"sessions\.json.*begun anew"):
        session = Sessions(path, 5, 1)
    session.write(7)
    assert spans(path) == [(5, 7)]


def repository(folder):
    """A checkout with the module in it; git(*arguments) there."""

    def git(*arguments):
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (folder / "sessions.py").write_text("one\n")
    git("add", ".")
    git("commit", "-qm", "one")
    return git


def test_the_commit_is_that_of_the_checkout_and_says_if_files_differ(tmp_path, monkeypatch):
    """Outside of one, and in one that does not know the module (an installed copy in somebody's tree): none."""
    commit = sessions.commit.__wrapped__
    monkeypatch.setattr(sessions, "__file__", str(tmp_path / "sessions.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() is None
    git = repository(tmp_path)
    head = git("rev-parse", "HEAD").strip()
    assert commit() == head
    (tmp_path / "sessions.py").write_text("two\n")
    assert commit() == f"{head}-dirty"
    (tmp_path / "copy.py").write_text("three\n")
    monkeypatch.setattr(sessions, "__file__", str(tmp_path / "copy.py"))
    assert commit() is None


def test_what_git_says_may_be_in_any_encoding(tmp_path, monkeypatch):
    """Its messages are translated, and name folders."""
    git = tmp_path / "git"
    git.write_bytes(b"#!/bin/sh\nprintf 'Pf\\344d' >&2\nexit 128\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert sessions.commit.__wrapped__() is None


def test_strict_json(path):
    """A time that is no number is refused, as files.write_json does for all."""
    session = Sessions(path, 0, 1)
    session.now["threads"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        session.write(1)
    assert not path.exists()
    writing.write_json(path, {"sessions": []})
    assert sessions.read(path) == []
