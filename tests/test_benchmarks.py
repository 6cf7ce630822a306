"""The benchmarks: comparisons that can fail, medians that are medians, and a run of each measurement."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import __main__, cases, machines, timing
from dvae_ref.boltzmann import RBM
from dvae_ref.sampling import pcd, philox

KEY = philox.key(5)


def states(rbm, chains=1000):
    state, _ = pcd.step(KEY, pcd.init(KEY, rbm, chains), rbm, 30)
    return pcd.samples(state)


def test_a_contender_that_samples_another_machine_shows():
    """Means of 24 units: the largest of the deviations stays below 5 standard errors, unless the machine is wrong."""
    rbm = machines.rbm(12)
    other_key = pcd.samples(pcd.step(philox.key(6), pcd.init(KEY, rbm, 1000), rbm, 30)[0])
    assert machines.deviation_of_means(states(rbm), other_key) < 5
    assert machines.deviation_of_means(states(rbm), states(RBM(rbm.a, -rbm.W))) > 10
    assert machines.deviation_of_means(np.zeros((9, 2)), np.zeros((9, 2))) == 0


def test_medians_and_ratios(monkeypatch):
    """A clock that runs by the contenders: ours takes 1, 2, 3 s, theirs 3, 4, 12; the ratios are 3, 2, 4."""
    now, spent = [0.0], {"ours": iter([1, 2, 3]), "theirs": iter([3, 4, 12])}
    calls = {"ours": 0, "theirs": 0}

    def contender(name):
        def run():
            calls[name] += 1
            timed = calls[name] > 2 and calls[name] % 2 == 0  # two calls to warm up, then one before each timed one
            now[0] += next(spent[name]) if timed else 100
            return 7.0 if name == "ours" else 7.5

        return run

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(timing.time, "sleep", lambda seconds: None)
    runs = {"ours": contender("ours"), "theirs": contender("theirs"), "absent": "not installed (x)"}
    case = timing.Case("case", "ms", 1000, runs, lambda a, b: abs(a - b))
    found = timing.measure(case, rounds=3, seconds=0)
    assert list(found) == ["ours", "theirs", "absent"]
    assert (found["ours"]["median"], found["theirs"]["median"], found["theirs"]["ratio"]) == (2000, 4000, 3)
    assert (found["theirs"]["least"], found["theirs"]["largest"], found["theirs"]["rounds"]) == (3000, 12_000, 3)
    assert (found["ours"]["deviation"], found["theirs"]["deviation"]) == (None, 0.5)
    assert found["absent"] == {"absent": "not installed (x)"}


def test_what_is_not_installed_is_said():
    def load():
        import a_library_that_nobody_has  # noqa: F401

    assert timing.optional(load) == "not installed (a_library_that_nobody_has)"
    assert timing.optional(len, "abc") == 3


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_answers_of_all_contenders_agree(name):
    """With the peers that are installed, if any: 5 standard errors for log Z and unit means, 1e-9 for enumeration."""
    for case in cases.CASES[name](quick=True):
        runs = {contender: run for contender, run in case.contenders.items() if callable(run)}
        assert next(iter(runs)).startswith("dvae_ref")
        for _ in range(3):  # chains persist: by the third call they are mixed
            results = {contender: run() for contender, run in runs.items()}
        ours = next(iter(results.values()))
        limit = 1e-9 if case.agreement == "relative" else 5
        assert all(case.agree(ours, theirs) < limit for theirs in results.values())


def test_a_quick_run_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "enumeration", "scaling", "--quick", "--json", "--cores", "1"]
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(
        [*command, "--out", tmp_path], capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["runs"][0]["machine"]["cores"] == 1
    assert record["runs"][0]["cases"][0]["contenders"]["dvae_ref"]["median"] > 0
    assert {path.name for path in tmp_path.iterdir()} == {"cost_over_chains.png", "cost_over_sizes.png"}
    chains = np.array(record["scaling"]["chains"])
    assert np.all(np.diff(chains[:, 0]) > 0)
    assert np.all(chains[:, 1] > 0)


@pytest.mark.parametrize(
    ("given", "message"), [(["speed"], "there are gibbs, ais"), (["--cores", "0"], "must lie in 1")]
)
def test_wrong_usage_is_refused(given, message, capsys):
    with pytest.raises(SystemExit) as end:
        __main__.main(given)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
