"""What a trained model is worth: evaluation.json and, image by image, log_px.npz in its run folder.

An NLL has three errors, and each is told. Its samples: log of a mean of S weights is too low in the mean, by less the
more there are; how the NLL goes on falling from S / 16 to S / 4 to S of the same weights shows what may be left. Its
images: the standard error of the mean over them; between models measured on the same images it mostly cancels, hence
log p(x) of each. Its log Z: common to all images, with the standard error of AIS, which is from below; annealing down
from states of the RBM says whether that has missed something (`runs/from_above.py`).
"""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvae_ref import __version__, blas
from dvae_ref.files import npz, partial, writing
from dvae_ref.runs import evaluation, from_above, lifecycle, sessions, sizes, training
from dvae_ref.sampling import ais, bracket


class UnwrittenError(OSError):
    """What was measured could not be written, for a full disk say; `record` is what evaluation.json would have said."""

    def __init__(self, error, record):
        super().__init__(error.errno, f"not written: {error.strerror}", error.filename)
        self.record = record


class LogPx(NamedTuple):
    """What log_px.npz holds; log p(x) in nats, log Z taken off."""

    log_px: np.ndarray  # (images,) float64, of S samples
    log_px_quarter: np.ndarray  # of S / 4, the mean over 4 parts of the same weights
    log_px_sixteenth: np.ndarray  # of S / 16, over 16 parts
    log_z: np.ndarray  # () float64
    log_z_standard_error: np.ndarray  # () float64
    data_sha256: np.ndarray  # () text: `digest` of the images
    iteration: np.ndarray  # () int64: of the checkpoint
    samples: np.ndarray  # () int64: S
    seed: np.ndarray  # () int64: of the measurement


PER_IMAGE = ("log_px", "log_px_quarter", "log_px_sixteenth")
WHOLE = ("iteration", "samples", "seed")
KINDS = {"data_sha256": "U", "iteration": "i", "samples": "i", "seed": "i"}  # of the others "f", as NumPy has them


def digest(images):
    """SHA-256 of images, 0 or 1 to a byte: equal for the same ones in the same order."""
    return hashlib.sha256(np.ascontiguousarray(images, np.uint8).tobytes()).hexdigest()


@blas.one_thread()
def measure(folder, dataset, *, checkpoint="best", split="test", samples=4000, images=None, temperatures=10_000,
            ais_chains=1000, seed=0, threads=1, backend="cpu", along_training=False,
            on_ais=None, on_above=None, on_images=None):  # fmt: skip
    """log Z from below and above, then the likelihood of a split by importance sampling: what goes to evaluation.json.

    backend: of AIS, `sampling.backend`. along_training: log Z along the run's snapshots, too. on_ais(done, total),
    on_above(done, total) and on_images(n) report progress. log_px.npz is written first: a killed process leaves an
    evaluation.json that it does not belong to (`per_image`), or none. DivergedError for an NLL that is not finite,
    UnwrittenError, which has the record, where it cannot be written.
    """
    folder = Path(folder)
    _check_before(folder, samples, temperatures, ais_chains, threads)
    role = training.keys(seed)
    if seed >= 2**63:
        raise ValueError(f"the seed of a measurement is < 2**63, as its record holds it; got {seed}")
    validated = lifecycle.last_validation(folder)
    settings, state = lifecycle.load(folder, checkpoint, dataset)
    there = getattr(dataset, split)
    measured = there[:images]
    record = _of_model(checkpoint, state, validated)
    along = {}
    if along_training:  # first, as snapshots may be damaged
        found = from_above.along_training(role["measurement_above"], folder, settings, state, backend)
        along["log_z_along_training"] = found
    annealing = {"temperatures": temperatures, "backend": backend}
    z = ais.log_z(role["measurement_log_z"], state.params.rbm, chains=ais_chains, progress=on_ais, **annealing)
    starts = from_above.starts(role["measurement_above"], settings, state, dataset.train, ais_chains)
    above = _from_above(role["measurement_above"], z, state, starts, progress=on_above, **annealing)
    options = {"samples": samples, "threads": threads, "progress": on_images, "log_z": z.log_z}
    found = evaluation.log_likelihood(role["measurement"], state.params, state.statistics, measured, **options)
    result = found.summary()
    if not math.isfinite(result["nll"]):
        raise training.DivergedError(f"the {split} log-likelihood is {result['nll']}")
    record |= {"data": dataset.origin, "data_sha256": digest(measured), "split": split, "images_there": len(there)}
    record |= {"samples": samples, "temperatures": temperatures, "ais_chains": ais_chains, "seed": seed}
    record |= _of_log_z(z) | above | along | result
    try:
        _write_log_px(folder / "log_px.npz", found, record)
        writing.write_json(folder / "evaluation.json", {"settings": settings.to_json()} | record)
    except OSError as error:
        raise UnwrittenError(error, record) from error
    return record


def _check_before(folder, samples, temperatures, ais_chains, threads):
    """ValueError or OSError, before the work, for what takes too much memory or could not be written after it."""
    sizes.check_measurement(lifecycle.read_settings(folder).struct, samples, temperatures, ais_chains, threads)
    partial.remove_dead(folder)
    for name in ("log_px.npz", "evaluation.json"):
        writing.check_writable(folder / name)


def _of_model(checkpoint, state, validated):
    """What the record says of where the model is from; `validated`: the run's last validation, not the checkpoint's.

    To be called before the work, at whose end the checkout may be at another commit.
    """
    best = state.best_nll if state.best_iteration else None  # null before the first
    record = {"version": __version__, "commit": sessions.commit(), "checkpoint": checkpoint}
    return record | {"iteration": state.iteration, "validated": validated, "best_validation_nll": best}


def _of_log_z(z):
    """What the record says of the AISResult: log Z in nats, which log p(x) has off, and how far to trust it."""
    record = {"log_z": z.log_z, "log_z_standard_error": z.standard_error}
    return record | {"log_z_effective_samples": z.effective_sample_size}


def _from_above(key, z, state, starts, *, temperatures, progress, backend):
    """What the record says of log Z beside it, and which of the checks is the worst."""
    below = bracket.End(z.log_z, z.standard_error, len(z.log_weights), "the base uniform", True)
    found = from_above.checks(key, below, state, starts, temperatures, progress, backend)
    worst = from_above.worst(found)
    return {"log_z_from_above": found, "log_z_gap": worst["gap"], "log_z_verdict": worst["verdict"]}


def _write_log_px(path, found, record):
    """log_px.npz of a Likelihood, with what identifies the record that it belongs to."""
    values = found._asdict() | record
    arrays = {name: np.array(values[name]) for name in LogPx._fields}
    with writing.atomic(path) as file:
        np.savez_compressed(file, **arrays)


def per_image(folder, record):
    """The LogPx in a folder, if it belongs to this record of evaluation.json; None if there is none, or another's.

    ValueError if it is damaged.
    """
    try:
        found = read_log_px(Path(folder) / "log_px.npz")
    except FileNotFoundError:
        return None
    for name, value in _identity(found).items():
        if record.get(name) != value:
            return None
    return found


def _identity(found):
    """What must be the same in a record. The mean is: of the same numbers, in the same order."""
    identity = {name: getattr(found, name).item() for name in ("log_z", "data_sha256", *WHOLE)}
    return identity | {"nll": float(-found.log_px.mean())}


def read_log_px(path):
    """The LogPx in a log_px.npz. ValueError if it is damaged."""

    def check(headers):
        if set(headers) != set(LogPx._fields):
            raise ValueError(f"{path} holds {', '.join(headers)}; expected {', '.join(LogPx._fields)}")
        shapes = dict.fromkeys(PER_IMAGE, headers["log_px"].shape[:1])
        for name, found in headers.items():
            shape, kind = shapes.get(name, ()), KINDS.get(name, "f")
            if found.shape != shape or found.dtype.kind != kind or 0 in shape:
                raise ValueError(f"{path}: {name} is {found.dtype} {found.shape}, expected type {kind} {shape}")

    found = LogPx(**npz.read(path, "npz of log p(x)", check))
    if not all(np.all(np.isfinite(array)) for array in found if array.dtype.kind == "f"):
        raise ValueError(f"{path} holds numbers that are not finite")
    return found
