"""Mistakes that the derivations list under "Common mistakes" (docs/derivations), and that no other theme has."""

import numpy as np

from dvae_ref.conformance.mistakes.chains import log_base
from dvae_ref.conformance.mistakes.registry import closest, mistake, scaled
from dvae_ref.theory.boltzmann import split


@mistake("E[z_left] E[z_right]' in place of E[z_left z_right']", "log_z", "negative_phase")
def product_of_means(case):
    """Page 1, mistake 4, and page 5, mistake 3. (Of these means no covariance is left.)"""
    left, right = split(case.outputs["mean_z"], case.machine)
    found = {"mean_zz": np.outer(left, right)}
    return closest(case, [found | scaled(case.outputs, 0, "covariance"), found])


@mistake("a in place of a - lam / 2", "log_p_gaussian_integral")
def without_lam(case):
    """Page 6, mistake 1: as if a were a + lam / 2."""
    return case.again({"a": case.inputs["a"] + case.inputs["lam"] / 2})


@mistake(
    "mu on both sides: q(z = 1 | x) for the left side, which zeta has told more of",
    "kl_dvaepp_*",
    "own_networks_dvaepp_*",
)
def mu_on_both_sides(case):
    """Page 7, mistake 6: at zeta = 1/2, b is 0 and nu is mu. Then zeta has no say."""
    middle = case.again({"zeta": np.full_like(case.inputs["zeta"], 0.5)})
    return middle | {"d_zeta": np.zeros_like(middle["d_zeta"])}


@mistake("log Z of the base, units x log 2, is left out", "ais_weights")
def without_base(case):
    """Page 9, mistake 3: log mean w is log Z less that of the machine at t = 0, D log 2."""
    return {"log_z": case.outputs["log_z"] - log_base(case)}
