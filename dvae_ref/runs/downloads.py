"""Download the files of a data set, verify them, and only then move them to where datasets.load looks.

Needs pooch, of the extra "data". No checksums were published of the .amat files: layout, size and alphabet are
verified. They come by https, or by plain http if that is asked for; the sha256 of what came is written beside each, and
held against it whenever the file is read, or comes again.

What comes is bounded in time and size, and lies in a folder of its own until all files of a source have passed their
checks: what is in its place is whole, and verified.
"""

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dvae_ref.files import partial, writing
from dvae_ref.files.reading import reason
from dvae_ref.runs import datasets, image_files

TIMEOUT = 30  # seconds without an answer
MOST = 2**29  # bytes of a file


class Remote(NamedTuple):
    """A published file."""

    place: str  # path below the data folder
    url: str
    verify: Callable[[Path], object]  # raises ValueError, naming file, found and expected
    checksum: str  # what is verified, in words
    insecure: str = ""  # the address over plain http, of a file without a checksum: the sha256 of what came is kept


AMAT = [
    Remote(
        f"MNIST/{file}",
        f"https://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/{file}",
        functools.partial(image_files.read_amat, n=n),
        f"no published checksum; {n} lines of {image_files.PIXELS} pixels, each 0 or 1",
        f"http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/{file}",
    )
    for file, n in datasets.AMAT_FILES.items()
]
IDX = [
    Remote(
        f"MNIST/{file}.gz",
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{file}.gz",
        functools.partial(image_files.read_idx, n=n, md5=md5),
        f"md5 {md5} when decompressed",
    )
    for file, (n, md5) in datasets.IDX_FILES.items()
]
CHARDATA_BLOB = "016a3536ffe5e1d38e42563a18d7a78bfaf643ec"
CHARDATA_MOST = image_files.mat_bytes(sum(datasets.CHARDATA["chardata.mat"]))
OMNIGLOT = [
    Remote(
        "OMNIGLOT/chardata.mat",
        "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat",
        functools.partial(image_files.check_git_blob, expected=CHARDATA_BLOB, most=CHARDATA_MOST),
        f"git blob id {CHARDATA_BLOB}",
    )
]
SOURCES = {"binarized_mnist": (AMAT, IDX), "omniglot": (OMNIGLOT,)}  # alternatives, the paper's data first
INSECURE = (
    "No checksum of these files was published, so that they are fetched over plain http only with --insecure. Without "
    "them it goes on with the IDX files, which are another binarization: log-likelihoods differ by 0.1 nats."
)
NO_POOCH = 'downloading needs pooch, of the extra "data": pip install pooch'


def fetch(name, data_dir=None, *, insecure=False, report=print, sources=SOURCES):
    """Download a data set into `data_dir` (default: see datasets.data_folder); returns the paths of its files.

    Of alternative sources the first is taken that can be reached and verified; `report` is told, line by line, what was
    taken and why others were not. Files that are there and pass their check stay. insecure: take files of which no
    checksum was published over plain http, where https does not have them. Raises ValueError for an unknown name;
    OSError if nothing can be had, which says what to put where by hand, with checksums and addresses.
    """
    if name not in sources:
        bundled = "mnist5k comes with the package" if name == "mnist5k" else f"unknown data set {name!r}"
        raise ValueError(f"{bundled}; there are {', '.join(sources)} to fetch")
    root = datasets.data_folder(data_dir)
    reasons = []
    for number, remotes in enumerate(sources[name], 1):
        try:
            return _fetch_all(remotes, root, insecure, report)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
        if number < len(sources[name]) and reasons[-1] != NO_POOCH:
            hint = f"{INSECURE}\n" if not insecure and any(file.insecure for file in remotes) else ""
            report(f"{reasons[-1]}\n{hint}Trying the next source of {name}.")
    raise OSError(_by_hand(name, root, sources[name], reasons))


def _fetch_all(remotes, root, insecure, report):
    """Have every file in its place below root, or none that was not there before. Returns their paths."""
    absent = [file for file in remotes if not _is_valid(file, root / file.place)]
    writing.make_folder(root)
    partial.remove_dead(root)
    _download_all(absent, root, insecure)
    for file in remotes:
        _keep_record(file, root / file.place)
        report(f"{root / file.place}: verified ({file.checksum})")
    return [root / file.place for file in remotes]


def _download_all(files, root, insecure):
    """Move files to their places once all of them have come, and passed their checks."""
    folder = root / partial.name("fetch")  # on the same file system: a move is atomic
    folder.mkdir()
    try:
        arrived = [_download(file, folder, root / file.place, insecure) for file in files]
        for file, downloaded in zip(files, arrived, strict=True):
            _move(file, downloaded, root / file.place)
    finally:
        shutil.rmtree(folder)


def _is_valid(file, path):
    """Is the file there, and does it pass its check?"""
    if not path.is_file():
        return False
    try:
        file.verify(path)
    except ValueError:
        return False
    return True


def _move(file, downloaded, place):
    """Put a file in its place; its record first, so that it is never there without."""
    place.parent.mkdir(exist_ok=True)
    if file.insecure:
        _write_record(place, image_files.sha256_of(downloaded))
    os.replace(downloaded, place)


def _keep_record(file, place):
    """A record of what was there already, if there is none."""
    if file.insecure and not image_files.record_of(place).exists():
        _write_record(place, image_files.sha256_of(place))


def _write_record(place, digest):
    """As `sha256sum` writes it, so that `sha256sum --check` reads it, too."""
    with writing.atomic(image_files.record_of(place)) as record:
        record.write(f"{digest}  {place.name}\n".encode())


def _download(file, folder, place, insecure):
    """The verified file in `folder`, from the first of its addresses that has it. OSError: what each of them said."""
    reasons = []
    addresses = [file.url, file.insecure] if file.insecure and insecure else [file.url]
    for url in addresses:
        path = folder / Path(file.place).name
        try:
            _get(url, path)
            _verify(file, url, path, image_files.record_of(place))
            return path
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    raise OSError("\n".join(reasons))


def _verify(file, url, path, record):
    """ValueError unless a file that came passes its check, and is the one that came before, if one did."""
    try:
        file.verify(path)
        if file.insecure:
            image_files.check_recorded(path, record)
    except ValueError as error:
        raise ValueError(f"{url}: refused what was downloaded: {error}") from error


class Bounded:
    """A file that takes no more than MOST bytes, whatever a server sends."""

    def __init__(self, file):
        self.file, self.flush, self.left = file, file.flush, MOST

    def write(self, content):
        """Write bytes through. OSError at the first of them that is too many."""
        self.left -= len(content)
        if self.left < 0:
            raise OSError(f"more than {MOST:,} bytes")
        return self.file.write(content)


def _get(url, path):
    """Download into a new file. OSError, whatever goes wrong; it names the address."""
    try:
        from pooch import HTTPDownloader
    except ImportError as error:
        raise OSError(NO_POOCH) from error
    hooks = {"response": _stay_secure} if url.startswith("https:") else {}
    try:
        with open(path, "wb") as file:
            HTTPDownloader(progressbar=True, timeout=TIMEOUT, hooks=hooks)(url, Bounded(file), None)
    except Exception as error:  # what a server sends may raise anything
        raise OSError(f"{url}: {reason(error)}") from error


def _stay_secure(response, **_):
    """Refuse a redirection from https to an address without it."""
    if not response.url.startswith("https:"):
        raise OSError(f"it leads to {response.url}, which is not https")


def _by_hand(name, root, alternatives, reasons):
    """What to tell a user whose download failed: why, and which files to put where, of any one of the sources."""
    lines = [f"{name} could not be downloaded:"] + [f"  {why}" for why in dict.fromkeys(reasons)]
    for number, remotes in enumerate(alternatives):
        lines.append("Put these files there by hand:" if number == 0 else "or these:")
        lines += [f"  {root / file.place}  from {file.url}  ({file.checksum})" for file in remotes]
    return "\n".join(lines)
