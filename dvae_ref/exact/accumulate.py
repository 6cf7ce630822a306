"""Sums of exponentials, compensated, for use inside kernels and around them."""

import math

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.fast.jit import compiled

# Sums may be reordered and products fused: the loop is vectorised, and compiled once, so its result is always the same.
REORDER = {"reassoc", "contract", "nsz"}


@compiled(fastmath=REORDER)
def sum_exp(log_w: Array, peak: float) -> float:
    """sum exp(log_w - peak)."""
    total = 0.0
    for s in range(log_w.size):
        total += math.exp(log_w[s] - peak)
    return total


@compiled()
def exp_in_place(x: Array, log_scale: float) -> None:
    """x <- exp(x - log_scale)."""
    for s in range(x.size):
        x[s] = math.exp(x[s] - log_scale)


@compiled()
def largest(x: Array) -> float:
    """max_s x_s of an array that is not empty."""
    peak = x[0]
    for s in range(1, x.size):
        peak = max(peak, x[s])
    return peak


@compiled()
def add(sums: Array, log_scale: float, x: float) -> None:
    """Add x exp(log_scale), x >= 0, to a sum held as exp(scale) (total + error) in sums = (scale, total, error).

    Neumaier's compensated sum: its error does not grow with the number of terms. An empty sum is (-inf, 0, 0).
    """
    if x == 0.0:
        return
    if log_scale > sums[0]:
        factor = math.exp(sums[0] - log_scale)
        sums[0], sums[1], sums[2] = log_scale, sums[1] * factor, sums[2] * factor
    x *= math.exp(log_scale - sums[0])
    total = sums[1] + x
    sums[2] += (sums[1] - total) + x if sums[1] >= x else (x - total) + sums[1]
    sums[1] = total


@compiled()
def log_of(sums: Array) -> float:
    """The logarithm of the sum; -inf if it is empty."""
    return -math.inf if sums[1] == 0.0 else sums[0] + math.log(sums[1] + sums[2])


def logsumexp(x: Array) -> Array:
    """log sum exp(x) over the last axis, by exactly rounded sums; -inf where all of x is.  (N, K) -> (N,)."""
    peak = np.max(x, -1, keepdims=True, initial=-np.inf)
    terms = np.exp(x - np.where(np.isfinite(peak), peak, 0))
    totals = np.array([math.fsum(row) for row in terms])
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(peak[:, 0]), peak[:, 0], 0) + np.log(totals)


def combine(reference: Array | float, rest: Array) -> Array:
    """log(exp(reference) + exp(rest)), reference finite: where rest is far below, its relative accuracy is kept."""
    high, low = np.maximum(reference, rest), np.minimum(reference, rest)
    return high + np.log1p(np.exp(low - high))
