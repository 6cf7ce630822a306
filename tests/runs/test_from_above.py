"""log Z of a run from above: where it starts, what is recorded, and that what a start holds and AIS misses is seen."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.model import networks
from dvae_ref.runs import from_above, lifecycle, measuring, snapshots
from dvae_ref.runs.presets import Settings
from dvae_ref.sampling import ais, bracket, gibbs, philox, trajectory
from dvae_ref.theory.boltzmann import RBM

pytestmark = pytest.mark.usefixtures("one_thread")

KEY = philox.key(41)
SMALL = Settings(
    struct="1-layer-lin",
    num_train_iter=20,
    batch_size=10,
    chains=60,
    sweeps=3,
    eval_every=10,
    eval_samples=2,
    eval_temperatures=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, dataset):
    path = tmp_path_factory.mktemp("from_above") / "run"
    with lifecycle.Run(path, SMALL, dataset) as run:
        run.begin()
        run.advance()
    return path


def golf_hole():
    """30 units and one that is 1 only when all are: one state has nine tenths of the probability."""
    return RBM(np.append(np.zeros(30), np.log(9) - 30 * (np.logaddexp(0, 20) - np.log(2))), np.full((30, 1), 20.0))


def small(rbm):
    """What `checks` reads of a State."""
    return SimpleNamespace(params=SimpleNamespace(rbm=rbm))


def test_what_a_start_holds_and_ais_misses_is_seen():
    """Replicas nine tenths of which sit in the hole: open by log 10. Without it both ways agree, wrong by that
    much, and a mean field contradicts them."""
    rbm = golf_hole()
    with pytest.warns(UserWarning, match=r"too low: .* by a mean field"):
        z = ais.log_z(KEY, rbm, 300, 200)
    below = bracket.End(z.log_z, z.standard_error, 200, "the base uniform", True)
    inside = exact.sample(philox.uniform(KEY, (200, 31), np.float64), rbm)
    outside = np.append(philox.uniform(KEY, (200, 30)) < 0.5, np.zeros((200, 1)), 1)
    starts = [bracket.Start(inside, "inside"), bracket.Start(outside, "outside")]
    found = from_above.checks(KEY, below, small(rbm), starts, 300)
    assert [record["verdict"] for record in found] == ["open", "contradictory"]
    assert [record["start"] for record in found] == ["inside", "outside"]
    assert found[0]["gap"] == pytest.approx(math.log(10), abs=4.5 * found[0]["gap_standard_error"])
    assert found[0]["log_z"] == pytest.approx(exact.log_z(rbm), abs=4.5 * found[0]["standard_error"])
    assert abs(found[1]["gap"]) < 0.01 < math.log(10) < exact.log_z(rbm) - found[1]["log_z"] + 0.01
    assert from_above.worst(found) is found[1]


def test_each_check_is_annealing_down_with_a_key_of_its_own():
    rbm = golf_hole()
    start = bracket.Start(np.ones((40, 31)), "ones")
    below = bracket.End(30.0, 0.1, 100, "below", True)
    calls = []
    found = from_above.checks(KEY, below, small(rbm), [start, start], 60, lambda *call: calls.append(call))
    for n, record in enumerate(found):
        end = bracket.above(philox.fold_in(KEY, n), rbm, start, 60)
        assert (record["log_z"], record["standard_error"], record["chains"]) == end[:3]
        assert (record["gap"], record["verdict"]) == (end.log_z - 30.0, bracket.Bracket(below, end).verdict)
    assert found[0]["log_z"] != found[1]["log_z"]
    done, total = zip(*calls, strict=True)
    assert (set(total), list(done), done[-1]) == ({120}, sorted(done), 120)


def test_starts_are_the_run_s_replicas_and_the_posterior_of_its_images(folder, dataset):
    settings, state = lifecycle.load(folder)
    replicas, posterior = from_above.starts(KEY, settings, state, dataset.train, 40)
    assert (replicas.exact, posterior.exact) == (False, False)
    assert replicas.z.shape == posterior.z.shape == (20, 200)
    u = philox.uniform(philox.fold_in(KEY, 1, 3), (20, 200))
    x = dataset.train[:20].astype(np.float32) - state.statistics.mean_x
    expected, _ = networks.encode_discrete(state.params.encoder, state.statistics.encoder, x, u)
    np.testing.assert_array_equal(posterior.z, expected)
    key, before = philox.fold_in(KEY, 0, 3), gibbs.chains_from(state.sampler.chains.z[:20], (100, 100))
    swept = gibbs.sweep_reference(key, before, state.params.rbm, settings.sweeps)
    np.testing.assert_array_equal(replicas.z, swept.z)


@pytest.mark.parametrize(("chains", "wanted", "given"), [(60, 1000, 60), (60, 2, 2), (60, 3, 2), (1, 40, 2)])
def test_there_are_two_replicas_at_least_and_as_many_as_there_are(folder, dataset, chains, wanted, given):
    settings, state = lifecycle.load(folder)
    few = state.sampler.chains._replace(
        left=state.sampler.chains.left[:chains], right=state.sampler.chains.right[:chains]
    )
    state = state._replace(sampler=state.sampler._replace(chains=few))
    assert len(from_above.starts(KEY, settings, state, dataset.train, wanted)[0].z) == given


def record(verdict, gap):
    return {"verdict": verdict, "gap": gap}


def test_the_worst_is_contradictory_then_open_then_the_larger_gap():
    records = [record("closed", 9.0), record("open", 0.1), record("open", -0.2), record("contradictory", -0.3)]
    assert from_above.worst(records) is records[3]
    assert from_above.worst(records[:3]) is records[2]
    assert from_above.worst(records[:1]) is records[0]


@pytest.mark.filterwarnings("ignore:annealing ended")
def test_along_training_goes_through_the_snapshots_before_the_checkpoint(folder, dataset):
    """Both ways agree with AIS within 4.5 standard errors, which are small; of an earlier state there are fewer."""
    settings, state = lifecycle.load(folder, "last")
    path = snapshots.read(folder / "snapshots.npz")
    assert path.iteration[-1] == state.iteration
    found = from_above.along_training(KEY, folder, settings, state)
    assert found["machines"] == len(path.iteration)
    z = ais.log_z(KEY, state.params.rbm, 2000, 400)
    for end in (found["below"], found["above"]):
        error = math.hypot(end["standard_error"], z.standard_error)
        assert abs(end["log_z"] - z.log_z) < 4.5 * error < 0.5
    assert found["above"]["verdict"] == "closed"
    half = state._replace(iteration=int(path.iteration[len(path.iteration) // 2]))
    assert from_above.along_training(KEY, folder, settings, half)["machines"] == len(path.iteration) // 2 + 1


@pytest.mark.parametrize(("replicas", "groups", "each"), [(2, 2, 1), (5, 2, 2), (30, 15, 2), (39, 19, 2), (60, 20, 3)])
def test_replicas_are_dealt_out_to_at_most_twenty_groups(folder, monkeypatch, replicas, groups, each):
    """Of two or more each, if there are as many; replicas and ways have keys of their own. Steps are told in all."""
    settings, state = lifecycle.load(folder, "last")
    start, asked, given = bracket.Start(np.zeros((replicas, 200)), "replicas"), [], []

    def states(key, settings, state, number):
        asked.append((key, number))
        return start

    def log_z(key, machines, start, steps, groups, each, backend):
        given.append((key, groups, each, backend, steps.sum()))
        end = bracket.End(0.0, 0.1, groups, "somewhere", False)
        return bracket.Bracket(end, end)

    monkeypatch.setattr(from_above, "replicas", states)
    monkeypatch.setattr(trajectory, "log_z", log_z)
    found = from_above.along_training(KEY, folder, settings, state)
    assert asked == [(philox.fold_in(KEY, 2, 3), settings.chains)]
    assert given == [(philox.fold_in(KEY, 2), groups, each, "cpu", found["steps"])]
    assert found["steps"] > found["machines"] > 2


def test_without_snapshots_there_is_no_way_along_training(folder, tmp_path):
    settings, state = lifecycle.load(folder)
    assert from_above.along_training(KEY, tmp_path, settings, state) is None


def test_a_measurement_says_it_all(folder, dataset):
    how = {"samples": 16, "images": 3, "temperatures": 50, "ais_chains": 30}
    calls = []
    found = measuring.measure(folder, dataset, **how, along_training=True, on_above=lambda *call: calls.append(call))
    assert [one["start"] for one in found["log_z_from_above"]] == [
        "replicas of training",
        "z ~ q(z|x) of training images",
    ]
    assert [one["chains"] for one in found["log_z_from_above"]] == [15, 15]
    worst = from_above.worst(found["log_z_from_above"])
    assert (found["log_z_gap"], found["log_z_verdict"]) == (worst["gap"], worst["verdict"])
    for one in found["log_z_from_above"]:
        assert one["gap"] == one["log_z"] - found["log_z"]
        assert one["gap_standard_error"] == math.hypot(one["standard_error"], found["log_z_standard_error"])
    assert found["log_z_along_training"]["above"]["start"] == "replicas of training"
    assert calls[-1] == (100, 100)
    assert "log_z_along_training" not in measuring.measure(folder, dataset, **how)
