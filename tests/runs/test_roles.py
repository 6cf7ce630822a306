"""No random number has two uses: every key that a run, its measurement and its samples draw from, listed."""

import numba
import numpy as np
import pytest

import figures
from dvae_ref import cli
from dvae_ref.runs import roles, training
from dvae_ref.sampling import ais, bracket, gibbs, pcd, philox, population_annealing, trajectory

RUN = (
    *("--num-train-iter", "2", "--batch-size", "5", "--chains", "5", "--sweeps", "2", "--struct", "1-layer-lin"),
    *("--eval-every", "1", "--eval-samples", "1", "--eval-temperatures", "3", "--log-every", "1"),
)
MEASURE = ("--samples", "16", "--images", "3", "--temperatures", "3", "--ais-chains", "5", "--along-training")
WALKS = (pcd, population_annealing)
DRAWS = ((ais, "log_z"), (bracket, "above"), (trajectory, "log_z"), (gibbs, "sweep"))


class Ledger:
    """The keys that were drawn from, in order; what a sampler draws of its own key inside is its own business."""

    def __init__(self, monkeypatch):
        self.keys, self.inside = [], False
        monkeypatch.setattr(philox, "uniform", self.watched(philox.uniform, self.enter))
        for module, name in DRAWS:
            monkeypatch.setattr(module, name, self.watched(getattr(module, name), self.enter))
        for module in WALKS:
            monkeypatch.setattr(module, "init", self.watched(module.init, self.enter))
            monkeypatch.setattr(module, "step", self.watched(module.step, self.enter_walk))
        generator = np.random.Philox
        monkeypatch.setattr(np.random, "Philox", lambda **given: self.generator(generator, **given))

    def watched(self, draw, enter):
        def drawn(*args, **options):
            if self.inside:
                return draw(*args, **options)
            enter(*args)
            self.inside = True
            try:
                return draw(*args, **options)
            finally:
                self.inside = False

        return drawn

    def enter(self, key, *_):
        self.keys.append(tuple(key))

    def enter_walk(self, key, state, *_):
        """A walk goes on with the key it began with: its State counts the sweeps."""
        if int(getattr(state, "chains", state).sweeps) == 0:
            self.keys.append(tuple(key))
        else:
            assert tuple(key) in self.keys

    def generator(self, make, **given):
        if "counter" not in given and not self.inside:  # those of the data sets have one, and keys of another kind
            self.keys.append(tuple(int(word) for word in given["key"]))
        return make(**given)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Every key of train, evaluate and sample with one seed, validations and records at every iteration."""
    monkeypatch.setattr(cli.process, "prepare", lambda: None)

    def draw(sampler="pa"):
        ledger, threads = Ledger(monkeypatch), numba.get_num_threads()
        common = ("--seed", "0", "--threads", "1", "--run-dir", str(tmp_path / "run"))
        assert cli.main(["train", *RUN, *common, "--sampler", sampler]) == 0
        train = len(ledger.keys)
        unheard = ledger.watched(training.start, lambda *_: None)  # to load a checkpoint, for the shapes alone
        monkeypatch.setattr(training, "start", unheard)
        assert cli.main(["evaluate", *MEASURE, *common]) == 0
        assert cli.main(["sample", "--number", "3", "--sweeps", "2", *common]) == 0
        monkeypatch.undo()
        numba.set_num_threads(threads)
        return ledger.keys, train

    return draw


def twice(keys):
    return len(keys) - len(set(keys))


@pytest.mark.parametrize("sampler", ["pa", "pcd"])
def test_no_two_uses_draw_from_one_key(drawn, sampler):
    """init, chains, walk; an iteration: noise, record, AIS, 500 images; pictures 3; evaluate 1 + 3, from above 2 starts
    and 2 ways down, along training a start and both ways; sample 2. They are all there, and all different.
    """
    keys, train = drawn(sampler)
    assert train == 3 + 2 * (1 + 1 + 1 + 500) + 3
    assert len(keys) == train + 4 + 6 + 2
    assert twice(keys) == 0


@pytest.mark.parametrize(
    ("role", "other"),
    [
        ("validation_log_z", "record_log_z"),
        ("sweeps", "chains"),
        ("measurement", "noise"),
        ("measurement_log_z", "sweeps"),
        ("measurement_above", "measurement"),
        ("sample", "pictures"),
    ],
)
def test_control_two_equal_roles_are_seen(drawn, monkeypatch, role, other):
    keys = roles.keys
    monkeypatch.setattr(training, "keys", lambda seed: keys(seed) | {role: keys(seed)[other]})
    assert twice(drawn()[0]) > 0


def test_figures_have_roles_of_their_own():
    modules = [figures.load(name) for name in figures.NAMES]
    numbers = [module.ROLE for module in modules if hasattr(module, "ROLE")]
    assert len(numbers) >= 4
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= roles.FIGURES >= len(roles.ROLES)
    assert len(set(roles.ROLES)) == len(roles.ROLES)


def test_numbers_of_roles_are_what_they_were():
    """What was trained with a seed is trained again with it: a role that moves takes another's random numbers."""
    numbers = "init noise chains sweeps record_log_z validation pictures validation_log_z measurement measurement_log_z"
    numbers += " sample measurement_above encode"
    expected = {role: philox.fold_in(philox.key(7), number) for number, role in enumerate(numbers.split())}
    assert roles.keys(7) == expected
    assert roles.FIGURES == 20
