"""A smoothing and a baseline by the recipe of docs/architecture.md, then a command: python toy.py dvae_ref train ...

r(zeta|0) = beta (1 - zeta)^(beta - 1), the law of the smallest of beta uniform numbers.
"""

import importlib
import math
import sys
from pathlib import Path

import numpy as np

from dvae_ref.model.baselines import BASELINES, LAWS, Baseline, Law
from dvae_ref.theory.elementary import softplus
from dvae_ref.theory.mirror import UnitInterval
from dvae_ref.theory.smoothing import SMOOTHINGS, inside


class Smallest(UnitInterval):
    """1 - R(zeta|0) = (1 - zeta)^beta; beta > 1."""

    minimum_beta = 1.0

    @property
    def log_z(self):
        return -math.log(self.beta)

    def log_r0(self, t):
        return -(self.beta - 1) * softplus(t) - self.log_z

    def d_log_r0(self, t):
        return -(self.beta - 1) * self.zeta(t)

    def d_beta_log_r0(self, t):
        return 1 / self.beta - softplus(t)

    def cdf0(self, t):
        return -np.expm1(-self.beta * softplus(t))

    def survival0(self, t):
        return np.exp(-self.beta * softplus(t))

    def cdf_gap(self, t):
        return self.cdf0(-np.abs(t)) - self.cdf1(-np.abs(t))

    def d_beta_cdf0(self, t):
        return softplus(t) * self.survival0(t)

    def sample0(self, rho):
        one_minus = np.log1p(-inside(rho)) / self.beta  # log(1 - zeta)
        return np.log(-np.expm1(one_minus)) - one_minus


SMOOTHINGS["toy"] = Smallest
LAWS["toy"] = Law(
    "toy",
    title="smallest of several",
    adjective="smallest-of-several",
    equation="a test",
    candidates=(6, 8, 12, 20),
    tried=(4, 9),
    tried_in_models=6.0,
    drawn=(2, 40),
    least=1.0,
)
BETAS = (8, 8, 6, 6)
BASELINES["dvaes_toy"] = Baseline("dvaes_toy", "DVAE#", LAWS["toy"], "relaxed", "DVAE#, toys", BETAS, BETAS)

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))  # figures is of the checkout, and not installed
    program, *arguments = sys.argv[1:]
    raise SystemExit(importlib.import_module(program).main(arguments))
