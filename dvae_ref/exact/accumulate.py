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
def nothing() -> Array:
    """An empty sum (scale, total, error), for `add`."""
    return np.array([-math.inf, 0.0, 0.0])


@compiled()
def add(sums: Array, log_scale: float, x: float) -> None:
    """Add x exp(log_scale), x >= 0, to a sum held as exp(scale) (total + error) in sums = (scale, total, error).

    Neumaier's compensated sum: its error does not grow with the number of terms. It keeps in `error` what the rounding
    of total + x has lost, which is exactly (the larger - the rounded sum) + the smaller.
    """
    if x == 0.0:
        return
    if log_scale > sums[0]:
        factor = math.exp(sums[0] - log_scale)
        sums[0], sums[1], sums[2] = log_scale, sums[1] * factor, sums[2] * factor
    x *= math.exp(log_scale - sums[0])
    total = sums[1] + x
    sums[2] += (max(sums[1], x) - total) + min(sums[1], x)
    sums[1] = total


@compiled()
def log_of(sums: Array) -> float:
    """The logarithm of the sum; -inf if it is empty."""
    if sums[1] == 0.0:
        return -math.inf
    return sums[0] + math.log(sums[1] + sums[2])


def logsumexp(x: Array) -> Array:
    """log sum exp(x) over the last axis, by exactly rounded sums; -inf where all of x is.  (N, K) -> (N,)."""
    peak = np.max(x, -1, initial=-np.inf)
    scale = np.where(np.isfinite(peak), peak, 0)  # -inf - (-inf) is no number
    terms = np.exp(x - scale[:, None])
    totals = np.array([math.fsum(row) for row in terms])
    with np.errstate(divide="ignore"):
        return scale + np.log(totals)


def combine(reference: Array | float, rest: Array) -> Array:
    """log(exp(reference) + exp(rest)), reference finite: where rest is far below, its relative accuracy is kept."""
    high, low = np.maximum(reference, rest), np.minimum(reference, rest)
    return high + np.log1p(np.exp(low - high))
