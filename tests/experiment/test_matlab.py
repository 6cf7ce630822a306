"""MATLAB 5 files: what SciPy writes is read as SciPy reads it, and damage is refused, never worse."""

import io
import struct

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import eye_array

from dvae_ref.experiment import matlab

RNG = np.random.default_rng(0)
OTHERS = {"text": "abc", "cell": np.array([1, "b"], object), "record": {"x": 1}, "sparse": eye_array(3), "c": 1j}


def saved(matrices, compress=True):
    file = io.BytesIO()
    savemat(file, matrices, do_compression=compress)
    return file.getvalue()


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "i4", "u8", "?", ">f8"])
def test_matrices_are_read_as_scipy_reads_them(compress, dtype):
    """Among things that are skipped: text, cells, records, sparse and complex matrices. Sizes that need padding."""
    matrices = {
        "x": RNG.integers(0, 2, (3, 5)).astype(dtype),
        "a_long_name": RNG.integers(0, 2, (7, 1)).astype(dtype),
        "cube": RNG.integers(0, 2, (2, 3, 4)).astype(dtype),
        "scalar": np.ones((1, 1), dtype),
        "nothing": np.zeros((0, 3), dtype),
    }
    content = saved(OTHERS | matrices | {"last": "text"}, compress)
    read, expected = matlab.read(content, list(matrices)), loadmat(io.BytesIO(content))
    assert read.keys() == matrices.keys()
    for name, matrix in read.items():
        np.testing.assert_array_equal(matrix, expected[name])
        assert matrix.shape == matrices[name].shape
    assert matlab.read(content, ["absent"]) == {}


def test_compressed_and_plain_elements_may_follow_each_other():
    """Compressed elements end at any byte, and what follows is not aligned."""
    x, y = RNG.random((3, 5)), RNG.random((2, 2))
    content = saved({"x": x}) + saved({"y": y}, False)[128:] + saved({"z": x.T})[128:]
    read = matlab.read(content, "xyz")
    for name, expected in (("x", x), ("y", y), ("z", x.T)):
        np.testing.assert_array_equal(read[name], expected)


def test_big_endian_file():
    """Written out by hand: a 1 x 3 matrix of doubles, "x", stored as 16-bit integers 1, 2, 300."""
    matrix = struct.pack(">4I", 6, 8, 6, 0)  # flags: class double
    matrix += struct.pack(">2I2i", 5, 8, 1, 3)  # dimensions
    matrix += struct.pack(">2H4s", 1, 1, b"x")  # name, in the short form
    matrix += struct.pack(">2I3hxx", 3, 6, 1, 2, 300)  # values, padded to 8 bytes
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + struct.pack(">2I", 14, len(matrix)) + matrix
    np.testing.assert_array_equal(matlab.read(content, ["x"])["x"], [[1, 2, 300]])
    np.testing.assert_array_equal(loadmat(io.BytesIO(content))["x"], [[1, 2, 300]])


@pytest.mark.parametrize("name", OTHERS)
def test_only_real_matrices_are_read(name):
    with pytest.raises(ValueError, match=f"'{name}' is not a matrix of real numbers"):
        matlab.read(saved(OTHERS), [name])


def test_other_files_are_refused():
    content = saved({"x": np.ones((2, 2))})
    for other in (b"", b"text", content[:127], content[:124] + b"\0\2IM" + content[128:]):  # the last: version 7.3
        with pytest.raises(ValueError, match="no header of a MATLAB 5 file"):
            matlab.read(other, ["x"])


@pytest.mark.parametrize("compress", [True, False])
def test_random_damage_raises_value_error_or_nothing(compress):
    """2,000 files with one byte changed, and as many cut off. Compressed values carry a checksum: none comes out wrong.

    The first is damage that chance seldom does: numbers of a kind that there is not.
    """
    matrix = RNG.random((4, 50))
    content = saved({"x": matrix}, compress)
    if not compress:
        kind = content.index(struct.pack("<2I", 9, matrix.nbytes))
        with pytest.raises(ValueError, match="'x' is not a matrix of real numbers"):
            matlab.read(content[:kind] + b"\x0a" + content[kind + 1 :], ["x"])
    refused = 0
    for trial in range(4000):
        at = int(RNG.integers(len(content)))
        damaged = content[:at] + (bytes([RNG.integers(256)]) + content[at + 1 :] if trial % 2 else b"")
        try:
            read = matlab.read(damaged, ["x"])
        except ValueError:
            refused += 1
        else:
            assert not (compress and "x" in read) or np.array_equal(read["x"], matrix)
    assert refused > 2000 * 0.9
