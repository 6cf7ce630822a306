"""benchmarks.gpu without a GPU: its program runs in numba's simulator, and says what is missing or differs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__, gpu

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """What it writes in a process of its own, tiny sizes."""
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install '.[cuda]'")
    path = tmp_path_factory.mktemp("gpu") / "folder" / "found.json"
    command = [sys.executable, Path(__file__).with_name("simulated_gpu.py"), "gpu", "--quick", "--out", path]
    env = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *sys.path)))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(path.read_text()), json.loads(done.stdout)


def test_it_runs_in_the_simulator_and_finds_the_cpu_s_results(simulated):
    written, printed = simulated
    assert written == printed
    assert written["errors"] == []
    assert written["gpu"]["simulated"]
    assert set(written["kernels"]) == {"gibbs", "gibbs, tiles", "ais", "ais, tiles"}
    assert [(row["left"], row["right"], row["chains"], row["same"]) for row in written["gibbs"]] == [
        (*shape, chains, True) for shape in gpu.QUICK.shapes for chains in gpu.QUICK.chains
    ]
    assert written["ais"]["same"]
    assert written["resampling"]["same"]
    assert [written["updates"][name]["same"] for name in ("pcd", "pa")] == [True, True]


def test_every_time_is_a_time(simulated):
    written, _ = simulated
    row = written["gibbs"][0]
    for name in ("kernel seconds", "empty launch", "call", "states up", "states down", "machine up", "call on the CPU"):
        assert 0 < row[name]["least"] <= row[name]["median"], name
    spins = row["chains"] * (row["left"] + row["right"]) * row["sweeps"]
    assert row["spins a nanosecond"] == pytest.approx(spins / row["kernel seconds"]["least"] / 1e9)
    assert all(seconds >= 0 for seconds in written["start"].values())


def test_the_whole_plan_is_what_was_asked_for():
    assert len(gpu.WHOLE.shapes) == 5
    assert len(gpu.WHOLE.chains) == 4
    assert (gpu.WHOLE.temperatures, gpu.WHOLE.ais_chains) == (10_000, 1_000)


def test_without_a_gpu_it_says_so(monkeypatch, tmp_path, capsys):
    from dvae_ref.sampling import backend

    monkeypatch.setattr(backend, "why_not_cuda", lambda: "there is none here")
    assert __main__.main(["gpu", "--out", str(tmp_path / "found.json")]) == 1
    assert json.loads((tmp_path / "found.json").read_text())["errors"] == ["no CUDA: there is none here"]
    assert "error: no CUDA: there is none here" in capsys.readouterr().err


def test_what_differs_is_an_error():
    found = {
        "gibbs": [{"left": 3, "right": 2, "chains": 4, "same": False}, {"left": 3, "right": 2, "chains": 400_000}],
        "ais": {"same": True},
        "updates": {"pcd": {"same": True}, "pa": {"same": False}},
    }
    assert gpu.differences(found) == [
        "gibbs, 3 x 2, 4 chains: not as on the CPU",
        "update, pa: not as on the CPU",
    ]


def test_a_part_that_fails_is_an_error_and_the_others_go_on(monkeypatch):
    def fail(plan):
        raise RuntimeError("out of memory")

    parts = SimpleNamespace(gpu=dict, **dict.fromkeys(gpu.PARTS, lambda plan: {}))
    parts.resampling, parts.gibbs, parts.ais = fail, lambda plan: [], lambda plan: {"same": True}
    monkeypatch.setitem(sys.modules, "benchmarks.gpu_parts", parts)
    monkeypatch.setattr("benchmarks.gpu_parts", parts, raising=False)
    monkeypatch.setattr(gpu, "start", lambda: (None, {}))
    found = gpu.measure(gpu.QUICK)
    assert found["errors"] == ["resampling: RuntimeError: out of memory"]
    assert set(gpu.PARTS) - set(found) == {"resampling"}


def test_what_nvidia_smi_says(monkeypatch):
    said = SimpleNamespace(stdout="NVIDIA H100, 560.1, 1980 MHz, 1980 MHz, 2619 MHz, 31, 70.1 W\n")
    monkeypatch.setattr(gpu.subprocess, "run", lambda *arguments, **options: said)
    found = gpu.clocks()
    assert (found["name"], found["clocks.sm"], found["power.draw"]) == ("NVIDIA H100", "1980 MHz", "70.1 W")
