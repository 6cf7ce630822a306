"""What an iteration and a measurement take of one core, for each row of Table 1: writes milliseconds.csv.

    python docs/results/milliseconds.py

CPU time of one thread, the least of many short groups, as others on the machine disturb it: iterations of
dvaes_power on the bundled digits, after some that warm up; the paper's batches of 100 images, 1,000 chains and 40
sweeps. A measurement is `evaluate` of 10,000 images with 4,000 samples each: AIS and the likelihood, timed in part.
`commands.py` makes hours of it, `dvae_ref/runs/durations.py` holds the numbers for the command line.
"""

import csv
import time
from pathlib import Path

import numba
import numpy as np

from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import datasets, evaluation, roles, training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import ais

FOLDER = Path(__file__).parent
SAMPLES = (1, 5, 25)
WARM_UP, GROUPS, EACH = 5, 15, 5
IMAGES, ANNEALINGS = 10_000, 2  # of a measurement: up, and down in two halves
SHARE_OF_IMAGES, SHARE_OF_TEMPERATURES = 1000, 50  # a measurement's, in those that are timed


def seconds(work):
    """CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def iterations(state, settings, dataset, number):
    """The State after so many iterations."""
    role = roles.keys(settings.seed)
    for _ in range(number):
        x = datasets.batch(dataset, settings.seed, state.iteration, settings.batch_size)
        state, _ = training.iterate(state, x, settings, role)
    return state


def milliseconds(settings, dataset):
    """(ms of an iteration, the State after some)."""
    state = iterations(training.start(settings, dataset.mean_x), settings, dataset, WARM_UP)
    taken = [seconds(lambda: iterations(state, settings, dataset, EACH)) for _ in range(GROUPS)]
    return 1e3 * min(taken) / EACH, state


def measurement_minutes(settings, state, dataset):
    """Minutes of a measurement at the sizes of `evaluate`."""
    key, model = roles.keys(0)["measurement"], (state.params, state.statistics)
    images = np.asarray(dataset.test[: IMAGES // SHARE_OF_IMAGES] > 0.5, np.float32)
    of_images = seconds(lambda: evaluation.log_likelihood(key, *model, images, log_z=0.0))
    of_annealing = seconds(lambda: ais.log_z(key, state.params.rbm, 10_000 // SHARE_OF_TEMPERATURES))
    return (of_images * SHARE_OF_IMAGES + of_annealing * SHARE_OF_TEMPERATURES * ANNEALINGS) / 60


def rows():
    numba.set_num_threads(1)
    dataset = datasets.load("mnist5k")
    for struct in STRUCTURES:
        taken = {}
        for k in SAMPLES:
            settings = Settings(struct=struct, k=k)
            taken[k], state = milliseconds(settings, dataset)
        minutes = measurement_minutes(settings, state, dataset)
        for k in SAMPLES:
            yield struct, k, f"{taken[k]:.3g}", f"{minutes:.2g}"
            print(struct, k, f"{taken[k]:.3g} ms, {minutes:.2g} min", flush=True)


if __name__ == "__main__":
    measured = list(rows())
    with open(FOLDER / "milliseconds.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["struct", "k", "milliseconds", "measurement_minutes"], *measured])
