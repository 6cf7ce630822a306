"""The command line as its user meets it: exit codes, messages, the last line of --json, what lies in the folder."""

import errno
import json
import math
import os
import shutil
import statistics
import time
from dataclasses import fields

import numba
import numpy as np
import pytest
from small_run import SMALL_RUN, command

from dvae_ref import commands
from dvae_ref.cli import main
from dvae_ref.files import partial, writing
from dvae_ref.model.structures import STRUCTURES
from dvae_ref.runs import library
from dvae_ref.runs.presets import BASELINES, DATASETS, SAMPLERS, Settings

RUN_FILES = {
    *("config.json", "metrics.jsonl", "last.npz", "best.npz", "snapshots.npz", "sessions.json", ".lock"),
    *("curves.png", "reconstructions.png", "samples.png"),
}
QUICK = ("--samples", "20", "--images", "10", "--temperatures", "20", "--ais-chains", "30", "--threads", "1")


@pytest.fixture(autouse=True)
def quiet_surroundings(monkeypatch, tmp_path):
    """No data but the bundled ones, nothing left behind."""
    before = numba.get_num_threads()
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DVAE_REF_DATA", str(tmp_path / "no-data"))
    monkeypatch.chdir(tmp_path)
    yield
    numba.set_num_threads(before)


@pytest.fixture
def cli(capsys):
    """Run a command in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def run_dir(straight, tmp_path):
    """A finished run, to be spoilt at will."""
    return shutil.copytree(straight[0], tmp_path / "run")


def test_a_run_folder_has_everything(straight):
    folder, done = straight
    assert {path.name for path in folder.iterdir()} == RUN_FILES
    settings = Settings.from_json(json.loads((folder / "config.json").read_text()))
    given = dict(zip(SMALL_RUN[::2], SMALL_RUN[1::2], strict=True))
    assert all(str(getattr(settings, name[2:].replace("-", "_"))) == value for name, value in given.items())
    assert (settings.dataset, settings.beta) == ("mnist5k", 40)
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["run_dir"] == str(folder)
    assert last["iterations"] == 200
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    nll = [record["validation_nll"] for record in records if "validation_nll" in record]
    assert len(nll) == 2
    assert last["best_validation_nll"] == min(nll)
    assert "200/200" in done.stderr
    assert "validation NLL" in done.stderr


def test_evaluate_writes_and_prints_the_same_numbers(cli, run_dir):
    code, out, _ = cli("evaluate", "--run-dir", run_dir, *QUICK, "--json")
    assert code == 0
    last, written = json.loads(out.splitlines()[-1]), json.loads((run_dir / "evaluation.json").read_text())
    assert last == {name: value for name, value in written.items() if name != "settings"}
    assert written["settings"]["seed"] == 3
    assert (last["split"], last["checkpoint"], last["samples"], last["images"]) == ("test", "best", 20, 10)
    assert 0 < last["log_z_standard_error"] < 1
    assert 50 < last["nll"] < -last["elbo"] < 400
    assert 1 <= last["ess_minimum"] <= last["ess_median"] <= 20
    assert f"{last['nll']:.2f}" in out


def test_evaluate_depends_on_its_seed_alone(cli, run_dir):
    def numbers(*options):
        return json.loads(cli("evaluate", "--run-dir", run_dir, *QUICK, "--json", *options)[1].splitlines()[-1])

    first = numbers()
    assert numbers() == first
    other, validation = numbers("--seed", 1), numbers("--split", "validation")
    assert other["nll"] != first["nll"]
    assert other["log_z"] != first["log_z"]
    assert abs(other["log_z"] - first["log_z"]) < 6 * math.hypot(*(r["log_z_standard_error"] for r in (other, first)))
    assert validation["nll"] != first["nll"]
    assert validation["log_z"] == first["log_z"]


def test_one_image_has_no_standard_error(cli, run_dir):
    """null in JSON, which has no NaN; nothing in the text."""

    def refuse(name):
        raise AssertionError(name)

    code, out, _ = cli("evaluate", "--run-dir", run_dir, *QUICK, "--images", 1, "--json")
    assert code == 0
    for text in (out.splitlines()[-1], (run_dir / "evaluation.json").read_text()):
        record = json.loads(text, parse_constant=refuse)
        assert (record["nll_standard_error"], record["elbo_standard_error"]) == (None, None)
    assert f"test NLL {record['nll']:.2f} nats over 1 images" in out


def test_what_is_asked_along_training_is_answered(cli, run_dir):
    """Also where there are no snapshots."""
    asked = ("evaluate", "--run-dir", run_dir, *QUICK, "--along-training")
    assert " snapshots, " in cli(*asked)[1]
    (run_dir / "snapshots.npz").unlink()
    assert "\nlog Z along training: not known, there is no snapshots.npz in the run folder\n" in cli(*asked)[1]


@pytest.mark.parametrize("name", ["log_px.npz", "evaluation.json"])
def test_what_was_measured_is_told_where_it_cannot_be_written(cli, run_dir, monkeypatch, name):
    """It took minutes, and the disk is full at their end."""
    atomic = writing.atomic

    def full(path):
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return atomic(path)

    monkeypatch.setattr(writing, "atomic", full)
    code, out, err = cli("evaluate", "--run-dir", run_dir, *QUICK, "--json")
    assert (code, out.startswith("test NLL ")) == (1, True)
    assert json.loads(out.splitlines()[-1])["images"] == 10
    assert f"UnwrittenError: [Errno 28] not written: No space left on device: '{run_dir / name}'" in err


def test_sample_draws_a_picture(cli, run_dir, tmp_path):
    out = tmp_path / "drawn.png"
    code, text, _ = cli(
        "sample", "--run-dir", run_dir, "--number", 5, "--sweeps", 20, "--out", out, "--threads", 1, "--json"
    )
    assert code == 0
    assert json.loads(text.splitlines()[-1]) == {"picture": str(out), "number": 5, "sweeps": 20}
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_sample_goes_where_it_is_sent(cli, run_dir, tmp_path):
    """Through a link, which stays, with the mode that the umask leaves; and alone to standard output."""
    sample = ("sample", "--run-dir", run_dir, "--number", 2, "--sweeps", 2, "--threads", 1, "--out")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.png").symlink_to("elsewhere/real.png")
    before = os.umask(0o077)
    try:
        assert cli(*sample, tmp_path / "link.png")[0] == 0
    finally:
        os.umask(before)
    assert (tmp_path / "link.png").is_symlink()
    picture = (tmp_path / "elsewhere/real.png").read_bytes()
    assert (tmp_path / "elsewhere/real.png").stat().st_mode & 0o777 == 0o600
    done = command(*sample, "/dev/stdout", text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == picture
    assert b"wrote /dev/stdout" in done.stderr


def test_before_the_work_it_is_known_whether_a_sample_or_a_measurement_can_be_written(cli, run_dir, monkeypatch):
    for module, name in ((library.pcd, "step"), (commands.measuring.ais, "log_z")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("it was computed"))
    code, _, err = cli("sample", "--run-dir", run_dir, "--out", run_dir)
    assert (code, "cannot write here: it is a folder" in err) == (1, True)
    (run_dir / "evaluation.json").mkdir()
    code, _, err = cli("evaluate", "--run-dir", run_dir, *QUICK)
    assert (code, "cannot write here: it is a folder" in err) == (1, True)


@pytest.mark.parametrize("what", ["evaluate", "sample"])
def test_what_a_killed_evaluate_or_sample_left_goes_at_the_next_start(cli, run_dir, what):
    left = run_dir / partial.name("evaluation.json").replace(f"-{os.getpid()}-", "-999999999-")
    left.touch()
    options = QUICK if what == "evaluate" else ("--number", 2, "--sweeps", 2, "--threads", 1)
    assert cli(what, "--run-dir", run_dir, *options)[0] == 0
    assert not left.exists()


def test_data_list_says_what_is_there_and_what_is_missing(cli, tmp_path):
    code, out, _ = cli("data", "list", "--json")
    record = json.loads(out.splitlines()[-1])
    assert code == 0
    assert record["mnist5k"]["images"] == [4000, 500, 500]
    assert "chardata.mat not found in" in record["omniglot"]["error"]
    assert str(tmp_path / "no-data") in record["binarized_mnist"]["error"]
    assert sorted(line.partition(":")[0] for line in out.splitlines()[:3]) == sorted(record)
    assert "omniglot: chardata.mat not found" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "required"),
        ("tain", "invalid choice: 'tain'"),
        ("tain", "did you mean train?"),
        ("train --betta 3", "dvae_ref train: unrecognized arguments: --betta 3; did you mean --beta? (see python -m"),
        ("train --num-train-itr=3", "did you mean --num-train-iter?"),
        ("train --struct 1-layer-nonlim", "did you mean 1-layer-nonlin?"),
        ("conformance check kit theirs --onyl x", "check: unrecognized arguments: --onyl x; did you mean --only?"),
        ("train --dataset cifar", ", ".join(f"'{name}'" for name in DATASETS)),
        ("train --struct 3-layer", ", ".join(f"'{name}'" for name in STRUCTURES)),
        ("train --baseline dvaes", ", ".join(f"'{name}'" for name in BASELINES)),
        ("train --k 0", "k must be a whole number, at least 1, got 0"),
        ("train --k 1.5", "invalid int value: '1.5'"),
        ("train --beta 1", "dvaes_power takes a finite beta > 1, got 1.0"),
        ("train --beta nan", "dvaes_power takes a finite beta > 1, got nan"),
        ("train --baseline dvae_spike_exp --beta 88", "dvae_spike_exp takes beta < 88"),
        ("train --lr-factors 1,x", "--lr-factors: expected numbers separated by commas, got '1,x'"),
        ("train --lr-factors 1,2", "one entry less"),
        ("train --threads 0", "--threads must lie in 1 to"),
        ("train --resume", "--resume needs the --run-dir"),
        ("evaluate", "--run-dir"),
        ("evaluate --run-dir x --samples 0", "--samples must be at least 1, got 0"),
        ("evaluate --run-dir x --temperatures 1", "--temperatures must be at least 2, got 1"),
        ("evaluate --run-dir x --images 0", "--images must be at least 1, got 0"),
        ("evaluate --run-dir x --seed -1", "--seed must be at least 0, got -1"),
        ("evaluate --run-dir x --split train", "'test', 'validation'"),
        ("sample --run-dir x --number 0", "--number must be at least 1, got 0"),
        ("table1 --scheduler foo", "--scheduler must be local, or an address such as tcp://HOST:8786, got foo"),
        ("table1 --scheduler tcp://foo", "--scheduler must be local"),
        ("data fetch", "data fetch takes the name of a data set: mnist5k, "),
        ("data fetch cifar", ", ".join(f"'{name}'" for name in DATASETS)),
    ],
)
def test_wrong_usage_is_exit_code_2(cli, tmp_path, arguments, message):
    code, out, err = cli(*arguments.split())
    assert code == 2
    assert message in err
    assert err.count("\n") == 1, "one line"
    assert out == ""
    assert not list(tmp_path.iterdir()), "nothing is begun"


def test_resume_refuses_other_settings(cli, run_dir):
    """Exit code 2, naming them; what agrees may be given."""
    arguments = ("train", "--resume", "--run-dir", run_dir, "--threads", 1)
    code, _, err = cli(*arguments, "--k", 5, "--seed", 3, "--chains", 51)
    assert code == 2
    assert "k, chains differ from its config.json" in err
    assert cli(*arguments, "--seed", 3)[0] == 0


def put_idx(folder, content=b"\0\0\x08\x03 truncated"):
    (folder / "no-data").mkdir()
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (folder / "no-data" / name).write_bytes(content)


def spoil(path, edit):
    path.write_bytes(edit(path.read_bytes()))


def poison(run_dir, *names):
    """NaN in these arrays of best.npz."""
    header, arrays = writing.load_checkpoint(run_dir / "best.npz")
    for name in names:
        arrays[name].flat[0] = np.nan
    record = {"format": writing.FORMAT, "version": writing.VERSION} | header
    np.savez(run_dir / "best.npz", header=np.array(json.dumps(record)), **arrays)


FAILURES = {
    "missing data": (
        lambda folder: None,
        "train --dataset omniglot --threads 1",
        "chardata.mat not found in",
    ),
    "corrupt data": (put_idx, "train --dataset binarized_mnist --threads 1", "train-images-idx3-ubyte"),
    "folder below a file": (
        lambda folder: (folder / "file").write_text(""),
        "train --run-dir file/run --threads 1",
        "file/run",
    ),
    "a run is there": (lambda folder: None, "train --run-dir run --threads 1", "run holds a run already"),
    "nothing to resume": (lambda folder: None, "train --resume --run-dir x --threads 1", "no run in x"),
    "nothing to evaluate": (lambda folder: None, "evaluate --run-dir x", "no run in x: there is no config.json"),
    "no best yet": (
        lambda folder: (folder / "run/best.npz").unlink(),
        "evaluate --run-dir run",
        "no checkpoint run/best.npz: it comes with the first validation; --checkpoint last",
    ),
    "damaged config": (
        lambda folder: spoil(folder / "run/config.json", lambda text: text[:-10]),
        "evaluate --run-dir run",
        "config.json is damaged",
    ),
    "config with a value out of range": (
        lambda folder: spoil(folder / "run/config.json", lambda text: text.replace(b'"k": 1', b'"k": 0')),
        "evaluate --run-dir run",
        "config.json is damaged: k must be",
    ),
    "truncated checkpoint": (
        lambda folder: spoil(folder / "run/best.npz", lambda data: data[:-1000]),
        "sample --run-dir run",
        "best.npz is truncated",
    ),
    "truncated checkpoint to resume": (
        lambda folder: spoil(folder / "run/last.npz", lambda data: data[:9999]),
        "train --resume --run-dir run --threads 1",
        "last.npz is truncated",
    ),
    "NaN in the RBM": (
        lambda folder: poison(folder / "run", "params.rbm.W"),
        "evaluate --run-dir run",
        "W has 1 values that are not finite",
    ),
    "NaN in the decoder": (
        lambda folder: poison(folder / "run", "params.decoder.out.kernel"),
        "sample --run-dir run",
        "best.npz: params.decoder.out.kernel has 1 values that are not finite",
    ),
    "picture in no folder": (
        lambda folder: None,
        "sample --run-dir run --number 1 --sweeps 1 --out nowhere/s.png",
        "cannot write here: No such file or directory: 'nowhere/s.png'",
    ),
    "batch larger than the data": (
        lambda folder: None,
        "train --batch-size 4001 --run-dir none --threads 1",
        "batch size 4001; expected 1 to 4000",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_are_exit_code_1_and_name_what_was_wrong(cli, run_dir, tmp_path, kind):
    """A line, no traceback; with --debug, the exception itself."""
    prepare, arguments, message = FAILURES[kind]
    prepare(tmp_path)
    code, out, err = cli(*arguments.split())
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "none").exists()
    assert err.splitlines()[-1].startswith(f"python -m dvae_ref {arguments.split()[0]}: ")
    assert out == ""
    with pytest.raises((ValueError, OSError)) as error:
        main(["--debug", *arguments.split()])
    assert message in str(error.value)


def test_debug_raises_wrong_usage_too():
    with pytest.raises(commands.UsageError, match="--threads must lie in"):
        main(["--debug", "train", "--threads", "0"])


def test_help_is_quick_and_complete(cli):
    """Median of three; the goal is 1 s, the limit leaves room for a busy machine. Nothing heavy is imported for it."""
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        done = command("--help")
        durations.append(time.perf_counter() - start)
        assert done.returncode == 0
        assert "a cell of Table 1" in done.stdout
    print(f"--help: {statistics.median(durations):.2f} s")
    assert statistics.median(durations) < 2
    light = "import sys; from dvae_ref import cli; sys.exit(bool({'numpy', 'numba', 'scipy'} & set(sys.modules)))"
    assert command(code=light).returncode == 0
    code, out, _ = cli("train", "--help")
    assert code == 0
    assert all(f"--{field.name.replace('_', '-')} " in out for field in fields(Settings))
    assert all(f"{name} " in out and baseline.title in out for name, baseline in BASELINES.items())
    assert all(f"{name} " in out and text in out for name, text in SAMPLERS.items())
    assert "default: that of the authors' runs for the cell" in " ".join(out.split())
