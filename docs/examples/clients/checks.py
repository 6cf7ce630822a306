"""What a client is: a package, what of it is checked, and what was found."""

from collections.abc import Callable
from typing import NamedTuple


class Check(NamedTuple):
    """A quantity of the kit computed by somebody's package."""

    quantity: str
    what: str  # of the package
    answer: Callable  # the kit's inputs by name -> outputs by name, as many as the package has
    looks_like: str = ""  # where it does not agree: what the kit says
    dtype: str = "float64"


class Found(NamedTuple):
    """Something to know of a package: in words, in lines of Python, and in what these print."""

    words: str
    lines: str
    printed: str


def spins(a, W):
    """h (D,), J (left, right) and offset of E(z) = h·s + s_left J s_right + offset, s = 2 z - 1."""
    import numpy as np

    h = -a / 2 - np.concatenate([W.sum(1), W.sum(0)]) / 4
    return h, -W / 4, -a.sum() / 2 - W.sum() / 4


def enumerated(energy, d, n):
    """log Z and moments from energy(states) of all states."""
    import itertools

    import numpy as np

    z = np.array(list(itertools.product([0.0, 1.0], repeat=d)))
    log_w = -energy(z)
    w = np.exp(log_w - log_w.max())
    p = w / w.sum()
    log_z = log_w.max() + np.log(w.sum())
    return {"log_z": log_z, "mean_z": p @ z, "mean_zz": (z[:, :n] * p[:, None]).T @ z[:, n:]}
