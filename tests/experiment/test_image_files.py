"""The readers return what was written, and refuse damaged files by name. Files here are small and made up."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from scipy.io import savemat

from dvae_ref.experiment import image_files

N = 3
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 784), np.uint8)
IDX = struct.pack(">4I", 0x803, N, 28, 28) + IMAGES.tobytes()
MD5 = hashlib.md5(IDX).hexdigest()
BINARY = (IMAGES > 100).astype(np.uint8)
LINES = [" ".join(map(str, row)) for row in BINARY]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(content, at, byte):
    return content[:at] + bytes([byte]) + content[at + 1 :]


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_idx_round_trip(tmp_path, name):
    path = write(tmp_path / name, gzip.compress(IDX) if name.endswith(".gz") else IDX)
    np.testing.assert_array_equal(image_files.read_idx(path, N, MD5), IMAGES)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes are too few"),
        (changed(IDX, 3, 1), "magic 0x00000801, expected 0x00000803"),
        (changed(IDX, 11, 27), r"images \(3, 27, 28\), expected \(3, 28, 28\)"),
        (changed(IDX, 7, 4), r"images \(4, 28, 28\), expected"),
        (IDX[:-1], "2367 bytes, expected 2368"),
        (IDX + b"\0", "2369 bytes, expected 2368"),
        (changed(IDX, 1000, IDX[1000] ^ 1), f"md5 .* is [0-9a-f]{{32}}, expected {MD5}"),
    ],
)
def test_damaged_idx_is_refused_by_name(tmp_path, content, complaint):
    with pytest.raises(ValueError, match=f"some-images.*{complaint}"):
        image_files.read_idx(write(tmp_path / "some-images", content), N, MD5)


def test_damaged_gzip_is_refused_by_name(tmp_path):
    packed = gzip.compress(IDX)
    middle = len(packed) // 2
    for damaged in (b"", packed[:-30], IDX, changed(packed, middle, packed[middle] ^ 0xFF)):
        with pytest.raises(ValueError, match=r"images\.gz"):
            image_files.read_idx(write(tmp_path / "images.gz", damaged), N, MD5)


@pytest.mark.parametrize(
    "content",
    ["\n".join(LINES) + "\n", "\n".join(LINES), " \r\n".join(LINES) + " \r\n\n", "\n".join(LINES).replace(" ", "\t")],
    ids=["plain", "no final newline", "CRLF and blanks", "tabs"],
)
def test_amat_round_trip(tmp_path, content):
    np.testing.assert_array_equal(image_files.read_amat(write(tmp_path / "x.amat", content), N), BINARY)
    packed = write(tmp_path / "x.amat.gz", gzip.compress(content.encode()))
    np.testing.assert_array_equal(image_files.read_amat(packed, N), BINARY)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "0 characters besides blanks; expected 3 lines of 784"),
        (LINES[:2], "2 lines, in all 1568 characters"),
        ([LINES[0], LINES[1][:-2], LINES[2]], "3 lines, in all 2351 characters"),
        ([LINES[0], LINES[1] + " 0", LINES[2][:-2]], "line 2 is not 784 pixels"),  # the right number in all
        ([LINES[0], LINES[1], "2" + LINES[2][1:]], "line 3 is not 784 pixels, each 0 or 1"),
        (["/" + LINES[0][1:], LINES[1], LINES[2]], "line 1 is not"),  # the character before "0"
        (["<html>", "404 Not Found", "</html>"], "expected 3 lines of 784 pixels"),
    ],
)
def test_damaged_amat_is_refused_by_name(tmp_path, lines, complaint):
    with pytest.raises(ValueError, match=f"some.amat.*{complaint}"):
        image_files.read_amat(write(tmp_path / "some.amat", "\n".join(lines)), N)


def chardata(path, **matrices):
    """A chardata.mat with 4 images in data and 3 in testdata, some of it replaced."""
    grey = np.random.default_rng(1).random((784, 7))
    savemat(path, {"data": grey[:, :4], "testdata": grey[:, 4:]} | matrices, do_compression=True)
    return path


def test_chardata_is_transposed_to_read_upright(tmp_path):
    """A capital L: a tall stem in column 5, a foot in row 20. Untransposed, stem and foot would change places."""
    letter = np.zeros((28, 28))
    letter[2:21, 5] = letter[20, 5:12] = 0.75
    columns = np.repeat(letter.reshape(784, 1, order="F"), 4, axis=1)
    data, testdata = image_files.read_chardata(chardata(tmp_path / "chardata.mat", data=columns), 4, 3)
    assert data.shape == (4, 784)
    assert testdata.shape == (3, 784)
    assert data.dtype == testdata.dtype == np.float32
    np.testing.assert_array_equal(data[3].reshape(28, 28), letter)
    assert not np.array_equal(data[3].reshape(28, 28), letter.T)


@pytest.mark.parametrize(
    ("matrices", "complaint"),
    [
        ({"data": np.zeros((784, 5))}, r"'data' is of shape \(784, 5\), expected \(784, 4\)"),
        ({"testdata": np.zeros((3, 784))}, r"'testdata' is of shape \(3, 784\), expected \(784, 3\)"),
        ({"data": np.full((784, 4), np.nan)}, "'data': 3136 pixels are NaN"),
        ({"testdata": np.full((784, 3), 255.0)}, "'testdata': pixels reach from 255 to 255; expected values in"),
        ({"data": np.full((784, 4), -0.5)}, "'data': pixels reach from -0.5 to -0.5"),
        ({"data": np.full((784, 4), np.inf)}, "'data': pixels reach from inf to inf"),
    ],
)
def test_wrong_chardata_is_refused_by_name(tmp_path, matrices, complaint):
    with pytest.raises(ValueError, match=f"chardata.mat: matrix {complaint}"):
        image_files.read_chardata(chardata(tmp_path / "chardata.mat", **matrices), 4, 3)


def test_damaged_chardata_is_refused_by_name(tmp_path):
    path = chardata(tmp_path / "chardata.mat")
    content = path.read_bytes()
    middle = len(content) // 2
    for damaged in (
        b"",
        b"no matrix",
        content[:130],
        content[:middle],
        content[:200],
        changed(content, middle, content[middle] ^ 1),
    ):
        with pytest.raises(ValueError, match=r"chardata\.mat: "):
            image_files.read_chardata(write(path, damaged), 4, 3)
    savemat(path, {"data": np.zeros((784, 4), complex)})
    with pytest.raises(ValueError, match=r"chardata\.mat: matrix 'data': .* got complex128"):
        image_files.read_chardata(path, 4, 3)
    savemat(path, {"data": np.zeros((784, 4))})
    with pytest.raises(ValueError, match="'testdata' is not there"):
        image_files.read_chardata(path, 4, 3)


def test_git_blob_id(tmp_path):
    """The id that `git hash-object` prints for a file with the one line "hello"."""
    path = write(tmp_path / "hello", "hello\n")
    image_files.check_git_blob(path, "ce013625030ba8dba906f756967f9e9ca394464a")
    with pytest.raises(ValueError, match=r"hello: git blob id is [0-9a-f]{40}, expected ce0136"):
        image_files.check_git_blob(write(path, "hello"), "ce013625030ba8dba906f756967f9e9ca394464a")
