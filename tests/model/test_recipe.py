"""The recipe of docs/architecture.md, "To add: a smoothing", carried out: what follows from entries in the tables."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_run import SMALL_RUN, command

TOY = Path(__file__).with_name("toy.py")
TREE = TOY.parents[2]


def with_toy(*arguments):
    """Run a program in which toy.py has registered its smoothing and its baseline; what it printed."""
    done = subprocess.run(
        [sys.executable, TOY, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300, cwd=TREE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "run"
    with_toy("dvae_ref.cli", "train", "--baseline", "dvaes_toy", *SMALL_RUN, "--run-dir", folder)
    return folder


def test_it_trains_with_its_default_beta(run):
    assert json.loads((run / "config.json").read_text())["beta"] == 8
    bounds = [json.loads(line).get("bound") for line in (run / "metrics.jsonl").read_text().splitlines()]
    bounds = [bound for bound in bounds if bound is not None]
    assert np.all(np.isfinite(bounds))
    assert bounds[-1] > bounds[0] + 20  # nats: the first iterations of any baseline gain more


def test_it_evaluates(run):
    with_toy("dvae_ref.cli", "evaluate", "--run-dir", run, "--samples", 5, "--temperatures", 50)
    assert np.isfinite(json.loads((run / "evaluation.json").read_text())["nll"])


def test_the_kit_has_it_and_agrees_with_itself(tmp_path):
    with_toy("dvae_ref.cli", "conformance", "export", tmp_path)
    names = {entry["name"] for entry in json.loads((tmp_path / "manifest.json").read_text())["quantities"]}
    assert {"smoothing_toy", "log_q_toy", "log_p_overlapping_toy", "objective_dvaes_toy_4nonlin_k3"} <= names
    assert "smallest-of-several" in with_toy("dvae_ref.cli", "conformance", "show", "smoothing_toy")
    said = with_toy("dvae_ref.cli", "conformance", "check", tmp_path, tmp_path, "--only", "*_toy")
    assert [line.split()[0] for line in said.splitlines()[:3]] == ["ok"] * 3, said
    with np.load(tmp_path / "smoothing_toy.npz") as kit:
        beta, zeta = float(kit["beta"]), kit["zeta"]
        np.testing.assert_allclose(np.exp(kit["log_r0"]), beta * (1 - zeta) ** (beta - 1), rtol=1e-8)  # by hand
        assert np.abs(np.exp(kit["log_r1"]) - beta * (1 - zeta) ** (beta - 1)).max() > 0.1  # and another


def test_figures_draw_it(tmp_path):
    """Its quantiles against the law by hand: at rho = 1/2 of q = 1/2, zeta = 1/2; and E zeta = 1 / (1 + beta)."""
    with_toy("figures.__main__", "fig1", "gradient-variance", "--quick", "--out", tmp_path)
    with np.load(tmp_path / "gradient-variance.npz") as data:
        np.testing.assert_allclose(data["toy_grid_distance"], 1 / (1 + data["toy_grid_beta"]), rtol=1e-7)
    with np.load(tmp_path / "fig1.npz") as data:
        assert data["toy_beta"].tolist() == [6, 8, 12, 20]
        rho, zeta = data["rho"], data["toy_zeta"][0]
    cdf = 0.5 * (1 - (1 - zeta) ** 6) + 0.5 * zeta**6
    np.testing.assert_allclose(cdf, rho, rtol=1e-9)
    assert np.abs(0.5 * (1 - (1 - zeta) ** 7) + 0.5 * zeta**7 - rho).max() > 1e-2  # another beta


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("SMOOTHINGS['new'] = SMOOTHINGS['exp']", "LookupError: dvae_ref/model/baselines.py has no Law 'new'"),
        ("SMOOTHINGS['exp'] = SMOOTHINGS['power']", "ValueError: the Law 'exp' says least"),
        ("LAWS['gone']", "LookupError: dvae_ref/model/baselines.py has no Law 'gone'; there are exp, "),
        ("Baseline('x', 'DVAE#', LAWS['exp'], 'relaxed', 'x', (1, 2), (1, 2, 3, 4))", "x needs a beta on mnist"),
        ("Baseline('x', 'DVAE#', LAWS['exp'], 'slack', 'x', *[(1, 2, 3, 4)] * 2)", "x has the prior 'slack', none of"),
    ],
)
def test_a_missing_entry_is_a_named_error_at_import(code, said):
    """LookupError for a smoothing without a Law, ValueError for one of another kind than its Law says."""
    given = "from dvae_ref.model.baselines import *; from dvae_ref.theory.smoothing import SMOOTHINGS"
    done = command(code=f"{given}\n{code}\nimport dvae_ref.model.methods")
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
