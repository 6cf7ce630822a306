"""Writes that are killed leave the old file; checkpoints that are not whole and ours are refused, by name."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from dvae_ref.experiment import files


class Pair(NamedTuple):
    left: np.ndarray
    right: tuple


def small_tree(seed=0):
    rng = np.random.default_rng(seed)
    return Pair(rng.standard_normal((3, 2)).astype(np.float32), (rng.standard_normal(4), np.arange(5, dtype=np.uint64)))


def save(path, seed=0):
    files.save_checkpoint(path, {"iteration": seed, "nll": 3.5}, params=small_tree(seed))
    return path


def same(a, b):
    flat = [a.left, *a.right], [b.left, *b.right]
    return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(*flat, strict=True))


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    header, arrays = files.load_checkpoint(save(tmp_path / "a.npz", 7))
    assert header == {"iteration": 7, "nll": 3.5}
    restored = files.restore("params", small_tree(), arrays, "a.npz")
    assert type(restored) is Pair
    assert same(restored, small_tree(7))
    assert not same(restored, small_tree(8))


def test_the_same_state_makes_the_same_bytes(tmp_path):
    """No time of day in the file: runs can be compared byte by byte."""
    a, b, c = (save(tmp_path / name, seed).read_bytes() for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert a == b != c


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "config.json"
    files.write_json(path, {"k": 1})

    def half():
        with files.atomic(path) as file:
            file.write(b"half of ")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert json.loads(path.read_text()) == {"k": 1}
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


KILLED = """
import os, signal, sys
import numpy as np
from dvae_ref.experiment import files

def savez(file, **arrays):
    file.write(b"PK half a checkpoint")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def replace(*paths):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"savez": (np, "savez", savez), "replace": (os, "replace", replace)}[sys.argv[1]])
files.save_checkpoint(sys.argv[2], {}, params=(np.zeros(3),))
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
    files.remove_partial(tmp_path)
    assert set(tmp_path.iterdir()) == {path, other}


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path):
    whole, path = save(tmp_path / "whole.npz").read_bytes(), tmp_path / "cut.npz"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.npz is truncated or no checkpoint of dvae_ref"):
            files.load_checkpoint(path)


def test_a_checkpoint_with_a_byte_changed_is_refused_or_says_the_same(tmp_path):
    """Every byte in turn: data are covered by checksums; what is not (dates, attributes) must not matter."""
    whole, path = save(tmp_path / "whole.npz", 5).read_bytes(), tmp_path / "changed.npz"
    errors = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            header, arrays = files.load_checkpoint(path)
            restored = files.restore("params", small_tree(), arrays, path)
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
    return np.array(json.dumps({"format": files.FORMAT, "version": files.VERSION} | changes))


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
        files.load_checkpoint(path)


@pytest.mark.parametrize("changes", [{"version": files.VERSION + 1}, {"format": "another program"}, {"version": None}])
def test_other_formats_and_versions_are_refused(tmp_path, changes):
    path = tmp_path / "other.npz"
    npz(path, header=header(**changes))
    expected = rf"other\.npz is a .* of version .*; expected '{files.FORMAT}' of version {files.VERSION}"
    with pytest.raises(ValueError, match=expected):
        files.load_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*absent\.npz"):
        files.load_checkpoint(tmp_path / "absent.npz")


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
        files.load_checkpoint(path)
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
    _, arrays = files.load_checkpoint(save(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match=f"the file: expected {message}"):
        files.restore("params", like, arrays, "the file")
