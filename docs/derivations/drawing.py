"""What the pictures share: colours of Okabe and Ito, told apart by all eyes; lines differ by their style, too."""

from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
STYLES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":")]
LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def panels(number, size):
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, number, squeeze=False)[0]
    for each in axes:
        each.grid(color="0.9", linewidth=0.6)
        each.title.set_fontsize(10)
    return figure, axes
