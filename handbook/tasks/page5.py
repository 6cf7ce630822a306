"""The overlapping relaxation and its gradient."""

import numpy as np


def log_p_overlapping_power(a, W, beta, zeta, sweeps, cotangent):
    """log p(zeta) + log Z of each row, as H(m) - E^(m) (Eqs. 4 and 6), and the gradients, m held fixed (Eq. 5)."""
    # your turn
    n = len(W)
    c = (1 / beta - 1) * np.log(zeta) - np.log(beta)
    b = (1 - 1 / beta) * (np.log(zeta) - np.log(1 - zeta))
    m = np.full_like(b, 0.5)
    for _ in range(int(sweeps)):
        m[:, n:] = 1 / (1 + np.exp(-(a[n:] + b[:, n:] + m[:, :n] @ W)))
        m[:, :n] = 1 / (1 + np.exp(-(a[:n] + b[:, :n] + m[:, n:] @ W.T)))
    entropy = -np.sum(m * np.log(m + (m == 0)) + (1 - m) * np.log(1 - m + (m == 1)), 1)
    F = entropy + m @ a + np.sum((m[:, :n] @ W) * m[:, n:], 1) + np.sum(b * m + c, 1)
    weight = cotangent[:, None]
    return {
        "log_p": F,
        "d_zeta": weight * (1 - 1 / beta) * (m / (1 - zeta) - (1 - m) / zeta),
        "d_a": cotangent @ m,
        "d_W": m[:, :n].T @ (weight * m[:, n:]),
    }
