"""The door for npz: what is plain comes back as it was, everything else is a ValueError that names the file."""

import zipfile

import hostile
import numpy as np
import pytest

from dvae_ref.files import npz

PLAIN = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "scalar": np.array(7),
    "empty": np.zeros((0, 3), np.uint8),
    "other end": np.arange(3, dtype=">i4"),
    "truth": np.array([True, False]),
    "text": np.array(["a", "ß"]),
    "one of many dots.npy": np.ones(1),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_plain_arrays_come_back_in_c_order(tmp_path, save):
    save(tmp_path / "a.npz", **PLAIN)
    found = npz.read(tmp_path / "a.npz")
    assert list(found) == list(PLAIN)
    for name, array in PLAIN.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(found[name], array)
        assert found[name].flags.c_contiguous


@pytest.mark.parametrize("kind", hostile.NPZ)
def test_what_is_not_plain_is_a_value_error_that_names_the_file(tmp_path, kind):
    path = tmp_path / "somebody's.npz"
    hostile.NPZ[kind](path)
    with pytest.raises(ValueError, match=r"somebody's\.npz is truncated or no npz file .* \(.+\)") as error:
        npz.read(path)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 500 + len(str(path))


def test_control_numpy_answers_such_files_with_other_exceptions_or_with_bytes(tmp_path):
    """So the door is not there for nothing: with np.load these would be tracebacks, or values that are no arrays."""
    answers = set()
    for number, kind in enumerate(hostile.NPZ):
        if kind in ("a pipe", "a bomb"):  # never answered; a GiB
            continue
        path = tmp_path / f"{number}.npz"
        hostile.NPZ[kind](path)
        try:
            with np.load(path, allow_pickle=False) as file:
                answers |= {type(file[name]).__name__ for name in file.files}
        except Exception as error:
            answers.add(type(error).__name__)
    assert answers >= {"bytes", "BadZipFile", "EOFError", "TypeError", "NotImplementedError", "error", "RuntimeError"}


def test_one_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        npz.read(tmp_path / "absent.npz")
    np.savez(tmp_path / "a.npz", x=np.ones(3), y=np.ones(1))
    found = npz.read(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"a\.npz has no array z; there are x, y"):
        found["z"]
    assert found.get("z") is None
    with (
        npz.opened(tmp_path / "a.npz", "snapshot") as archive,
        pytest.raises(ValueError, match=r"a\.npz is truncated or no snapshot \(it has no z\)"),
    ):
        archive.array("z")


def test_headers_are_judged_before_an_array_is_read(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=np.ones((3, 4), np.float32), y=np.ones(1))

    def refuse(headers):
        assert headers == {"x": (np.float32, (3, 4)), "y": (np.float64, (1,))}
        raise ValueError("not these")

    monkeypatch.setattr(npz, "_array", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="not these"):
        npz.read(tmp_path / "a.npz", check=refuse)


def test_a_bomb_is_refused_with_its_size_and_in_little_memory(tmp_path):
    hostile.bomb(tmp_path / "bomb.npz")
    assert (tmp_path / "bomb.npz").stat().st_size < 6e6
    with (
        hostile.memory() as taken,
        pytest.raises(ValueError, match="it unpacks to 1,073,741,899 bytes, expected 1,073,741,824 at most"),
    ):
        npz.read(tmp_path / "bomb.npz")
    assert taken() < 1e6
    hostile.archive(tmp_path / "honest.npz", {"a.npy": hostile.npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED)
    with hostile.memory() as taken:
        npz.read(tmp_path / "honest.npz")
    assert taken() > 8e6, "the measure sees nothing"


def test_what_is_larger_on_disk_may_be_read(tmp_path, monkeypatch):
    """A checkpoint is not compressed: it never unpacks to more than it is."""
    monkeypatch.setattr(npz, "MOST_UNPACKED", 1000)
    np.savez(tmp_path / "a.npz", x=np.zeros(1000))
    assert len(npz.read(tmp_path / "a.npz")["x"]) == 1000
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(1000))
    with pytest.raises(ValueError, match=r"it unpacks to 8,128 bytes, expected 1,000 at most"):
        npz.read(tmp_path / "b.npz")
