"""The full scale and the default, which no test runs: what docs/figures.md and the paper's Sec. 4 say of them."""

import pytest

from dvae_ref.model.baselines import LAWS
from figures import fig1, fig2a, fig2b, fig2c, gradient_variance, options, pcd_vs_pa, snapshots
from figures.options import Options


def settings(scale, **changes):
    """Settings of a figure's run at a scale, and the iterations of its snapshots."""
    return snapshots.settings_for("dvaes_power", 30, Options(None, scale), **changes)


def test_full_runs_are_the_papers():
    """Sec. 4: 100,000 iterations of 1,000 images of MNIST, 40 sweeps; two groups, nonlinear, as in Fig. 2(c)."""
    full, iterations = settings("full")
    assert (full.dataset, full.struct) == ("binarized_mnist", "2-layer-nonlin")
    assert (full.num_train_iter, full.batch_size, full.chains, full.sweeps) == (100_000, 1000, 1000, 40)
    assert iterations[0] == 1000


def test_default_runs_are_the_pages():
    """docs/figures.md: 4,000 iterations of 100 images, 500 replicas, 20 sweeps."""
    default, iterations = settings("default")
    assert default.dataset == "mnist5k"
    assert (default.num_train_iter, default.batch_size, default.chains, default.sweeps) == (4000, 100, 500, 20)
    assert iterations[0] == 80


@pytest.mark.parametrize("scale", options.SCALES)
def test_snapshots_end_with_the_run(scale):
    """In order; and one where the warm-up ends."""
    run, iterations = settings(scale)
    assert sorted(set(iterations)) == iterations
    assert iterations[-1] == run.num_train_iter
    if scale != "quick":
        assert round(run.warm_up * run.num_train_iter) in iterations


def test_full_figures_train_as_many_runs_as_the_page_says():
    assert sum(len(betas) for betas in fig2b.BETAS["full"].values()) == 8
    assert len(fig2c.CURVES) == 2
    assert (pcd_vs_pa.SCALES["default"].repeats, pcd_vs_pa.SCALES["full"].repeats) == (6, 40)
    shared = {(name, beta) for name, betas in fig2b.BETAS["default"].items() for beta in betas}
    assert set(fig2c.CURVES) <= shared
    assert (fig2a.BASELINE.removeprefix("dvaes_"), fig2a.BETA) in shared


def test_curves_are_at_betas_of_the_paper():
    """Of Sec. 4's candidates (tests/runs/test_presets.py); Fig. 2(c): exponential 10, power function 30."""
    candidates = {"exp": (8, 10, 12, 16), "power": (15, 20, 30, 40)}
    assert {name: fig1.BETAS[name] for name in candidates} == candidates
    assert {name: gradient_variance.GRIDS[name] for name in candidates} == candidates
    assert fig2b.BETAS["full"] == candidates
    assert fig2c.CURVES == gradient_variance.PAIR == (("exp", 10), ("power", 30))
    assert not LAWS["gauss"].in_fig1


def test_every_scale_is_larger_than_the_one_before():
    """No entry of a table is smaller than at a coarser scale: what is better replaces what is worse."""
    for table in (fig2a.SCALES, fig2b.SCALES, fig2c.SCALES):
        quick, default, full = (_sizes(table[scale]) for scale in options.SCALES)
        assert all(a <= b <= c for a, b, c in zip(quick, default, full, strict=True))
        assert full > default > quick


def _sizes(scale):
    """All numbers of a Scale, tuples within it opened."""
    return [n for part in scale for n in (part if isinstance(part, tuple) else (part,))]
