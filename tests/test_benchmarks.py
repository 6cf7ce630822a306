"""The benchmarks: comparisons that can fail, medians that are medians, contenders that sleep, fail or are not there."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from importlib import util
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__, cases, machines, ours, step, timing, training
from benchmarks.processes import Worker
from dvae_ref.sampling import pcd, philox
from dvae_ref.theory.boltzmann import RBM
from tests import contenders as fakes

KEY = philox.key(5)
CASE = timing.Case("case", "ms", 1000, {}, lambda a, b: abs(a - b))


def states(rbm, chains=1000):
    state, _ = pcd.step(KEY, pcd.init(KEY, rbm, chains), rbm, 30)
    return pcd.samples(state)


def fake(name, *arguments):
    return (f"tests.contenders:{name}", *arguments)


def case_of(**contenders):
    return CASE._replace(contenders=contenders)


def test_a_contender_that_samples_another_machine_shows():
    """Means of 24 units: the largest of the deviations stays below 5 standard errors, unless the machine is wrong."""
    rbm = machines.rbm(12)
    other_key = pcd.samples(pcd.step(philox.key(6), pcd.init(KEY, rbm, 1000), rbm, 30)[0])
    assert machines.deviation_of_means(states(rbm), other_key) < 5
    assert machines.deviation_of_means(states(rbm), states(RBM(rbm.a, -rbm.W))) > 10
    assert machines.deviation_of_means(np.zeros((9, 2)), np.zeros((9, 2))) == 0


def test_a_contender_that_trains_another_model_shows():
    """The same images in another order change sums by rounding alone: 1,000 terms of float32 are good to 1e-5. Wrong
    are a gradient of the wrong sign in one array, the noise of other rows, another beta, and no negative phase."""
    settings, start, batches = training.setting("1-layer-nonlin", 2)
    given, noise, x = training.moments_of(start), ours.noise(settings, start, 100), batches[0]

    def answer(settings, x, noise, moments):
        return ours.bound_and_gradient(settings, start, x, noise, moments)

    right = answer(settings, x, noise, given)
    back = [a.reshape(100, 2, -1)[::-1].reshape(a.shape) for a in noise]
    bound, *gradient = answer(settings, x[::-1], back, given)
    assert step.deviation(right, [bound[::-1], *gradient]) < 1e-5
    flipped = [*right[:-1], -right[-1]]
    other_beta = answer(type(settings)(**settings.to_json() | {"beta": 39.0}), x, noise, given)
    other_noise = answer(settings, x, back, given)
    no_negative = answer(settings, x, noise, type(given)(0 * given.z, 0 * given.zz))
    for wrong in (flipped, other_beta, other_noise, no_negative):
        assert step.deviation(right, wrong) > 1e-3


def test_medians_and_ratios():
    """Ours takes 1, 2, 3 s, theirs 3, 4, 12: the ratios are 3, 2, 4. The third fails in the second round."""

    class Turns(SimpleNamespace):
        def turn(self):
            seconds = next(self.spent)
            if seconds is None:
                self.out = {"failed": "failed with exit code 1"}
            return seconds

    def turns(answer, *spent):
        return Turns(out={}, answer=answer, spent=iter(spent), peak=300, imports=100)

    workers = {"ours": turns(7.0, 1, 2, 3), "theirs": turns(7.5, 3, 4, 12), "fails": turns(7.0, 1, None)}
    workers["absent"] = SimpleNamespace(out={"absent": "not installed (x)"})
    found = timing.summarize(CASE, workers, timing.take_turns(workers, rounds=3, seconds=0))
    assert list(found) == ["ours", "theirs", "fails", "absent"]
    assert (found["ours"]["median"], found["theirs"]["median"], found["theirs"]["ratio"]) == (2000, 4000, 3)
    assert (found["theirs"]["least"], found["theirs"]["largest"], found["theirs"]["rounds"]) == (3000, 12_000, 3)
    assert (found["ours"]["deviation"], found["theirs"]["deviation"]) == (None, 0.5)
    assert found["theirs"]["memory"] == {"peak": 300, "imports": 100}
    assert found["fails"] == {"failed": "failed with exit code 1"}
    assert found["absent"] == {"absent": "not installed (x)"}


def test_contenders_in_processes_of_their_own():
    """Times are those of the runs alone, whatever libraries print; memory is each one's own."""
    pair = {"ours": fake("sleeper", 7.0, 0.05), "theirs": fake("sleeper", 7.5, 0.15), "more": fake("hungry", 300)}
    case = case_of(**pair)._replace(rounds=3, seconds=0, agree=lambda a, b: b - a)
    found, blas = timing.measure(case, cores=1)
    assert 50 <= found["ours"]["least"] < 1000  # ms; a machine that does other things may wake it late
    assert 150 <= found["theirs"]["least"] < 1000
    assert found["theirs"]["deviation"] == 0.5
    assert [found[name]["rounds"] for name in pair] == [3, 3, 3]
    assert isinstance(blas, str)
    memory = {name: found[name]["memory"] for name in pair}
    assert 300 < memory["more"]["peak"] - memory["more"]["imports"] < 400  # MB
    assert memory["ours"]["peak"] - memory["ours"]["imports"] < 30


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes are not bound to cores here")
def test_cores_and_threads_are_those_asked_for(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    with Worker(fake("witness"), cores=1) as worker:
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        assert worker.answer == {"cores": 1, "OPENBLAS_CORETYPE": None} | threads


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_contender_without_the_turn_sleeps():
    """Its spinning thread takes no time, and goes on when it has the turn."""

    with Worker(fake("spinner"), cores=1) as worker:
        assert worker.turn() > 0
        before = state_and_ticks(worker.process.pid)
        assert before[0] == "T"
        time.sleep(0.3)
        assert state_and_ticks(worker.process.pid) == before
        worker.process.send_signal(signal.SIGCONT)
        wait_for(lambda: state_and_ticks(worker.process.pid)[1] > before[1])


def state_and_ticks(pid):
    """Of a process: R, S, T (stopped) or Z (ended, not yet waited for), and its processor time."""
    with open(f"/proc/{pid}/stat") as file:
        found = file.read().rsplit(")", 1)[1].split()
    return found[0], int(found[11]) + int(found[12])


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


@pytest.mark.skipif(os.getsid(1) == os.getsid(0), reason="the process that adopts orphans is of this session")
def test_sleepers_end_with_a_benchmark_that_is_killed():
    source = (
        "import os, signal; from benchmarks.processes import Worker\n"
        "worker = Worker(('tests.contenders:sleeper', 1.0, 0.0), 1); print(worker.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: has_ended(int(done.stdout)))


def has_ended(pid):
    try:
        return state_and_ticks(pid)[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("at", "how", "code"), [(0, fakes.stop, 1), (1, fakes.stop, 1), (5, fakes.stop, 1), (5, fakes.die, -signal.SIGABRT)]
)
def test_one_that_fails_leaves_the_others_alone(at, how, code):
    case = case_of(ours=fake("sleeper", 1.0, 0.0), theirs=fake("failing", at, how), more=fake("sleeper", 1.0, 0.0))
    found, _ = timing.measure(case._replace(rounds=3, seconds=0), cores=1)
    assert found["theirs"] == {"failed": f"failed with exit code {code}"}
    assert found["more"]["rounds"] == 3


def test_failures_and_what_is_not_installed_are_said(monkeypatch, capsys):
    """One that fails makes the exit code 1; if it is ours, nothing is compared; one that is not there is only named."""
    case = case_of(ours=fake("failing", 0, fakes.stop), theirs=fake("sleeper", 1.0, 0.0))
    absent = case_of(ours=fake("sleeper", 1.0, 0.0), theirs=("tests.contenders_absent:anything",))
    monkeypatch.setattr(cases, "CASES", {"gibbs": lambda quick: [case], "ais": lambda quick: [absent]})
    assert __main__.main(["gibbs", "ais", "--quick", "--cores", "1", "--json"]) == 1
    assert __main__.main(["ais", "--quick", "--cores", "1"]) == 0
    printed = capsys.readouterr().out
    assert "failed with exit code 1" in printed
    assert printed.count("not installed (a_library_that_nobody_has)") == 3  # in the table twice, once in JSON
    record = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    theirs = record["runs"][0]["cases"][0]["contenders"]["theirs"]
    assert (theirs["ratio"], theirs["deviation"], theirs["rounds"]) == (None, None, 3)


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_answers_of_all_contenders_agree(name):
    """With the peers that are installed, if any: 5 standard errors for log Z and unit means, 1e-9 for enumeration, and
    1e-4 for a step of training, where one z that rounding flips would cost more than sums in another order (1e-5)."""
    limit = {"enumeration": 1e-9, "training": 1e-4}.get(name, 5)
    for case in cases.CASES[name](quick=True):
        answers = {contender: answer for contender, made in case.contenders.items() if (answer := answer_of(*made))}
        assert next(iter(answers)).startswith("dvae_ref")
        for _ in range(3):  # chains persist: by the third call they are mixed
            results = {contender: answer() for contender, answer in answers.items()}
        first = next(iter(results.values()))
        assert all(case.agree(first, theirs) < limit for theirs in results.values())


def answer_of(target, *arguments):
    """None if its library is not installed."""
    module, function = target.split(":")
    try:
        made = getattr(importlib.import_module(module), function)(*arguments)
    except ImportError:
        return None
    return made[1] if isinstance(made, tuple) else made


def test_a_step_of_training_is_one():
    """Runs of the contender advance the State, with the sampler and without."""
    settings, start, batches = training.setting("1-layer-lin", 1)
    given = training.moments_of(start)
    found = []
    original = ours.training.iterate
    for sampler in (True, False):
        run, _ = ours.training_step(settings, start, batches, given, sampler, steps=2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours.training, "iterate", lambda *a: found.append(original(*a)) or found[-1])
            run()
    states = [state for state, _ in found]
    assert [state.iteration for state in states] == [1, 2, 1, 2]
    assert [int(state.sampler.sweeps) for state in states] == [40, 80, 0, 0]
    assert ours.training.SAMPLERS["pcd"] is pcd
    for kind in (0, 2):  # the second step goes on from the first
        assert not np.array_equal(states[kind].params.rbm.W, states[kind + 1].params.rbm.W)


def test_training_can_be_a_selection():
    names = [case.name for case in training.cases(False, ["4-layer-nonlin", "1-layer-lin"], [2])]
    expected = [f"{s}, K = 2, sampler {w}" for s in ("4-layer-nonlin", "1-layer-lin") for w in ("included", "excluded")]
    assert names == [f"Training step, {name}" for name in expected]
    assert len(list(training.cases(False))) == 24


def test_a_quick_run_from_the_command_line(tmp_path):
    names = ["enumeration", "training", "scaling"]
    command = [sys.executable, "-m", "benchmarks", *names, "--structures", "1-layer-lin", "--quick", "--json"]
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(
        [*command, "--cores", "1", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["runs"][0]["machine"]["cores"] == 1
    enumerated, *steps = (case["contenders"] for case in record["runs"][0]["cases"])
    assert enumerated["dvae_ref"]["median"] > 0
    assert len(steps) == 2
    for found in steps:
        assert 0 < found["dvae_ref"]["memory"]["imports"] < found["dvae_ref"]["memory"]["peak"] < 1024  # MB
        for peer in ("torch", "jax"):
            there = (
                found[peer]["deviation"] < 1e-4 if util.find_spec(peer) else "not installed" in found[peer]["absent"]
            )
            assert there
    assert {path.name for path in tmp_path.iterdir()} == {"cost_over_chains.png", "cost_over_sizes.png"}
    chains = np.array(record["scaling"]["chains"])
    assert np.all(np.diff(chains[:, 0]) > 0)
    assert np.all(chains[:, 1] > 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["speed"], "there are gibbs, ais"),
        (["--cores", "0"], "must lie in 1"),
        (["training", "--structures", "5-layer"], "1-layer-lin"),
        (["training", "--k", "0"], "at least 1"),
    ],
)
def test_wrong_usage_is_refused(given, message, capsys):
    with pytest.raises(SystemExit) as end:
        __main__.main(given)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
