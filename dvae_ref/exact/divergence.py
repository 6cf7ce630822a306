"""KL(m || p^) of a factorial m and the augmented posterior (Eq. 6), accurate also where it is tiny.

H(m) - E^(m) and log sum_z exp(-E^(z)) agree to many digits when m is good; here no two large numbers are subtracted.
With h = a + b + J m the fields at the mean and l = logit m, list the states x of one side and sum out the other:

    u(x) = sum_i (h_i - l_i)(x_i - m_i) + K(x),    K(x) = sum_j gap(m_j, g_j),
    g_j = h_j - l_j + sum_i (x_i - m_i) W_ij,      gap(m, g) = log(1 - m + m e^g) - m g >= 0,
    KL(m || p^) = log E_m[exp(u)] = log(1 + E_m[phi(u) + K]),    phi(u) = e^u - 1 - u >= 0.

u is log p^*(x) - log m(x), the unnormalised marginal of p^ and that of m, up to the constant that gives E_m[u - K] = 0,
hence the last form: a sum of terms none of which is negative. K(x) is KL(m || p^(.|x)) of the side summed out.
"""

import math

import numpy as np

from dvae_ref.arrays import Array
from dvae_ref.exact import accumulate, limits
from dvae_ref.exact.bipartite import couplings, sides
from dvae_ref.exact.machines import check_rows, in_double, smaller
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import fill, taken
from dvae_ref.theory import boltzmann
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.elementary import sigmoid, softplus

MAX_STATES = 2**24
STATES = 4096  # of a block
TASKS = 16  # blocks of one call of the kernel


def kl(rbm: RBM, b: Array, logit_m: Array, *, force: bool = False) -> Array:
    """KL(m || p^) in nats for the factorial m = sigmoid(logit_m).  b, logit_m: (N, D) -> (N,), float64.

    Relative error about 1e-15 times the largest |W| sum, divided by the root of the KL where that is below 1 (the
    rounding of fields near their fixed point): 1e-9 at a KL of 1e-12.
    N 2^min(D_left, D_right) states, at most 2^24 unless forced; otherwise ValueError. TypeError for what are no arrays.

    >>> kl(RBM(np.zeros(2), np.zeros((1, 1))), np.zeros((1, 2)), np.array([[0.0, np.log(3)]])).round(12).tolist()
    [0.130812035941]
    """
    boltzmann.check(rbm)
    for rows, name in ((b, "b"), (logit_m, "logit_m")):
        check_rows(rbm, rows, name)
    if len(b) != len(logit_m):
        raise ValueError(f"b and logit_m must have as many rows, got {len(b)} and {len(logit_m)}")
    n, rows = min(rbm.W.shape), len(b)
    what = f"KL(m || p^) with {n} units enumerated for {rows} row{'s' * (rows != 1)}"
    limits.check(rows * 2**n, MAX_STATES, force, what, _sample, rbm, b, logit_m)
    return _kl(rbm, b, logit_m)


def _kl(rbm, b, logit_m):
    """What kl returns, of arguments that have been checked."""
    rbm = in_double(rbm)
    l = np.asarray(logit_m, np.float64)
    slope = np.asarray(b, np.float64) - l + boltzmann.field(rbm, sigmoid(l))  # b - l first: both may be large
    slope_x, slope_y = sides(rbm, slope)
    l_x, l_y = sides(rbm, l)
    W = couplings(rbm)
    n_blocks = max(1, 2 ** len(W) // STATES)
    parts = np.empty(len(l) * n_blocks)
    fill(parts, TASKS, _fill, slope_x, l_x, slope_y, l_y, W, n_blocks)
    return softplus(accumulate.logsumexp(parts.reshape(-1, n_blocks)))


def _sample(rbm, b, logit_m):
    """Enumerate one row of a smaller machine, for the rate."""
    part, units = smaller(rbm, 16)
    first = np.ix_([0], units)
    _kl(part, b[first], logit_m[first])
    return 2 ** min(part.W.shape)


@compiled(nogil=True)
def _fill(counter, width, slope_x, l_x, slope_y, l_y, W, n_blocks, start, out):
    """A task is a block of a row's states x of the listed side; y is the side summed out, slope = h - l."""
    for task in taken(counter, out.size):
        row, block = (start + task) // n_blocks, (start + task) % n_blocks
        out[task] = _log_mean_of_block(slope_x[row], l_x[row], slope_y[row], l_y[row], W, block * STATES)


@compiled()
def _log_mean_of_block(slope_x, l_x, slope_y, l_y, W, first):
    """log of the block's part of E_m[phi(u) + K]."""
    g, sums = np.empty(l_y.size), accumulate.nothing()
    for state in range(first, min(first + STATES, 1 << l_x.size)):
        log_m, linear, gaps = 0.0, 0.0, 0.0
        g[:] = slope_y
        for i in range(l_x.size):
            sign = 1.0 if state >> i & 1 else -1.0
            offset = sign * _sigmoid(-sign * l_x[i])  # x_i - m_i
            log_m -= _softplus(-sign * l_x[i])
            linear += slope_x[i] * offset
            g += offset * W[i]
        for j in range(l_y.size):
            gaps += _gap(l_y[j], g[j])
        log_scale, x = _phi_plus_gap(linear, gaps)
        accumulate.add(sums, log_m + log_scale, x)
    return accumulate.log_of(sums)


@compiled()
def _sigmoid(x):
    return math.exp(min(x, 0.0)) / (1.0 + math.exp(-abs(x)))


@compiled()
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@compiled()
def _phi_plus_gap(linear, gap):
    """phi(u) + gap at u = linear + gap, as (log scale, rest): the exponential may overflow."""
    u = linear + gap
    if u < 1.0:
        return 0.0, _phi(u) + gap
    return u, 1.0 - (1.0 + linear) * math.exp(-u)


@compiled()
def _phi(u):
    """e^u - 1 - u; by its series near 0, where eleven terms leave a relative error below 1e-16."""
    if abs(u) > 0.2:
        return math.expm1(u) - u
    total = 0.0
    for k in range(12, 1, -1):
        total = (1.0 + total) * u / k
    return total * u


@compiled()
def _excess(y):
    """y - log1p(y); near 0 by the series of log1p(y) = 2 artanh(s), s = y / (2 + y): y - 2 s = y s."""
    if abs(y) > 0.2:
        return y - math.log1p(y)
    s, total = y / (2.0 + y), 0.0
    for k in range(17, 1, -2):
        total = (total + 1.0 / k) * s * s
    return y * s - 2.0 * s * total


@compiled()
def _gap(l, g):
    """log(1 - m + m e^g) - m g at m = sigmoid(l); (l, g) -> (-l, -g) leaves it as it is, so that m <= 1/2."""
    if l > 0.0:
        l, g = -l, -g
    m = _sigmoid(l)
    if g > 1.0:
        return _softplus(l + g) - _softplus(l) - m * g
    return m * _phi(g) - _excess(m * math.expm1(g))
