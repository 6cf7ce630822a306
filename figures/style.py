"""How the figures look: palette and grid of dvae_ref.runs.plots, shades for the betas, PNG and PDF."""

import io
import string
import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dvae_ref.files import writing
from dvae_ref.model.baselines import LAWS
from dvae_ref.runs.plots import DPI, GREY

COLORS = {name: law.color for name, law in LAWS.items()}
TITLES = {name: law.title for name, law in LAWS.items()}
# With the shades: told apart in black and white, too.
DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def dashes(i):
    """Of curve i, however many there are."""
    return DASHES[i % len(DASHES)]


def marker(i):
    """Of curve i, however many there are."""
    return MARKERS[i % len(MARKERS)]


def panels(rows, columns, size, **options):
    """(Figure, its axes as a (rows, columns) array), grids behind the curves."""
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


def legend_below(axes, columns):
    """A legend below a panel, where it hides nothing."""
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns)


def at_the_foot(axes, x, y, foot, **look):
    """Marks at the lower edge of a logarithmic axis, `foot`, for the values of y that are at or below it."""
    below = y <= foot
    if np.any(below):
        label = f"at or below {foot:g}"
        look = look if label in axes.get_legend_handles_labels()[1] else {"label": label, **look}
        feet = np.full(np.sum(below), foot)
        axes.plot(x[below], feet, "v", markersize=7, fillstyle="none", clip_on=False, zorder=5, **look)


def shades(color, n):
    """n shades of a colour, from light to dark: for n values that rise."""
    weights = [0.45 - 0.85 * i / max(n - 1, 1) for i in range(n)] if n > 1 else [0.0]
    return [_toward(color, (1, 1, 1), w) if w > 0 else _toward(color, (0, 0, 0), -w) for w in weights]


def _toward(color, end, weight):
    return tuple((1 - weight) * c + weight * e for c, e in zip(to_rgb(color), end, strict=True))


def band(axes, x, y, error, *, color, **options):
    """A curve in a band of plus and minus two standard errors."""
    axes.fill_between(x, y - 2 * error, y + 2 * error, color=color, alpha=0.2, linewidth=0)
    return axes.plot(x, y, color=color, **options)


def iterations(axes, last):
    """The axis of iterations, from 0 to the last."""
    axes.set(xlabel="iteration", xlim=(0, 1.03 * last))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def save(figure, path, kind, dpi=DPI):
    """Write the figure as `kind`, png or pdf, atomically; the same bytes for the same figure."""
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):  # text in the PDF stays text
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        figure.savefig(picture, format=kind, dpi=dpi, bbox_inches="tight", metadata=metadata)
    with writing.atomic(path) as file:
        file.write(picture.getvalue())
