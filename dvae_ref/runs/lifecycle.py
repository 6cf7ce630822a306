"""A run in its folder: the loop that trains, logs, validates, checkpoints and resumes.

last.npz is the only truth. metrics.jsonl and snapshots.npz are on disk before a checkpoint that counts on them, and are
cut to what it counts when a run is resumed: killed at any time, it comes to the same bytes (docs/architecture.md).
"""

import os
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from dvae_ref import blas
from dvae_ref.files import partial, reading, schema, writing
from dvae_ref.program.interrupt import AbandonedError, abandonable
from dvae_ref.runs import datasets, environment, image_files, sizes, training
from dvae_ref.runs.checkpoints import check_data, load_state, save_state
from dvae_ref.runs.metrics import Metrics
from dvae_ref.runs.presets import Settings
from dvae_ref.runs.sessions import Sessions
from dvae_ref.runs.snapshots import Snapshots
from dvae_ref.sampling import backend as backends

PICTURES = ("curves.png", "reconstructions.png")
OURS = ("config.json", "last.npz", "best.npz", "snapshots.npz", "sessions.json", *PICTURES)  # written under the lock
WRITTEN = (*OURS, "metrics.jsonl", "evaluation.json", "log_px.npz", "samples.png")


class LockedError(FileExistsError):
    """Another process is running in the folder."""


class Run:
    """A training run in its folder: config.json, metrics.jsonl, last.npz to resume from, best.npz to evaluate.

    Made, it has touched no file; `begin` or `resume` takes the folder for this process alone, `close` gives it back.
    ValueError for settings that take too much memory, or a batch larger than the data.
    """

    def __init__(self, folder, settings, dataset, threads=1, backend="cpu"):
        datasets.batch_indices(len(dataset.train), settings.seed, 0, settings.batch_size)  # ValueError before a folder
        sizes.check_settings(settings, threads)
        self.folder, self.settings, self.dataset = Path(folder), settings, dataset
        self.threads, self.backend = threads, backends.resolve(backend)
        self.role = training.keys(settings.seed)
        self.state, self.lock = training.start(settings, dataset.mean_x), None
        self.metrics = self.snapshots = self.sessions = self.notice = None

    def begin(self):
        """Make the folder and its first checkpoint. FileExistsError if a run is there already."""
        self._lock()
        if (self.folder / "last.npz").exists():
            raise FileExistsError(
                f"{self.folder} holds a run already: --resume continues it, another --run-dir starts one"
            )
        self._refuse_foreign()
        writing.write_json(self.folder / "config.json", self.settings.to_json())
        self._open({})
        self.checkpoint()

    def _open(self, header):
        """The files that grow, each cut to what the checkpoint with this header counts; without one, empty."""
        self.metrics = Metrics(self.folder / "metrics.jsonl", header.get("metrics_bytes", 0))
        self.snapshots = Snapshots(self.folder / "snapshots.npz", self.state.kept.rbm, header.get("snapshots", 0))
        self.sessions = Sessions(self.folder / "sessions.json", self.state.iteration, self.threads)

    def _refuse_foreign(self):
        """FileExistsError for files that would be overwritten. What a beginning leaves that was killed is none of them:
        config.json of these settings, and no metrics yet."""
        for name in WRITTEN:
            path = self.folder / name
            if os.path.lexists(path) and not self._is_our_config(path) and not _is_empty_metrics(path):
                raise FileExistsError(f"{path} is there, but no run of these settings: take another --run-dir")

    def _is_our_config(self, path):
        """Whether it is a config.json of these very settings."""
        try:
            return path.name == "config.json" and read_settings(path.parent) == self.settings
        except (OSError, ValueError):
            return False

    def resume(self):
        """Continue from last.npz. `notice` says if bytes may differ from here on: another machine; so does a record."""
        self._lock()
        path = self.folder / "last.npz"
        header, self.state = load_state(path, self.state, self.settings)
        check_data(path, header, self.dataset)
        self._open(header)
        before, now = header.get("environment"), environment.here()
        self.notice = environment.notice(before, now)
        if self.notice:
            self.metrics.write({"iteration": self.state.iteration, "resumed": {"before": before, "now": now}})

    def begin_or_resume(self):
        """Go on from the run that is there, if one is."""
        self._lock()  # before looking: another process may be beginning
        self.resume() if (self.folder / "last.npz").exists() else self.begin()

    def _lock(self):
        """Keep the folder to this process until it ends, however it ends. LockedError if another has it."""
        if self.lock:
            return
        writing.make_folder(self.folder)
        lock = FileLock(self.folder / ".lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise LockedError(f"another process is running in {self.folder}") from None
        except NotImplementedError as error:  # of earlier versions of filelock
            raise OSError(f"cannot lock {self.folder}: {error}") from error
        self.lock = lock
        partial.remove_dead(self.folder, ours=OURS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave the folder to others."""
        if self.lock:
            self.lock.release()
            self.lock = None

    def checkpoint(self, name="last.npz"):
        """Write the State, after what its header counts. OSError leaves the checkpoint before it as it was."""
        self.metrics.sync()  # before a checkpoint that counts on them is there
        self.snapshots.write()
        header = {"settings": self.settings.to_json(), "data": self.dataset.origin, "metrics_bytes": self.metrics.size}
        header["snapshots"] = len(self.snapshots)
        header["environment"] = environment.here()
        save_state(self.folder / name, self.state, header)
        self.sessions.write(self.state.iteration)

    @blas.one_thread()
    def advance(self, stop=lambda: False, on_iteration=None, on_validation=None):
        """Train to the end, or until stop() says so; a checkpoint is written in either case. True at the end.

        DivergedError leaves the last checkpoint as it was.
        """
        total = self.settings.num_train_iter
        while self.state.iteration < total or self.state.validated < total:
            if stop():
                self.checkpoint()
                return False
            try:
                done = self._validate(stop, on_validation) if self._validation_due() else self._iterate(on_iteration)
            except AbandonedError:
                done = False
            if not done:
                continue
            if self.state.iteration % self.settings.checkpoint_every == 0 or self.state.iteration == total:
                self.checkpoint()
        return True

    def _validation_due(self):
        """Whether one follows this iteration that has not been yet; a run stopped in it is resumed before it."""
        i = self.state.iteration
        return i > self.state.validated and is_validated(i, self.settings)

    def _iterate(self, on_iteration):
        """One update; then a snapshot and a record, where they are due. Abandoned in the update, it has not been."""
        x = datasets.batch(self.dataset, self.settings.seed, self.state.iteration, self.settings.batch_size)
        with abandonable():
            new, bound = training.iterate(self.state, x, self.settings, self.role, self.backend)
        self.state = new
        self.state, divergence = training.snapshot(self.state, self.settings)
        if divergence is not None:
            self.snapshots.take(self.state.iteration, self.state.kept.rbm, divergence)
        if self.state.iteration % self.settings.log_every == 0:
            self.state, record = training.record(self.state, self.settings, self.role, self.backend)
            self.metrics.write(record)
        if on_iteration:
            on_iteration(self.state, bound)
        return True

    def _validate(self, stop, on_validation):
        """False if it was stopped halfway: it is then done anew on resuming."""

        def progress(_):
            if stop():
                raise InterruptedError

        try:
            with abandonable():
                new, record = training.validate(
                    self.state, self.dataset, self.settings, self.role, self.threads, progress, self.backend
                )
        except InterruptedError:
            return False
        self.state = new
        self.metrics.write(record)
        if self.state.best_iteration == self.state.iteration:
            self.checkpoint("best.npz")
        if on_validation:
            on_validation(self.state, record)
        return True


def is_validated(iteration, settings):
    """Whether a validation follows an iteration."""
    return iteration % settings.eval_every == 0 or iteration == settings.num_train_iter


def _is_empty_metrics(path):
    """Whether it is the metrics.jsonl of a beginning that was killed."""
    return path.name == "metrics.jsonl" and path.is_file() and not path.stat().st_size


def read_settings(folder):
    """The Settings in a run folder's config.json. FileNotFoundError if there is none, ValueError if it is damaged."""
    path = Path(folder) / "config.json"
    try:
        record = reading.json_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"no run in {str(folder) or repr('')}: there is no config.json") from None
    try:
        return Settings.from_json(record)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def load(folder, checkpoint="best", dataset=None):
    """(Settings, State) of a run folder's checkpoint, its parameters finite; trained on the dataset, if it is given.

    checkpoint: "best" or "last". FileNotFoundError if it is not there, ValueError if it is damaged or of other data.
    """
    settings = read_settings(folder)
    sizes.check_settings(settings)
    like = training.start(settings, np.zeros(image_files.PIXELS, np.float32))
    path = Path(folder) / f"{checkpoint}.npz"
    if checkpoint == "best" and not path.exists() and path.with_name("last.npz").exists():
        raise FileNotFoundError(f"no checkpoint {path}: it comes with the first validation; --checkpoint last is there")
    header, state = load_state(path, like, settings)
    if dataset:
        check_data(path, header, dataset)
    return settings, state


def last_validation(folder):
    """Iteration of the last validation before last.npz, num_train_iter at a run's end; None if it is unreadable."""
    path = Path(folder) / "last.npz"
    try:
        return schema.check(writing.read_header(path), schema.HEADER, path)["validated"]
    except (FileNotFoundError, ValueError):
        return None
