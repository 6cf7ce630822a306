"""The door for bytes, lines and JSON of files that anybody may have written; that for npz is `npz`.

Whatever a parser makes of damaged, foreign or hostile bytes: out of here come plain values in bounded memory, or a
ValueError that names the file; OSError where it cannot be opened. What the values have to be is said in `schema`.
"""

import contextlib
import json
import math
import os
import stat

from dvae_ref.files.schema import shortened

MOST_JSON = 2**24  # bytes of a JSON file, or of a line
MOST_LINES = 2**28  # bytes of a file of lines


@contextlib.contextmanager
def parsing(path, what):
    """Turn whatever goes wrong within into a ValueError which says that `path` is `what`, e.g. damaged."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # parsers of hostile bytes raise anything
        raise ValueError(f"{path} is {what} ({reason(error)})") from error


def reason(error):
    """What an exception says, in a line; with its type, where that is the better half of it."""
    said = str(error) if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {error}"
    return shortened(said or type(error).__name__)


@contextlib.contextmanager
def regular(path, kind):
    """A regular file open for reading: no folder, and no pipe that might never answer."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is truncated or no {kind} (it is no regular file)")
    with open(path, "rb") as file:
        yield file


def content(path, kind, most):
    """The bytes of a regular file, `most` of them at most."""
    with regular(path, kind) as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise ValueError(f"{path} is no {kind}: {size:,} bytes, expected {most:,} at most")
        return file.read(size)


def tail(path, most):
    """The last bytes of a regular file, which may be growing."""
    with regular(path, "text") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read(most)


def lines(path):
    """(number, line) of a regular file, from 1 on, as bytes."""
    return enumerate(content(path, "file of lines", MOST_LINES).splitlines(), 1)


def json_file(path, constants=()):
    """The value in a JSON file of UTF-8: numbers are finite, as JSON has no others; constants as of `json_value`."""
    return json_value(content(path, "JSON file", MOST_JSON), path, constants)


def json_value(text, path, constants=(), what="damaged or no JSON"):
    """The value of a JSON text, str or UTF-8, that stands in the file `path`.

    constants: {name: value} of NaN, Infinity, -Infinity, so far as they are to be allowed.
    """
    with parsing(path, what):
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        if len(text) > MOST_JSON:
            raise ValueError(f"{len(text):,} characters, expected {MOST_JSON:,} at most")
        return json.loads(text, parse_float=_finite, parse_constant=lambda name: _constant(name, dict(constants)))


def _finite(text):
    """A float of its text in JSON. ValueError for one that float64 cannot hold: 1e999 would be infinity."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _constant(name, allowed):
    """What NaN, Infinity or -Infinity in JSON is to stand for. ValueError unless it is allowed."""
    if name not in allowed:
        raise ValueError(f"{name} is no number of JSON")
    return allowed[name]
