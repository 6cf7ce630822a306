"""What killed writers leave behind goes away at the next start; the files of writers at work do not."""

import os
import subprocess
import sys
import time

import pytest

from dvae_ref.files import partial, writing

WRITES = """
import sys, time
from dvae_ref.files import writing

with writing.atomic(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is writing tmp_path/evaluation.json."""
    command = [sys.executable, "-c", WRITES, tmp_path / "evaluation.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        yield process
        process.kill()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kill(process, reap=True):
    process.kill()
    if reap:
        process.wait()
    else:
        while partial._start_of(process.pid) is not None:
            time.sleep(0.01)


@pytest.mark.parametrize("reap", [True, False])
def test_only_a_dead_writer_s_file_is_removed(tmp_path, writer, reap):
    """Dead, too, is one whose parent has not heard of it yet."""
    (left,) = names(tmp_path)
    assert left.startswith(".evaluation.json.")
    assert left.endswith(".part")
    partial.remove_dead(tmp_path)
    writing.write_json(tmp_path / "evaluation.json", {})  # nor by who writes the same file
    assert names(tmp_path) == [left, "evaluation.json"]
    kill(writer, reap)
    partial.remove_dead(tmp_path, "metrics.jsonl")
    assert names(tmp_path) == [left, "evaluation.json"]
    partial.remove_dead(tmp_path, "evaluation.json")
    assert names(tmp_path) == ["evaluation.json"]


def test_writing_a_file_removes_what_was_to_become_of_it(tmp_path, writer):
    kill(writer)
    writing.write_json(tmp_path / "another.json", {})
    assert len(names(tmp_path)) == 2
    writing.write_json(tmp_path / "evaluation.json", {})
    assert names(tmp_path) == ["another.json", "evaluation.json"]


def test_a_number_of_a_process_that_was_given_again_fools_nobody(tmp_path, writer):
    """The same number, but another start."""
    (left,) = names(tmp_path)
    place, pid, start, rest = left.removeprefix(".evaluation.json.").split("-")
    assert (int(pid), int(start)) == (writer.pid, partial._start_of(writer.pid))
    (tmp_path / f".evaluation.json.{place}-{pid}-{int(start) - 1}-{rest}").touch()
    partial.remove_dead(tmp_path)
    assert names(tmp_path) == [left]


FOREIGN = ".last.npz.00000000-1-1-abcd.part"
IN_0_1 = ".last.npz.k3x9_abc.part"
OTHERS = ("notes.part", ".notes.part", ".a.b.part", "last.npz.00000000-1-1-abcd.part", ".last.npz.00000000-1-1-.part")


@pytest.mark.parametrize("name", [FOREIGN, IN_0_1])
def test_elsewhere_or_of_an_earlier_version_a_writer_is_dead_after_a_day(tmp_path, name):
    (tmp_path / name).touch()
    partial.remove_dead(tmp_path)
    assert names(tmp_path) == [name]
    partial.remove_dead(tmp_path, ours=("config.json",))
    assert names(tmp_path) == [name]
    before = time.time() - partial.UNTOUCHED - 10
    os.utime(tmp_path / name, (before, before))
    partial.remove_dead(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", [FOREIGN, IN_0_1])
def test_who_alone_writes_a_file_removes_all_that_was_to_become_of_it(tmp_path, name):
    (tmp_path / name).touch()
    partial.remove_dead(tmp_path, ours=("last.npz",))
    assert names(tmp_path) == []


def test_other_people_s_files_stay(tmp_path):
    before = time.time() - 1e8
    for name in OTHERS:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (before, before))
    partial.remove_dead(tmp_path, ours=("last.npz",))
    assert names(tmp_path) == sorted(OTHERS)


def test_no_folder_is_no_error(tmp_path):
    partial.remove_dead(tmp_path / "nowhere")


def test_two_names_differ():
    first, second = partial.name("a"), partial.name("a")
    assert first != second
    assert partial.NAME.fullmatch(first)["target"] == "a"
