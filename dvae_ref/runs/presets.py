"""What a run is: its settings, checked, with the paper's defaults for each (data set, structure, baseline).

Imports nothing heavy: the command line makes its options of the fields of Settings.
"""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from dvae_ref.files import schema
from dvae_ref.model.baselines import BASELINES
from dvae_ref.model.structures import STRUCTURES

DATASETS = ("mnist5k", "binarized_mnist", "omniglot")
SAMPLERS = {"pa": "population annealing along the training trajectory", "pcd": "persistent contrastive divergence"}

MIXED = [name for name, baseline in BASELINES.items() if "epsilon" in baseline.law.parameters]


def default_eval_every(num_train_iter: int) -> int:
    """Every 20,000 iterations, every 10,000 in runs of up to 100,000."""
    return 10_000 if num_train_iter <= 100_000 else 20_000


def option(default: Any, text: str) -> Any:
    """A field of Settings and what --help says of it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """Everything that determines a run's numbers. ValueError for a value out of range, with the range.

    Over a run of T iterations, i of them done, b = lr_boundaries and f = lr_factors:

        learning rate = learning_rate f_j,    j = how many b_n T < i,        f has one entry more than b
        kappa = min(i / (warm_up T), 1)                                      of the KL terms in the bound

    so that a run of any length goes through the paper's schedules. A batch is batch_size images with k samples each.
    The negative phase has `chains` chains, moved by `sweeps` sweeps at each iteration. Two runs with the same settings
    and data have the same bytes on one kind of CPU (docs/architecture.md).
    """

    dataset: str = option("mnist5k", f"data set: {', '.join(DATASETS)}")
    struct: str = option("1-layer-nonlin", f"network structure: {', '.join(STRUCTURES)}")
    baseline: str = option("dvaes_power", f"model: {', '.join(BASELINES)}")
    k: int = option(1, "importance samples in the bound of Eq. 3")
    beta: float = option(None, "sharpness of the smoothing; default: that of the authors' runs for the cell of Table 1")
    epsilon: float = option(0.05, f"weight of the uniform in {', '.join(MIXED)}")
    num_train_iter: int = option(1_000_000, "iterations; every schedule scales with them")
    seed: int = option(0, "the run's only source of randomness")
    batch_size: int = option(100, "images an iteration")
    learning_rate: float = option(3e-3, "base learning rate")
    lr_boundaries: tuple = option((0.02, 0.6, 0.75, 0.95), "where the rate changes, as fractions of the run")
    lr_factors: tuple = option((1 / 10, 1.0, 1 / 3, 1 / 10, 1 / 33), "rate / base rate before, between and after")
    adam_beta1: float = option(0.9, "decay of Adam's first moment")
    adam_beta2: float = option(0.999, "decay of Adam's second moment")
    adam_epsilon: float = option(1e-3, "added to the uncorrected sqrt(v), as TensorFlow does")
    weight_decay: float = option(1e-4, "strength of the L2 penalty in the loss")
    warm_up: float = option(0.3, "fraction of the run over which the KL coefficient kappa rises to 1")
    mean_field_sweeps: int = option(5, "sweeps of mean field a row")
    sampler: str = option("pa", f"sampler of the negative phase: {', '.join(SAMPLERS)}")
    chains: int = option(1000, "persistent chains of the negative phase")
    sweeps: int = option(40, "Gibbs sweeps an update")
    eval_every: int = option(None, "iterations between validations; default 20,000, or 10,000 in runs up to 100,000")
    eval_samples: int = option(100, "importance samples a validation image")
    eval_temperatures: int = option(1000, "AIS temperatures at a validation")
    checkpoint_every: int = option(1000, "iterations between checkpoints")
    log_every: int = option(100, "iterations averaged in a record of metrics.jsonl")

    def __post_init__(self):
        self._check_types()
        for name, valid in CHOICES.items():
            if getattr(self, name) not in valid:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; there are {', '.join(valid)}")
        if self.beta is None:
            object.__setattr__(self, "beta", BASELINES[self.baseline].beta(self.dataset, self.struct))
        if self.eval_every is None:
            object.__setattr__(self, "eval_every", default_eval_every(self.num_train_iter))
        self._make_floats()
        self._check()

    def _check_types(self):
        """Of all; whole numbers are checked against their least value, the others later."""
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None and f.default is None:  # a default that is yet to be chosen
                continue
            rule = _whole(f.name) if f.type is int else TYPES[f.type]
            if not rule.holds(value):
                raise ValueError(f"{f.name} must be {rule.said}, got {schema.shown(value)}")

    def _make_floats(self):
        """1 is 1.0, as the command line has it: what is equal is the same text in a file."""
        for f in fields(self):
            value = getattr(self, f.name)
            if f.type is float:
                object.__setattr__(self, f.name, float(value))
            if f.type is tuple:
                object.__setattr__(self, f.name, tuple(map(float, value)))

    def _check(self):
        """Of numbers, whether they are in range; whole ones are already checked."""
        self._check_beta()
        for name in ("epsilon", "adam_beta1", "adam_beta2"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie strictly between 0 and 1, got {getattr(self, name)}")
        for name in ("learning_rate", "adam_epsilon", "weight_decay", "warm_up"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and not negative, got {getattr(self, name)}")
        bounds, factors = list(self.lr_boundaries), list(self.lr_factors)
        if not all(0 <= value < math.inf for value in bounds + factors):
            raise ValueError(f"lr_boundaries and lr_factors must be finite and not negative, got {bounds}, {factors}")
        if len(factors) != len(bounds) + 1 or bounds != sorted(bounds):
            raise ValueError(f"lr_boundaries must rise, with one entry less than lr_factors; got {bounds}, {factors}")

    def _check_beta(self):
        """beta alone has a range of its own for each law of zeta."""
        law = BASELINES[self.baseline].law
        if not law.least < self.beta < math.inf:
            raise ValueError(f"{self.baseline} takes a finite beta > {law.least:g}, got {self.beta}")
        if self.beta >= law.most:  # as posteriors.SpikeExponential, before a run begins
            bound = f"beta < {law.most:g}, as float32 holds no e^beta beyond"
            raise ValueError(f"{self.baseline} takes {bound}, got {self.beta}")

    def to_json(self) -> dict[str, Any]:
        """All fields, by name: what config.json holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: object) -> Self:
        """Settings from config.json; ValueError names what does not belong, or is not there."""
        if not isinstance(record, dict):
            raise ValueError(f"expected an object of settings, got {type(record).__name__}")
        missing = [name for name in IDENTITY if name not in record]
        if missing:
            raise ValueError(f"expected settings {', '.join(IDENTITY)}; {', '.join(missing)} missing")
        unknown = set(record) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        return cls(**record)


CHOICES = {"dataset": DATASETS, "struct": STRUCTURES, "baseline": BASELINES, "sampler": SAMPLERS}
IDENTITY = ("dataset", "struct", "k", "baseline", "beta", "num_train_iter", "seed")  # no default stands in for these
LEAST = {"chains": 2, "eval_temperatures": 2}  # 1 of all other whole numbers


def _is_float(value):
    """Of any range, inf and nan, too: what is wrong with these is said of the setting."""
    return schema.is_number(value) or isinstance(value, float)


def _are_floats(value):
    return isinstance(value, list | tuple) and all(map(_is_float, value))


TYPES = {  # of settings; the range is another matter
    str: schema.text(),
    float: schema.Rule("a number", _is_float),
    tuple: schema.Rule("a list of numbers", _are_floats),
}


def _whole(name):
    """The Rule of a setting that is a whole number."""
    if name == "seed":
        return schema.Rule("a whole number in 0 <= seed < 2**63", schema.is_whole)
    least = LEAST.get(name, 1)
    return schema.whole(least)._replace(said=f"a whole number, at least {least}")
