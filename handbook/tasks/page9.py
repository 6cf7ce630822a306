"""Sampling."""

import numpy as np


def gibbs(a, W, z, u):
    """Sweeps from given uniform numbers, the right side first: the probabilities at each turn, the states after."""
    # your turn
    n, left, chances, after = len(W), z[:, : len(W)], [], []
    for numbers in u:
        p_right = 1 / (1 + np.exp(-(a[n:] + left @ W)))
        right = 1.0 * (numbers[:, n:] < p_right)
        p_left = 1 / (1 + np.exp(-(a[:n] + right @ W.T)))
        left = 1.0 * (numbers[:, :n] < p_left)
        chances.append(np.concatenate([p_left, p_right], 1))
        after.append(np.concatenate([left, right], 1))
    return {"p": np.stack(chances), "z_after": np.stack(after)}


def negative_phase(a, W, z):
    """d log Z in a and W from given chains, and the covariance of the sides."""
    # your turn
    left, right = z[:, : len(W)], z[:, len(W) :]
    mean_zz = left.T @ right / len(z)
    return {"mean_z": z.mean(0), "mean_zz": mean_zz, "covariance": mean_zz - np.outer(left.mean(0), right.mean(0))}


def ais_weights(a, W, left, t):
    """The log-weights of AIS from given states of the left side, the right side summed out; and log Z."""
    # your turn
    n = len(W)

    def log_f(t, left):
        return t * left @ a[:n] + np.logaddexp(0, t * (a[n:] + left @ W)).sum(1)

    log_w = sum(log_f(after, z) - log_f(before, z) for z, before, after in zip(left, t[:-1], t[1:], strict=True))
    peak = log_w.max()
    return {"log_w": log_w, "log_z": len(a) * np.log(2) + peak + np.log(np.exp(log_w - peak).mean())}
