"""Models on their way through training, for the figures that look at them: trained once, kept in the out folder.

A run is a `dvae_ref train` in a folder of its own, named after its settings, and stops at each iteration of interest to
leave a snapshot of what the objective needs. Killed anywhere, it goes on from its last checkpoint to the same bytes.

    OUT/runs/BASELINE-betaBETA-DIGEST/      the run folder, with snapshot-0000100.npz and so on in it
    OUT/kept/FIGURE/                        what was measured at them (`store.kept`)
"""

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dvae_ref import tree
from dvae_ref.files import schema, writing
from dvae_ref.model import autoencoder
from dvae_ref.program.console import bar_style, say
from dvae_ref.program.interrupt import Interrupt
from dvae_ref.runs import contents, datasets, image_files, lifecycle, training
from dvae_ref.runs.presets import Settings
from dvae_ref.runs.progress import Progress, describe
from figures import store

# Fig. 2 of the paper: 2-layer-nonlin (said of panel c, taken for all), 100,000 iterations, batch size 1,000.
TRAINING = {
    "quick": {"num_train_iter": 250, "chains": 100, "sweeps": 10, "log_every": 50},
    "default": {"num_train_iter": 4000, "chains": 500, "sweeps": 20, "checkpoint_every": 200},
    "full": {"dataset": "binarized_mnist", "num_train_iter": 100_000, "batch_size": 1000},
}
FRACTIONS = {  # of a run, at which snapshots are taken; closer while the KL warms up, until 0.3
    "quick": (0.1, 0.3, 0.6, 1.0),
    "default": (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0),
    "full": (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}


def training_of(options):
    """What the model that is shown was trained with: settings of the given run, or of TRAINING."""
    if not options.run_dir:
        return TRAINING[options.scale]
    settings = lifecycle.read_settings(options.run_dir)
    return {name: getattr(settings, name) for name in OF_A_RUN}


OF_A_RUN = ("dataset", "struct", "baseline", "beta", "k", "num_train_iter")  # of its Settings, to stand below a figure


class Snapshot(NamedTuple):
    """A model after so many iterations: what the objective needs of a State."""

    iteration: int
    params: autoencoder.Params
    statistics: autoencoder.Statistics


def settings_for(baseline, beta, options, **others):
    """The Settings of a figure's run, and the iterations of its snapshots. Without validations: they are not shown.

    others: settings that differ from TRAINING's; what neither names is the paper's.
    """
    given = TRAINING[options.scale]
    total = given["num_train_iter"]
    given = {"struct": "2-layer-nonlin", "eval_every": total, **given, **others}
    settings = Settings(baseline=baseline, beta=float(beta), seed=options.seed, **given)
    return settings, [round(fraction * total) for fraction in FRACTIONS[options.scale]]


def trained(settings, iterations, options):
    """The Snapshots of a run at these iterations, in order, one at a time in memory; trains what is missing.

    KeyboardInterrupt where Ctrl-C ended the training, at a checkpoint from which the same call goes on.
    """
    folder = run_folder(settings, iterations, options)
    if not all(path_of(folder, i).exists() for i in iterations):
        _train(settings, iterations, folder, options)
    for i in iterations:
        yield load(path_of(folder, i), settings)


def measured(figure, what, settings, iterations, scale, options, measure):
    """measure(settings, snapshot, images, scale, seed), a dict of arrays, at each snapshot of a run: what was measured
    with these settings and this scale is kept in the figure's folder."""
    images = datasets.load(settings.dataset, options.data_dir).train
    along = trained(settings, iterations, options)
    title = f"{what}, {settings.baseline} beta {settings.beta:g}"
    for snapshot in tqdm(along, desc=title, total=len(iterations), unit="snapshot", **bar_style()):
        how = [settings.to_json(), iterations, snapshot.iteration, scale, options.seed]
        given = settings, snapshot, images, scale, options.seed
        yield store.kept(options.out / "kept" / figure, settings.baseline, how, measure, *given)


def run_folder(settings, iterations, options):
    """Below the out folder: the baseline and beta for people, a digest for all else that the snapshots depend on."""
    name = f"{settings.baseline}-beta{settings.beta:g}"
    return options.out / "runs" / f"{name}-{store.digest([settings.to_json(), iterations])}"


def path_of(folder, iteration):
    """The snapshot after so many iterations."""
    return folder / f"snapshot-{iteration:07d}.npz"


def _train(settings, iterations, folder, options):
    """Leave the snapshots in the folder. KeyboardInterrupt, once a checkpoint is written, if Ctrl-C is pressed."""
    dataset = datasets.load(settings.dataset, options.data_dir)
    say(f"{describe(settings)}; data: {dataset.origin}; run folder: {folder}")
    with lifecycle.Run(folder, settings, dataset, options.threads) as run:
        run.begin_or_resume()
        with Interrupt() as interrupted, Progress(run) as progress:
            for i in iterations:
                path = path_of(folder, i)
                if not path.exists():
                    _advance(run, i, interrupted, progress)
                    save(path, run.state)


def _advance(run, iteration, interrupted, progress):
    """Train on until there; ValueError for a run that is past it, as one whose snapshots were deleted."""
    run.advance(lambda: interrupted() or run.state.iteration >= iteration, progress.iteration)
    if interrupted():
        raise KeyboardInterrupt
    if run.state.iteration != iteration:
        raise ValueError(f"{run.folder} is past iteration {iteration} without a snapshot of it: delete the folder")


def save(path, state):
    """A snapshot as a checkpoint, whose header is the iteration (`files/schema.py: SNAPSHOT`)."""
    writing.save_checkpoint(path, {"iteration": state.iteration}, params=state.params, statistics=state.statistics)


def load(path, settings):
    """The Snapshot in a file, for a run with these settings. ValueError if it is damaged or of another one."""
    header, arrays = writing.load_checkpoint(path)
    like = training.start(settings, np.zeros(image_files.PIXELS, np.float32))
    params = writing.restore("params", like.params, arrays, path)
    statistics = writing.restore("statistics", like.statistics, arrays, path)
    begun = tree.items(like.params, "params") + tree.items(like.statistics, "statistics")
    contents.check(arrays.items(), begun, path)
    return Snapshot(schema.check(header, schema.SNAPSHOT, path)["iteration"], params, statistics)
