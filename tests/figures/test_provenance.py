"""What a figure is of stands in its npz and below it; none takes the place of a better one; what is at the foot."""

import json

import numpy as np
import pytest

import figures
from dvae_ref import __version__
from dvae_ref.files import writing
from dvae_ref.runs.presets import Settings
from figures import __main__ as command
from figures import divergence, fig1, fig2a, fig2b, store, style
from figures.options import SCALES, Options, better


@pytest.fixture
def cli(capsys, tmp_path):
    """Run the command in this process: (exit code, standard error)."""

    def run(*arguments):
        try:
            code = command.main([*arguments, "--out", str(tmp_path), "--threads", "1"])
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err

    return run


def test_a_figure_says_what_it_is_of(cli, tmp_path):
    assert cli("fig1", "--quick", "--seed", "3")[0] == 0
    data = store.read(tmp_path / "fig1.npz")
    found = store.provenance(data)
    known = {"figure": "fig1", "scale": "quick", "seed": 3, "version": __version__, "run": None}
    assert {name: found[name] for name in known} == known
    picture = command.draw(fig1, data)
    assert picture.get_supxlabel() == f"fig1, quick scale, seed 3, dvae_ref {__version__}"
    del data[store.PROVENANCE]  # as of a version that left none
    assert store.provenance(data) is None
    assert command.draw(fig1, data).get_supxlabel() == ""


def test_settings_are_told_of_what_is_trained(tmp_path):
    record = store.provenance(store.origin("fig2b", fig2b, Options(tmp_path, "default")))
    assert record["sizes"] == {"zetas": 40, "annealing": [50, 100]}
    assert record["training"]["num_train_iter"] == 4000
    assert store.in_words(record).endswith(
        "; zetas 40, annealing [50, 100]; num train iter 4000, chains 500, sweeps 20, checkpoint every 200"
    )


def test_of_a_given_run_its_own_settings_are_told(tmp_path):
    """Not those that the figure would have trained a model with; and the run's name, without where it lies."""
    folder = tmp_path / "mine"
    settings = Settings(baseline="dvaes_exp", num_train_iter=77, k=5, struct="1-layer-lin")
    writing.make_folder(folder)
    writing.write_json(folder / "config.json", settings.to_json())
    record = store.provenance(store.origin("fig2a", fig2a, Options(tmp_path, "default", run_dir=str(folder))))
    assert record["training"]["num_train_iter"] == 77
    trained = "; dataset mnist5k, struct 1-layer-lin, baseline dvaes_exp, beta 12.0, k 5, num train iter 77"
    assert store.in_words(record).endswith(trained)
    assert "; run mine; " in store.in_words(record)


@pytest.mark.parametrize("there", ["default", "full"])
def test_a_better_figure_is_not_replaced(cli, tmp_path, there):
    record = json.dumps({"figure": "fig1", "scale": there})
    store.write(tmp_path / "fig1.npz", {"rho": np.zeros(2), store.PROVENANCE: np.array(record)})
    before = (tmp_path / "fig1.npz").read_bytes()
    code, said = cli("fig1", "--quick")
    assert code == 1
    assert f"is of the scale '{there}', better than 'quick'; give another --out" in said
    assert (tmp_path / "fig1.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["fig1.npz"]


def test_one_that_does_not_say_is_kept_from_quick_alone(cli, tmp_path):
    store.write(tmp_path / "fig1.npz", {"rho": np.zeros(2)})
    assert "does not say of what scale it is" in cli("fig1", "--quick")[1]
    assert cli("fig1")[0] == 0
    assert cli("fig1")[0] == 0  # its like may be written anew
    assert store.provenance(store.read(tmp_path / "fig1.npz"))["scale"] == "default"


def test_scales_are_in_order_of_quality():
    assert [better(a, b) for a in SCALES for b in SCALES] == [
        False,
        False,
        False,
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_who_interrupts_is_told_how_to_go_on(cli, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fig1, "compute", interrupted)
    assert cli("fig1", "--quick") == (130, "interrupted; what is done is kept: the same command goes on from there\n")


def test_panels_have_letters():
    _, axes = style.panels(2, 2, (4, 4))
    assert [a.texts[0].get_text() for a in axes.flat] == ["(a)", "(b)", "(c)", "(d)"]
    assert not style.panels(1, 1, (4, 4))[1][0, 0].texts  # one alone needs none


def test_what_is_at_or_below_the_axis_is_marked():
    """Twice, at the foot itself and below it; in the legend once; nothing where all is above."""
    _, axes = style.panels(1, 2, (6, 3))
    x, y = np.arange(4.0), np.array([1e-9, 1e-6, 1e-3, -1.0])
    style.at_the_foot(axes[0, 0], x, y, divergence.ROUNDING, color="k")
    style.at_the_foot(axes[0, 0], x, y, divergence.ROUNDING, color="r")
    style.at_the_foot(axes[0, 1], x, np.ones(4), divergence.ROUNDING, color="k")
    assert [line.get_xdata().tolist() for line in axes[0, 0].lines] == [[0.0, 1.0, 3.0]] * 2
    assert axes[0, 0].get_legend_handles_labels()[1] == ["at or below 1e-06"]
    assert not axes[0, 1].lines


def test_every_figure_has_a_provenance():
    for name in figures.NAMES:
        record = store.provenance(store.origin(name, figures.load(name), Options("out", "quick")))
        assert record["figure"] == name
        assert bool(record["training"]) == (name in ("fig2a", "fig2b", "fig2c"))


@pytest.mark.parametrize(("ours", "side"), [(0.0057, "bottom"), (0.033, "top")])
def test_the_paper_s_words_are_not_where_our_curve_is(ours, side):
    _, ((axes,),) = style.panels(1, 1, (4, 4))
    fig2a.mark_paper(axes, ours)
    (words,) = axes.texts
    assert (words.get_va(), words.get_position()[1] > fig2a.PAPER) == (side, side == "bottom")


def test_fig2a_shows_what_is_at_or_below_its_axis():
    """Three of forty KLs, by AIS, are below zero after the first sweeps; without them nothing is marked."""
    kl = np.geomspace(1e-4, 1, 40) * (1 + np.exp(-fig2a.SWEEPS))[:, None]
    below = kl.copy()
    below[1:, :3] = -1e-7
    common = {"sweeps": fig2a.SWEEPS, "error": np.full(40, 1e-5), "cut_error": np.full(40, 1e-5), "cut_exact": kl}
    told = {"cut_units": np.array([14, 22]), "beta": np.array(30.0), "baseline": np.array("dvaes_power")}
    left, right = fig2a.plot({"kl": kl, "cut_kl": below, **common, **told}).axes
    (marks,) = [line for line in right.lines if line.get_marker() == "v"]
    assert sorted(marks.get_xdata().tolist()) == sorted(fig2a.SWEEPS[1:].tolist() * 3)
    assert right.get_ylim()[0] == divergence.ROUNDING
    assert not [line for line in left.lines if line.get_marker() == "v"]
