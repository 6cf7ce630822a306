"""Read the files that MNIST and OMNIGLOT are published in, and refuse, by name, what is damaged or something else.

Every reader returns images as rows of 784 pixels, row by row from the top left, and raises ValueError naming the
file, what was found and what was expected. Files may be gzipped: plain name or name.gz.
"""

import gzip
import hashlib
import io
import struct
import zlib

import numpy as np
import scipy.io

IMAGE_SHAPE = (28, 28)
PIXELS = 784
IDX_MAGIC = 0x00000803  # unsigned bytes, three dimensions


def read_bytes(path):
    """The contents of a file, decompressed if its name ends in .gz."""
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file: {error}") from error


def check_digest(path, content, algorithm, expected):
    """Raise ValueError unless the hex digest of `content`, which was read from `path`, is the expected one."""
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: {algorithm} of the decompressed contents is {found}, expected {expected}")


def check_git_blob(path, expected):
    """Raise ValueError unless the file is the git blob of that id: sha1 of "blob <size>", a zero byte, contents."""
    content = path.read_bytes()
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: git blob id is {found}, expected {expected}")


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
    content = read_bytes(path)
    if len(content) < 16:
        raise ValueError(f"{path}: {len(content)} bytes are too few for the 16-byte header of an IDX file")
    magic, *shape = struct.unpack(">4I", content[:16])
    if magic != IDX_MAGIC:
        raise ValueError(f"{path}: not an IDX file of images: magic 0x{magic:08x}, expected 0x{IDX_MAGIC:08x}")
    if tuple(shape) != (n, *IMAGE_SHAPE):
        raise ValueError(f"{path}: holds images {tuple(shape)}, expected {(n, *IMAGE_SHAPE)}")
    if len(content) != 16 + n * PIXELS:
        raise ValueError(f"{path}: {len(content)} bytes, expected {16 + n * PIXELS}: truncated or overlong")
    check_digest(path, content, "md5", md5)
    return np.frombuffer(content, np.uint8, offset=16).reshape(n, PIXELS)


def read_amat(path, n):
    """Binary images of a text file, one a line, pixels 0 or 1 separated by blanks: (n, 784) uint8.

    The files were published without checksums, so layout and alphabet are all that can be verified.
    """
    digits = read_bytes(path).translate(None, b" \t\r").rstrip(b"\n") + b"\n"
    if len(digits) != n * (PIXELS + 1):
        lines = digits.count(b"\n")
        raise ValueError(
            f"{path}: {lines} lines, in all {len(digits) - lines} characters besides blanks; "
            f"expected {n} lines of {PIXELS} pixels"
        )
    rows = np.frombuffer(digits, np.uint8).reshape(n, PIXELS + 1)
    images = rows[:, :PIXELS] - ord("0")  # wraps below "0", so anything but 0 and 1 is above 1
    bad = np.flatnonzero((images.max(1) > 1) | (rows[:, PIXELS] != ord("\n")))
    if bad.size:
        raise ValueError(f"{path}: line {bad[0] + 1} is not {PIXELS} pixels, each 0 or 1, between blanks")
    return images


def read_chardata(path, n_data, n_testdata):
    """Grey images of the OMNIGLOT chardata.mat: ((n_data, 784), (n_testdata, 784)), float32 in [0, 1].

    The file holds an image as a column of pixels, listed column by column; they are transposed here, to read upright.
    """
    content = read_bytes(path)
    try:
        matrices = scipy.io.loadmat(io.BytesIO(content), variable_names=["data", "testdata"])
    except Exception as error:  # damaged bytes raise almost anything
        raise ValueError(f"{path}: damaged, or no MATLAB file: {error}") from error
    return tuple(
        _upright(path, name, matrices.get(name), n) for name, n in [("data", n_data), ("testdata", n_testdata)]
    )


def _upright(path, name, matrix, n):
    """The images of one matrix of chardata.mat: (784, n) -> (n, 784) float32."""
    if matrix is None or matrix.shape != (PIXELS, n):
        found = "not there" if matrix is None else f"of shape {matrix.shape}"
        raise ValueError(f"{path}: matrix '{name}' is {found}, expected {(PIXELS, n)}")
    check_pixels(matrix.T, f"{path}: matrix '{name}'")
    images = matrix.T.reshape(n, *IMAGE_SHAPE).swapaxes(1, 2)
    return np.ascontiguousarray(images, np.float32).reshape(n, PIXELS)
