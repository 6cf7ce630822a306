"""python -m figures: files, messages, exit codes; what is kept, and going on after an interruption."""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import figures
from dvae_ref.runs import training
from figures import __main__ as command
from figures import snapshots, store, style

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cli(capsys, tmp_path):
    """Run the command in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        try:
            code = command.main([*arguments, "--out", str(tmp_path / "out"), "--threads", "1"])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def coloured(path):
    """How many pixels of a picture are neither black, white nor grey."""
    rgb = matplotlib.image.imread(path)[..., :3]
    return int(np.sum(np.ptp(rgb, axis=-1) > 0.2))


def test_fig1_as_another_process(tmp_path):
    arguments = ["fig1", "--quick", "--out", str(tmp_path), "--json", "--threads", "1"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "figures", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert [made["name"] for made in record["figures"]] == ["fig1"]
    assert {path.name for path in tmp_path.iterdir()} == {"fig1.png", "fig1.pdf", "fig1.npz"}


def test_every_figure_leaves_a_picture_its_numbers_and_is_drawn_again_from_them(cli, tmp_path, monkeypatch):
    """All by one command; then once more those that take long, with the samplers out of order."""
    code, said, errors = cli("all", "--quick", "--json")
    assert code == 0, errors
    assert [made["name"] for made in json.loads(said.splitlines()[-1])["figures"]] == list(figures.NAMES)
    first = {}
    for name in figures.NAMES:
        png, pdf = (tmp_path / "out" / f"{name}.{kind}" for kind in ("png", "pdf"))
        assert coloured(png) > 1000
        assert pdf.read_bytes().startswith(b"%PDF")
        assert len(pdf.read_bytes()) > 10_000
        first[name] = png.read_bytes(), pdf.read_bytes()
    for sampler in training.SAMPLERS.values():
        monkeypatch.setattr(sampler, "step", None)
    slow = ("fig2a", "fig2b", "fig2c", "pcd-vs-pa")
    assert cli(*slow, "--quick")[0] == 0
    for name in slow:
        assert first[name] == tuple((tmp_path / "out" / f"{name}.{kind}").read_bytes() for kind in ("png", "pdf"))


def test_control_an_empty_picture_is_not_coloured(tmp_path):
    figure, _ = style.panels(1, 1, (4, 3))
    style.save(figure, tmp_path / "empty.png", "png")
    assert coloured(tmp_path / "empty.png") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fig3"], 2, "no figure fig3; there are fig1, fig2a"),
        ([], 2, "FIGURE"),
        (["fig1", "--quick", "--full"], 2, "not allowed with"),
        (["fig1", "--seed", "-1"], 2, "0 <= seed"),
        (["fig1", "--threads", "0"], 2, "--threads must lie in 1 to"),
        (["fig1", "--run-dir", "x"], 2, "goes with fig2a alone"),
        (["fig2a", "--quick", "--run-dir", "no-such-run"], 1, "no run in no-such-run"),
        (["fig2c", "--full", "--data-dir", "no-such-data"], 1, "train-images"),
    ],
)
def test_errors_say_what_is_wrong(capsys, tmp_path, arguments, code, said):
    with pytest.raises(SystemExit) as error:
        command.main(["--out", str(tmp_path), *([] if "--threads" in arguments else ["--threads", "1"]), *arguments])
    assert error.value.code == code
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as error:
        command.main(["fig1", "--quick", "--threads", "1", "--out", str(tmp_path / "file" / "out")])
    assert error.value.code == 1
    assert "NotADirectoryError" in capsys.readouterr().err


def run_of(options, seed=0):
    """(settings, iterations) of a small run."""
    return snapshots.settings_for("dvaes_exp", 10, options._replace(seed=seed))


def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(options, tmp_path, monkeypatch):
    """Stopped before iteration 5 and again before 8, beside a run in one go. Another seed gives other bytes."""
    settings, iterations = run_of(options)
    straight = options._replace(out=tmp_path / "straight")
    whole = [s.params for s in snapshots.trained(settings, iterations, straight)]
    stops = iter([5, 8, 99])

    class Interrupted(snapshots.Interrupt):
        def __enter__(self):
            self.left = next(stops)
            return super().__enter__()

        def __call__(self):
            self.left -= 1
            return self.left < 0

    monkeypatch.setattr(snapshots, "Interrupt", Interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            list(snapshots.trained(settings, iterations, options))
    found = list(snapshots.trained(settings, iterations, options))
    assert [s.iteration for s in found] == [3, 6, 12]
    for one, other in zip(whole, found, strict=True):
        assert one.encoder[0].out.kernel.tobytes() == other.params.encoder[0].out.kernel.tobytes()
        assert one.rbm.W.tobytes() == other.params.rbm.W.tobytes()
    monkeypatch.undo()


def test_snapshots_that_are_lost_or_damaged_are_named(options):
    settings, iterations = run_of(options)
    list(snapshots.trained(settings, iterations, options))
    folder = snapshots.run_folder(settings, iterations, options)
    path = snapshots.path_of(folder, 6)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"snapshot-0000006.npz is truncated"):
        list(snapshots.trained(settings, iterations, options))
    path.unlink()
    with pytest.raises(ValueError, match="is past iteration 6 without a snapshot"):
        list(snapshots.trained(settings, iterations, options))


def test_other_settings_have_another_folder(options):
    folders = {snapshots.run_folder(*run_of(options, seed), options).name for seed in (0, 1)}
    assert len(folders) == 2


def test_what_is_kept_is_computed_once(tmp_path):
    calls = []

    def compute(value=1.0):
        calls.append(value)
        return {"x": np.array([value, 2.0])}

    for _ in range(2):
        assert store.kept(tmp_path / "new", "a", {"n": 1}, compute)["x"].tolist() == [1.0, 2.0]
    assert len(calls) == 1
    assert store.kept(tmp_path / "new", "a", {"n": 2}, compute, 5.0)["x"].tolist() == [5.0, 2.0]
    (tmp_path / "new" / f"a-{store.digest({'n': 1})}.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="is truncated or no npz of arrays; delete it"):
        store.kept(tmp_path / "new", "a", {"n": 1}, compute)


def test_other_random_streams_are_another_name(monkeypatch):
    """So that what an earlier version kept is computed anew, not mixed with this one's."""
    before = store.digest({"n": 1})
    assert store.digest({"n": 1}) == before
    monkeypatch.setattr(store.philox, "STREAMS", store.philox.STREAMS + 1)
    assert store.digest({"n": 1}) != before


SPOILT = {
    "a number": lambda x: x + 1e-9,
    "a shape": lambda x: x[None],
    "a type": lambda x: x.astype(np.float32),
    "words": lambda x: x.astype(str),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_kept_is_taken_only_as_it_was_written(tmp_path, what):
    """Not another array under its name, which a figure would draw, or stumble over."""
    settings = {"n": 1}
    kept = store.kept(tmp_path, "a", settings, lambda: {"x": np.array([1.0, 2.0]), "n": 3})
    assert set(kept) == {"x", "n"}
    path = tmp_path / f"a-{store.digest(settings)}.npz"
    whole = dict(store.read(path))
    store.write(path, whole | {"x": SPOILT[what](whole["x"])})
    with pytest.raises(ValueError, match=r"a-.*\.npz holds other arrays than were kept; delete it"):
        store.kept(tmp_path, "a", settings, None)
    store.write(path, {"y": whole["x"]})
    with pytest.raises(ValueError, match=r"a-.*\.npz holds other arrays than were kept; delete it"):
        store.kept(tmp_path, "a", settings, None)
    store.write(path, whole)
    assert store.kept(tmp_path, "a", settings, None)["x"].tolist() == [1.0, 2.0]


def test_an_array_that_is_not_there_is_named(tmp_path):
    store.write(tmp_path / "fig1.npz", {"x": np.ones(2)})
    with pytest.raises(ValueError, match=r"fig1\.npz has no array y; there are x"):
        store.read(tmp_path / "fig1.npz")["y"]


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        store.kept(tmp_path, "a", {}, lambda: {"x": 1 / 0})
    assert list(tmp_path.iterdir()) == []
