"""What is asked for is refused before it takes the memory; what is said of the memory is what is taken."""

import time

import hostile
import numba
import numpy as np
import pytest

from dvae_ref import cli
from dvae_ref.runs import datasets, evaluation, library, lifecycle, plots, sizes, training
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import ais, paths, pcd, philox
from dvae_ref.table1 import grid

STRUCT, LATENTS, KEY = "1-layer-lin", 200, philox.key(0)
SMALL = Settings(struct=STRUCT, chains=5, num_train_iter=10, eval_every=10, eval_samples=1, eval_temperatures=2)


@pytest.fixture(scope="module")
def state():
    return training.start(SMALL, np.full(784, 0.5, np.float32))


def run_ais(number, state):
    ais.log_z(KEY, state.params.rbm, 4, number)


def anneal_long(number, state):
    paths.schedule(number)


def measure(number, state):
    images = np.zeros((4, 784), np.uint8)
    evaluation.log_likelihood(KEY, state.params, state.statistics, images, log_z=0.0, samples=number)


def sample(number, state):
    chains, _ = pcd.step(KEY, pcd.init(KEY, state.params.rbm, number), state.params.rbm, 1)
    return chains


def draw(number, state):
    plots.samples(library.prior_images(KEY, state, number, 1), "/dev/null", "title")


def train(number, state):
    """Rows of the largest structure, 100 images."""
    settings = Settings(struct="4-layer-nonlin", k=-(-number // 100), chains=5, sweeps=1)
    state, role = training.start(settings, np.full(784, 0.5, np.float32)), training.keys(0)
    training.iterate(state, np.zeros((100, 784), np.float32), settings, role)


TAKEN = {
    "AIS chains": (run_ais, 20_000, sizes.ais(20_000, 4, LATENTS)),
    "temperatures": (anneal_long, 200_000, sizes.ais(0, 200_000, LATENTS)),
    "importance samples": (measure, 50_000, sizes.importance(50_000, LATENTS, 1)),
    "chains": (sample, 40_000, sizes.CHAIN_UNIT * LATENTS * 40_000),
    "rows": (train, 2500, sizes.ROW * 2500),
    "pictures": (draw, 400, (sizes.PICTURE + sizes.DECODED) * 400),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_said_of_the_memory_is_what_is_taken(state, what):
    """Not less, and not four times as much. What compiled code takes for itself is not watched: it is small."""
    work, number, said = TAKEN[what]
    work(10, state)
    with hostile.memory() as taken:
        work(number, state)
    assert taken() <= said
    assert said < 4 * taken()


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("sizes") / "run", numba.get_num_threads()
    numba.set_num_threads(1)
    whole = datasets.load("mnist5k")
    with lifecycle.Run(folder, SMALL, whole._replace(validation=whole.validation[:10])) as run:
        run.begin()
        run.advance()
    numba.set_num_threads(before)
    return folder


REFUSED = {
    "sample --number 100000": "a picture of 100,000 images would take 46,160,000,000 bytes of memory",
    "evaluate --samples 4000000": "4,000,000 importance samples of 200 units would take 13,200,000,000 bytes of memory",
    "evaluate --ais-chains 10000000": "10,000,000 AIS chains of 200 units would take 52,000,200,000 bytes of memory",
    "evaluate --temperatures 100000000": "temperatures must be at most 16,777,216: float32 tells no more apart",
}


@pytest.mark.parametrize("line", REFUSED)
def test_too_much_is_refused_at_once_with_the_number_of_bytes(run_dir, capsys, line):
    command, *options = line.split()
    start = time.perf_counter()
    with hostile.memory() as taken, pytest.raises(SystemExit) as end:
        cli.main([command, "--run-dir", str(run_dir), "--threads", "1", *options])
    assert end.value.code == 1
    assert REFUSED[line] in capsys.readouterr().err
    assert taken() < 1e8  # the data set and the checkpoint
    assert time.perf_counter() - start < 20
    assert not (run_dir / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chains": 10**6}, "1,000,000 chains would take 6,800,020,000 bytes of memory, 2,147,483,648 are allowed"),
        ({"k": 1000}, "k 1,000 and batch_size 100 would take 6,553,600,000 bytes"),
        ({"eval_samples": 10**6}, "1,000,000 eval_samples would take 3,300,000,000 bytes"),
        ({"eval_temperatures": 10**8}, "eval_temperatures must be at most 16,777,216"),
        ({"chains": 2**62}, "chains would take"),
    ],
)
def test_settings_that_take_too_much_are_refused_before_a_folder(tmp_path, settings, message):
    too_much = Settings(struct=STRUCT, **settings)
    with hostile.memory() as taken, pytest.raises(ValueError, match=message):
        lifecycle.Run(tmp_path / "run", too_much, datasets.load("mnist5k"))
    assert taken() < 5e7
    assert list(tmp_path.iterdir()) == []


def test_so_they_are_when_they_come_from_a_config(tmp_path):
    lifecycle.writing.write_json(tmp_path / "config.json", Settings(chains=2**40).to_json())
    with pytest.raises(ValueError, match="1,099,511,627,776 chains would take"):
        lifecycle.load(tmp_path)


def test_a_cell_whose_measurement_takes_too_much_is_not_trained_first(tmp_path):
    cell = grid.cell(tmp_path, SMALL)
    said = grid.run_cell(cell, threads=1, measurement=grid.Measurement(samples=10**7))
    assert said.startswith("ValueError: 10,000,000 importance samples of 200 units would take 33,000,000,000 bytes")
    assert [path.name for path in cell.folder.iterdir()] == ["error.txt"]


def test_more_is_allowed_to_who_says_so(monkeypatch):
    with pytest.raises(ValueError, match="it would take 3,000,000,000 bytes of memory, 2,147,483,648 are allowed"):
        sizes.demand("it", 3 * 10**9)
    monkeypatch.setenv("DVAE_REF_MEMORY", "3")
    sizes.demand("it", 3 * 10**9)
    for text in ("much", "inf", "nan", ""):
        monkeypatch.setenv("DVAE_REF_MEMORY", text)
        with pytest.raises(ValueError, match=f"DVAE_REF_MEMORY must be a number of GiB, got '{text}'"):
            sizes.demand("it", 1)


LARGEST = paths.MOST_TEMPERATURES
WAYS = {  # what is checked: bytes by hand, of 200 units: 26 a unit of AIS, 20 a temperature, 8 a chain's, 4 a sample's
    "chains": (lambda: sizes.check_settings(Settings(struct=STRUCT)), 26 * 200 * 1000 + 20 * 1000 + 8 * 200 * 1000),
    "k": (lambda: sizes.check_settings(Settings(struct=STRUCT, chains=2, k=3, batch_size=5)), 65536 * 15),
    "eval_samples": (
        lambda: sizes.check_settings(Settings(struct=STRUCT, chains=2, batch_size=1, eval_samples=1000), 2),
        (4 * 200 * 5 + 100) * 1000,
    ),
    "AIS": (lambda: sizes.check_measurement(STRUCT, 1, 7, 100), 26 * 200 * 100 + 20 * 7),
    "samples": (lambda: sizes.check_measurement(STRUCT, 900, 2, 1, 3), (4 * 200 * 6 + 100) * 900),
    "machine": (lambda: sizes.check_machine((3, 4), 10, 6), 26 * 7 * 10 + 20 * 6 + 32 * 7 * 10),
    "pictures": (lambda: sizes.check_pictures(STRUCT, 3), 3 * (8 * 200 + 450_000 + 10_000)),
}


@pytest.mark.parametrize("what", WAYS)
def test_bytes_by_hand_are_allowed_and_one_less_is_not(monkeypatch, what):
    check, size = WAYS[what]
    monkeypatch.setattr(sizes, "most", lambda: size)
    check()
    monkeypatch.setattr(sizes, "most", lambda: size - 1)
    with pytest.raises(ValueError, match=f"would take {size:,} bytes of memory, {size - 1:,} are allowed"):
        check()


def test_temperatures_up_to_what_float32_tells_apart():
    sizes.check_temperatures("temperatures", LARGEST)
    with pytest.raises(ValueError, match=f"at most 16,777,216: float32 tells no more apart; got {LARGEST + 1:,}"):
        sizes.check_temperatures("temperatures", LARGEST + 1)
