"""The mixture q(zeta|x) = (1 - q) r(zeta|0) + q r(zeta|1) of one group: sampling, reparameterisation, density.

q is given by its logit, zeta by the centred coordinate t of theory.smoothing. Arrays broadcast; the dtype is kept.

Densities are relative to r_max(zeta) = max(r(zeta|0), r(zeta|1)): these factors, up to 14,000 nats a row (the power
function at D = 400, beta = 40), are the same in p and q, and an importance weight must not depend on how well they
cancel. Derived in docs/derivations/02-smoothing-and-mixtures.md and 03-implicit-reparameterisation.md.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import elementwise

from dvae_ref.arrays import Array, floats, in_floats, shapes_named
from dvae_ref.theory.domains import check_uniform, inside
from dvae_ref.theory.elementary import logaddexp, per_row, sigmoid, softplus
from dvae_ref.theory.mirror import Smoothing
from dvae_ref.twins import twinned


@twinned
def draw(logit_q: Array, u: Array, rho: Array, smoothing: Smoothing) -> tuple[Array, Array]:
    """Ancestral sample (t, zeta): z = [u < q], zeta ~ r(zeta|z) from rho.  u, rho: uniform on (0, 1).  (N, D) each.

    End points are read as the nearest numbers inside. Raises ValueError for u or rho outside [0, 1], and for NaN.
    """
    check_uniform(u=u, rho=rho)
    t0 = smoothing.sample0(rho)
    t = np.where(u < sigmoid(logit_q), -t0, t0)
    return t, smoothing.zeta(t)


@twinned
def draw_backward(d_logit_q: Array, d_t: Array, d_zeta: Array, t: Array, logit_q: Array, smoothing: Smoothing) -> Array:
    """Gradient in logit q, (N, D), d_logit_q its own cotangent: zeta is a function of t, t of logit q by Eq. 9."""
    return d_logit_q + (d_t + d_zeta * smoothing.d_zeta(t)) * d_t_d_logit_q(t, logit_q, smoothing)


def sample(logit_q: Array, u: Array, rho: Array, smoothing: Smoothing) -> Array:
    """The t of `draw`, (N, D): ValueError as there.

    >>> from dvae_ref.theory.smoothing import Power
    >>> t = sample(np.zeros(2), np.array([0.9, 0.1]), np.array([0.5, 0.5]), Power(2.0))  # z = 0, then 1
    >>> sigmoid(t).round(12).tolist()  # zeta = rho^beta, and its mirror image
    [0.25, 0.75]
    """
    return draw(logit_q, u, rho, smoothing)[0]


@shapes_named
def inverse_cdf(logit_q: Array, rho: Array, smoothing: Smoothing) -> Array:
    """t at which CDF(zeta) = rho (Eq. 8), in float64 to about 1e-14 relative in CDF, for any rho in (0, 1).

    Solved by bracketing, or in closed form where the smoothing has one (`mixture_quantile`).

    rho = 0 and 1 are read as the nearest numbers inside. The upper half is solved as the mirror image of the lower,
    where the CDF has full relative accuracy. Raises ValueError where there is no solution: rho outside, NaN. Any shapes
    that broadcast.

    >>> from dvae_ref.theory.smoothing import Power
    >>> float(inverse_cdf(np.array(0.0), np.array(0.5), Power(20.0)))  # q = 1/2: the middle, t = 0
    0.0
    """
    logit_q, rho = floats(np.asarray(logit_q)), floats(np.asarray(rho))
    check_uniform(rho=rho)
    rho = inside(rho)
    upper = rho > 0.5
    flip = np.where(upper, -1.0, 1.0)
    if not np.all(np.isfinite(logit_q)):
        raise ValueError(f"inverse_cdf takes a finite logit_q; got {logit_q[~np.isfinite(logit_q)][0]}")
    logit, tail = flip * logit_q.astype(np.float64), np.where(upper, 1 - rho, rho).astype(np.float64)
    closed = smoothing.mixture_quantile(logit, tail)
    t = _solve(logit, tail, smoothing) if closed is None else closed
    return (flip * t).astype(np.result_type(logit_q, rho))


def _solve(logit, tail, smoothing):
    """The root of log CDF(t) - log(tail), by bracketing."""
    low = smoothing.quantile0_bounds(tail)[0]
    high = -smoothing.quantile0_bounds(1 - tail)[0]
    margin = 1e-6 * (1 + np.abs(low) + np.abs(high))
    root = elementwise.find_root(
        lambda t, logit, tail: _log(cdf(t, logit, smoothing)) - np.log(tail),
        (low - margin, high + margin),
        args=(logit, tail),
        maxiter=2000,
    )
    if not np.all(root.success):
        raise ValueError(f"inverse_cdf found no zeta for {np.sum(~root.success)} values of (logit_q, rho)")
    return root.x


def _log(cdf):
    """log CDF, where an underflow to 0 (far below the root, at the foot of the bracket) counts as the least float."""
    return np.log(np.maximum(cdf, np.finfo(cdf.dtype).tiny))


@in_floats
def cdf(t: Array, logit_q: Array, smoothing: Smoothing) -> Array:
    """CDF(zeta) = (1 - q) R(zeta|0) + q R(zeta|1) (Eq. 8), in (0, 1); any shapes that broadcast."""
    return sigmoid(-logit_q) * smoothing.cdf0(t) + sigmoid(logit_q) * smoothing.cdf1(t)


@twinned
def d_t_d_logit_q(t: Array, logit_q: Array, smoothing: Smoothing) -> Array:
    """dt/dlogit(q) at fixed rho: Eq. 9 as (R0 - R1) / (f0 / q + f1 / (1 - q)), f the densities of t.

    dzeta/dq = (dt/dlogit(q)) (dzeta/dt) / (q (1 - q)). It holds for a sample drawn in whatever way. Any shapes that
    broadcast; relative error 400 eps against 50 digits (tests/theory/test_mixture.py), wherever a draw can be: where f
    is below e^-1400, which no float64 random number leads to, it may be NaN.
    """
    log_f = logaddexp(smoothing.log_f0(t) + softplus(-logit_q), smoothing.log_f1(t) + softplus(logit_q))
    return over_density(smoothing.cdf_gap(t), log_f)


@twinned
def log_ratio(t: Array, smoothing: Smoothing) -> Array:
    """The paper's b of a smoothing, log r(zeta|1) - log r(zeta|0), nats; shape as t."""
    return smoothing.log_ratio(t)


@twinned
def d_log_ratio(t: Array, smoothing: Smoothing) -> Array:
    """db/dt; shape as t."""
    return smoothing.d_log_ratio(t)


@twinned
def d_t_d_beta(t: Array, logit_q: Array, smoothing: Smoothing) -> Array:
    """dt/dbeta at fixed rho (Sec. 3.3): -((1-q) dR0/dbeta + q dR1/dbeta) / ((1-q) f0 + q f1).

    Any shapes that broadcast. Error 400 eps of the value, and 40 eps, as z = 0 and 1 may cancel (tests/theory).
    """
    log_f = logaddexp(smoothing.log_f0(t) - softplus(logit_q), smoothing.log_f1(t) - softplus(-logit_q))
    d_cdf = sigmoid(-logit_q) * smoothing.d_beta_cdf0(t) + sigmoid(logit_q) * smoothing.d_beta_cdf1(t)
    return -over_density(d_cdf, log_f)


def over_density(x: Array, log_f: Array) -> Array:
    """x / f in two steps: in the far tails x and f are near the smallest float, 1 / f alone would overflow.  (N, D)."""
    root = np.exp(-log_f / 2)
    return x * root * root


class LogQ(NamedTuple):
    """What the backward of log_q reads: (N, D) each."""

    logit_q: np.ndarray
    b: np.ndarray


@twinned
def log_q(logit_q: Array, b: Array) -> tuple[Array, LogQ]:
    """log q(zeta|x) - log r_max(zeta), summed over the last axis: (N, D) -> (N,), nats, with its cache.

    One unit: log((1-q) r0 + q r1) - max(log r0, log r1) = log((1-q) e^-max(b,0) + q e^-max(-b,0)). Any finite logit_q
    and b; in float64 its error is 1e-15 max(1, |value|) (tests/theory/test_mixture.py).

    >>> log_q(np.zeros((1, 2)), np.array([[300.0, 0.0]]))[0].round(4).tolist()  # log(1/2) + 0
    [-0.6931]
    """
    log_mixture = logaddexp(-softplus(logit_q) - np.maximum(b, 0), -softplus(-logit_q) - np.maximum(-b, 0))
    return log_mixture.sum(-1), LogQ(logit_q, b)


@twinned
def log_q_backward(d_log_q: Array, cache: LogQ) -> tuple[Array, Array]:
    """Gradients (d_logit_q, d_b).  With nu = sigmoid(logit q + b) = q(z=1|x,zeta): nu - q and nu - [b > 0].

    d_log_q: (N,), or ValueError; gradients (N, D).
    """
    logit_q, b = cache
    nu, one_minus_nu = sigmoid(logit_q + b), sigmoid(-logit_q - b)
    d = per_row(d_log_q, nu)
    return d * (nu - sigmoid(logit_q)), d * np.where(b > 0, -one_minus_nu, nu)
