"""Snapshots of the RBM: the divergence against enumeration, when they are taken, and that a kill changes no byte."""

import io
import json
import math

import numba
import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.files import writing
from dvae_ref.runs import datasets, lifecycle, snapshots, training
from dvae_ref.runs.presets import Settings
from dvae_ref.theory.boltzmann import RBM, Moments

SMALL = Settings(
    struct="1-layer-lin",
    num_train_iter=200,
    batch_size=4,
    chains=20,
    sweeps=1,
    eval_every=200,
    eval_samples=1,
    eval_temperatures=2,
    checkpoint_every=20,
    log_every=100,
)


MOST = 0.01  # of so short a run, with the noise of 20 chains


@pytest.fixture(autouse=True, scope="module")
def one_thread_and_some_in_between():
    numba_threads, most, snapshots.MOST = numba.get_num_threads(), snapshots.MOST, MOST
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(numba_threads)
    snapshots.MOST = most


@pytest.fixture(scope="module")
def dataset():
    whole = datasets.load("mnist5k")
    return whole._replace(validation=whole.validation[:2])


def machine(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return RBM(scale * rng.normal(0.3, 1, 5), scale * rng.normal(-0.2, 1, (2, 3)))


def log_p(rbm):
    """log p(z) of all states, and the states: by hand."""
    z = (np.arange(2**5)[:, None] >> np.arange(5) & 1).astype(float)
    log_weight = z @ rbm.a + np.einsum("ni,ij,nj->n", z[:, :2], rbm.W, z[:, 2:])
    return log_weight - np.log(np.exp(log_weight).sum()), z


def exact_moments(rbm):
    log_probability, z = log_p(rbm)
    p = np.exp(log_probability)
    return Moments(p @ z, np.einsum("n,ni,nj->ij", p, z[:, :2], z[:, 2:]))


@pytest.mark.parametrize("seed", range(5))
def test_j_is_the_sum_of_both_divergences(seed):
    """Enumerated, in float64: to rounding. Control: with the moments of one end alone it is another number."""
    old, new = machine(seed), machine(seed + 100, 1.3)
    p, q = log_p(old)[0], log_p(new)[0]
    expected = np.exp(p) @ (p - q) + np.exp(q) @ (q - p)
    kept = snapshots.Kept(old, exact_moments(old))
    assert snapshots.jeffreys(kept, new, exact_moments(new)) == pytest.approx(expected, rel=1e-12)
    zero = Moments(*(0 * m for m in exact_moments(new)))
    assert snapshots.jeffreys(kept, new, zero) != pytest.approx(expected, rel=0.1)


def test_j_is_the_variance_of_the_log_weights_nearby():
    """Of an importance step: J -> Var(log w) as the machines approach; at a distance of 0.02, to 2%."""
    old, way = machine(1), machine(2)
    new = RBM(old.a + 0.02 * way.a, old.W + 0.02 * way.W)
    p, q = log_p(old)[0], log_p(new)[0]
    mean = np.exp(p) @ (q - p)
    variance = np.exp(p) @ (q - p - mean) ** 2
    j = snapshots.jeffreys(snapshots.Kept(old, exact_moments(old)), new, exact_moments(new))
    assert j == pytest.approx(variance, rel=0.02)


def test_the_path_begins_at_zero():
    rbm = machine(3)
    kept = snapshots.at_zero(rbm)
    assert not any(leaf.any() for leaf in kept.rbm)
    for found, expected in zip(kept.moments, exact_moments(kept.rbm), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert exact.log_z(kept.rbm) == pytest.approx(5 * math.log(2))


@pytest.mark.parametrize("total", [7, 100, 130, 400, 5000, 1_000_000])
def test_a_run_is_kept_in_hundredths_and_looked_at_in_quarters_of_them(total):
    """As many as there are, evenly, the end among them; every hundredth is looked at."""
    steps = [i for i in range(1, total + 1) if snapshots.is_whole(i, total)] if total < 10**6 else [10**4, 10**6]
    looks = [i for i in range(1, total + 1) if snapshots.is_look(i, total)] if total < 10**6 else [2500, 10**4, 10**6]
    if total < 10**6:
        assert len(steps) == min(100, total)
        assert len(looks) == min(400, total)
        assert max(np.diff(steps)) - min(np.diff(steps)) <= 1
    assert steps[-1] == looks[-1] == total
    assert all(snapshots.is_whole(i, total) for i in steps)
    assert all(snapshots.is_look(i, total) for i in {*steps, *looks})
    assert not snapshots.is_whole(2500, 10**6)
    assert not snapshots.is_look(2501, 10**6)


def trained(folder, dataset, settings=SMALL, stop=lambda run: False):
    """Train until stop(run) says so, or to the end."""
    with lifecycle.Run(folder, settings, dataset) as run:
        run.begin_or_resume()
        run.advance(lambda: stop(run))


def test_more_are_kept_where_neighbours_overlap_too_little(tmp_path, dataset, monkeypatch):
    """Each with the RBM of its iteration. With a threshold above all J there are hundredths alone; below, all looks."""
    seen, take = {}, snapshots.Snapshots.take

    def watched(self, iteration, rbm, divergence):
        seen[iteration] = rbm
        take(self, iteration, rbm, divergence)

    monkeypatch.setattr(snapshots.Snapshots, "take", watched)
    found = {}
    for most in (-math.inf, MOST, math.inf):
        monkeypatch.setattr(snapshots, "MOST", most)
        trained(tmp_path / str(most), dataset)
        found[most] = path = snapshots.read(tmp_path / str(most) / "snapshots.npz")
        for i, a, W in zip(path.iteration, path.a, path.W, strict=True):
            assert a.tobytes() == seen[i].a.tobytes()
            assert W.tobytes() == seen[i].W.tobytes()
        assert (path.a.dtype, path.W.dtype) == (np.float32, np.float32)
    assert found[math.inf].iteration.tolist() == list(range(2, 201, 2))
    assert found[-math.inf].iteration.tolist() == list(range(1, 201))
    path = found[MOST]
    assert 100 < len(path.iteration) < 200
    assert set(range(2, 201, 2)) < set(path.iteration.tolist())
    extra = path.iteration % 2 != 0
    assert np.all(path.jeffreys[extra] > MOST)
    last = lifecycle.load(tmp_path / "inf", "last")[1]
    assert last.params.rbm.W.tobytes() == found[math.inf].W[-1].tobytes()


def contents(folder):
    """All but the time it took."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "sessions.json"}


@pytest.fixture(scope="module")
def straight(tmp_path_factory, dataset):
    """The files of a run in one go."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    trained(folder, dataset)
    assert len(snapshots.read(folder / "snapshots.npz").iteration) > 110
    return contents(folder)


class KilledError(BaseException):
    pass


def before_the_snapshots(patched):
    write = snapshots.Snapshots.write

    def killed(self):
        if self.taken and self.taken[-1][0] == 100:
            raise KilledError
        write(self)

    patched.setattr(snapshots.Snapshots, "write", killed)


def while_they_are_written(patched):
    savez = np.savez

    def killed(file, **arrays):
        if arrays.get("iteration", [0])[-1] == 100:
            file.write(b"half of it")
            raise KilledError
        savez(file, **arrays)

    patched.setattr(np, "savez", killed)


def between_them_and_the_checkpoint(patched):
    save = lifecycle.save_state

    def killed(path, state, header):
        if state.iteration == 100:
            raise KilledError
        save(path, state, header)

    patched.setattr(lifecycle, "save_state", killed)


@pytest.mark.parametrize("kill", [before_the_snapshots, while_they_are_written, between_them_and_the_checkpoint])
def test_killed_and_resumed_has_the_same_bytes(tmp_path, dataset, straight, monkeypatch, kill):
    """At the checkpoint of iteration 100: what last.npz does not know of is cut off, and taken anew."""
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        kill(patched)
        with pytest.raises(KilledError):
            trained(folder, dataset)
    assert writing.load_checkpoint(folder / "last.npz")[0]["iteration"] == 80
    ahead = snapshots.read(folder / "snapshots.npz").iteration[-1]
    assert ahead == (100 if kill is between_them_and_the_checkpoint else 80)
    trained(folder, dataset)
    assert contents(folder) == straight


def test_control_what_is_not_cut_shows(tmp_path, dataset, straight, monkeypatch):
    """All that is there, rather than what the checkpoint knows of."""
    folder, read = tmp_path / "run", snapshots.Snapshots._read
    with monkeypatch.context() as patched:
        between_them_and_the_checkpoint(patched)
        with pytest.raises(KilledError):
            trained(folder, dataset)
    there = len(snapshots.read(folder / "snapshots.npz").iteration)
    monkeypatch.setattr(snapshots.Snapshots, "_read", lambda self, rbm, count: read(self, rbm, there))
    trained(folder, dataset)
    assert contents(folder)["snapshots.npz"] != straight["snapshots.npz"]


def test_stopped_anywhere_has_the_same_bytes(tmp_path, dataset, straight):
    for at in (1, 57, 100, 101, 199):
        trained(tmp_path / "run", dataset, stop=lambda run, at=at: run.state.iteration == at)
    trained(tmp_path / "run", dataset)
    assert contents(tmp_path / "run") == straight


def test_a_lost_file_is_told_and_the_run_goes_on(tmp_path, dataset):
    folder = tmp_path / "run"
    trained(folder, dataset, stop=lambda run: run.state.iteration == 100)
    count = len(snapshots.read(folder / "snapshots.npz").iteration)
    (folder / "snapshots.npz").unlink()
    with pytest.warns(UserWarning, match=f"has 0 of the {count} snapshots"):
        trained(folder, dataset)
    assert snapshots.read(folder / "snapshots.npz").iteration[0] in (101, 102)


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path, dataset, straight):
    """Without `kept` and the number of snapshots: the next is the first, and training as it was."""
    folder = tmp_path / "run"
    trained(folder, dataset, stop=lambda run: run.state.iteration == 100)
    with np.load(folder / "last.npz") as file:
        arrays = {name: file[name] for name in file.files if not name.startswith("kept.")}
    header = json.loads(str(arrays.pop("header")))
    assert header.pop("snapshots") >= 50
    np.savez(folder / "last.npz", header=np.array(json.dumps(header)), **arrays)
    trained(folder, dataset)
    assert snapshots.read(folder / "snapshots.npz").iteration[0] in (101, 102)
    found = contents(folder)
    differing = {name for name in straight if found[name] != straight[name]}
    assert differing == {"last.npz", "best.npz", "snapshots.npz"}  # by the number of snapshots, and those


def test_a_new_run_does_not_take_over_what_lies_there(tmp_path, dataset):
    (tmp_path / "snapshots.npz").write_bytes(b"of another run")
    with pytest.raises(FileExistsError, match=r"snapshots\.npz is there"):
        trained(tmp_path, dataset)


def test_killed_before_a_checkpoint_knew_of_any_nothing_stays(tmp_path, dataset):
    trained(tmp_path / "run", dataset, stop=lambda run: True)
    (tmp_path / "run" / "snapshots.npz").write_bytes(b"of iterations that were lost")
    trained(tmp_path / "run", dataset, stop=lambda run: run.state.iteration == 1)
    assert not (tmp_path / "run" / "snapshots.npz").exists()


def whole(n=3):
    """What a snapshots.npz of 2 + 3 units may hold."""
    return {
        "iteration": np.arange(1, n + 1),
        "a": np.zeros((n, 5), np.float32),
        "W": np.zeros((n, 2, 3), np.float32),
        "jeffreys": np.zeros(n),
    }


SPOILT = {
    "foreign": {"x": np.zeros(3)},
    "uneven": whole() | {"a": np.zeros((4, 5), np.float32)},
    "of another type": whole() | {"W": np.zeros((3, 2, 3))},
    "of another shape": whole() | {"W": np.zeros((3, 2, 4), np.float32)},
    "flat": whole() | {"W": np.zeros(3, np.float32)},
    "not finite": whole() | {"jeffreys": np.full(3, np.nan)},
    "one number not finite": whole() | {"a": np.float32([[0, 0, 0, 0, 0], [0, np.nan, 0, 0, 0], [0, 0, 0, 0, 0]])},
    "out of order": whole() | {"iteration": np.array([1, 3, 2])},
}


@pytest.mark.parametrize("spoil", ["truncated", *SPOILT])
def test_a_damaged_file_is_named(tmp_path, spoil):
    path = tmp_path / "snapshots.npz"
    if spoil == "truncated":
        path.write_bytes(b"PK half of it")
    else:
        np.savez(path, **SPOILT[spoil])
    with pytest.raises(ValueError, match=r"snapshots\.npz"):
        snapshots.read(path)


def test_control_a_whole_file_is_read_and_one_of_other_machines_refused(tmp_path):
    path = tmp_path / "snapshots.npz"
    np.savez(path, **whole())
    assert snapshots.read(path, machine(0)).iteration.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r"expected a to be float32 \(3, 8\)"):
        snapshots.read(path, RBM(np.zeros(8), np.zeros((4, 4))))


def test_taking_snapshots_changes_no_number(tmp_path, dataset, straight, monkeypatch):
    monkeypatch.setattr(training, "snapshot", lambda state, settings: (state, None))
    folder = tmp_path / "run"
    trained(folder, dataset)
    assert (folder / "metrics.jsonl").read_bytes() == straight["metrics.jsonl"]
    with np.load(folder / "last.npz") as without, np.load(io.BytesIO(straight["last.npz"])) as file:
        for name in set(file.files) - {"header"}:
            assert name.startswith("kept.") or without[name].tobytes() == file[name].tobytes()
