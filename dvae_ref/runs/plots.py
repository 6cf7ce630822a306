"""Pictures of a run as PNG files: training curves, reconstructions, samples from the prior.

Figures are objects of their own, drawn by the Agg canvas: no display, no state shared between calls. A file is whole or
absent (files.atomic).
"""

import io
import math
from collections import defaultdict

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dvae_ref.files import reading, schema, writing
from dvae_ref.runs import image_files

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#E4E4E4"  # Okabe and Ito: told apart by all eyes
SIDE = math.isqrt(image_files.PIXELS)
MARGIN = 2  # pixels between images
DPI = 150


def curves(metrics_path, path, title):
    """Bound and NLL, log Z, learning rate and kappa against the iteration, from a run's metrics.jsonl.

    The bound is drawn as -bound, an upper bound on the training NLL where kappa = 1; the region with kappa < 1 is
    shaded. ValueError names a line of metrics.jsonl that is damaged.
    """
    training, validation = read_metrics(metrics_path)
    figure = Figure(figsize=(8, 8), layout="constrained")
    likelihood, log_z, schedule = figure.subplots(3, 1, sharex=True, height_ratios=(5, 3, 1.6))
    for axes in (likelihood, log_z, schedule):
        _shade_warm_up(axes, training)
        axes.margins(x=0.02)
        axes.grid(color=GREY, linewidth=0.6)
        axes.set_axisbelow(True)
    _draw_likelihood(likelihood, training, validation)
    _draw_log_z(log_z, training, validation)
    _draw_schedule(schedule, training)
    likelihood.set_title(title, fontsize=11)
    schedule.set_xlabel("iteration")
    schedule.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    schedule.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    figure.align_ylabels((likelihood, log_z, schedule))
    _write(figure, path)


def reconstructions(originals, means, path):
    """Images above the means of p(x|z), z ~ q(z|x); (n, 784) each, pixels in [0, 1]."""
    originals, means = _checked(originals), _checked(means)
    if len(originals) != len(means):
        raise ValueError(f"expected a reconstruction for each image, got {len(means)} for {len(originals)}")
    columns = min(10, len(originals))
    rows = []
    for above, below in zip(_rows(originals, columns), _rows(means, columns), strict=True):
        rows += [above, below]
    labels = ["image", "E[x|z]"] * (len(rows) // 2)
    _write(_sheet(rows, columns, "images and their reconstructions", labels), path)


def samples(images, path, title):
    """A grid, as square as may be, of (n, 784) grey levels in [0, 1]; 1 is black."""
    images = _checked(images)
    columns = math.isqrt(len(images) - 1) + 1
    _write(_sheet(_rows(images, columns), columns, title), path)


def _rows(images, columns):
    """So many images to a row; the last may be short."""
    return [images[start : start + columns] for start in range(0, len(images), columns)]


def table(rows, path):
    """Test NLL of the rows of table1_report beside the paper's: a panel for each data set, with its own scale."""
    groups = defaultdict(list)
    for row in rows:
        groups[row.dataset].append(row)
    heights = [0.8 + len(group) for group in groups.values()]
    figure = Figure(figsize=(8, 1.3 + 0.36 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, group) in zip(panels, groups.items(), strict=True):
        _draw_nll(axes, group)
        axes.set_title(name, fontsize=10, loc="left")
    panels[-1].set_xlabel(
        "test NLL, nats\nbars: standard deviation over runs; of a single run, standard error over images"
    )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    _write(figure, path)


def _draw_nll(axes, rows):
    places = np.arange(len(rows))
    style = {"linestyle": "none", "capsize": 3, "markersize": 5}
    nll = [row.nll for row in rows]
    errors = [row.image_standard_error if math.isnan(row.std) else row.std for row in rows]
    axes.errorbar(nll, places - 0.12, xerr=errors, color=BLUE, marker="o", label="here", **style)
    nll = [row.paper_nll for row in rows]
    errors = [row.paper_std for row in rows]
    label = "paper, 1,000,000 iterations"
    axes.errorbar(nll, places + 0.12, xerr=errors, color=ORANGE, marker="s", label=label, **style)
    names = [f"{r.struct}  K={r.k}  {r.baseline}  {r.num_train_iter:,} it." for r in rows]
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)


def read_metrics(path):
    """(training, validation) records of a metrics.jsonl, each as a dictionary of arrays."""
    kinds = {kind: [] for kind in RECORDS}
    for number, line in reading.lines(path):
        place = f"{path}, line {number},"
        record = reading.json_value(line, place)
        kind = _kind(record)
        kinds[kind].append(schema.check(record, RECORDS[kind], place))
    training = _columns(kinds["bound"], schema.TRAINING)
    return training, _columns(kinds["validation_nll"], schema.VALIDATION)


def _kind(record):
    """Which of RECORDS it is; of what is none, a validation, which `schema` then refuses."""
    if isinstance(record, dict):
        for kind in RECORDS:
            if kind in record:
                return kind
    return "validation_nll"


RECORDS = {"bound": schema.TRAINING, "validation_nll": schema.VALIDATION, "resumed": schema.RESUMED}


def _columns(records, names):
    """Records, one a line, as arrays by name; what is null there is nan."""
    return {name: np.array([record.get(name) for record in records], float) for name in names}


def _shade_warm_up(axes, training):
    """As far as the first record with kappa = 1, whose iterations still include some of the warm-up."""
    warming = int(np.sum(training["kappa"] < 1))
    if warming:
        axes.axvspan(0, training["iteration"][: warming + 1][-1], color=GREY, alpha=0.6, linewidth=0)


def _draw_likelihood(axes, training, validation):
    iteration, negated = training["iteration"], -training["bound"]
    if len(iteration):
        axes.plot(iteration, negated, color=BLUE, linewidth=1, label="training: −bound")
    if np.any(training["kappa"] < 1):
        axes.fill([], [], color=GREY, label="KL warm-up: the bound does not compare yet")
    i, nll, elbo = validation["iteration"], validation["validation_nll"], -validation["validation_elbo"]
    if len(i):
        _points(axes, i, elbo, validation["validation_elbo_standard_error"], GREEN, "^", "validation: −ELBO, discrete")
        _points(axes, i, nll, validation["validation_nll_standard_error"], ORANGE, "o", "validation: NLL")
    axes.set_ylabel("nats an image")
    _limit(axes, np.concatenate([_after_the_fall(negated), nll, elbo]), lowest=negated)
    _legend(axes)


def _draw_log_z(axes, training, validation):
    if len(training["iteration"]):
        label = "short AIS"
        axes.plot(training["iteration"], training["log_z_rough"], color=BLUE, linewidth=1, label=label)
    if len(validation["iteration"]):
        error = validation["log_z_standard_error"]
        _points(axes, validation["iteration"], validation["log_z"], error, ORANGE, "o", "AIS")
    axes.set_ylabel("log Z, nats")
    _legend(axes)


def _draw_schedule(axes, training):
    rate, kappa = training["learning_rate"], training["kappa"]
    axes.plot(training["iteration"], rate, color=BLUE, drawstyle="steps-pre")
    if np.any(rate > 0):
        axes.set_yscale("log")
        axes.set_ylim(rate[rate > 0].min() / 2, rate.max() * 2)
    axes.set_ylabel("learning rate", color=BLUE)
    right = axes.twinx()
    right.plot(training["iteration"], kappa, color=ORANGE, linestyle="--")
    right.set_ylim(-0.08, 1.08)
    right.set_ylabel("κ", color=ORANGE, rotation=0, labelpad=8)


def _points(axes, x, y, error, color, marker, label):
    """Values with error bars of one standard error; an error that is not known is not drawn."""
    error = np.where(np.isfinite(error), error, 0)
    axes.errorbar(x, y, error, color=color, marker=marker, markersize=5, linewidth=0.8, capsize=3, label=label)


def _after_the_fall(values):
    """All but the first tenth: the first values, hundreds of nats above the rest, are not to set the scale."""
    if len(values) < 2:
        return values
    return values[math.ceil(len(values) / 10) :]


def _limit(axes, values, lowest):
    """Room for all values, and for the lowest ones."""
    if len(values):
        low, high = min([*values, *lowest]), max(values)
        pad = max(0.06 * (high - low), 0.5)
        axes.set_ylim(low - pad, high + pad)


def _legend(axes):
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, framealpha=0.9)


def _checked(images):
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != SIDE**2 or not len(images):
        raise ValueError(f"expected images as rows of {SIDE**2} pixels, got shape {images.shape}")
    if not np.all((images >= 0) & (images <= 1)):
        raise ValueError("expected pixels in [0, 1]")
    return images


def _sheet(rows, columns, title, labels=None):
    """A figure of rows of images, the last of which may be short; labels name the rows."""
    pitch = SIDE + MARGIN
    picture = np.full((len(rows) * pitch + MARGIN, columns * pitch + MARGIN), 0.25)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = MARGIN + i * pitch, MARGIN + j * pitch
            picture[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
        picture[MARGIN + i * pitch :, MARGIN + len(row) * pitch :] = 0
    height, width = picture.shape
    figure = Figure(figsize=(max(width / 50, 4), height / 50 + 0.3), layout="constrained")
    axes = figure.subplots()
    colours = matplotlib.colormaps["gray_r"](picture, bytes=True)  # half of the memory that grey levels would take
    axes.imshow(colours, interpolation="nearest")
    axes.set_title(title, fontsize=11)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    centres = [MARGIN + i * pitch + SIDE / 2 for i in range(len(rows))]
    axes.set_yticks(centres if labels else [], labels or [])
    return figure


def _write(figure, path):
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, bbox_inches="tight")
    with writing.atomic(path) as file:
        file.write(picture.getvalue())
