"""What is drawn where: figures are caught on their way to the file and read back."""

import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from dvae_ref.runs import plots

SIDE = 28


@pytest.fixture
def caught(monkeypatch):
    """The figures drawn, instead of files."""
    figures = []
    monkeypatch.setattr(plots, "_write", lambda figure, path: figures.append(figure))
    return figures


def training(i, total=5000):
    bound = -(100 + 400 * np.exp(-i / 60) - i / 1000)
    record = {"iteration": i, "bound": bound, "kappa": min(1, (i - 1) / (0.3 * total)), "learning_rate": 3e-3}
    return record | {"log_z_rough": 138 + i / 100}


def validation(i):
    record = {"iteration": i, "log_z": 139 + i / 100, "log_z_standard_error": 0.25, "validation_nll": 97 - i / 1000}
    record |= {"validation_nll_standard_error": 1.5, "validation_elbo": -99.0, "validation_elbo_standard_error": 2.5}
    return record


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def metrics(tmp_path):
    records = [training(i) for i in range(100, 5001, 100)]
    records[30:30] = [validation(3000)]
    return write(tmp_path / "metrics.jsonl", [*records, validation(5000)])


def is_png(path, least):
    """A PNG with at least so many pixels a side."""
    content = path.read_bytes()
    size = [int.from_bytes(content[start : start + 4], "big") for start in (16, 20)]
    return content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82") and min(size) >= least


def lines(axes):
    return {line.get_label(): np.array(line.get_xydata()) for line in axes.get_lines()}


def bars(axes, label):
    """Lower and upper ends of the error bars of the points with this label."""
    container = next(c for c in axes.containers if c.get_label() == label)
    return np.array([segment[:, 1] for segment in container[2][0].get_segments()])


def test_curves_show_bound_nll_and_log_z(tmp_path, metrics, caught):
    plots.curves(metrics, tmp_path / "curves.png", "a title")
    likelihood, log_z, schedule, kappa = caught[0].axes
    i = np.arange(100, 5001, 100)
    records = [training(n) for n in i]
    np.testing.assert_array_equal(
        lines(likelihood)["training: −bound"], np.stack([i, [-r["bound"] for r in records]], 1)
    )
    np.testing.assert_allclose(bars(likelihood, "validation: NLL"), [[92.5, 95.5], [90.5, 93.5]])
    np.testing.assert_allclose(bars(likelihood, "validation: −ELBO, discrete"), [[96.5, 101.5]] * 2)
    np.testing.assert_allclose(bars(log_z, "AIS"), [[168.75, 169.25], [188.75, 189.25]])
    np.testing.assert_array_equal(lines(log_z)["short AIS"][:, 1], [r["log_z_rough"] for r in records])
    np.testing.assert_array_equal(schedule.get_lines()[0].get_ydata(), 3e-3)
    np.testing.assert_array_equal(kappa.get_lines()[0].get_ydata(), [r["kappa"] for r in records])
    assert likelihood.get_title() == "a title"
    assert "nats" in likelihood.get_ylabel()
    assert "nats" in log_z.get_ylabel()


def test_curves_shade_the_warm_up_to_the_first_record_without_it(tmp_path, metrics, caught):
    """kappa = 1 from iteration 1500 on, counted from 0; the record at 1600 is the first to say so."""
    plots.curves(metrics, tmp_path / "curves.png", "")
    for axes in caught[0].axes[:3]:
        (span,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert (span.get_x(), span.get_x() + span.get_width()) == (0, 1600)
    plots.curves(write(metrics, [training(n) | {"kappa": 1} for n in (100, 200)]), tmp_path / "curves.png", "")
    assert not caught[1].axes[0].patches


def test_curves_keep_the_first_values_from_setting_the_scale(tmp_path, metrics, caught):
    """-bound falls from 175 to 100: the scale ends where the first tenth does, and nothing later is cut off."""
    plots.curves(metrics, tmp_path / "curves.png", "")
    axes = caught[0].axes[0]
    low, high = axes.get_ylim()
    drawn = lines(axes)["training: −bound"][:, 1]
    assert drawn[0] > 170
    assert high < 105
    assert np.all((drawn[5:] > low) & (drawn[5:] < high))
    assert low < 92 < 99 < high


def test_curves_leave_room_for_rates_and_for_kappa(tmp_path, metrics, caught):
    """Half of the least rate to twice the largest, of those that a logarithm has; kappa from below 0 to above 1."""
    rates = [0.0, 1e-4, 3e-3]
    records = [training(100 * i) | {"learning_rate": rate} for i, rate in enumerate(rates, 1)]
    plots.curves(write(metrics, records), tmp_path / "curves.png", "")
    _, _, schedule, kappa = caught[0].axes
    assert schedule.get_yscale() == "log"
    assert schedule.get_ylim() == pytest.approx((5e-5, 6e-3))
    low, high = kappa.get_ylim()
    assert -0.5 < low < 0 < 1 < high < 1.5
    assert schedule.get_xlabel() == "iteration"
    assert schedule.xaxis.get_major_formatter()(12_000) == "12,000"


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()] if axes.get_legend() else []


def test_legends_name_what_is_drawn(tmp_path, metrics, caught):
    plots.curves(metrics, tmp_path / "curves.png", "")
    likelihood, log_z, schedule, _ = caught[0].axes
    warm_up = "KL warm-up: the bound does not compare yet"
    validated = ["validation: −ELBO, discrete", "validation: NLL"]
    assert legend(likelihood) == ["training: −bound", warm_up, *validated]
    assert legend(log_z) == ["short AIS", "AIS"]
    assert legend(schedule) == []
    records = [training(n) | {"kappa": 1} for n in (100, 200)]
    plots.curves(write(metrics, records), tmp_path / "curves.png", "")
    assert [legend(axes) for axes in caught[1].axes[:2]] == [["training: −bound"], ["short AIS"]]
    plots.curves(write(metrics, [validation(100)]), tmp_path / "curves.png", "")
    assert [legend(axes) for axes in caught[2].axes[:2]] == [validated, ["AIS"]]


def test_the_first_tenth_is_left_out_rounded_up():
    for n, rest in ((0, 0), (1, 1), (2, 1), (10, 9), (11, 9), (20, 18), (21, 18)):
        assert plots._after_the_fall(np.arange(n)).tolist() == list(range(n - rest, n))


def test_warm_up_of_all_records_is_shaded_to_the_last(tmp_path, metrics, caught):
    plots.curves(write(metrics, [training(n) for n in (100, 200)]), tmp_path / "curves.png", "")
    (span,) = [patch for patch in caught[0].axes[0].patches if isinstance(patch, Rectangle)]
    assert span.get_width() == 200


@pytest.mark.parametrize(
    "records",
    [
        [],
        [training(100)],
        [validation(50)],
        [training(100) | {"learning_rate": 0.0}, training(200) | {"learning_rate": 0.0}],
        [training(100), validation(100) | {"validation_nll_standard_error": None}],
    ],
)
def test_curves_of_very_short_runs(tmp_path, records):
    """No warning either: in these tests a warning is an error."""
    plots.curves(write(tmp_path / "m.jsonl", records), tmp_path / "curves.png", "")
    assert is_png(tmp_path / "curves.png", 900)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"iteration": 1, "bou', "line 2, is damaged or no JSON"),
        ("7", "line 2, is damaged: expected it to be an object, got 7"),
        ('{"iteration": 5, "bound": 1}', "line 2, is damaged: kappa is missing; expected a number"),
        ('{"iteration": 5, "loss": 1}', "line 2, is damaged: log_z is missing"),
        ('{"iteration": 5, "bound": NaN}', "line 2, is damaged or no JSON .NaN is no number of JSON"),
        ('{"iteration": 5, "bound": 1e999}', "line 2, is damaged or no JSON .the number 1e999 is too large"),
        ("[" * 100_000, "line 2, is damaged or no JSON .RecursionError"),
    ],
)
def test_curves_refuse_damaged_metrics(tmp_path, text, message):
    (tmp_path / "m.jsonl").write_text(json.dumps(training(100)) + "\n" + text + "\n")
    with pytest.raises(ValueError, match=message):
        plots.curves(tmp_path / "m.jsonl", tmp_path / "curves.png", "")
    assert not (tmp_path / "curves.png").exists()


def images(n, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (n, SIDE * SIDE)).astype(np.float32)


def cell(figure, row, column):
    """The image at this place of a sheet: its red, which is its grey."""
    picture, pitch = np.asarray(figure.axes[0].images[0].get_array()), SIDE + plots.MARGIN
    top, left = plots.MARGIN + row * pitch, plots.MARGIN + column * pitch
    return picture[top : top + SIDE, left : left + SIDE, 0].reshape(-1)


def grey(x):
    """The byte of a grey level: 1 is black, and there are 256 of them."""
    return 255 - np.minimum(np.floor(256 * x), 255)


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (4, 2), (7, 3), (100, 10)])
def test_samples_fill_a_square_row_by_row(tmp_path, caught, n, columns):
    x = images(n)
    plots.samples(x, tmp_path / "s.png", "title")
    for i in range(n):
        np.testing.assert_allclose(cell(caught[0], i // columns, i % columns), grey(x[i]), atol=1)  # of rounding
    shape = [plots.MARGIN + count * (SIDE + plots.MARGIN) for count in (-(-n // columns), columns)]
    assert list(np.asarray(caught[0].axes[0].images[0].get_array()).shape[:2]) == shape
    if n % columns:
        assert np.all(cell(caught[0], n // columns, n % columns) == 255)


def test_reconstructions_stand_below_their_images(tmp_path, caught):
    x, means = images(13), images(13, 1)
    plots.reconstructions(x, means, tmp_path / "r.png")
    for i in range(13):
        row, column = divmod(i, 10)
        np.testing.assert_allclose(cell(caught[0], 2 * row, column), grey(x[i]), atol=1)  # of rounding
        np.testing.assert_allclose(cell(caught[0], 2 * row + 1, column), grey(means[i]), atol=1)  # of rounding
    labels = [label.get_text() for label in caught[0].axes[0].get_yticklabels()]
    assert labels == ["image", "E[x|z]"] * 2
    centres = [plots.MARGIN + SIDE / 2 + row * (SIDE + plots.MARGIN) for row in range(4)]
    assert caught[0].axes[0].get_yticks().tolist() == centres


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((3, 783)), "rows of 784 pixels"),
        (np.zeros(784), "rows of 784 pixels"),
        (np.zeros((0, 784)), "rows of 784 pixels"),
        (np.full((1, 784), 1.1), r"pixels in \[0, 1\]"),
        (np.full((1, 784), np.nan), r"pixels in \[0, 1\]"),
    ],
)
def test_sheets_refuse_what_is_no_image(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        plots.samples(bad, tmp_path / "s.png", "")
    with pytest.raises(ValueError, match=message):
        plots.reconstructions(images(3), bad, tmp_path / "s.png")
    with pytest.raises(ValueError, match="a reconstruction for each image, got 2 for 3"):
        plots.reconstructions(images(3), images(2), tmp_path / "s.png")
    assert not list(tmp_path.iterdir())


def test_an_old_picture_stays_when_drawing_fails(tmp_path, monkeypatch):
    path = tmp_path / "s.png"
    path.write_bytes(b"old")

    def fail(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(plots.Figure, "savefig", fail)
        with pytest.raises(MemoryError):
            plots.samples(images(1), path, "")
    assert path.read_bytes() == b"old"
    plots.reconstructions(images(13), images(13), path)
    first = path.read_bytes()
    assert is_png(path, 300)
    plots.reconstructions(images(13), images(13), path)
    assert path.read_bytes() == first


def test_no_display_and_no_pyplot(tmp_path):
    code = "import sys, numpy as np; from dvae_ref.runs import plots"
    code += "; plots.samples(np.ones((1, 784)), sys.argv[1], ''); sys.exit('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "s.png"], env={"MPLBACKEND": "TkAgg"}, check=False)
    assert done.returncode == 0
    assert is_png(tmp_path / "s.png", 50)
