"""Smoothing transformations: the power function."""

import numpy as np


def smoothing_power(beta, zeta, q, rho):
    """The logarithms of both densities, b, c and both CDFs. (The rest is page 3's.)"""
    # your turn
    log_r0 = (1 / beta - 1) * np.log(zeta) - np.log(beta)
    log_r1 = (1 / beta - 1) * np.log(1 - zeta) - np.log(beta)
    return {
        "log_r0": log_r0,
        "log_r1": log_r1,
        "b": log_r1 - log_r0,
        "c": log_r0,
        "cdf0": zeta ** (1 / beta),
        "cdf1": 1 - (1 - zeta) ** (1 / beta),
    }


def log_q_power(beta, zeta, q, cotangent):
    """log q(zeta|x) of each row, and its gradient in q (that in zeta is for the eager)."""
    # your turn
    r0, r1 = zeta ** (1 / beta - 1) / beta, (1 - zeta) ** (1 / beta - 1) / beta
    density = (1 - q) * r0 + q * r1
    return {"log_q": np.log(density).sum(1), "d_q": cotangent[:, None] * (r1 - r0) / density}
