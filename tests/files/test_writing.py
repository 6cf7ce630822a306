"""Writes that are killed leave the old file; checkpoints that are not whole and ours are refused, by name."""

import io
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from dvae_ref.files import partial, writing


class Pair(NamedTuple):
    left: np.ndarray
    right: tuple


def small_tree(seed=0):
    rng = np.random.default_rng(seed)
    return Pair(rng.standard_normal((3, 2)).astype(np.float32), (rng.standard_normal(4), np.arange(5, dtype=np.uint64)))


def save(path, seed=0):
    writing.save_checkpoint(path, {"iteration": seed, "nll": 3.5}, params=small_tree(seed))
    return path


def same(a, b):
    flat = [a.left, *a.right], [b.left, *b.right]
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(*flat, strict=True))


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    header, arrays = writing.load_checkpoint(save(tmp_path / "a.npz", 7))
    assert header == {"iteration": 7, "nll": 3.5}
    restored = writing.restore("params", small_tree(), arrays, "a.npz")
    assert type(restored) is Pair
    assert same(restored, small_tree(7))
    assert not same(restored, small_tree(8))


def test_the_same_state_makes_the_same_bytes(tmp_path):
    """No time of day in the file: runs can be compared byte by byte."""
    a, b, c = (save(tmp_path / name, seed).read_bytes() for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert a == b != c


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "config.json"
    writing.write_json(path, {"k": 1})

    def half():
        with writing.atomic(path) as file:
            file.write(b"half of ")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert json.loads(path.read_text()) == {"k": 1}
    assert list(tmp_path.iterdir()) == [path]


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Sets it; as it was, afterwards."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path, umask, mask, mode):
    umask(mask)
    writing.write_json(tmp_path / "a.json", {})
    assert mode_of(tmp_path / "a.json") == mode


def test_a_file_that_is_there_keeps_its_mode(tmp_path, umask):
    path = tmp_path / "a.json"
    path.touch()
    path.chmod(0o640)
    umask(0o022)
    writing.write_json(path, {"k": 1})
    assert mode_of(path) == 0o640
    assert json.loads(path.read_text()) == {"k": 1}


def test_links_stay_and_lead_to_what_was_written(tmp_path):
    """Also where they lead to nothing yet, and over several of them; the temporary file is beside the real place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/a.json")
    (tmp_path / "second").symlink_to("link")
    for number in range(2):
        writing.write_json(tmp_path / "second", number)
        assert json.loads((tmp_path / "real/a.json").read_text()) == number
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert {path.name for path in tmp_path.rglob("*")} == {"real", "a.json", "link", "second"}


def test_a_pipe_that_nobody_reads_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"it is a pipe that nobody reads: '.*/pipe'"):
        writing.write_json(tmp_path / "pipe", {"k": 1})


def test_a_pipe_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    writing.write_json(tmp_path / "pipe", {"k": 1})
    assert json.loads(reader.communicate()[0]) == {"k": 1}
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only some systems have /dev/full")
def test_devices_are_written_to_and_stay(tmp_path):
    writing.write_json("/dev/null", {})
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        writing.write_json(tmp_path / "full", {})
    assert all(stat.S_ISCHR(os.stat(path).st_mode) for path in ("/dev/null", "/dev/full"))


def test_a_disk_is_not_written_to(monkeypatch):
    """No file of a test may be a block device, so one is made believe."""
    monkeypatch.setattr(os, "stat", lambda path, **_: os.stat_result([stat.S_IFBLK | 0o660, *[0] * 9]))
    with pytest.raises(OSError, match="cannot write here: it is a block device: '/dev/sda'"):
        writing.write_json("/dev/sda", {})


@pytest.mark.parametrize("write", [lambda path: writing.write_json(path, {}), writing.check_writable])
def test_where_nothing_can_be_written_is_named(tmp_path, write):
    with pytest.raises(OSError, match=r"cannot write here: it is a folder: '.*'"):
        write(tmp_path)
    with pytest.raises(OSError, match=r"cannot write here: No such file or directory: '.*nowhere/a\.json'"):
        write(tmp_path / "nowhere" / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_to_look_whether_one_can_write_leaves_things_as_they_are(tmp_path):
    writing.check_writable(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_text("old")
    writing.check_writable(tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
    writing.check_writable("/dev/null")


KILLED = """
import os, signal, sys
import numpy as np
from dvae_ref.files import writing

def savez(file, **arrays):
    file.write(b"PK half a checkpoint")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def replace(*paths):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"savez": (np, "savez", savez), "replace": (os, "replace", replace)}[sys.argv[1]])
writing.save_checkpoint(sys.argv[2], {}, params=(np.zeros(3),))
"""


@pytest.mark.parametrize("moment", ["savez", "replace"])
def test_kill_during_a_write_leaves_the_old_checkpoint(tmp_path, moment):
    """kill -9 half-way through the data, and with all data written but not yet in place."""
    path = save(tmp_path / "last.npz", 3)
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, moment, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    left = [p for p in tmp_path.iterdir() if p != path]
    assert len(left) == 1
    assert left[0].name.startswith(".last.npz.")
    other = tmp_path / "notes.part"
    other.touch()
    partial.remove_dead(tmp_path)
    assert set(tmp_path.iterdir()) == {path, other}


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path):
    whole, path = save(tmp_path / "whole.npz").read_bytes(), tmp_path / "cut.npz"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.npz is truncated or no checkpoint of dvae_ref"):
            writing.load_checkpoint(path)


def test_a_checkpoint_with_a_byte_changed_is_refused_or_says_the_same(tmp_path):
    """Every byte in turn: data are covered by checksums; what is not (dates, attributes) must not matter."""
    whole, path = save(tmp_path / "whole.npz", 5).read_bytes(), tmp_path / "changed.npz"
    errors = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            header, arrays = writing.load_checkpoint(path)
            restored = writing.restore("params", small_tree(), arrays, path)
        except ValueError as error:
            errors.append(str(error))
        else:
            assert header["iteration"] == 5
            assert same(restored, small_tree(5))
    assert all("changed.npz" in error for error in errors)
    assert len(errors) > len(whole) / 2


def npz(path, **arrays):
    np.savez(path, **arrays)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(**changes):
    return np.array(json.dumps({"format": writing.FORMAT, "version": writing.VERSION} | changes))


FOREIGN = {
    "an archive of something else": lambda path: npz(path, weights=np.ones(3)),
    "a header that is no JSON": lambda path: npz(path, header=np.array("dvae_ref")),
    "a header that is no object": lambda path: npz(path, header=np.array("[1, 2]")),
    "a header without format": lambda path: npz(path, header=np.array("{}")),
    "a header of numbers": lambda path: npz(path, header=np.ones(3)),
    "half an array": lambda path: path.write_bytes(npy(np.ones(3))[:-8]),
    "an array": lambda path: path.write_bytes(npy(np.ones(3))),
    "text": lambda path: path.write_text("header"),
    "nothing": lambda path: path.write_bytes(b""),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_refused(tmp_path, kind):
    path = tmp_path / "foreign.npz"
    FOREIGN[kind](path)
    with pytest.raises(ValueError, match=r"foreign\.npz is truncated or no checkpoint of dvae_ref"):
        writing.load_checkpoint(path)


@pytest.mark.parametrize(
    "changes", [{"version": writing.VERSION + 1}, {"format": "another program"}, {"version": None}]
)
def test_other_formats_and_versions_are_refused(tmp_path, changes):
    path = tmp_path / "other.npz"
    npz(path, header=header(**changes))
    expected = rf"other\.npz is a .* of version .*; expected '{writing.FORMAT}' of version {writing.VERSION}"
    with pytest.raises(ValueError, match=expected):
        writing.load_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*absent\.npz"):
        writing.load_checkpoint(tmp_path / "absent.npz")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("kind", ["array in a checkpoint", "header", "whole file"])
def test_pickles_are_never_read(tmp_path, kind):
    path, sprung = tmp_path / "pickled.npz", tmp_path / "sprung"
    trap = np.array(Trap(sprung), object)
    if kind == "whole file":
        path.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        npz(path, **({"header": trap} if kind == "header" else {"header": header(), "params.left": trap}))
    with pytest.raises(ValueError, match=r"pickled\.npz is truncated or no checkpoint"):
        writing.load_checkpoint(path)
    assert not sprung.exists()
    if kind == "whole file":
        pickle.loads(path.read_bytes())
    else:
        with np.load(path, allow_pickle=True) as file:
            list(file.values())
    assert sprung.exists(), "the trap does not work, so the test shows nothing"


@pytest.mark.parametrize(
    ("like", "message"),
    [
        (Pair(np.zeros((2, 3), np.float32), small_tree().right), r"params.left to be float32 \(2, 3\), found float32"),
        (Pair(np.zeros((3, 2)), small_tree().right), r"params.left to be float64 \(3, 2\), found float32 \(3, 2\)"),
        (Pair(small_tree().left, (*small_tree().right, np.zeros(1))), "params.right.2 to be .*, found nothing"),
        (Pair(np.zeros((3, 1), np.float32), small_tree().right), "params.left"),  # would broadcast
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, like, message):
    _, arrays = writing.load_checkpoint(save(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match=f"the file: expected {message}"):
        writing.restore("params", like, arrays, "the file")
