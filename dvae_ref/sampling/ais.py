"""Annealed importance sampling: an unbiased estimate of an RBM's Z (Sec. 4; Neal 2001; Salakhutdinov & Murray 2008).

From a base with W = 0, whose Z_0 is known, to the RBM, by machines at inverse temperatures 0 = t_0 < ... < t_K = 1:

    E_t(z) = -base·z - t (slope·z + z_left W z_right),

with base = 0 ("uniform"), base = a ("bias") or any other biases, such as those of a mean field, and base + slope = a.
The right side is summed out analytically:

    log p*_t(z_left) = (base + t slope)_left·z_left + sum_j softplus(base_j + t h_j),    h = slope_right + z_left W.

A chain gathers log w = log Z_0 + sum_k [log p*_{t_k+1} - log p*_{t_k}](z_left), each term before one sweep at t_{k+1};
E[w] = Z. Random numbers are those of `gibbs`, indexed by (key, k + 1, side, chain, unit). h is free of rounding, but it
belongs to an RBM with rounded parameters (`fields.exact_fields`): one more importance step, from that RBM to the one
given, makes the estimate unbiased for the latter.

Accuracy of log w: the sums are float64, and the float32 terms are differences formed without cancellation
(`scalars.softplus_increment`), each good to about 1e-6 of itself. Against float64 with the
same spins: 4e-7 nats for 200 x 200 units and 1,000 temperatures (log Z = 584).
Derived in docs/derivations/09-sampling.md.
"""

import itertools
import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dvae_ref.arrays import Array, short
from dvae_ref.sampling import backend as backends
from dvae_ref.sampling import engines, fields, gibbs, modes, paths, philox
from dvae_ref.sampling.engines.path import Path
from dvae_ref.theory import domains
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import softplus

Progress = Callable[[int, int], object]  # (done, total)
NO_VOUCHER = "a large one would not vouch for log Z: sampling.bracket"
_STRIDE = 50  # temperatures, at least, between two calls of `progress`
_PIECE = 2**34  # chains x weights x temperatures to a call of an engine: about a second


class AISResult(NamedTuple):
    """log Z (nats) = log mean exp(log_weights), its standard error, and the effective number of chains.

    The last two describe the weights that were drawn. A small effective number (`least_effective`) says that a few
    chains make up the mean, and that its error is unknown. A large one says that chains agree, not that they are right:
    of a mode that none has found there is no trace in either. `modes` may know of it, and then there is a warning;
    `bracket` looks from the other side.

    Where annealing works, +- 1.96 standard errors hold log Z in 95% of the runs with 100 chains, in 92% with 20, in 91%
    with 10 (2,000 runs each on 12 + 30 units): with few chains take the quantile of Student's t law, as `bracket` does.
    """

    log_z: float
    standard_error: float
    effective_sample_size: float
    log_weights: np.ndarray  # (R,), float64: unbiased estimates of Z, one a chain

    def __repr__(self) -> str:
        return short(self)


class AISBatch(NamedTuple):
    """An AISResult's fields for N machines at once."""

    log_z: np.ndarray  # (N,)
    standard_error: np.ndarray  # (N,)
    effective_sample_size: np.ndarray  # (N,)
    log_weights: np.ndarray  # (N, R)

    def __repr__(self) -> str:
        return short(self)


def log_z(
    key: philox.Key,
    rbm: RBM,
    temperatures: paths.Temperatures = 10_000,
    chains: int = 1_000,
    base: str | Array = "uniform",
    progress: Progress | None = None,
    backend: str = "cpu",
) -> AISResult:
    """AISResult for the RBM's log Z.

    temperatures: how many inverse temperatures, evenly spaced from 0 to 1, or the increasing array of them. They are
    rounded to float32. base: "uniform", "bias" or the biases (D,) of the base machine. progress: called as
    progress(done, total), in temperatures, at most a hundred times. The result depends on the key, not on the number of
    threads; on a GPU (`backend.resolve`) the chains are the same to the bit, and their weights up to the order of
    float64 sums. Raises TypeError for a key or an RBM that is none, ValueError for fewer than 2 chains, a schedule that
    does not increase from 0 to 1, an unknown base; warns where few chains make up the mean.

    >>> found = log_z(philox.key(0), RBM(np.zeros(5, np.float32), np.zeros((2, 3), np.float32)), 10, 20)
    >>> round(found.log_z / math.log(2), 6), len(found.log_weights)
    (5.0, 20)
    """
    philox.check(key)
    inv_temps, path = paths.schedule(temperatures), paths.annealing_path(rbm, base)
    chains = check_chains(chains)
    chain = gibbs.draw(key, 0, gibbs.LEFT, np.tile(fields.sides(path.base, path.W)[0], (chains, 1)))
    left, log_w = fields.pack(chain), np.full(chains, paths.base_log_z(path))
    walk(key, path, left, log_w, inv_temps, progress, backend)
    result = summarize(log_w + paths.correction(rbm, path, fields.unpack(left, len(path.W))))
    if result.effective_sample_size >= least_effective(chains):
        modes.warn_if_missed(result.log_z, result.standard_error, chains, rbm)
    return result


def walk(
    key: philox.Key,
    path: Path,
    left: Array,
    log_w: Array,
    inv_temps: Array,
    progress: Progress | None = None,
    backend: str = "cpu",
) -> None:
    """Take chains along the inverse temperatures (K + 1,), float32, in place: left (R, q), packed, and log_w (R,).

    To each log w is added sum_k [log p*_{t_k+1} - log p*_{t_k}](z_left), each term before the sweep at t_{k+1}, the
    key's sweep number k + 1. Temperatures may fall as well as rise (`bracket`).
    """
    engine = _engine(backend)
    _anneal(engine, engine.tables(path), left[None], log_w[None], key, inv_temps, path.W, progress)


def log_z_batch(
    key: philox.Key,
    W: Array,
    a: Array,
    temperatures: paths.Temperatures = 1_000,
    chains: int = 100,
    progress: Progress | None = None,
) -> AISBatch:
    """AISBatch for machines that share W (D_left, D_right) and have biases a (N, D): N x chains chains in one run.

    As `log_z` from the base "bias": what a machine's own biases do is in the base, and W alone is annealed. That suits
    biases that dominate, like those of the augmented machines a + b(zeta). The result for a machine depends on its
    place in the batch, which numbers its chains, and on no other machine. Where modes decide, at W that ferromagnets
    have, this base finds one of them only: warns if a mean field proves it (`modes`). Nats. ValueError for shapes that
    do not fit, TypeError for what are no real arrays.
    """
    philox.check(key)
    inv_temps, chains = paths.schedule(temperatures), domains.whole("chains", chains)
    rounded = _check_batch(W, a, chains)
    base = a.astype(np.float32)
    base_left = base[:, : len(W)]
    left = [
        fields.pack(gibbs.draw(key, 0, gibbs.LEFT, np.tile(row, (chains, 1)), n * philox.whole_counters(chains)))
        for n, row in enumerate(base_left)
    ]
    left, start = np.stack(left), np.sum(softplus(base.astype(np.float64)), -1)
    log_w = np.tile(start[:, None], (1, chains))
    engine = engines.best()
    _anneal(engine, engine.tables_batch(rounded, base), left, log_w, key, inv_temps, W, progress)
    for n, row in enumerate(base):
        path = Path(row, np.zeros_like(row), rounded)
        log_w[n] += paths.correction(RBM(a[n], W), path, fields.unpack(left[n], len(W)))
    result = _summarize_batch(log_w)
    told = result.effective_sample_size < least_effective(chains)
    if not np.all(told):
        modes.warn_if_missed_by_any(result.log_z[~told], result.standard_error[~told], chains, W, a[~told])
    return result


def _anneal(engine, tables, left, log_w, key, inv_temps, W, progress):
    """Chains (N, R, q_left) through the schedule, in a hundred parts or more: between them Ctrl-C is heard."""
    words, none = (np.uint64(key.k0), np.uint64(key.k1)), np.empty((len(left), 0, -(-W.shape[1] // 4)), np.uint8)
    hundredth, told = max(_STRIDE, len(inv_temps) // 100), 0
    stride = max(1, min(hundredth, _PIECE // (log_w.size * W.size)))
    for first in range(0, len(inv_temps) - 1, stride):
        part = inv_temps[first : first + stride + 1]
        engine.anneal(left, none, log_w, part, first, tables, *words)
        done = first + len(part)
        if progress is not None and (done - told >= hundredth or done == len(inv_temps)):
            progress(done, len(inv_temps))
            told = done


def _check_batch(W, a, chains):
    """W with exact fields; ValueError if anything does not fit, TypeError for what are no real arrays."""
    domains.real("W", W)
    domains.real("a", a)
    if W.ndim != 2 or a.ndim != 2 or len(a) < 1 or a.shape[1] != sum(W.shape):
        raise ValueError(f"a batch takes W (D_left, D_right) and a (N, D_left + D_right); got {W.shape} and {a.shape}")
    with np.errstate(over="ignore"):
        domains.finite("a, in float32,", a.astype(np.float32))
    rounded, _ = fields.exact_fields(RBM(np.zeros(a.shape[1]), W))
    check_chains(chains, len(a))
    return rounded.W


def _engine(backend):
    """The module whose `tables` and `anneal` do the work."""
    if backends.resolve(backend) == "cpu":
        return engines.best()
    from dvae_ref.sampling.cuda import ais as cuda

    return cuda


def log_weights_reference(
    key: philox.Key, rbm: RBM, temperatures: paths.Temperatures, chains: int, base: str | Array = "uniform"
) -> Array:
    """The log-weights (R,) of `log_z`, nats, as readable NumPy, in float64 from the same spins: its oracle."""
    inv_temps, path = paths.schedule(temperatures), paths.annealing_path(rbm, base)
    z_left = gibbs.draw(key, 0, gibbs.LEFT, np.tile(fields.sides(path.base, path.W)[0], (chains, 1)))
    z_left, gained = walk_reference(key, path, z_left, inv_temps)
    return paths.base_log_z(path) + gained + paths.correction(rbm, path, z_left)


def walk_reference(key: philox.Key, path: Path, z_left: Array, inv_temps: Array) -> tuple[Array, Array]:
    """(z_left, what log_w gains) of `walk`, from unpacked z_left (R, D_left): float64, steps of any size and sign."""
    base_left, base_right = fields.sides(path.base, path.W)
    slope_left, slope_right = fields.sides(path.slope, path.W)
    log_w = np.zeros(len(z_left))
    for k, (t, t_next) in enumerate(itertools.pairwise(inv_temps)):
        h = slope_right + z_left @ path.W
        log_w += (float(t_next) - float(t)) * (z_left @ slope_left.astype(np.float64))
        log_w += np.sum(softplus(base_right + float(t_next) * h.astype(np.float64)), -1)
        log_w -= np.sum(softplus(base_right + float(t) * h.astype(np.float64)), -1)
        z_right = gibbs.draw(key, k + 1, gibbs.RIGHT, base_right + t_next * h)
        z_left = gibbs.draw(key, k + 1, gibbs.LEFT, base_left + t_next * (slope_left + z_right @ path.W.T))
    return z_left, log_w


def summarize(log_weights: Array) -> AISResult:
    """AISResult from the log-weights (R,): the standard error of log mean w is std(w) / (mean(w) sqrt(R)) (delta
    method).  ValueError for another shape.

    >>> found = summarize(np.log([1.0, 3.0] * 20))
    >>> round(math.exp(found.log_z), 12), round(found.standard_error, 3), round(found.effective_sample_size, 6)
    (2.0, 0.08, 32.0)
    """
    if np.ndim(log_weights) != 1:
        raise ValueError(f"log-weights of a machine are (R,); got shape {np.shape(log_weights)}")
    log_z, error, effective = (float(value) for value in statistics(log_weights))
    chains = len(log_weights)
    if effective < least_effective(chains):
        warnings.warn(
            f"annealing ended with an effective sample of {effective:.1f} of {chains} chains: neither log Z nor its "
            f"standard error can be trusted; use more temperatures ({NO_VOUCHER})",
            stacklevel=3,
        )
    return AISResult(log_z, error, effective, log_weights)


def _summarize_batch(log_weights):
    log_z, error, effective = statistics(log_weights)
    machines, chains = log_weights.shape
    if np.any(few := effective < least_effective(chains)):
        warnings.warn(
            f"annealing ended with an effective sample of {effective.min():.1f} of {chains} chains, and below "
            f"{least_effective(chains):g} for {np.sum(few)} of {machines} machines: their log Z and standard errors "
            f"cannot be trusted; use more temperatures ({NO_VOUCHER})",
            stacklevel=3,
        )
    return AISBatch(log_z, error, effective, log_weights)


def statistics(log_weights: Array) -> tuple[Array, Array, Array]:
    """(log mean w, its standard error, effective number of chains) over the last axis: (..., R) -> (...,), nats.

    ValueError for less than 2 weights.
    """
    if np.shape(log_weights)[-1:] in ((), (0,), (1,)):
        raise ValueError(f"a standard error takes log-weights (..., R), R >= 2; got shape {np.shape(log_weights)}")
    top = np.max(log_weights, -1)
    w = np.exp(log_weights - top[..., None])
    error = np.std(w, -1, ddof=1) / np.mean(w, -1) / math.sqrt(w.shape[-1])
    return top + np.log(np.mean(w, -1)), error, np.sum(w, -1) ** 2 / np.sum(w**2, -1)


def least_effective(chains: int) -> float:
    """The effective number of chains below which log Z and its standard error cannot be trusted; above it they may be
    wrong as well."""
    return min(10, chains / 2)


def check_chains(chains: int, machines: int = 1) -> int:
    """chains as an int; ValueError if there are too few for a standard error, or too many for a key."""
    chains = domains.whole("chains", chains)
    if chains < 2:
        raise ValueError(f"annealed importance sampling needs at least 2 chains for a standard error; got {chains}")
    if machines * philox.whole_counters(chains) > philox.MOST_CHAINS:
        raise ValueError(f"too many chains for one key: {machines * chains}")
    return chains
