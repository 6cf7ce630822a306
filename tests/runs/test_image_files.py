"""The readers return what was written, and refuse damaged files by name. Files here are small and made up."""

import gzip
import hashlib
import os
import struct

import hostile
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import coo_array

from dvae_ref.runs import image_files

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
@pytest.mark.parametrize("content", [IDX, gzip.compress(IDX), gzip.compress(IDX[:1000]) + gzip.compress(IDX[1000:])])
def test_idx_round_trip(tmp_path, name, content):
    """Gzip or not, whatever the name says: the content does."""
    np.testing.assert_array_equal(image_files.read_idx(write(tmp_path / name, content), N, MD5), IMAGES)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes are too few"),
        (changed(IDX, 3, 1), "magic 0x00000801, expected 0x00000803"),
        (changed(IDX, 11, 27), r"images \(3, 27, 28\), expected \(3, 28, 28\)"),
        (changed(IDX, 7, 4), r"images \(4, 28, 28\), expected"),
        (IDX[:-1], "2367 bytes, expected 2368"),
        (IDX + b"\0", "more than 2368 bytes, expected 2368"),
        (changed(IDX, 1000, IDX[1000] ^ 1), f"md5 .* is [0-9a-f]{{32}}, expected {MD5}"),
    ],
)
def test_damaged_idx_is_refused_by_name(tmp_path, content, complaint):
    with pytest.raises(ValueError, match=f"some-images.*{complaint}"):
        image_files.read_idx(write(tmp_path / "some-images", content), N, MD5)


def test_damaged_gzip_is_refused_by_name(tmp_path):
    packed = gzip.compress(IDX)
    middle = len(packed) // 2
    for damaged in (b"", packed[:-30], changed(packed, middle, packed[middle] ^ 0xFF)):
        with pytest.raises(ValueError, match=r"images\.gz"):
            image_files.read_idx(write(tmp_path / "images.gz", damaged), N, MD5)


PAGES = (
    b"<!DOCTYPE html><html><body>Not Found",
    b"\xef\xbb\xbf \n<HTML>",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>",
)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "read",
    [
        lambda path: image_files.read_idx(path, N, MD5),
        lambda path: image_files.read_amat(path, N),
        lambda path: image_files.read_chardata(path, 4, 3),
        lambda path: image_files.check_git_blob(path, "0" * 40, 10_000),
    ],
)
def test_a_web_page_under_the_name_of_a_file_is_called_that(tmp_path, page, pack, read):
    path = write(tmp_path / "data", pack(page))
    with pytest.raises(ValueError, match=r"data: this is a web page \(.<.*\), not the file of that name: get it anew"):
        read(path)


def bomb(size=2**27):
    """Zeros, of which a thousandth is here."""
    return gzip.compress(bytes(size), 1)


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (lambda path: image_files.read_idx(path, N, MD5), "magic 0x00000000"),
        (lambda path: image_files.read_amat(path, N), "more than 10,408 bytes, expected 3 lines"),
        (lambda path: image_files.read_chardata(path, 4, 3), "damaged, or no MATLAB file"),
        (lambda path: image_files.check_git_blob(path, "0" * 40, 10_000), "git blob id is"),
    ],
)
def test_no_more_is_unpacked_than_such_a_file_can_have(tmp_path, monkeypatch, read, complaint):
    """128 MiB on disk as 600 KB: what is allocated is bounded by the file's own size."""
    monkeypatch.setattr(image_files, "MAT_REST", 10_000)
    path = write(tmp_path / "data", bomb())
    assert path.stat().st_size < 1e6
    with hostile.memory() as taken, pytest.raises(ValueError, match=complaint):
        read(path)
    assert taken() < 2e6
    with hostile.memory() as taken:
        gzip.decompress(path.read_bytes())
    assert taken() > 1e8, "the measure sees nothing"


def test_a_matrix_that_unpacks_to_more_than_images_take_is_refused(tmp_path, monkeypatch):
    """In a MATLAB file what is packed are its parts."""
    monkeypatch.setattr(image_files, "MAT_REST", 100_000)
    path = chardata(tmp_path / "chardata.mat", more=np.zeros(2**24))
    assert path.stat().st_size < 1e6
    with hostile.memory() as taken, pytest.raises(ValueError, match=r"it unpacks to more than 143,904 bytes"):
        image_files.read_chardata(path, 4, 3)
    assert taken() < 3e6
    assert image_files.read_chardata(chardata(path, more=np.zeros(2**10)), 4, 3)[0].shape == (4, 784)


@pytest.mark.parametrize("read", [image_files.read_idx, image_files.read_amat])
def test_what_might_never_answer_is_not_read(tmp_path, read):
    os.mkfifo(tmp_path / "data")
    with pytest.raises(ValueError, match="it is no regular file"):
        read(tmp_path / "data", N, *[MD5] * (read is image_files.read_idx))


def test_the_sha256_beside_a_file_is_held_against_it(tmp_path):
    """As `sha256sum` writes it; where there is none, layout and alphabet are all there is."""
    path = write(tmp_path / "x.amat", "\n".join(LINES))
    record = tmp_path / "x.amat.sha256"
    assert image_files.record_of(path) == record
    image_files.read_amat(path, N)
    record.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  x.amat\n")
    image_files.read_amat(path, N)
    other = [*LINES[:2], "1" + LINES[2][1:] if LINES[2][0] == "0" else "0" + LINES[2][1:]]
    write(path, "\n".join(other))
    with pytest.raises(ValueError, match=r"x\.amat: sha256 is [0-9a-f]{64}, but .*x\.amat\.sha256 says [0-9a-f]{64}"):
        image_files.read_amat(path, N)
    for text in ("", "\n", "nonsense", "0" * 10_000):
        record.write_text(text)
        with pytest.raises(ValueError, match=r"x\.amat\.sha256"):
            image_files.read_amat(path, N)


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
        (["<html>", "404 Not Found", "</html>"], r"this is a web page \(.<html>.n404 not found"),
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
        ({"data": np.zeros((784, 5))}, r"'data' is double of shape \(784, 5\), expected numbers of \(784, 4\)"),
        ({"testdata": np.zeros((3, 784))}, r"'testdata' is double of shape \(3, 784\), expected numbers of \(784, 3\)"),
        ({"data": np.full((784, 4), np.nan)}, "'data': 3136 pixels are NaN"),
        ({"testdata": np.full((784, 3), 255.0)}, "'testdata': pixels reach from 255 to 255; expected values in"),
        ({"data": coo_array(np.eye(784, 4))}, r"'data' is sparse of shape \(784, 4\), expected numbers"),
        ({"data": np.full((784, 4), "a", object)}, r"'data' is cell of shape \(784, 4\), expected numbers"),
        ({"data": {"data": np.ones((784, 4))}}, r"'data' is struct of shape \(1, 1\), expected numbers"),
        ({"data": "a" * 784}, r"'data' is char of shape \(1,\), expected numbers"),
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
        with pytest.raises(ValueError, match=r"chardata\.mat( is damaged, or no MATLAB|: matrix 'testdata' is not)"):
            image_files.read_chardata(write(path, damaged), 4, 3)
    chardata(path, data=np.zeros((784, 4), complex))
    with pytest.raises(ValueError, match=r"chardata\.mat: matrix 'data': .* got complex128"):
        image_files.read_chardata(path, 4, 3)
    savemat(path, {"data": np.zeros((784, 4))})
    with pytest.raises(ValueError, match="'testdata' is not there"):
        image_files.read_chardata(path, 4, 3)


def test_git_blob_id(tmp_path):
    """The id that `git hash-object` prints for a file with the one line "hello"."""
    path = write(tmp_path / "hello", "hello\n")
    image_files.check_git_blob(path, "ce013625030ba8dba906f756967f9e9ca394464a", 100)
    with pytest.raises(ValueError, match=r"hello: git blob id is [0-9a-f]{40}, expected ce0136"):
        image_files.check_git_blob(write(path, "hello"), "ce013625030ba8dba906f756967f9e9ca394464a", 100)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0, 1), (0.0, 1.5), (-0.25, 1.0), (0.0, np.nextafter(1, 2))])
def test_pixels_are_from_0_to_1_both_included(ends):
    images = np.full((3, 784), 0, np.asarray(ends).dtype)
    images[1, 5:7] = ends
    if ends[0] == 0 and ends[1] == 1:
        return image_files.check_pixels(images, "here")
    with pytest.raises(ValueError, match=rf"here: pixels reach from {ends[0]:g} to {ends[1]:g}; expected values in"):
        image_files.check_pixels(images, "here")
