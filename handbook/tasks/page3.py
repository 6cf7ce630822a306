"""Implicit reparameterisation."""

import numpy as np


def smoothing_power(beta, zeta, q, rho):
    """How zeta moves with q (Eq. 9) and with beta, at fixed rho; and the CDF of the mixture (Eq. 8)."""
    # your turn
    R0, R1 = zeta ** (1 / beta), 1 - (1 - zeta) ** (1 / beta)
    r0, r1 = zeta ** (1 / beta - 1) / beta, (1 - zeta) ** (1 / beta - 1) / beta
    d_R0 = -R0 * np.log(zeta) / beta**2
    d_R1 = (1 - zeta) ** (1 / beta) * np.log(1 - zeta) / beta**2
    density = (1 - q) * r0 + q * r1
    return {
        "cdf": (1 - q) * R0 + q * R1,
        "d_zeta_d_q": (R0 - R1) / density,
        "d_zeta_d_beta": -((1 - q) * d_R0 + q * d_R1) / density,
    }
