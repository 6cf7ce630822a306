"""Other people's machines and log-weights, from files: against enumeration and a plain average."""

import errno
import json

import numpy as np
import pytest

from dvae_ref import cli, exact
from dvae_ref.files import writing
from dvae_ref.runs import foreign, roles
from dvae_ref.sampling import bracket, gibbs, modes, philox
from dvae_ref.theory.boltzmann import RBM
from validation import machines


@pytest.fixture
def run(capsys):
    def call(*arguments):
        try:
            code = cli.main([*map(str, arguments)])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def machine(tmp_path):
    """(path, RBM) of 6 + 5 units; float64 and in Fortran's order, as others have it."""
    rng = np.random.default_rng(0)
    rbm = RBM(rng.normal(-0.3, 1, 11), rng.normal(0, 0.7, (6, 5)))
    np.savez(tmp_path / "machine.npz", a=rbm.a, W=np.asfortranarray(rbm.W))
    return tmp_path / "machine.npz", rbm


def test_log_z_and_moments_of_a_machine(run, machine, tmp_path):
    """The bracket contains log Z; E[z] is within 5 of its errors, which no constant of the machine is."""
    path, rbm = machine
    options = ("--temperatures", 200, "--chains", 400, "--sweeps", 200, "--out", tmp_path / "moments.npz", "--json")
    code, out, _ = run("log-z", path, *options)
    record, log_z = json.loads(out.splitlines()[-1]), exact.log_z(rbm)
    assert code == 0
    assert record["low"] < log_z < record["high"]
    assert record["high"] - record["low"] < 0.5
    assert record["verdict"] == "closed"
    with np.load(tmp_path / "moments.npz") as found:
        off = (found["mean_z"] - exact.moments(rbm).z) / np.maximum(found["mean_z_error"], 1e-3)
        assert np.max(np.abs(off)) < 5
        assert np.max(np.abs(found["mean_z"] - 0.5)) > 5 * record["mean_z_error"]


def test_a_mode_that_neither_way_has_found_is_contradictory(run, tmp_path):
    """The golf hole: chains from random states are not in it, and both ways agree, 2.3 nats below its mean field."""
    rbm = machines.golf_hole().rbm
    np.savez(tmp_path / "machine.npz", a=rbm.a, W=rbm.W)
    options = ("--temperatures", 50, "--chains", 100, "--sweeps", 10, "--json")
    with pytest.warns(UserWarning, match=r"too low: it is at least 30\.02"):
        code, out, _ = run("log-z", tmp_path / "machine.npz", *options)
    record = json.loads(out.splitlines()[-1])
    assert (code, record["verdict"]) == (0, "contradictory")
    assert abs(record["above"]["log_z"] - record["below"]["log_z"]) < 0.1


def test_what_would_be_lost_or_take_too_much_is_refused_before_the_work(run, machine, tmp_path):
    """The machine's own file for --out, one in no folder, and a number of chains that no memory holds."""
    path, before = machine[0], machine[0].read_bytes()
    for options, code, message in (
        (("--out", path), 2, "is the machine itself: take another name"),
        (("--out", tmp_path / "none" / "moments.npz"), 1, "cannot write here"),
        (("--chains", 10**12), 1, "1,000,000,000,000 chains of 11 units would take"),
        (("--temperatures", 10**12), 1, "temperatures"),
    ):
        found, _, err = run("log-z", path, *options)
        assert (found, message in err, err.count("\n")) == (code, True, 1), err
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_few_samples_have_no_drift(run, tmp_path):
    np.savez(tmp_path / "weights.npz", log_w=np.zeros((5, 3)))
    code, out, _ = run("nll", tmp_path / "weights.npz", "--log-z", 0)
    assert (code, "factor of four" in out) == (0, False)


def test_nll_of_log_weights(run, tmp_path):
    log_w = np.random.default_rng(1).normal(-90, 2, (50, 64))
    np.savez(tmp_path / "weights.npz", log_w=log_w)
    code, out, _ = run("nll", tmp_path / "weights.npz", "--log-z", 3.5, "--log-z-error", 0.4, "--json")
    record = json.loads(out.splitlines()[-1])
    log_px = np.log(np.mean(np.exp(log_w + 90), 1)) - 90 - 3.5
    assert code == 0
    assert record["nll"] == pytest.approx(-log_px.mean(), rel=1e-12)
    assert record["nll_error"] == pytest.approx(np.hypot(log_px.std(ddof=1) / np.sqrt(50), 0.4), rel=1e-12)
    assert (record["images"], record["samples"]) == (50, 64)


WRONG = {
    "no W": ({"a": np.zeros(3)}, "W is not there (a is); expected an array of real numbers"),
    "words": ({"a": np.array(["a"]), "W": np.zeros((1, 1))}, "a is <U1; expected an array of real numbers"),
    "other units": ({"a": np.zeros(3), "W": np.zeros((3, 3))}, "machine.npz: "),
    "beyond float32": (
        {"a": np.array([0, 1e39]), "W": np.zeros((1, 1))},
        "in float32, up to 3.4e+38; got a parameter of 1e+39",
    ),
    "a coupling beyond float32": (
        {"a": np.zeros(4), "W": np.array([[0, 1.0], [-1e39, 2]])},
        "in float32, up to 3.4e+38; got a parameter of 1e+39",
    ),
    "no unit": ({"a": np.zeros(0), "W": np.zeros((0, 0))}, "a machine has units on both sides; got W of shape (0, 0)"),
    "one side": ({"a": np.zeros(4), "W": np.zeros((4, 0))}, "a machine has units on both sides; got W of shape (4, 0)"),
    "not finite": ({"a": np.full(2, np.nan), "W": np.zeros((1, 1))}, "machine.npz: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_machines(run, tmp_path, case):
    arrays, message = WRONG[case]
    np.savez(tmp_path / "machine.npz", **arrays)
    code, _, err = run("log-z", tmp_path / "machine.npz", "--temperatures", 2, "--chains", 2, "--sweeps", 0)
    assert code == 1
    assert message in err


def test_on_a_full_disk_the_numbers_are_told(run, machine, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(writing, "atomic", full)
    options = ("--temperatures", 5, "--chains", 5, "--sweeps", 5, "--out", tmp_path / "moments.npz")
    code, out, err = run("log-z", machine[0], *options)
    assert (code, out.startswith("log Z from below ")) == (1, True)
    assert "No space left on device" in err


@pytest.mark.parametrize("log_w", [np.zeros(3), np.full((2, 2), np.inf), np.full((2, 2), -1e308), np.zeros((0, 3))])
def test_wrong_weights(run, tmp_path, log_w):
    np.savez(tmp_path / "weights.npz", log_w=log_w)
    code, _, err = run("nll", tmp_path / "weights.npz", "--log-z", 1)
    assert code == 1
    assert "log_w must be finite numbers (images, samples), got shape" in err
    np.savez(tmp_path / "weights.npz", log_w=np.zeros((2, 3)))
    for wrong in ("nan", "inf", "1e308"):
        assert "log Z must be a finite number" in run("nll", tmp_path / "weights.npz", "--log-z", wrong)[2]
    assert run("nll", tmp_path / "weights.npz")[0] == 2
    assert run("nll", tmp_path / "nothing.npz", "--log-z", 1)[0] == 1


def test_units_that_are_always_on_have_an_error_of_zero(run, tmp_path):
    """The mean of ones in float64 may be above 1 by rounding; its error was NaN, with a warning."""
    np.savez(tmp_path / "machine.npz", a=np.arange(8), W=np.ones((4, 4), int))
    options = ("--temperatures", 50, "--chains", 20, "--sweeps", 50, "--out", tmp_path / "moments.npz")
    assert run("log-z", tmp_path / "machine.npz", *options)[0] == 0
    with np.load(tmp_path / "moments.npz") as found:
        assert np.all(found["mean_zz_error"] <= 0.12)


def test_numbers_up_to_1e100_are_taken_and_no_larger_ones(tmp_path):
    """As log Z of either sign, as its error, and as log-weights."""
    path, most, above = tmp_path / "weights.npz", 1e100, np.nextafter(1e100, np.inf)
    np.savez(path, log_w=np.array([[most, -most]]))
    for log_z, error in ((most, 0.0), (-most, 0.0), (0.0, most)):
        assert np.isfinite(foreign.nll(path, log_z, error)["nll"])
    for log_z, error in ((above, 0.0), (-above, 0.0), (0.0, above), (0.0, -1e-300), (0.0, np.nan)):
        with pytest.raises(ValueError, match=r"log Z must be a finite number, up to 1e\+100, and its error 0 or more"):
            foreign.nll(path, log_z, error)
    np.savez(path, log_w=np.array([[0.0, above]]))
    with pytest.raises(ValueError, match=r"shape \(1, 2\), 1 of them not finite, or beyond 1e\+100"):
        foreign.nll(path, 0.0)


def test_parameters_up_to_float32_s_largest_are_taken(tmp_path):
    np.savez(tmp_path / "machine.npz", a=np.array([foreign.LARGEST, 0]), W=np.array([[-foreign.LARGEST]]))
    found = foreign.read_machine(tmp_path / "machine.npz")
    np.testing.assert_array_equal(found.W, [[-np.finfo(np.float32).max]])


def test_where_chains_start_and_how_they_go_on_are_keys_of_their_own(monkeypatch):
    """As many up as down at the start, without a sweep; and the start does not share its numbers with the sweeps."""
    drawn, uniform, sweep = [], philox.uniform, gibbs.sweep
    monkeypatch.setattr(philox, "uniform", lambda key, *rest: drawn.append(key) or uniform(key, *rest))
    monkeypatch.setattr(gibbs, "sweep", lambda key, *rest: drawn.append(key) or sweep(key, *rest))
    rbm = RBM(np.zeros(7, np.float32), np.zeros((3, 4), np.float32))
    z = foreign.samples(philox.key(3), rbm, 1000, 0)
    assert len(drawn) == len(set(drawn)) == 2
    assert np.all(np.abs(z.mean(0) - 0.5) < 5 * 0.5 / np.sqrt(1000))


def test_moments_and_their_errors_are_those_of_the_chains():
    """Five chains of one unit left and two right; products as they stand, pair by pair."""
    z = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [1, 0, 0], [0, 1, 1.0]])
    found = foreign.moments(RBM(np.zeros(3), np.zeros((1, 2))), z)
    pairs = z[:, :1] * z[:, 1:]
    expected = {"mean_z": z.mean(0), "mean_z_error": z.std(0, ddof=1) / np.sqrt(5)}
    expected |= {"mean_zz": pairs.mean(0)[None], "mean_zz_error": pairs.std(0, ddof=1)[None] / np.sqrt(5)}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12)


def test_a_record_is_of_what_was_found(machine):
    """The ends by their keys, the largest of the errors, and how it was done."""
    path, given = machine
    record, arrays = foreign.log_z(path, temperatures=60, chains=40, sweeps=20, seed=7)
    rbm, keys = RBM(*(value.astype(np.float32) for value in given)), roles.keys(7)
    z = foreign.samples(keys["sample"], rbm, 40, 20)
    below = bracket.below(keys["measurement_log_z"], rbm, 60, 40)
    above = bracket.above(keys["measurement_above"], rbm, bracket.Start(z, "chains"), 60)
    found = bracket.Bracket(below, above, modes.lower_bound(rbm))
    for name, end in (("below", below), ("above", above)):
        assert record[name] == {"log_z": end.log_z, "standard_error": end.standard_error}
    assert (record["low"], record["high"], record["verdict"]) == (found.low, found.high, found.verdict)
    assert record["mean_z_error"] == arrays["mean_z_error"].max() > arrays["mean_z_error"].min()
    assert (record["units"], record["temperatures"], record["seed"]) == ([6, 5], 60, 7)
    assert record["start"] == "40 chains after 20 sweeps from random states"
    np.testing.assert_allclose(arrays["mean_z"], z.mean(0, dtype=float), rtol=1e-14)


def test_samples_are_random_states_swept():
    rbm = RBM(np.linspace(-1, 1, 7, dtype=np.float32), np.ones((3, 4), np.float32))
    key = philox.key(3)
    begun = philox.uniform(philox.fold_in(key, 0), (9, 7)) < 0.5
    np.testing.assert_array_equal(foreign.samples(key, rbm, 9, 0), begun)
    swept = gibbs.sweep_reference(philox.fold_in(key, 1), gibbs.chains_from(begun, (3, 4)), rbm, 5)
    np.testing.assert_array_equal(foreign.samples(key, rbm, 9, 5), swept.z)


def test_of_a_single_image_there_is_no_error(tmp_path):
    np.savez(tmp_path / "weights.npz", log_w=np.array([[-3.0, -3, -3]]))
    record = foreign.nll(tmp_path / "weights.npz", 2.0, 0.1)
    assert (record["nll"], record["nll_error"], record["samples"]) == (5, None, 3)
    assert (record["log_z"], record["log_z_error"]) == (2, 0.1)
