"""Engines: Gibbs sampling and annealing, each for another processor. One of them serves a call, and all draw the same.

An engine has

    tables(path), tables_batch(W, base)                               what it reads a `path.Path` as, or many of them
    anneal(left, right, log_w, inv_temps, done, tables, k0, k1)       packed states through a schedule, in place

Gibbs sampling is a path without a base that stays at t = 1, and without log-weights.
"""

from dvae_ref.sampling.engines import avx512, portable


def best():
    """The quickest engine of this CPU."""
    return avx512 if avx512.available() else portable
