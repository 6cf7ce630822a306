"""Annealed importance sampling: an unbiased estimate of an RBM's Z (Neal 2001; Salakhutdinov & Murray, ICML
2008).

From a base with W = 0, whose Z_0 is known, to the RBM, through machines at inverse temperatures 0 = t_0 < ...
< t_T = 1:

    E_t(z) = -base·z - t (slope·z + z_left W z_right),    base + slope = a,

with base = 0 ("uniform") or base = a ("bias"). The right side is summed out analytically:

    log p*_t(z_left) = (base + t slope)_left·z_left + sum_j softplus(base_j + t h_j),   h = slope_right +
    z_left W.

A chain gathers log w = log Z_0 + sum_k [log p*_{t_k+1} - log p*_{t_k}](z_left), each term before one sweep at
t_{k+1}; E[w] = Z. The sweeps are those of `gibbs`, indexed by (key, k + 1, side, chain, unit). h is free of
rounding, but it belongs to an RBM with rounded parameters (`fields.exact_fields`): one more importance step,
from that to the RBM as given, makes the estimate unbiased for the latter.

Accuracy of log w: sums are float64, and the float32 terms are differences formed without cancellation
(`scalars.softplus_increment`), so that log w is off by less than 1e-6 times the sum of the absolute terms
(which telescope: 1e-6 times a few hundred nats, far below any standard error).
"""

import itertools
import math
import warnings
from typing import NamedTuple

import numba
import numpy as np
from numba.extending import register_jitable

from dvae_ref.boltzmann import RBM
from dvae_ref.elementary import softplus
from dvae_ref.sampling import fields, gibbs, scalars

_BLOCK = 64
_STRIDE = 50  # the fewest temperatures to a call of the kernel; `progress` hears after each call


class AISResult(NamedTuple):
    """log Z (nats) = log mean exp(log_weights), its standard error, and the effective number of chains."""

    log_z: float
    standard_error: float
    effective_sample_size: float
    log_weights: np.ndarray  # (R,), float64: unbiased estimates of Z, one a chain


class Path(NamedTuple):
    """E_t(z) = -base·z - t (slope·z + z_left W z_right): float32, every field slope + W z exact."""

    base: np.ndarray  # (D,)
    slope: np.ndarray  # (D,)
    W: np.ndarray  # (D_left, D_right)


def log_z(key, rbm, temperatures=10_000, chains=1_000, base="uniform", progress=None):
    """AISResult for the RBM's log Z.

    temperatures: how many inverse temperatures, evenly spaced from 0 to 1, or the increasing array of them.
    They are rounded to float32. progress: called as progress(done, total), in temperatures, at most a hundred
    times. The result depends on the key, not on the number of threads.
    """
    inv_temps, path = schedule(temperatures), annealing_path(rbm, base)
    _check_chains(chains, path)
    chain = gibbs.draw(key, 0, gibbs.LEFT, np.tile(_sides(path.base, path.W)[0], (chains, 1)))
    left, log_w = fields.pack(chain), np.full(chains, np.sum(softplus(path.base.astype(np.float64))))
    tables = _tables(path)
    for first in range(0, len(inv_temps) - 1, stride := max(_STRIDE, len(inv_temps) // 100)):
        part = inv_temps[first : first + stride + 1]
        _anneal(left, log_w, part, first, tables, np.uint64(key.k0), np.uint64(key.k1))
        if progress is not None:
            progress(first + len(part), len(inv_temps))
    return summarize(log_w + correction(rbm, path, fields.unpack(left, len(path.W))))


def log_weights_reference(key, rbm, temperatures, chains, base="uniform"):
    """The log-weights of `log_z` as readable NumPy, in float64 from the same spins: its oracle."""
    inv_temps, path = schedule(temperatures), annealing_path(rbm, base)
    base_left, base_right = _sides(path.base, path.W)
    slope_left, slope_right = _sides(path.slope, path.W)
    z_left = gibbs.draw(key, 0, gibbs.LEFT, np.tile(base_left, (chains, 1)))
    log_w = np.full(chains, np.sum(softplus(path.base.astype(np.float64))))
    for k, (t, t_next) in enumerate(itertools.pairwise(inv_temps)):
        h = slope_right + z_left @ path.W
        log_w += (float(t_next) - float(t)) * (z_left @ slope_left.astype(np.float64))
        log_w += np.sum(softplus(base_right + float(t_next) * h.astype(np.float64)), -1)
        log_w -= np.sum(softplus(base_right + float(t) * h.astype(np.float64)), -1)
        z_right = gibbs.draw(key, k + 1, gibbs.RIGHT, base_right + t_next * h)
        z_left = gibbs.draw(key, k + 1, gibbs.LEFT, base_left + t_next * (slope_left + z_right @ path.W.T))
    return log_w + correction(rbm, path, z_left)


def schedule(temperatures):
    """The inverse temperatures, float32, from 0 to 1; ValueError unless they increase strictly."""
    given = np.asarray(temperatures)
    if given.ndim == 0:
        if given != int(given) or given < 2:
            raise ValueError(f"annealing needs a whole number of temperatures, at least 2; got {temperatures}")
        given = np.linspace(0, 1, int(given))
    inv_temps = given.astype(np.float32)
    if inv_temps.ndim != 1 or len(inv_temps) < 2 or inv_temps[0] != 0 or inv_temps[-1] != 1:
        raise ValueError("a schedule is a vector of inverse temperatures that begins with 0 and ends with 1")
    rising = np.diff(inv_temps) > 0
    if not np.all(rising):
        at = int(np.argmin(rising))
        raise ValueError(
            f"a schedule must increase strictly, in float32; entries {at} and {at + 1} are {given[at]}, {given[at + 1]}"
        )
    return inv_temps


def annealing_path(rbm, base):
    """The Path of the RBM with exact fields from one of the two bases."""
    rounded, _ = fields.exact_fields(rbm)
    zero = np.zeros_like(rounded.a)
    paths = {"uniform": Path(zero, rounded.a, rounded.W), "bias": Path(rounded.a, zero, rounded.W)}
    if base not in paths:
        raise ValueError(f"the base must be one of {', '.join(paths)}; got {base!r}")
    return paths[base]


def correction(rbm, path, z_left):
    """log p*(z_left) of the RBM as given minus that of the rounded one: (R,), float64."""
    rounded = RBM(path.base + path.slope, path.W)
    return _log_p_left(rbm, z_left) - _log_p_left(rounded, z_left)


def _log_p_left(rbm, z_left):
    rbm = RBM(*(np.asarray(value, np.float64) for value in rbm))
    return z_left @ rbm.a_left + np.sum(softplus(rbm.a_right + z_left @ rbm.W), -1)


def summarize(log_weights):
    """AISResult from the log-weights: the standard error of log mean w is std(w) / (mean(w) sqrt(R)) (delta
    method)."""
    chains, top = len(log_weights), np.max(log_weights)
    w = np.exp(log_weights - top)
    effective = float(np.sum(w) ** 2 / np.sum(w**2))
    if effective < min(10, chains / 2):
        warnings.warn(
            f"annealing ended with an effective sample of {effective:.1f} of {chains} chains: neither log Z nor its "
            f"standard error can be trusted; use more temperatures",
            stacklevel=3,
        )
    error = np.std(w, ddof=1) / np.mean(w) / math.sqrt(chains)
    return AISResult(float(top + np.log(np.mean(w))), float(error), effective, log_weights)


def _check_chains(chains, path):
    if chains < 2:
        raise ValueError(f"annealed importance sampling needs at least 2 chains for a standard error; got {chains}")
    if chains * max(path.W.shape) >= 2**32:
        raise ValueError(f"too many chains for one key: {chains}")


def _sides(vector, W):
    return vector[: len(W)], vector[len(W) :]


class _Tables(NamedTuple):
    """A Path as the kernel reads it."""

    to_right: np.ndarray  # fields.tables of h_right by the nibbles of the left side
    to_left: np.ndarray
    base_right: np.ndarray  # base_right as the planes of a block, fields.block_planes
    base_left: np.ndarray
    linear: np.ndarray  # (16 q_left,), float64: sum of slope_i z_i over the units of a nibble
    reach: float  # bound on |h_right|


def _tables(path):
    (base_left, base_right), (slope_left, slope_right) = _sides(path.base, path.W), _sides(path.slope, path.W)
    return _Tables(
        to_right=fields.tables(path.W, slope_right, padding=0),
        to_left=fields.tables(path.W.T, slope_left, padding=0),
        base_right=fields.block_planes(base_right, _BLOCK),
        base_left=fields.block_planes(base_left, _BLOCK),
        linear=fields.tables(slope_left[:, None], 0, padding=0)[:, 0].astype(np.float64),
        reach=float(np.max(np.abs(slope_right) + np.abs(path.W).sum(0))),
    )


@numba.njit(parallel=True, cache=True)
def _anneal(left, log_w, inv_temps, done, tables, k0, k1):
    """Take all chains along the inverse temperatures, of which the first is number `done` of the whole schedule."""
    for block in numba.prange(-(-len(left) // _BLOCK)):
        first = block * _BLOCK
        part = slice(first, first + _BLOCK)
        _anneal_block(left[part], log_w[part], first, inv_temps, done, tables, k0, k1)


@numba.njit(cache=True)
def _anneal_block(left, log_w, first, inv_temps, done, tables, k0, k1):
    q_left, q_right = left.shape[1], tables.base_right.shape[1] // _BLOCK
    right = np.empty((len(left), q_right), np.uint8)
    planes_right, planes_left = np.empty((4, right.size), np.float32), np.empty((4, left.size), np.float32)
    rows_right = np.empty((len(left), tables.to_right.shape[1]), np.float32)
    rows_left = np.empty((len(left), tables.to_left.shape[1]), np.float32)
    parts = np.zeros(right.size)  # log w by chain and nibble, summed at the end
    for k in range(len(inv_temps) - 1):
        t, t_next, step = inv_temps[k], inv_temps[k + 1], np.uint64(done + k + 1)
        fields.add_up(left, tables.to_right, rows_right, planes_right)
        _weigh_left(left, tables.linear, np.float64(t_next) - np.float64(t), log_w)
        if (t_next - t) * tables.reach <= scalars.MAX_INCREMENT:
            _weigh(planes_right, tables.base_right, t, t_next, parts)
        else:
            _weigh_coarsely(planes_right, tables.base_right, t, t_next, parts)
        _scale(planes_right, tables.base_right, t_next)
        gibbs.flip(right.reshape(-1), planes_right, np.uint64(first * q_right), step, gibbs.RIGHT, k0, k1)
        fields.add_up(right, tables.to_left, rows_left, planes_left)
        _scale(planes_left, tables.base_left, t_next)
        gibbs.flip(left.reshape(-1), planes_left, np.uint64(first * q_left), step, gibbs.LEFT, k0, k1)
    for c in range(len(left)):
        log_w[c] += parts[c * q_right : (c + 1) * q_right].sum()


@numba.njit(cache=True)
def _weigh_left(left, linear, delta_t, log_w):
    """log_w += (t_next - t) slope_left·z_left."""
    for c in range(len(left)):
        total = 0.0
        for g in range(left.shape[1]):
            total += linear[np.uint64(16 * g) + np.uint64(left[c, g])]
        log_w[c] += delta_t * total


@numba.njit(cache=True, error_model="numpy")  # a test for division by zero would keep the loop from vectorising
def _weigh(h, base, t, t_next, parts):
    """parts += sum over the four units of a nibble of softplus(base + t_next h) - softplus(base + t h)."""
    delta_t = t_next - t
    h0, h1, h2, h3 = h[0], h[1], h[2], h[3]
    base0, base1, base2, base3 = base[0], base[1], base[2], base[3]
    for i in range(parts.size):
        increment = _increment(h0[i], base0[i], t_next, delta_t) + _increment(h1[i], base1[i], t_next, delta_t)
        increment += _increment(h2[i], base2[i], t_next, delta_t) + _increment(h3[i], base3[i], t_next, delta_t)
        parts[i] += increment


@register_jitable(forceinline=True)
def _increment(h, base, t_next, delta_t):
    field = scalars.clamp(base + scalars.mul(t_next, h))
    return scalars.softplus_increment(scalars.exp(-field), scalars.mul(delta_t, h))


@numba.njit(cache=True)
def _weigh_coarsely(h, base, t, t_next, parts):
    """The same for steps of any size, in float64; slow, but then the steps are few."""
    for k in range(4):
        for i in range(parts.size):
            for sign, inv_temp in ((1.0, t_next), (-1.0, t)):
                field = np.float64(base[k, i]) + np.float64(inv_temp) * np.float64(h[k, i])
                parts[i] += sign * (max(field, 0.0) + math.log1p(math.exp(-abs(field))))


@numba.njit(cache=True)
def _scale(h, base, t):
    """h <- base + t h: the fields at inverse temperature t."""
    for k in range(4):
        plane, offset = h[k], base[k]
        for i in range(plane.size):
            plane[i] = offset[i] + scalars.mul(t, plane[i])
