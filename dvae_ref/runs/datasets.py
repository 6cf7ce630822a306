"""The data sets of the paper's Table 1 and a small bundled one: splits, binarization, batches.

binarized_mnist  50,000 / 10,000 / 10,000 binary images. The published .amat files if they are there (the paper's
                 data); else the grey images in IDX files, binarized once with a fixed seed: another draw from the
                 same distribution, whose log-likelihoods agree up to the noise of one draw.
omniglot         23,000 / 1,345 / 8,070. Training images stay grey and are binarized anew for every batch;
                 validation (the last 1,345 of the file's training images) and test are binarized once.
mnist5k          4,000 / 500 / 500 MNIST digits that come with the package, binarized once (data/README.md).

To binarize is to draw a pixel from Bernoulli(grey level). All that is drawn is a pure function of a seed and an index
(Philox, counter-based): nothing needs saving for a run to be resumed.
"""

import functools
import itertools
import os
import shlex
import sys
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvae_ref.files import npz
from dvae_ref.runs import image_files

AMAT_FILES = {  # images in each
    "binarized_mnist_train.amat": 50_000,
    "binarized_mnist_valid.amat": 10_000,
    "binarized_mnist_test.amat": 10_000,
}
IDX_FILES = {  # images, md5 of the decompressed file
    "train-images-idx3-ubyte": (60_000, "6bbc9ace898e44ae57da46a324031adb"),
    "t10k-images-idx3-ubyte": (10_000, "2646ac647ad5339dbf082846283269ea"),
}
CHARDATA = {"chardata.mat": (24_345, 8_070)}  # columns of data, of testdata
MNIST5K_SHA256 = "bd9e5c5967134980124b941aad29e94630f575b50fa69056518a47827b8cad40"

BINARIZATION_SEED = 1
ONCE, EVERY_BATCH, SHUFFLE = range(3)  # what random numbers are drawn for: each has a stream of its own


class Dataset(NamedTuple):
    """Images as rows of 784 pixels. Binary ones are uint8, 0 or 1; grey ones float32 in [0, 1]."""

    name: str
    origin: str  # the files it was read from, and how they were binarized
    train: np.ndarray  # (N, 784), binary, or grey if dynamic
    validation: np.ndarray  # (N_validation, 784), binary
    test: np.ndarray  # (N_test, 784), binary
    mean_x: np.ndarray  # (784,) float32: mean of train
    dynamic: bool  # is train binarized anew for every batch?


def load(name, data_dir=None):
    """The data set of that name.

    Its files are looked for in `data_dir` (default: see data_folder), there in MNIST/ or OMNIGLOT/ first, then in
    MNIST/raw/, where torchvision puts them, then in the folder itself: plain or gzipped, train-images-idx3-ubyte or
    train-images.idx3-ubyte. FileNotFoundError says which files to put where; ValueError names a damaged file, or lists
    the valid names.
    """
    if name not in LOADERS:
        raise ValueError(f"unknown data set {name!r}; there are {', '.join(LOADERS)}")
    bundled = name == "mnist5k" and data_dir is None
    return LOADERS[name](None if bundled else data_folder(data_dir))


def data_folder(data_dir=None):
    """Where data are: `data_dir`, else the environment's DVAE_REF_DATA, else dvae_ref/ in the user's cache folder.

    ValueError for ~nosuchuser, and where nothing is given and the user has no home folder.
    """
    given = data_dir or os.environ.get("DVAE_REF_DATA")
    try:
        return Path(given).expanduser() if given else _cache() / "dvae_ref"
    except RuntimeError as error:
        raise ValueError(f"data folder {given or 'of this user'}: {error}") from error


def _cache():
    """The user's cache folder, where the platform has it. RuntimeError if the user has no home folder."""
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"


def batch(dataset, seed, step, batch_size):
    """The binary training images of a step, counted from 0: (batch_size, 784) float32. No state: a pure function."""
    rows = dataset.train[batch_indices(len(dataset.train), seed, step, batch_size)]
    if dataset.dynamic:
        rows = binarize(rows, _generator(seed, EVERY_BATCH, step))
    return rows.astype(np.float32)


def batch_indices(n, seed, step, batch_size):
    """Which of n images make the batch of a step: (batch_size,).

    The first epoch is in file order, each later one in an order of its own; an epoch has floor(n / batch_size) batches,
    and the images left over sit it out.
    """
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch size {batch_size}; expected 1 to {n}, the number of training images")
    epoch, position = divmod(step, n // batch_size)
    first = position * batch_size
    return _order(n, seed, epoch)[first : first + batch_size]


def binarize(grey, generator, chunk=1000):
    """Draw every pixel from Bernoulli(grey level): uint8, 0 or 1, of the same shape.

    grey: (N, 784), float32 in [0, 1] or uint8, which stands for grey/255. Black stays black and white white, exactly.
    In chunks, so that the random numbers stay in the processor's cache; their number does not change the result.
    """
    binary = np.empty(grey.shape, np.uint8)
    for start in range(0, len(grey), chunk):
        some = slice(start, start + chunk)
        probability = grey[some]
        if grey.dtype == np.uint8:
            probability = probability / np.float32(255)
        uniform = generator.random(probability.shape, np.float32)  # multiples of 2**-24 in [0, 1)
        np.less(uniform, probability, out=binary[some])
    return binary


@functools.lru_cache(maxsize=4)
def _order(n, seed, epoch):
    """The order of n images in an epoch, read-only because it is remembered for the epoch's other batches."""
    order = _generator(seed, SHUFFLE, epoch).permutation(n) if epoch else np.arange(n)
    order.flags.writeable = False
    return order


def _generator(seed, stream, index):
    """Random numbers for one purpose at one index, e.g. a step; 2**192 draws apart from the next index."""
    if not (0 <= seed < 2**64 and 0 <= index < 2**64):
        raise ValueError(f"seed {seed} and index {index} of random numbers; expected 0 to 2**64 - 1")
    key, counter = np.array([seed, stream], np.uint64), np.array([0, 0, 0, index], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def _binarize_once(splits):
    """Every split binarized with the fixed seed and a stream of its own: split i with that of index i."""
    return [binarize(grey, _generator(BINARIZATION_SEED, ONCE, i)) for i, grey in enumerate(splits)]


def _static(name, origin, splits):
    """The Dataset of binary images: training, validation, test."""
    train, validation, test = splits
    mean_x = train.mean(0, dtype=np.float32)  # exact: integers up to 2**24 are
    return Dataset(name, origin, train, validation, test, mean_x, dynamic=False)


def _load_binarized_mnist(root):
    """From the .amat files, which come split; else from the IDX files, whose last 10,000 for training validate."""
    amat = _find(root, "MNIST", AMAT_FILES)
    if amat:  # some of them: rather ask for the rest than quietly load other images
        _require("binarized_mnist", root, "MNIST", amat, AMAT_FILES)
        images = [image_files.read_amat(amat[file], n) for file, n in AMAT_FILES.items()]
        return _static("binarized_mnist", "binarized_mnist_*.amat as published", images)
    idx = _find(root, "MNIST", IDX_FILES)
    _require("binarized_mnist", root, "MNIST", idx, IDX_FILES, alternative=AMAT_FILES)
    grey, test = (image_files.read_idx(idx[file], n, md5) for file, (n, md5) in IDX_FILES.items())
    train, validation = np.split(grey, [50_000])
    images = _binarize_once((train, validation, test))
    return _static("binarized_mnist", f"IDX files, binarized with seed {BINARIZATION_SEED}", images)


def _load_omniglot(root):
    """Grey images for training, hence no _static; their mean is taken in float64, as it is of no integers."""
    found = _find(root, "OMNIGLOT", CHARDATA)
    _require("omniglot", root, "OMNIGLOT", found, CHARDATA)
    grey, test = image_files.read_chardata(found["chardata.mat"], *CHARDATA["chardata.mat"])
    train, validation = np.split(grey, [23_000])
    mean_x = train.mean(0, dtype=np.float64).astype(np.float32)
    origin = f"chardata.mat, validation and test binarized with seed {BINARIZATION_SEED}"
    validation, test = _binarize_once((validation, test))
    return Dataset("omniglot", origin, train, validation, test, mean_x, dynamic=True)


def _load_mnist5k(_root):
    """From the package, wherever data are; the file holds images (5000, 784) uint8."""
    path = resources.files("dvae_ref") / "data" / "mnist5k.npz"
    image_files.check_digest(path, path.read_bytes(), "sha256", MNIST5K_SHA256)
    images = _binarize_once(np.split(npz.read(path)["images"], [4_000, 4_500]))
    return _static("mnist5k", f"bundled, binarized with seed {BINARIZATION_SEED}", images)


LOADERS = {"mnist5k": _load_mnist5k, "binarized_mnist": _load_binarized_mnist, "omniglot": _load_omniglot}


def _find(root, folder, files):
    """{file: path} of those files that are in root/folder, its raw/ (torchvision's), or root: plain or gzipped."""
    parents, paths = (root / folder, root / folder / "raw", root, root / "raw"), {}
    for file in files:
        other = file.replace("-idx", ".idx")  # as some sites have it
        names = (file, f"{file}.gz", other, f"{other}.gz")
        for parent, name in itertools.product(parents, names):
            if (parent / name).is_file():
                paths[file] = parent / name
                break
    return paths


def _require(name, root, folder, found, files, alternative=()):
    """Raise FileNotFoundError, which says what to put where, unless all files were found."""
    missing = [file for file in files if file not in found]
    if missing:
        instead = f" (or instead {', '.join(alternative)})" if alternative else ""
        raise FileNotFoundError(
            f"{name}: {' and '.join(missing)} not found in {root / folder} or {root}. "
            f"Put {', '.join(files)} there{instead}, plain or as .gz, "
            f"or run: python -m dvae_ref data fetch {name} --data-dir {shlex.quote(str(root))}"
        )
