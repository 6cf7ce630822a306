"""Read the files that MNIST and OMNIGLOT are published in, and refuse, by name, what is damaged or something else.

Every reader returns images as rows of 784 pixels, row by row from the top left, and raises ValueError naming the
file, what was found and what was expected. Files may be gzipped, whatever their name says; no more of them is unpacked
than such a file can have.

IDX        16 bytes of header, four big-endian 32-bit numbers: magic, images, rows, columns. Then a byte to a pixel.
amat       text, an image a line, pixels "0" or "1" between blanks.
chardata   a MATLAB file of version 5: 128 bytes of header, the last two of which tell its order of bytes; elements,
           each with a header of its kind and its size, 32 bits each. Those of kind 15 are packed by zlib.
"""

import gzip
import hashlib
import io
import struct
import zlib

import numpy as np
import scipy.io

from dvae_ref.files import reading

IMAGE_SHAPE = (28, 28)
PIXELS = 784
IDX_MAGIC = 0x00000803  # unsigned bytes, three dimensions
GZIP_MAGIC = b"\x1f\x8b"
PAGE_BEGINS = (b"<!doctype", b"<html", b"<head", b"<?xml")  # a web page, or what a store of files says of an error
AMAT_WIDTH = 4  # bytes to a pixel at most: "1", blanks, end of line
_PIECE = 2**18  # bytes that are unpacked at a time
MAT_REST = 2**26  # bytes of a chardata.mat besides its images: classes of characters, names
REAL = ("double", "single", "logical")  # kinds of MATLAB's matrices, as whosmat has them
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
COMPRESSED = 15  # miCOMPRESSED, the kind of an element


def read_bytes(path, most):
    """The contents of a file, decompressed if it is gzip, but not more than most + 1 bytes of them.

    One byte too many tells a longer file from one of `most` bytes. ValueError for a web page, a server's excuse.
    """
    with reading.regular(path, "data file") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        content = _unpacked(path, file, most + 1) if packed else file.read(most + 1)
    head = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(PAGE_BEGINS):
        begin = head[:40].decode(errors="replace")
        raise ValueError(f"{path}: this is a web page ({begin!r}...), not the file of that name: get it anew")
    return content


def _unpacked(path, file, most):
    """At most so many bytes of what gzip makes of a file. ValueError if it is damaged within these."""
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return unpacked.read(most)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file: {error}") from error


def check_digest(path, content, algorithm, expected):
    """Raise ValueError unless the hex digest of `content`, which was read from `path`, is the expected one."""
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: {algorithm} of the decompressed contents is {found}, expected {expected}")


def check_git_blob(path, expected, most):
    """Raise ValueError unless the file is the git blob of that id: sha1 of "blob <size>", a zero byte, contents."""
    content = read_bytes(path, most)
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: git blob id is {found}, expected {expected}")


def record_of(path):
    """Where the sha256 of a file stands that was published without a checksum: as `sha256sum` writes it."""
    return path.with_name(f"{path.name}.sha256")


def sha256_of(path):
    """Hex digest of a file as it lies there, gzipped or not."""
    with reading.regular(path, "data file") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_recorded(path, record=None):
    """Raise ValueError unless the file is the one whose sha256 was written beside it, if one was."""
    record = record or record_of(path)
    try:
        words = reading.content(record, "sha256", 1000).split()
    except FileNotFoundError:
        return
    found, said = sha256_of(path), "nothing"
    if words:
        said = words[0].decode(errors="replace")
    if found != said:
        raise ValueError(f"{path}: sha256 is {found}, but {record} says {said}, of the file that came first")


def check_pixels(images, where):
    """Raise ValueError unless images are (N, 784) real numbers in [0, 1]; `where` begins the message."""
    if images.ndim != 2 or images.shape[1] != PIXELS or not len(images) or images.dtype.kind not in "biuf":
        raise ValueError(f"{where}: expected images (N, {PIXELS}), got {images.dtype} {images.shape}")
    low, high = images.min(), images.max()
    if np.isnan(low):  # min and max propagate NaN
        raise ValueError(f"{where}: {np.sum(np.isnan(images))} pixels are NaN; expected values in [0, 1]")
    if low < 0 or high > 1:
        raise ValueError(f"{where}: pixels reach from {low:g} to {high:g}; expected values in [0, 1]")


def read_idx(path, n, md5):
    """Grey images of an IDX file: (n, 784) uint8. `md5` is that of the decompressed file."""
    expected = 16 + n * PIXELS
    content = read_bytes(path, expected)
    if len(content) < 16:
        raise ValueError(f"{path}: {len(content)} bytes are too few for the 16-byte header of an IDX file")
    magic, images, rows, columns = struct.unpack_from(">4I", content)
    if magic != IDX_MAGIC:
        raise ValueError(f"{path}: not an IDX file of images: magic 0x{magic:08x}, expected 0x{IDX_MAGIC:08x}")
    shape = (n, *IMAGE_SHAPE)
    if (images, rows, columns) != shape:
        raise ValueError(f"{path}: holds images {(images, rows, columns)}, expected {shape}")
    if len(content) != expected:
        found = len(content) if len(content) < expected else f"more than {expected}"
        raise ValueError(f"{path}: {found} bytes, expected {expected}: truncated or overlong")
    check_digest(path, content, "md5", md5)
    return np.frombuffer(content, np.uint8, offset=16).reshape(n, PIXELS)


def read_amat(path, n):
    """Binary images of a text file, one a line, pixels 0 or 1 separated by blanks: (n, 784) uint8.

    The files were published without checksums: layout and alphabet are verified, and the sha256 that `data fetch` wrote
    beside what came.
    """
    check_recorded(path)
    rows = np.frombuffer(_digits(path, n), np.uint8).reshape(n, PIXELS + 1)
    pixels, ends = np.split(rows, [PIXELS], axis=1)
    images = pixels - ord("0")  # wraps below "0", so anything but 0 and 1 is above 1
    bad = np.flatnonzero((images.max(1) > 1) | (ends.ravel() != ord("\n")))
    if bad.size:
        raise ValueError(f"{path}: line {bad[0] + 1} is not {PIXELS} pixels, each 0 or 1, between blanks")
    return images


def _digits(path, n):
    """What a text of n lines of pixels says besides blanks: PIXELS + 1 characters a line, the last of which ends it.

    ValueError unless there are as many in all; which line is too long, and which too short, is another matter.
    """
    most = n * PIXELS * AMAT_WIDTH + 1000
    content = read_bytes(path, most)
    if len(content) > most:
        raise ValueError(f"{path}: more than {most:,} bytes, expected {n} lines of {PIXELS} pixels")
    digits = content.translate(None, b" \t\r").rstrip(b"\n") + b"\n"
    if len(digits) != n * (PIXELS + 1):
        lines = digits.count(b"\n")
        raise ValueError(
            f"{path}: {lines} lines, in all {len(digits) - lines} characters besides blanks; "
            f"expected {n} lines of {PIXELS} pixels"
        )
    return digits


def read_chardata(path, n_data, n_testdata):
    """Grey images of the OMNIGLOT chardata.mat: ((n_data, 784), (n_testdata, 784)), float32 in [0, 1].

    The file holds an image as a column of pixels, listed column by column; they are transposed here, to read upright.
    """
    expected = {"data": n_data, "testdata": n_testdata}
    most = mat_bytes(n_data + n_testdata)
    content = read_bytes(path, most)
    with reading.parsing(path, "damaged, or no MATLAB file"):
        _check_unpacked(content, most)
        listed = scipy.io.whosmat(io.BytesIO(content))
    for name, n in expected.items():
        _check_matrix(path, name, n, [(shape, kind) for found, shape, kind in listed if found == name])
    with reading.parsing(path, "damaged, or no MATLAB file"):
        matrices = scipy.io.loadmat(io.BytesIO(content), variable_names=list(expected))
    return tuple(_upright(path, name, matrices.get(name), n) for name, n in expected.items())


def mat_bytes(n):
    """The most bytes that a chardata.mat of n images takes, packed or not."""
    return n * PIXELS * 8 + MAT_REST


def _check_unpacked(content, most):
    """ValueError if the compressed elements of a MATLAB file, of version 5 or later, unpack to more bytes than that."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    place, total = 128, 0
    while order and place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}2I", content, place)
        place += 8
        if kind == COMPRESSED:
            total += _unpacked_size(content[place : place + size], most - total)
        if total > most:
            raise ValueError(f"it unpacks to more than {most:,} bytes")
        place += size


def _unpacked_size(packed, enough):
    """How many bytes zlib makes of these, in little memory; it stops when they are more than enough."""
    stream, size = zlib.decompressobj(), 0
    for start in range(0, len(packed), _PIECE):
        piece = packed[start : start + _PIECE]
        while piece and size <= enough:
            size += len(stream.decompress(piece, _PIECE))
            piece = stream.unconsumed_tail
    return size


def _check_matrix(path, name, n, listed):
    """ValueError unless the (shape, kind) that are listed of a matrix are those of n images."""
    if not listed:
        raise ValueError(f"{path}: matrix '{name}' is not there, expected {(PIXELS, n)}")
    for shape, kind in listed:
        if shape != (PIXELS, n) or kind not in REAL + WHOLE:
            raise ValueError(f"{path}: matrix '{name}' is {kind} of shape {shape}, expected numbers of {(PIXELS, n)}")


def _upright(path, name, matrix, n):
    """The images of one matrix of chardata.mat: (784, n) -> (n, 784) float32."""
    check_pixels(matrix.T, f"{path}: matrix '{name}'")
    images = matrix.T.reshape(n, *IMAGE_SHAPE).swapaxes(1, 2)
    return np.ascontiguousarray(images, np.float32).reshape(n, PIXELS)
