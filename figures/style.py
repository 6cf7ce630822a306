"""How the figures look: palette and grid of dvae_ref.runs.plots, shades for the betas, PNG and PDF.

A smoothing has its colour and title in every figure (`baselines.LAWS`). Its betas are shades of the colour, darker for
larger ones, and dashes besides. A band about a curve, or a bar, is two standard errors unless a figure says otherwise.
"""

import io
import string
import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dvae_ref.files import writing
from dvae_ref.model.baselines import LAWS
from dvae_ref.runs import plots
from dvae_ref.runs.plots import DPI, GREY

COLORS = {name: law.color for name, law in LAWS.items()}
TITLES = {name: law.title for name, law in LAWS.items()}
# With the shades: told apart in black and white, too.
DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)), (0, (4, 4)))
UNDATED = {"pdf": {"CreationDate": None}, "png": {"Software": None}}  # metadata, without date and version
MARKERS = ("o", "s", "^", "D", "v", "P")


def dashes(i):
    """Of curve i, however many there are."""
    return DASHES[i % len(DASHES)]


def marker(i):
    """Of curve i, likewise."""
    return MARKERS[i % len(MARKERS)]


def panels(rows, columns, size, **options):
    """(Figure, its axes as a (rows, columns) array), grids behind the curves; size in inches.

    Of several panels each has its letter, (a) first, row by row.
    """
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for a, letter in zip(axes.flat, string.ascii_lowercase, strict=False):
        a.grid(color=GREY, linewidth=0.6)
        a.set_axisbelow(True)
        if axes.size > 1:
            a.text(-0.01, 1.015, f"({letter})", transform=a.transAxes, ha="right", va="bottom", fontsize=11)
    return figure, axes


def footer(figure, text):
    """Small grey words below a figure."""
    figure.supxlabel("\n".join(textwrap.wrap(text, 150)), fontsize=6, color="0.45", x=0.99, ha="right")


def legends(panels):
    """A legend in each panel, where it hides least."""
    for axes in panels:
        axes.legend(fontsize=8, framealpha=0.9)


def legend_below(axes, columns):
    """A legend below a panel, where it hides nothing."""
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns)


def at_the_foot(axes, x, y, foot, **look):
    """Marks at the lower edge of a logarithmic axis, `foot`, for the values of y that are at or below it."""
    below = y <= foot
    if np.any(below):
        label, (_, labels) = f"at or below {foot:g}", axes.get_legend_handles_labels()
        if label not in labels:
            look = {"label": label, **look}
        feet = np.full(np.sum(below), foot)
        axes.plot(x[below], feet, "v", markersize=7, fillstyle="none", clip_on=False, zorder=5, **look)


def shades(color, n):
    """n shades of a colour, from light to dark: for n values that rise. A single one is the colour itself."""
    if n == 1:
        return [_mixed(color, 0.0)]
    return [_mixed(color, 0.45 - 0.85 * i / (n - 1)) for i in range(n)]


def _mixed(color, white):
    """The colour with so much white in it, from 0 to 1; with black where it is negative. (red, green, blue)."""
    weight, end = abs(white), float(white > 0)
    return tuple((1 - weight) * channel + weight * end for channel in to_rgb(color))


def band(axes, x, y, error, *, color, **options):
    """A curve in a band of plus and minus two standard errors."""
    axes.fill_between(x, y - 2 * error, y + 2 * error, color=color, alpha=0.2, linewidth=0)
    return axes.plot(x, y, color=color, **options)


def iterations(axes, last):
    """The axis of iterations, from 0 to the last."""
    axes.set_xlim(0, 1.03 * last)
    plots.of_iterations(axes, 5)


def save(figure, path, kind, dpi=DPI):
    """Write the figure as `kind`, png or pdf, atomically; the same bytes for the same figure."""
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):  # text in the PDF stays text
        figure.savefig(picture, format=kind, dpi=dpi, bbox_inches="tight", metadata=UNDATED[kind])
    with writing.atomic(path) as file:
        file.write(picture.getvalue())
