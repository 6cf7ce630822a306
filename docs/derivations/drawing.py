"""What the pictures share: colours of Okabe and Ito, told apart by all eyes; lines differ by their style, too."""

import numpy as np
from matplotlib.figure import Figure

from dvae_ref import RBM

MACHINE = RBM(np.array([-1.5, -0.5, -1.0, 0.0, 0.5]), np.array([[3.0, -1.0, 0.5], [1.5, 1.0, -2.0]]))  # of page 1
CORNER = RBM(MACHINE.a[[0, 2]], MACHINE.W[:1, :1])  # its first left and first right unit
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
