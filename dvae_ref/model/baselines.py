"""The smoothings and the columns of Table 1 as records: what they are called, and which sharpness they are taken with.

Every list of them follows from these two tables: options, defaults, test vectors, figures. How a smoothing is computed
is in theory/smoothing.py, how a baseline is put together in model/methods.py. Imports nothing heavy.
"""

import math
from dataclasses import dataclass

from dvae_ref.model.structures import STRUCTURES


class Table(dict):
    """Records by name. LookupError for a name without one, with the names that there are."""

    def __init__(self, what, records=()):
        super().__init__({record.name: record for record in records})
        self.what = what

    def __missing__(self, name):
        raise LookupError(f"dvae_ref/model/baselines.py has no {self.what} {name!r}; there are {', '.join(self)}")


@dataclass(frozen=True)
class Law:
    """A law of zeta given z. Bounds and values are of its sharpness beta."""

    name: str
    title: str  # in figures
    adjective: str  # in the conformance kit
    equation: str  # of the paper
    candidates: tuple  # from which the paper chose, by validation (Sec. 4), if it trained with it
    tried_in_models: float  # with which the kit writes objectives
    tried: tuple | None = None  # (least, most) with which it writes a smoothing alone: where all of it is to be seen
    drawn: tuple | None = None  # (least, most) of the curve of figures/gradient_variance.py
    color: str = "#000000"
    in_fig1: bool = True
    least: float = 0.0  # beta > least
    most: float = math.inf  # beta < most, beyond which float32 holds no e^beta or 1 / density
    parameters: tuple = ("beta",)  # or epsilon, too


LAWS = Table(
    "Law",
    (
        Law(
            "exp",
            title="exponential",
            adjective="exponential",
            equation="Eq. 1",
            candidates=(8, 10, 12, 16),
            tried=(5, 9),
            tried_in_models=7.0,
            drawn=(2, 25),
            color="#0072B2",
        ),
        Law(
            "unexp",
            title="uniform + exponential",
            adjective="uniform+exp",
            equation="Sec. 3.3",
            candidates=(16, 20, 30, 40),
            tried=(8, 14),
            tried_in_models=9.0,
            drawn=(2, 100),
            color="#009E73",
            parameters=("beta", "epsilon"),
        ),
        Law(
            "power",
            title="power function",
            adjective="power-function",
            equation="Eq. 10",
            candidates=(15, 20, 30, 40),
            tried=(4, 10),
            tried_in_models=5.0,
            drawn=(2, 100),
            color="#D55E00",
            least=1.0,
        ),
        Law(
            "gauss",
            title="Gaussian",
            adjective="Gaussian",
            equation="Sec. 3.3",
            candidates=(20, 25, 30, 40),
            tried=(8, 16),
            tried_in_models=9.0,
            drawn=(4, 100),
            color="#CC79A7",
            in_fig1=False,
        ),
        Law(
            "logistic",
            title="logistic",
            adjective="logistic",
            equation="DVAE++",
            candidates=(8, 10, 12, 16),  # ours: E|zeta - z| from 0.17 to 0.09; the Gaussian's have 0.18 to 0.13
            tried=(5, 12),
            tried_in_models=7.0,
            drawn=(2, 60),
            color="#56B4E9",
            most=160.0,
        ),
        Law(
            "gi",
            title="Gaussian integral",
            adjective="Gaussian integral",
            equation="Eq. 7",
            candidates=(20, 25, 30, 40),
            tried_in_models=10.0,
        ),
        Law(
            "spike_exp",
            title="spike and exponential",
            adjective="spike-and-exponential",
            equation="Eq. 1",
            candidates=(4, 5, 6, 8),
            tried_in_models=5.0,
            most=88.0,
        ),
    ),
)


PRIORS = ("spike_joint", "overlapping_joint", "gaussian_integral", "relaxed")


@dataclass(frozen=True)
class Baseline:
    """A model: its family, its law of zeta, its prior, and its betas in the authors' runs, structure by structure.

    prior is the function of model/methods.py that puts it together. ValueError for an unknown one, and for a beta too
    few or too many.
    """

    name: str
    family: str
    law: Law
    prior: str
    title: str
    mnist: tuple
    omniglot: tuple

    def __post_init__(self):
        if self.prior not in PRIORS:
            raise ValueError(f"{self.name} has the prior {self.prior!r}, none of {', '.join(PRIORS)}")
        for dataset in ("mnist", "omniglot"):
            betas = getattr(self, dataset)
            if len(betas) != len(STRUCTURES):
                raise ValueError(f"{self.name} needs a beta on {dataset} for {', '.join(STRUCTURES)}; got {betas}")

    @property
    def candidates(self) -> tuple[float, ...]:
        """The betas that the paper chose from."""
        return self.law.candidates

    def beta(self, dataset: str, structure: str) -> float:
        """Of the authors' runs for a cell of Table 1, chosen by validation (Sec. 4); every other data set takes
        MNIST's."""
        betas = self.omniglot if dataset == "omniglot" else self.mnist
        return float(dict(zip(STRUCTURES, betas, strict=True))[structure])


def _dvae_plus_plus(name, law, what, mnist, omniglot):
    return Baseline(name, "DVAE++", LAWS[law], "overlapping_joint", f"DVAE++, overlapping {what}", mnist, omniglot)


def _dvae_sharp(name, law, what, mnist, omniglot):
    return Baseline(name, "DVAE#", LAWS[law], "relaxed", f"DVAE#, overlapping {what}", mnist, omniglot)


SPIKE = "dvae_spike_exp", "DVAE", LAWS["spike_exp"], "spike_joint", "DVAE, spike and exponential"
INTEGRAL = "dvaes_gi", "DVAE#", LAWS["gi"], "gaussian_integral", "DVAE#, Gaussian integral trick"
BASELINES = Table(
    "Baseline",
    (  # in the order of Table 1; betas in the order of STRUCTURES
        Baseline(*SPIKE, (5, 5, 4, 4), (4, 4, 4, 4)),
        _dvae_plus_plus("dvaepp_exp", "exp", "exponentials", (12, 14, 10, 10), (14, 12, 10, 10)),
        _dvae_plus_plus("dvaepp_power", "power", "power functions", (40, 30, 30, 30), (40, 40, 30, 30)),
        Baseline(*INTEGRAL, (40, 30, 30, 30), (40, 30, 25, 25)),
        _dvae_sharp("dvaes_gauss", "gauss", "Gaussians", (40, 30, 25, 25), (40, 25, 25, 25)),
        _dvae_sharp("dvaes_exp", "exp", "exponentials", (12, 12, 10, 10), (12, 10, 8, 8)),
        _dvae_sharp("dvaes_unexp", "unexp", "uniform + exponentials", (40, 30, 16, 16), (40, 16, 16, 16)),
        _dvae_sharp("dvaes_power", "power", "power functions", (40, 40, 30, 30), (40, 30, 20, 20)),
    ),
)
