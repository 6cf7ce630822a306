"""evaluation.json and log_px.npz of a run: the same numbers in both, and what belongs to what."""

import hashlib
import json

import numpy as np
import pytest

from dvae_ref.files import writing
from dvae_ref.runs import evaluation, lifecycle, measuring
from dvae_ref.runs.presets import Settings

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = Settings(
    struct="1-layer-lin",
    num_train_iter=4,
    batch_size=10,
    chains=7,
    sweeps=1,
    eval_every=2,
    eval_samples=2,
    eval_temperatures=4,
)
HOW = {"samples": 40, "images": 6, "temperatures": 10, "ais_chains": 30}


@pytest.fixture
def folder(tmp_path, dataset):
    """Of a run that is trained."""
    with lifecycle.Run(tmp_path / "run", SMALL, dataset) as run:
        run.begin()
        run.advance()
    return tmp_path / "run"


def evaluation_of(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_the_images_and_the_record_say_the_same(folder, dataset):
    """Means over images are the record's to the bit; the rest says of what model, data and samples they are."""
    record = measuring.measure(folder, dataset, **HOW, seed=5)
    assert evaluation_of(folder) == {"settings": json.loads(json.dumps(SMALL.to_json())), **record}
    found = measuring.read_log_px(folder / "log_px.npz")
    for name in measuring.PER_IMAGE:
        array = getattr(found, name)
        assert array.shape == (6,)
        assert array.dtype == np.float64
        assert float(-array.mean()) == record[name.replace("log_px", "nll")]
    assert record["nll_sixteenth"] > record["nll_quarter"] > record["nll"]
    assert record["nll_drift"] == pytest.approx(record["nll_quarter"] - record["nll"])
    assert evaluation.standard_error(found.log_px) == record["nll_standard_error"]
    for name in ("log_z", "log_z_standard_error", "data_sha256", *measuring.WHOLE):
        assert getattr(found, name).item() == record[name]
    assert record["data_sha256"] == hashlib.sha256(dataset.test[:6].astype(np.uint8).tobytes()).hexdigest()
    assert (record["seed"], record["samples"], record["iteration"]) == (5, 40, lifecycle.load(folder)[1].iteration)


def test_the_commit_is_that_at_the_start(folder, dataset, monkeypatch):
    """A measurement takes minutes, in which the checkout may go on to another."""
    now = ["before"]
    monkeypatch.setattr(measuring.sessions, "commit", lambda: now[0])
    record = measuring.measure(folder, dataset, **HOW, on_ais=lambda *_: now.__setitem__(0, "after"))
    assert (now, record["commit"]) == (["after"], "before")


def test_damaged_snapshots_are_seen_before_the_work(folder, dataset):
    (folder / "snapshots.npz").write_bytes(b"PK")
    annealed = []
    with pytest.raises(ValueError, match=r"snapshots\.npz"):
        measuring.measure(folder, dataset, **HOW, along_training=True, on_ais=lambda *_: annealed.append(1))
    assert not annealed


def test_a_seed_that_no_record_holds_is_refused(folder, dataset):
    with pytest.raises(ValueError, match=r"the seed of a measurement is < 2\*\*63.* got 9223372036854775808"):
        measuring.measure(folder, dataset, **HOW, seed=2**63)
    record = measuring.measure(folder, dataset, **HOW, seed=2**63 - 1)
    assert measuring.per_image(folder, record) is not None


def test_a_part_of_the_images_has_its_own_digest_and_the_same_numbers(folder, dataset):
    """Images have noise of their own, so the first four are the first four of six; NumPy sums matrices of other
    sizes in another order, perhaps."""
    six = measuring.measure(folder, dataset, **HOW)
    whole = measuring.read_log_px(folder / "log_px.npz")
    four = measuring.measure(folder, dataset, **HOW | {"images": 4})
    part = measuring.read_log_px(folder / "log_px.npz")
    assert six["data_sha256"] != four["data_sha256"]
    np.testing.assert_allclose(part.log_px, whole.log_px[:4], rtol=1e-6)


@pytest.mark.parametrize("other", [{"seed": 1}, {"samples": 20}, {"images": 5}])
def test_numbers_of_another_measurement_are_not_taken_for_these(folder, dataset, other):
    """As where a process was killed between the two files."""
    record = measuring.measure(folder, dataset, **HOW)
    assert measuring.per_image(folder, record)._fields == measuring.LogPx._fields
    measuring.measure(folder, dataset, **HOW | other)
    assert measuring.per_image(folder, record) is None
    (folder / "log_px.npz").unlink()
    assert measuring.per_image(folder, record) is None


def test_killed_between_the_two_the_record_is_still_that_of_before(folder, dataset, monkeypatch):
    record = measuring.measure(folder, dataset, **HOW)
    with monkeypatch.context() as patched:
        patched.setattr(writing, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            measuring.measure(folder, dataset, **HOW, seed=1)
    assert evaluation_of(folder)["nll"] == record["nll"]
    assert measuring.per_image(folder, record) is None
    assert measuring.per_image(folder, measuring.measure(folder, dataset, **HOW, seed=1)) is not None


def arrays(n=3):
    floats = {name: np.full(n, -90.0) for name in measuring.PER_IMAGE}
    floats |= {"log_z": np.array(100.0), "log_z_standard_error": np.array(0.1)}
    return floats | {"data_sha256": np.array("0" * 64)} | {name: np.array(4) for name in measuring.WHOLE}


SPOILT = {
    "foreign": {"x": np.zeros(3)},
    "uneven": arrays() | {"log_px_quarter": np.zeros(4)},
    "empty": arrays(0),
    "not finite": arrays() | {"log_px": np.array([-90, np.nan, -90])},
    "log Z not finite": arrays() | {"log_z": np.array(np.inf)},
    "a number of samples that is none": arrays() | {"samples": np.array(4.5)},
    "many seeds": arrays() | {"seed": np.arange(3)},
    "a digest that is none": arrays() | {"data_sha256": np.array(3)},
    "flat": arrays() | {"log_px": np.array(-90.0)},
}


@pytest.mark.parametrize("spoil", ["truncated", *SPOILT])
def test_a_damaged_file_is_named(tmp_path, spoil):
    path = tmp_path / "log_px.npz"
    if spoil == "truncated":
        path.write_bytes(b"PK half of it")
    else:
        np.savez(path, **SPOILT[spoil])
    with pytest.raises(ValueError, match=r"log_px\.npz"):
        measuring.read_log_px(path)


def test_control_a_whole_file_is_read(tmp_path):
    np.savez(tmp_path / "log_px.npz", **arrays())
    assert measuring.read_log_px(tmp_path / "log_px.npz").log_px.tolist() == [-90.0] * 3
