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
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from dvae_ref.files import reading, schema, writing
from dvae_ref.runs import image_files

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#E4E4E4"  # Okabe and Ito: told apart by all eyes
SIDE = math.isqrt(image_files.PIXELS)
MARGIN = 2  # pixels between images
PITCH = SIDE + MARGIN
DPI = 150


def curves(metrics_path, path, title):
    """Bound and NLL, log Z, learning rate and kappa against the iteration, from a run's metrics.jsonl.

    The bound is drawn as -bound, an upper bound on the training NLL where kappa = 1; the region with kappa < 1 is
    shaded. ValueError names a line of metrics.jsonl that is damaged.
    """
    training, validation = read_metrics(metrics_path)
    figure = Figure(figsize=(8, 8), layout="constrained")
    likelihood, log_z, schedule = panels = figure.subplots(3, 1, sharex=True, height_ratios=(5, 3, 1.6))
    for axes in panels:
        _shade_warm_up(axes, training)
        axes.margins(x=0.02)
        axes.grid(color=GREY, linewidth=0.6)
        axes.set_axisbelow(True)
    _draw_likelihood(likelihood, training, validation)
    _draw_log_z(log_z, training, validation)
    _draw_schedule(schedule, training)
    likelihood.set_title(title, fontsize=11)
    of_iterations(schedule, 6)
    figure.align_ylabels(panels)
    _write(figure, path)


def of_iterations(axes, intervals):
    """The axis of iterations, with so many intervals between ticks at most, and commas between thousands."""
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(intervals, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


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
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, (name, group) in zip(panels, groups.items(), strict=True):
        _draw_nll(axes, group)
        axes.set_title(name, fontsize=10, loc="left")
    bars = "standard deviation over runs; of a single run, standard error over images"
    axes.set_xlabel(f"test NLL, nats\nbars: {bars}")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    _write(figure, path)


def _draw_nll(axes, rows):
    """A line of the panel for each Row, from the top: ours just above it, the paper's just below."""
    places = np.arange(len(rows))
    ours = [row.nll for row in rows]
    published = [row.paper_nll for row in rows]
    own_error = [row.image_standard_error if math.isnan(row.std) else row.std for row in rows]
    error = [row.paper_std for row in rows]
    style = {"linestyle": "none", "capsize": 3, "markersize": 5}
    axes.errorbar(ours, places - 0.12, xerr=own_error, color=BLUE, marker="o", label="here", **style)
    style |= {"color": ORANGE, "marker": "s", "label": "paper, 1,000,000 iterations"}
    axes.errorbar(published, places + 0.12, xerr=error, **style)
    axes.set_yticks(places, map(_in_words, rows), fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)


def _in_words(row):
    """What a Row is of, with the settings that tell it from others of its cell."""
    cell = f"{row.struct}  K={row.k}  {row.baseline}  {row.num_train_iter:,} it."
    return "  ".join([cell, *row.unusual])


def read_metrics(path):
    """(training, validation) records of a metrics.jsonl, each as a dictionary of arrays, one number a record."""
    kinds = defaultdict(list)
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
    columns = {}
    for name in names:
        columns[name] = np.array([record.get(name) for record in records], float)
    return columns


def _shade_warm_up(axes, training):
    """As far as the first record with kappa = 1, whose iterations still include some of the warm-up."""
    warming = int(np.sum(training["kappa"] < 1))
    if warming:
        last = min(warming, len(training["kappa"]) - 1)
        axes.axvspan(0, training["iteration"][last], color=GREY, alpha=0.6, linewidth=0)


def _draw_likelihood(axes, training, validation):
    """What bounds or estimates -log p(x): relaxed on training batches, of the discrete model in validation."""
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
    """The short AIS of each record, good to some tenths of a nat, and that of each validation with its error bar."""
    if len(training["iteration"]):
        label = "short AIS"
        axes.plot(training["iteration"], training["log_z_rough"], color=BLUE, linewidth=1, label=label)
    if len(validation["iteration"]):
        error = validation["log_z_standard_error"]
        _points(axes, validation["iteration"], validation["log_z"], error, ORANGE, "o", "AIS")
    axes.set_ylabel("log Z, nats")
    _legend(axes)


def _draw_schedule(axes, training):
    """The learning rate in steps on a logarithmic axis; kappa on one of its own, to the right."""
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
        low, high = min(np.min(values), np.min(lowest, initial=np.inf)), np.max(values)
        pad = max(0.06 * (high - low), 0.5)
        axes.set_ylim(low - pad, high + pad)


def _legend(axes):
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, framealpha=0.9)


def _checked(images):
    """An array of images (n, 784), n > 0, in [0, 1]. ValueError for others."""
    images = np.asarray(images)
    if images.ndim != 2 or images.shape[1] != SIDE**2 or not len(images):
        raise ValueError(f"expected images as rows of {SIDE**2} pixels, got shape {images.shape}")
    if not np.all((images >= 0) & (images <= 1)):
        raise ValueError("expected pixels in [0, 1]")
    return images


def _sheet(rows, columns, title, labels=None):
    """A figure of rows of images, the last of which may be short; labels name the rows."""
    picture = _mosaic(rows, columns)
    height, width = picture.shape
    figure = Figure(figsize=(max(width / 50, 4), height / 50 + 0.3), layout="constrained")
    axes = figure.subplots()
    colours = matplotlib.colormaps["gray_r"](picture, bytes=True)  # half of the memory that grey levels would take
    axes.imshow(colours, interpolation="nearest")
    axes.set_title(title, fontsize=11)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_yticks([])
    if labels:
        axes.set_yticks(MARGIN + SIDE / 2 + PITCH * np.arange(len(rows)), labels)
    return figure


def _mosaic(rows, columns):
    """Grey levels of the sheet, a pixel of an image to a pixel: images on light grey; where a row ends early, white."""
    picture = np.full((len(rows) * PITCH + MARGIN, columns * PITCH + MARGIN), 0.25)
    for i, row in enumerate(rows):
        top = MARGIN + i * PITCH
        for j, image in enumerate(row):
            left = MARGIN + j * PITCH
            picture[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
        picture[top:, MARGIN + len(row) * PITCH :] = 0
    return picture


def _write(figure, path):
    """As PNG, of which a file has all or nothing."""
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, bbox_inches="tight")
    with writing.atomic(path) as file:
        file.write(picture.getvalue())
