"""What a figure is asked for."""

from pathlib import Path
from typing import NamedTuple

SCALES = {
    "quick": "small runs and samples: each figure within a minute",
    "default": "each figure within a quarter of an hour on two cores, on the bundled digits",
    "full": "the paper's settings, on MNIST: days on two cores",
}


def better(scale, other):
    """Whether one of SCALES is of more quality than another one."""
    return list(SCALES).index(scale) > list(SCALES).index(other)


class Options(NamedTuple):
    """The command's options, and the same from Python: `module.compute(Options(Path("out"), "quick"))`."""

    out: Path  # folder of the figures, of training runs and of what is kept of long computations
    scale: str = "default"  # of SCALES
    seed: int = 0
    threads: int = 1
    data_dir: str | None = None
    run_dir: str | None = None  # of `dvae_ref train`: its model instead of fig2a's own
