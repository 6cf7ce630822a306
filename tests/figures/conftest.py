"""figures is run from the top of the checkout; so are its tests, wherever pytest is started."""

import sys
from pathlib import Path

import numba
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from figures import fig2a, fig2b, fig2c, pcd_vs_pa, snapshots
from figures.divergence import Annealing
from figures.options import Options


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """--quick, smaller still: seconds for all figures."""
    before = numba.get_num_threads()
    tiny = {"num_train_iter": 12, "batch_size": 20, "chains": 20, "sweeps": 2, "log_every": 4, "checkpoint_every": 5}
    monkeypatch.setitem(snapshots.TRAINING, "quick", tiny)
    monkeypatch.setitem(snapshots.FRACTIONS, "quick", (0.25, 0.5, 1.0))
    monkeypatch.setitem(fig2a.SCALES, "quick", fig2a.Scale(5, Annealing(20, 30), Annealing(20, 30), (5, 7)))
    monkeypatch.setitem(fig2b.SCALES, "quick", fig2b.Scale(4, Annealing(10, 20)))
    monkeypatch.setitem(fig2b.BETAS, "quick", {"exp": (10,), "power": (30,)})
    monkeypatch.setitem(fig2c.SCALES, "quick", fig2c.Scale(20, 3))
    monkeypatch.setitem(pcd_vs_pa.SCALES, "quick", pcd_vs_pa.Scale(20, 0.2, 50, 2))
    monkeypatch.setattr(pcd_vs_pa, "SWEEPS", (1, pcd_vs_pa.SHOWN, 10))
    yield
    numba.set_num_threads(before)


@pytest.fixture
def options(tmp_path):
    return Options(tmp_path, "quick")
