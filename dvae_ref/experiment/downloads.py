"""Download the files of a data set, verify them, and only then move them to where datasets.load looks.

Needs pooch (pip install dvae_ref[data]). What can be had without checksums, the .amat files, is verified as far as it
goes: layout, size, alphabet.
"""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dvae_ref.experiment import datasets, image_files

TIMEOUT = 30  # seconds without an answer


class Remote(NamedTuple):
    """A published file."""

    place: str  # path below the data folder
    url: str
    verify: Callable[[Path], object]  # raises ValueError, naming file, found and expected
    checksum: str  # what is verified, in words


AMAT = [
    Remote(
        f"MNIST/{file}",
        f"http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/{file}",
        partial(image_files.read_amat, n=n),
        f"no published checksum; {n} lines of {image_files.PIXELS} pixels, each 0 or 1",
    )
    for file, n in datasets.AMAT_FILES.items()
]
IDX = [
    Remote(
        f"MNIST/{file}.gz",
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{file}.gz",
        partial(image_files.read_idx, n=n, md5=md5),
        f"md5 {md5} when decompressed",
    )
    for file, (n, md5) in datasets.IDX_FILES.items()
]
CHARDATA_BLOB = "016a3536ffe5e1d38e42563a18d7a78bfaf643ec"
OMNIGLOT = [
    Remote(
        "OMNIGLOT/chardata.mat",
        "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat",
        partial(image_files.check_git_blob, expected=CHARDATA_BLOB),
        f"git blob id {CHARDATA_BLOB}",
    )
]
SOURCES = {"binarized_mnist": (AMAT, IDX), "omniglot": (OMNIGLOT,)}  # alternatives, the paper's data first


def fetch(name, data_dir=None, *, report=print, sources=SOURCES):
    """Download a data set into `data_dir` (default: see datasets.data_folder); returns the paths of its files.

    Of alternative sources the first is taken that can be reached and verified; `report` is told, line by line, what was
    taken and why others were not. Files that are there and pass their check stay. Raises ValueError for an unknown
    name; OSError if nothing can be had, which says what to put where by hand, with checksums and addresses.
    """
    if name not in sources:
        bundled = "mnist5k comes with the package" if name == "mnist5k" else f"unknown data set {name!r}"
        raise ValueError(f"{bundled}; there are {', '.join(sources)} to fetch")
    root = datasets.data_folder(data_dir)
    reasons = []
    for files in sources[name]:
        try:
            return _fetch_all(files, root, report)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
            if len(reasons) < len(sources[name]):
                report(f"{error}\nTrying the next source of {name}.")
    raise OSError(_by_hand(name, root, sources[name], reasons))


def _fetch_all(files, root, report):
    """Have every file in its place below root, or none that was not there before. Returns their paths."""
    absent = [file for file in files if not _is_valid(file, root / file.place)]
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as folder:  # same file system: a move is atomic
        arrived = [(_download(file, Path(folder)), root / file.place) for file in absent]
        for downloaded, place in arrived:
            place.parent.mkdir(exist_ok=True)
            os.replace(downloaded, place)
    for file in files:
        report(f"{root / file.place}: verified ({file.checksum})")
    return [root / file.place for file in files]


def _is_valid(file, path):
    """Is the file there, and does it pass its check?"""
    if not path.is_file():
        return False
    try:
        file.verify(path)
    except ValueError:
        return False
    return True


def _download(file, folder):
    """The verified file in `folder`."""
    try:
        from pooch import HTTPDownloader
    except ImportError as error:
        raise OSError("downloading needs pooch: pip install dvae_ref[data]") from error
    path = folder / Path(file.place).name
    try:
        HTTPDownloader(progressbar=True, timeout=TIMEOUT)(file.url, str(path), None)
    except OSError as error:  # requests' exceptions are OSErrors
        raise OSError(f"{file.url}: {error}") from error
    try:
        file.verify(path)
    except ValueError as error:
        raise ValueError(f"{file.url}: refused what was downloaded: {error}") from error
    return path


def _by_hand(name, root, alternatives, reasons):
    """What to tell a user whose download failed."""
    lines = [f"{name} could not be downloaded:", *(f"  {reason}" for reason in reasons)]
    for number, files in enumerate(alternatives):
        lines.append("Put these files there by hand:" if number == 0 else "or these:")
        lines += [f"  {root / file.place}  from {file.url}  ({file.checksum})" for file in files]
    return "\n".join(lines)
