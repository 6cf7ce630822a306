"""Training and trained models as Python has them, on arrays: what the commands train, evaluate and sample compute."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numba
import numpy as np

from dvae_ref import blas
from dvae_ref.arrays import Array
from dvae_ref.model import autoencoder, networks
from dvae_ref.runs import datasets, evaluation, lifecycle, roles, sizes, training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import ais, pcd, philox
from dvae_ref.theory import domains
from dvae_ref.theory.elementary import sigmoid


@dataclass(frozen=True, repr=False)
class Trained:
    """A trained model: V pixels, D latents. Random numbers depend on `seed` alone, for each method its own."""

    settings: Settings
    params: autoencoder.Params
    statistics: autoencoder.Statistics
    iteration: int

    def __repr__(self) -> str:
        s = self.settings
        return f"<Trained {s.baseline} {s.struct}, K = {s.k}, {self.iteration:,} iterations, seed {s.seed}>"

    def sample(self, number: int = 100, sweeps: int = 10_000, seed: int = 0) -> Array:
        """E[x|z] for z from the prior by block Gibbs, shape (number, V), in [0, 1]: the images of the command `sample`.

        ValueError for a number below 1, or one that takes too much memory, and for sweeps below 0.
        """
        number = domains.whole("number", number, 1)
        sizes.check_pictures(self.settings.struct, number)
        return prior_images(roles.keys(seed)["sample"], self, number, sweeps)

    def encode(self, images: Array, seed: int = 0) -> Array:
        """A draw z ~ q(z|x) for each image: (B, V) in [0, 1] -> (B, D), 0 or 1.  ValueError for other images."""
        x = check_images(images, self.statistics.mean_x.size)
        u = philox.uniform(roles.keys(seed)["encode"], (len(x), len(self.params.rbm.a)))
        return networks.encode_discrete(self.params.encoder, self.statistics.encoder, x - self.statistics.mean_x, u)[0]

    def reconstruct(self, images: Array, seed: int = 0) -> Array:
        """E[x|z] for the z of `encode`: (B, V) in [0, 1] -> (B, V) in [0, 1].  ValueError for other images."""
        z = self.encode(images, seed)
        return sigmoid(autoencoder.decode_discrete(self.params, self.statistics, z))

    def log_z(self, temperatures: int = 10_000, chains: int = 1000, seed: int = 0) -> ais.AISResult:
        """log Z of the prior in nats, by annealed importance sampling, with its standard error: that of `evaluate`.

        ValueError for fewer than 2 temperatures or chains.
        """
        return ais.log_z(roles.keys(seed)["measurement_log_z"], self.params.rbm, temperatures, chains)

    def log_likelihood(
        self, images: Array, samples: int = 4000, log_z: float | None = None, seed: int = 0
    ) -> evaluation.Likelihood:
        """log p(x) of each image in nats, by importance sampling on the discrete model (paper, Sec. 4).

        images: (B, V), 0 or 1. `log_px` (B,) of the result is log((1/S) sum_s w_s): too low in the mean, by less the
        more samples. log_z: nats; default: that of `self.log_z(seed=seed)`, some seconds. The numbers are
        those of the command `evaluate`. ValueError for images that are not binary, samples below 1.
        """
        x = check_images(images, self.statistics.mean_x.size)
        if not np.all((x == 0) | (x == 1)):
            raise ValueError("log_likelihood takes binary images; there are pixels between 0 and 1")
        log_z = self.log_z(seed=seed).log_z if log_z is None else domains.number("log_z", log_z)
        options: dict[str, Any] = {
            "log_z": log_z,
            "samples": domains.whole("samples", samples),
            "threads": numba.get_num_threads(),
        }
        return evaluation.log_likelihood(roles.keys(seed)["measurement"], self.params, self.statistics, x, **options)


def load_run(folder: str | PathLike[str], checkpoint: str = "best") -> Trained:
    """The Trained model of a run folder; checkpoint: "best" on validation, or "last".

    FileNotFoundError if there is no run, or no such checkpoint; ValueError for a damaged one.
    """
    if checkpoint not in ("best", "last"):
        raise ValueError(f"checkpoint must be 'best' or 'last', got {checkpoint!r}")
    settings, state = lifecycle.load(folder, checkpoint)
    return Trained(settings, state.params, state.statistics, state.iteration)


@blas.one_thread()
def train(
    settings: Settings,
    images: Array,
    *,
    validation: Array | None = None,
    on_record: Callable[[dict[str, Any]], object] | None = None,
) -> Trained:
    """Train on images, as the command `train` does, without files: the same numbers for the same images and settings.

    images: (N, V) in [0, 1], N >= batch_size; binary ones are taken as they are, grey ones binarized anew for every
    batch. validation: binary images, measured every `eval_every` iterations and at the end. on_record(record): called
    with what would go to metrics.jsonl, a dictionary, nats. Returns the model of the last iteration. `settings.dataset`
    chooses the default beta, and nothing else. Runs on numba.get_num_threads() cores. ValueError for other images,
    DivergedError (an ArithmeticError) where training fails.
    """
    domains.instance("settings", settings, Settings)
    sizes.check_settings(settings)
    dataset, role, tell = as_dataset(images, validation), roles.keys(settings.seed), on_record or (lambda record: None)
    state = training.start(settings, dataset.mean_x)
    while state.iteration < settings.num_train_iter:
        x = datasets.batch(dataset, settings.seed, state.iteration, settings.batch_size)
        state, _ = training.iterate(state, x, settings, role)
        if state.iteration % settings.log_every == 0:
            state, record = training.record(state, settings, role)
            tell(record)
        if validation is not None and lifecycle.is_validated(state.iteration, settings):
            state, record = training.validate(state, dataset, settings, role, numba.get_num_threads())
            tell(record)
    return Trained(settings, state.params, state.statistics, state.iteration)


def prior_images(key: philox.Key, model: Any, number: int, sweeps: int) -> Array:
    """Means of p(x|z) for z from the prior, of shape (number, V); model: whatever has params and statistics."""
    chains = pcd.init(philox.fold_in(key, 0), model.params.rbm, number)
    chains, _ = pcd.step(philox.fold_in(key, 1), chains, model.params.rbm, sweeps)
    return sigmoid(autoencoder.decode_discrete(model.params, model.statistics, pcd.samples(chains)))


def as_dataset(images: Array, validation: Array | None) -> datasets.Dataset:
    """A Dataset of images (N, V), validated on others, (M, V), if there are any. ValueError as of `train`."""
    train = check_images(images)
    held_out = train[:0] if validation is None else check_images(validation, train.shape[1], "validation")
    if not np.all((held_out == 0) | (held_out == 1)):
        raise ValueError("validation must hold binary images; there are pixels between 0 and 1")
    dynamic = not np.all((train == 0) | (train == 1))
    mean_x = train.mean(0, dtype=np.float64).astype(np.float32)
    return datasets.Dataset("arrays", "arrays", train, held_out, held_out, mean_x, dynamic)


def check_images(images: Array, pixels: int | None = None, name: str = "images") -> Array:
    """Images (B, V) as float32; ValueError unless pixels, so many a row, are in [0, 1], TypeError for no numbers."""
    images = domains.array(name, images)
    if images.ndim != 2 or not images.size or (pixels is not None and images.shape[1] != pixels):
        raise ValueError(f"{name} must have the shape (B, {pixels or 'V'}), B >= 1; got {images.shape}")
    if not np.all((images >= 0) & (images <= 1)):
        raise ValueError(f"{name} must have pixels in [0, 1]; got {images.dtype}, {images.min()} to {images.max()}")
    return images.astype(np.float32)
