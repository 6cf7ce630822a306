"""One claim a file, in the order of the report. What they share is in validation.oracles and validation.expectation."""

import importlib

NAMES = (
    "enumeration",
    "mean_field",
    "gradient_of_log_p",
    "gaussian_integral",
    "reparameterisation",
    "iw_bounds",
    "relaxation_gap",
    "signal_to_noise",
    "gradients",
    "training",
    "adam",
    "beta_limit",
    "gibbs",
    "population",
    "ais",
    "log_px",
    "evaluation",
    "float32",
    "released_code",
)


def load(names=NAMES):
    """The Claims of these names, in the order of NAMES. ValueError names those that do not exist, and those that do."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"unknown claim {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return [importlib.import_module(f"validation.claims.{name}").CLAIM for name in NAMES if name in names]
