"""Splits, binarization and batches; the last part reads the real files (pytest --data-dir)."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from dvae_ref.runs import datasets, image_files

NAMES = "mnist5k, binarized_mnist, omniglot"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for variable in ("DVAE_REF_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)


def draws(seed):
    return np.random.Generator(np.random.Philox(seed))


def digest(dataset):
    """One number for all the binary images of a data set."""
    splits = [dataset.validation, dataset.test] + ([] if dataset.dynamic else [dataset.train])
    return hashlib.sha256(b"".join(np.packbits(images).tobytes() for images in splits)).hexdigest()


def excess(binary, probability):
    """How far binary is from Bernoulli(probability) draws: the larger of two standard normals, in absolute value.

    One is the sum over all pixels less its mean, in standard deviations. The other is (chi^2 - n) / sqrt(2n) over the n
    columns whose sum has a variance of 5 or more, chi^2 = sum((column's sum - mean)^2 / variance), which has mean n and
    variance 2n. Also demands that what is surely 0 or 1 is.
    """
    p = probability.astype(np.float64)
    sure = (p == 0) | (p == 1)
    np.testing.assert_array_equal(binary[sure], p[sure])
    variance, error = np.sum(p * (1 - p), 0), np.sum(binary - p, 0)
    total = error.sum() / np.sqrt(variance.sum())
    z = error[variance >= 5] / np.sqrt(variance[variance >= 5])
    return max(abs(total), abs(np.sum(z**2) - z.size) / np.sqrt(2 * z.size))


def test_binarize_draws_bernoulli_of_the_grey_level():
    """Sums within 5 standard errors; a threshold, grey/252 for grey/255, and draws used twice are all caught."""
    grey = np.random.default_rng(0).integers(0, 256, (2001, 784), np.uint8)
    p = grey / 255
    for levels in (grey, p.astype(np.float32)):
        binary = datasets.binarize(levels, draws(1))
        assert binary.dtype == np.uint8
        assert set(np.unique(binary)) == {0, 1}
        assert excess(binary, p) < 5
    assert excess(p > 0.5, p) > 5
    assert excess(datasets.binarize(np.minimum(p * 255 / 252, 1).astype(np.float32), draws(1)), p) > 5
    half = datasets.binarize(grey[:1000], draws(1))
    assert excess(np.concatenate([half, half]), np.concatenate([p[:1000], p[:1000]])) > 5
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        excess(1 - binary, p)  # what is black must stay black


def test_chunks_do_not_change_the_draws():
    grey = np.random.default_rng(0).random((25, 784), np.float32)
    whole = datasets.binarize(grey, draws(2), chunk=25)
    np.testing.assert_array_equal(datasets.binarize(grey, draws(2), chunk=7), whole)
    assert np.any(datasets.binarize(grey, draws(3), chunk=7) != whole)


# -- batches --------------------


def epoch_of(n, seed, epoch, batch_size):
    per_epoch = n // batch_size
    return np.concatenate(
        [datasets.batch_indices(n, seed, epoch * per_epoch + i, batch_size) for i in range(per_epoch)]
    )


def test_first_epoch_is_in_file_order_and_later_ones_are_shuffled():
    np.testing.assert_array_equal(epoch_of(103, 7, 0, 10), np.arange(100))
    orders = [epoch_of(103, 7, epoch, 10) for epoch in range(1, 4)] + [epoch_of(103, 8, 1, 10)]
    for order in orders:
        assert len(set(order)) == 100
        assert order.min() >= 0
        assert order.max() < 103
    assert len({tuple(order) for order in orders}) == 4  # each epoch, and each seed, has its own


def test_every_image_takes_every_position():
    """Mean position of each image over 2,000 epochs: uniform on 0..6, mean 3, variance 4, standard error 0.045."""
    positions = np.array([np.argsort(epoch_of(7, 3, epoch, 1)) for epoch in range(1, 2001)])
    assert np.all(np.abs(positions.mean(0) - 3) < 5 * 2 / np.sqrt(2000))
    neighbours = np.abs(np.diff(positions[:, :2])) == 1  # 0 and 1 stay together in 2/7 of random orders
    assert abs(neighbours.mean() - 2 / 7) < 5 * np.sqrt(2 / 7 * 5 / 7 / 2000)


def test_a_batch_depends_on_seed_and_step_only():
    """What makes resuming exact: any order of asking, with an empty or a full memory, gives the same batches."""
    grey = np.random.default_rng(0).random((50, 784), np.float32)
    dynamic = datasets.Dataset("made up", "", grey, grey[:0], grey[:0], grey.mean(0), True)
    forward = [datasets.batch(dynamic, 5, step, 8) for step in range(20)]
    for step in reversed(range(20)):
        datasets._order.cache_clear()
        np.testing.assert_array_equal(datasets.batch(dynamic, 5, step, 8), forward[step])
    assert np.any(datasets.batch(dynamic, 6, 0, 8) != forward[0])  # the same images, other draws


def test_dynamic_sets_are_binarized_anew_each_time():
    """One image, 3,000 steps: every pixel is on as often as its grey level says, within 5 standard errors."""
    grey = np.random.default_rng(0).random((1, 784), np.float32)
    dynamic = datasets.Dataset("made up", "", grey, grey, grey, grey[0], True)
    rows = np.concatenate([datasets.batch(dynamic, 5, step, 1) for step in range(3000)])
    assert rows.dtype == np.float32
    assert excess(rows, np.broadcast_to(grey, rows.shape)) < 5
    static = dynamic._replace(train=(grey > 0.5).astype(np.uint8), dynamic=False)
    np.testing.assert_array_equal(datasets.batch(static, 5, 17, 1), grey > 0.5)


def test_bad_batches_are_refused():
    for batch_size in (0, 11):
        with pytest.raises(ValueError, match=f"batch size {batch_size}; expected 1 to 10"):
            datasets.batch_indices(10, 0, 0, batch_size)
    for seed, step in [(-1, 5), (2**64, 5), (0, -1)]:
        with pytest.raises(ValueError, match="expected 0 to"):
            datasets.batch_indices(10, seed, step, 5)
    datasets._generator(2**64 - 1, 1, 2**64 - 1)
    with pytest.raises(ValueError, match=f"index {2**64} of random numbers"):
        datasets._generator(0, 1, 2**64)


# -- finding and loading --------------------


def test_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert datasets.data_folder() == tmp_path / ".cache" / "dvae_ref"
    monkeypatch.setattr("sys.platform", "darwin")
    assert datasets.data_folder() == tmp_path / "Library" / "Caches" / "dvae_ref"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert datasets.data_folder() == Path("/cache/dvae_ref")
    monkeypatch.setenv("DVAE_REF_DATA", "/data")
    assert datasets.data_folder() == Path("/data")
    assert datasets.data_folder("~/mine") == tmp_path / "mine"


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(ValueError, match=f"unknown data set 'mnist'; there are {NAMES}"):
        datasets.load("mnist")


@pytest.mark.parametrize(
    ("name", "folder", "files"),
    [
        ("binarized_mnist", "MNIST", [*datasets.IDX_FILES, *datasets.AMAT_FILES]),
        ("omniglot", "OMNIGLOT", ["chardata.mat"]),
    ],
)
def test_missing_files_say_what_to_put_where(tmp_path, name, folder, files):
    root = tmp_path / "my data"
    with pytest.raises(FileNotFoundError) as error:
        datasets.load(name, root)
    for part in [*files, str(root / folder), f"python -m dvae_ref data fetch {name} --data-dir '{root}'"]:
        assert part in str(error.value)


def test_amat_files_come_first_and_none_may_be_missing(monkeypatch, tmp_path):
    """Three small .amat files beside IDX files that could not be read: only the former are loaded, or asked for."""
    sizes = {file: n for n, file in enumerate(datasets.AMAT_FILES, start=2)}
    monkeypatch.setattr(datasets, "AMAT_FILES", sizes)
    binary = np.random.default_rng(0).integers(0, 2, (4, 784), np.uint8)
    (tmp_path / "MNIST").mkdir()
    for file in datasets.IDX_FILES:
        (tmp_path / "MNIST" / file).write_bytes(b"")
    for file, n in sizes.items():
        content = "\n".join(" ".join(map(str, row)) for row in binary[:n])
        (tmp_path / f"{file}.gz").write_bytes(gzip.compress(content.encode()))
    loaded = datasets.load("binarized_mnist", tmp_path)
    for images, n in zip((loaded.train, loaded.validation, loaded.test), sizes.values(), strict=True):
        np.testing.assert_array_equal(images, binary[:n])
    assert "published" in loaded.origin
    (tmp_path / "binarized_mnist_valid.amat.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"binarized_mnist: binarized_mnist_valid\.amat not found in"):
        datasets.load("binarized_mnist", tmp_path)


PLACES = {
    "as published": ("MNIST", "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
    "gzipped": ("MNIST", "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"),
    "torchvision's": ("MNIST/raw", "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
    "torchvision's, from its MNIST folder": ("raw", "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
    "with a dot": ("MNIST", "train-images.idx3-ubyte", "t10k-images.idx3-ubyte"),
    "with a dot, gzipped": ("", "train-images.idx3-ubyte.gz", "t10k-images.idx3-ubyte.gz"),
    "both": ("MNIST/raw", "train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", PLACES)
def test_idx_files_are_found_where_others_put_them(monkeypatch, tmp_path, kind, pack):
    """Under the names that are about, gzip or not, whatever these names say."""
    rng, folder = np.random.default_rng(0), tmp_path / PLACES[kind][0]
    folder.mkdir(parents=True, exist_ok=True)
    facts = {}
    for name, file, n in zip(PLACES[kind][1:], datasets.IDX_FILES, (50_003, 2), strict=True):
        content = struct.pack(">4I", 0x803, n, 28, 28) + rng.bytes(784) * n
        (folder / name).write_bytes(pack(content))
        facts[file] = (n, hashlib.md5(content).hexdigest())
    monkeypatch.setattr(datasets, "IDX_FILES", facts)
    monkeypatch.setattr(datasets, "binarize", lambda grey, generator: (grey > 127).astype(np.uint8))  # in no time
    loaded = datasets.load("binarized_mnist", tmp_path)
    assert [len(loaded.train), len(loaded.validation), len(loaded.test)] == [50_000, 3, 2]
    assert loaded.origin == "IDX files, binarized with seed 1"


def test_the_home_of_nobody_is_named():
    with pytest.raises(ValueError, match="data folder ~nosuchuser/data: Could not determine home directory"):
        datasets.data_folder("~nosuchuser/data")


def test_environment_names_the_folder_and_damaged_files_are_refused(monkeypatch, tmp_path):
    for file in datasets.IDX_FILES:
        (tmp_path / file).write_bytes(b"")
    monkeypatch.setenv("DVAE_REF_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte: 0 bytes are too few"):
        datasets.load("binarized_mnist")


def test_mnist5k():
    dataset = datasets.load("mnist5k")
    path = Path(datasets.__file__).parent.parent / "data" / "mnist5k.npz"
    with np.load(path, allow_pickle=False) as file:
        grey, labels = file["images"], file["labels"]
    binary = np.concatenate([dataset.train, dataset.validation, dataset.test])
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [4000, 500, 500]
    assert excess(binary, grey / 255) < 5
    for split, each in ((labels[:4000], 400), (labels[4000:4500], 50), (labels[4500:], 50)):
        np.testing.assert_array_equal(np.bincount(split), np.full(10, each))
    np.testing.assert_allclose(dataset.mean_x, dataset.train.mean(0), atol=1e-7)
    # The very draw: a NumPy that drew other random numbers would move every log-likelihood by its noise.
    assert digest(dataset) == "0334347f4f6eed3ad3a770f1a88783bac14a05715ddf68764b3f916a0696ea37"


def test_a_changed_bundle_is_refused(monkeypatch):
    monkeypatch.setattr(datasets, "MNIST5K_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"mnist5k\.npz: sha256 of the decompressed contents is bd9e.*expected 0000"):
        datasets.load("mnist5k")


# -- the real files --------------------


def test_real_binarized_mnist(data_dir):
    """Also reads the grey images on its own, to see that the draw is theirs and split where the paper splits it."""
    dataset = datasets.load("binarized_mnist", data_dir)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [50_000, 10_000, 10_000]
    for images in (dataset.train, dataset.validation, dataset.test):
        assert images.dtype == np.uint8
        assert set(np.unique(images)) == {0, 1}
    assert dataset.mean_x.dtype == np.float32
    assert 0.130 < dataset.mean_x.mean() < 0.132  # the mean grey level of MNIST is 0.1307
    if "IDX" not in dataset.origin:
        pytest.skip("the data folder has the published .amat files: nothing was drawn here")
    found = datasets._find(data_dir, "MNIST", datasets.IDX_FILES)
    train, test = (image_files.read_idx(found[file], *facts) for file, facts in datasets.IDX_FILES.items())
    splits = [(dataset.train, train[:50_000]), (dataset.validation, train[50_000:]), (dataset.test, test)]
    for binary, grey in splits:
        assert excess(binary, grey / np.float32(255)) < 5
    with pytest.raises(AssertionError):
        excess(dataset.validation, train[:10_000] / np.float32(255))
    assert digest(dataset) == "56e49b63fd976de8147e33735d52943a0b2a621c6f9764d85709c9760554aaa4"
    assert digest(datasets.load("binarized_mnist", data_dir)) == digest(dataset)


def test_real_omniglot(data_dir):
    dataset = datasets.load("omniglot", data_dir)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [23_000, 1_345, 8_070]
    assert dataset.dynamic
    assert dataset.train.dtype == np.float32
    assert len(np.unique(dataset.train)) > 2
    for images in (dataset.validation, dataset.test):
        assert set(np.unique(images)) == {0, 1}
    np.testing.assert_allclose(dataset.mean_x, dataset.train.mean(0, dtype=np.float64), atol=1e-7)
    rows = np.concatenate([datasets.batch(dataset, 0, step, 1000) for step in range(23)])  # one epoch, file order
    assert excess(rows, dataset.train) < 5
    later = datasets.batch_indices(23_000, 0, 23, 1000)
    assert np.any(datasets.batch(dataset, 0, 23, 1000) != rows[later])  # the same images, drawn anew
    assert digest(datasets.load("omniglot", data_dir)) == digest(dataset)


def test_real_omniglot_is_upright(data_dir):
    """Characters are taller than wide: the variance of a drawing's ink is larger along rows than along columns.

    On this set by 3.3 pixels^2 with a standard error of 0.1 over drawings; not transposed, by -3.3.
    """
    images = datasets.load("omniglot", data_dir).train.reshape(-1, 28, 28)
    height, width = (ink_variance(images.sum(axis)) for axis in (2, 1))
    difference = height - width
    assert difference.mean() > 5 * difference.std() / np.sqrt(len(difference))


def ink_variance(profile):
    """Variance of the position of ink, for each row of ink per position."""
    position = np.arange(profile.shape[1])
    share = profile / profile.sum(1, keepdims=True)
    return share @ position**2 - (share @ position) ** 2
