"""Mean field."""

import numpy as np


def mean_field(a, W, b, c, sweeps):
    """m after each number of sweeps from m = 1/2, the right side first; and H(m) - E^(m) (Eq. 6)."""
    # your turn
    n, found, bounds = len(W), [], []
    for number in sweeps:
        left, right = np.full_like(b[:, :n], 0.5), np.full_like(b[:, n:], 0.5)
        for _ in range(number):
            right = 1 / (1 + np.exp(-(a[n:] + b[:, n:] + left @ W)))
            left = 1 / (1 + np.exp(-(a[:n] + b[:, :n] + right @ W.T)))
        m = np.concatenate([left, right], 1)
        entropy = -np.sum(m * np.log(m + (m == 0)) + (1 - m) * np.log(1 - m + (m == 1)), 1)
        found.append(m)
        bounds.append(entropy + m @ a + np.sum((left @ W) * right, 1) + np.sum(b * m + c, 1))
    return {"m": np.stack(found), "lower_bound": np.stack(bounds)}
