"""The paper's figures and two supplements, one file each, with the same three functions:

compute(options)    the plotted numbers, a dict of arrays: what goes to the npz
plot(data)          a Figure of them, nothing else needed
summary(data)       what the paper says of it, beside what was found: text

A figure with runs of its own takes them from `snapshots`; what takes long goes through `store.kept`: interrupted, it
goes on. All that is random is a function of the seed; whatever changes with the scale stands in SCALES of its module.
"""

import importlib

NAMES = {
    "fig1": "inverse CDF and dzeta/dq of the smoothing transformations",
    "fig2a": "KL(m || p^) against mean-field iterations",
    "fig2b": "KL(m || p^) during training (trains)",
    "fig2c": "variance of the bound's gradient in logit q during training (trains)",
    "gradient-variance": "variance of dzeta/dq against sharpness",
    "pcd-vs-pa": "persistent contrastive divergence and population annealing against enumeration",
}


def load(name):
    """The module of one of NAMES."""
    return importlib.import_module(f"figures.{name.replace('-', '_')}")
