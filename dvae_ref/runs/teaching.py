"""A small trained model that comes with the package: to load at once, to look at, to teach with.

`python -m dvae_ref.runs.teaching` makes it again: dvaes_power, 1-layer-lin with 100 + 100 latent units, trained for
10,000 iterations on the bundled digits at 14 x 14 pixels; a minute. Its parameters are rounded to float16, so that they
take 168 kB. What it is worth is in data/README.md.
"""

from importlib import resources

import numpy as np

from dvae_ref import tree
from dvae_ref.arrays import Array
from dvae_ref.files import npz, writing
from dvae_ref.runs import image_files, library, training
from dvae_ref.runs.presets import Settings

SIDE, TRAINED_ON = 14, 4_500
SETTINGS = Settings(struct="1-layer-lin", num_train_iter=10_000)
SHA256 = "37496a7bb5f736eb2ffde3eda19503f656a37c5bc4f302a7c40e47ca59b12dc6"


def teaching_model() -> library.Trained:
    """The Trained model that comes with the package, of 14 x 14 = 196 pixels; its likelihoods are in nats.

    ValueError for a damaged file.

    >>> model = teaching_model()
    >>> model.sample(3, sweeps=20).shape
    (3, 196)
    """
    path = _path("teaching.npz")
    image_files.check_digest(path, path.read_bytes(), "sha256", SHA256)
    found = npz.read(path)
    start = training.start(SETTINGS, np.zeros(SIDE * SIDE, np.float32))
    params = _restored("params", start.params, found)
    statistics = _restored("statistics", start.statistics, found)
    return library.Trained(SETTINGS, params, statistics, SETTINGS.num_train_iter)


def teaching_images() -> tuple[Array, Array]:
    """(training, test) images of the model, of the shapes (4500, 196) and (500, 196): float32, 0 or 1.

    The bundled digits, each pixel 1 where the mean of 2 x 2 of theirs is above one half. Row i of the test images is of
    the digit labels[4500 + i] in data/mnist5k.npz.
    """
    grey = npz.read(_path("mnist5k.npz"))["images"].reshape(-1, SIDE, 2, SIDE, 2)
    binary = (grey.mean((2, 4)) > 255 / 2).reshape(-1, SIDE * SIDE).astype(np.float32)
    return binary[:TRAINED_ON], binary[TRAINED_ON:]


def make() -> library.Trained:
    """Train the model that `teaching_model` loads, before its parameters are rounded."""
    return library.train(SETTINGS, teaching_images()[0])


def save(model: library.Trained, path: str) -> None:
    """Write a model's parameters and statistics, rounded to float16, as an npz."""
    named = tree.items(model.params, "params") + tree.items(model.statistics, "statistics")
    with writing.atomic(path) as file:
        np.savez_compressed(file, **{name: array.astype(np.float16) for name, array in named})


def _path(name):
    return resources.files("dvae_ref") / "data" / name


def _restored(name, like, found):
    """The tree of this name from an npz's arrays, in float32, with the structure of `like`."""
    return tree.unflatten(like, [found[key].astype(np.float32) for key, _ in tree.items(like, name)])


if __name__ == "__main__":
    save(make(), str(_path("teaching.npz")))
