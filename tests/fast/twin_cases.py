"""The table of inputs on which every twin is held against its readable form, and how far the two may be apart.

A case's errors are measured in `sizes`, one for each array that the function returns: the size of what was added up to
it, or of itself where its relative accuracy matters. `allowed` says how many of these; a rounding is 6e-8 of them.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from dvae_ref.model import layers
from dvae_ref.runs import optimizer
from dvae_ref.theory import boltzmann, mixture, overlapping, spike
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import Exponential, Gaussian, Logistic, Power, UniformExponential

PYTHON = numba.config.DISABLE_JIT  # as the Python that they are (`make mutate`), kernels are given less
EVERY = 13 if PYTHON else 1  # of rows; no divisor of any grid
OF_SUMS = 6e-7 if PYTHON else 2e-7  # one term after the other, as Python adds up, is less accurate than partial sums
FAR = 1e-33  # compiled sigmoids stop at e^-80 = 2e-35, times slopes of up to beta


class Case(NamedTuple):
    function: Callable  # the twinned function
    label: str
    args: tuple  # float32
    sizes: Callable  # (outputs in float64, args in float64) -> a size for each output
    allowed: float
    wrong: Callable | None  # args in float64 -> args of which the outputs are others; None where all are alike

    def __str__(self):
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__} {self.label}"


def double(argument):
    """An argument with its float32 arrays, however deep in tuples and smoothings, in float64."""
    if isinstance(argument, np.ndarray):
        return argument.astype(np.float64)
    if isinstance(argument, tuple):
        parts = [double(part) for part in argument]
        return type(argument)(*parts) if hasattr(argument, "_fields") else tuple(parts)
    if isinstance(argument, Gaussian):
        return Gaussian(np.float64(argument.beta))
    return argument


def arrays(output):
    """The arrays in what a function returns, in order."""
    if isinstance(output, np.ndarray):
        return [output]
    return [array for part in output for array in arrays(part)] if isinstance(output, tuple) else []


def single(*values):
    return tuple(np.asarray(value, np.float32) for value in values)


def swap(place, change):
    """A wrong input: the argument at a place replaced by a change of it."""
    return lambda args: (*args[:place], change(args[place]), *args[place + 1 :])


# -- elementary --------------------------------------------------------------------------------------------------------


def elementary_cases():
    """Good to eight eps of the result; the nearest other input is 1e-3 away."""
    from dvae_ref.theory import elementary as e

    grid = np.concatenate([[0], np.geomspace(1e-20, 60, 60)])
    x, y = (g.reshape(-1)[::EVERY] for g in np.meshgrid(np.concatenate([-grid, grid]), np.linspace(-50, 50, 23)))
    sized = lambda out, args: [np.abs(out[0])]  # noqa: E731
    moved = swap(0, lambda x: x + 1e-3)
    for function in (e.sigmoid, e.softplus, e.bernoulli_entropy):
        yield Case(function, "", single(x[None]), sized, 1e-6, moved)
    yield Case(e.logaddexp, "", single(x, y), lambda out, args: [np.abs(args).max(0) + 1], 5e-7, moved)


# -- the mixture and the spike -----------------------------------------------------------------------------------------

SPREAD = np.float32([400, 16, 44.4, 5, 0.7, 16, 100])  # a beta a unit, as the shifted Gaussian has
SMOOTHINGS = (
    *(Power(beta) for beta in (1.01, 2.0, 15.0, 40.0)),
    *(Exponential(beta) for beta in (0.1, 5.0, 16.0, 80.0)),
    *(UniformExponential(beta, 0.05) for beta in (0.5, 16.0, 40.0)),
    *(Gaussian(beta) for beta in (0.5, 20.0, 40.0)),
    Gaussian(SPREAD),
    *(Logistic(beta) for beta in (0.5, 8.0, 40.0, 140.0)),
)
SHARP = (*map(Exponential, (88.0, 100.0, 1e3)), UniformExponential(150.0, 0.05), Power(1e4), Gaussian(1e4))


def units(*grids):
    """Every combination of the grids' numbers, in rows of seven units, each unit seeing all of them in turn."""
    columns = np.stack([a.reshape(-1)[::EVERY] for a in np.meshgrid(*grids, indexing="ij")])
    return single(*(np.stack([a] * len(SPREAD), 1) for a in columns))


def places(smoothing):
    """(t, logit_q): where draws can be, to both ends and beyond; q from 1e-30 to 1 less that."""
    end = np.abs(smoothing.sample0(np.full(len(SPREAD), 2.0**-24)))
    part = np.concatenate([[0, 1e-8, 1e-5], np.geomspace(1e-3, 1.2, 40)])
    part, logit_q = units(np.concatenate([-part, part]), [-70, -17, -4, -0.5, 0, 1, 5, 17, 70])
    return part * end.astype(np.float32), logit_q


def numbers():
    """(u, rho): from the least uniform number to the largest; none of u is within 1e-3 of a q below."""
    ends = (np.array([0, 1, 5, 100, 1e4]) + 0.5) / 2**23
    return [0.3, 0.7], np.concatenate([ends, np.linspace(0.011, 0.989, 41), 1 - ends])


def mixture_cases():
    for s in SMOOTHINGS:
        yield from slope_cases(s, label_of(s), *places(s))
    for s in SMOOTHINGS + SHARP:
        u, rho, logit_q = units(*numbers(), [-3, -0.2, 0.5, 4])
        of_draw = lambda out, args: [np.maximum(1, np.abs(out[0]))] * 2  # noqa: E731
        yield Case(mixture.draw, label_of(s), (logit_q, u, rho, s), of_draw, 3e-6, swap(2, lambda rho: 1 - rho))


def label_of(s):
    return f"{type(s).__name__} {'a unit' if np.ndim(s.beta) else s.beta}"


def slope_cases(s, label, t, logit_q):
    """Slopes relatively, to e^(beta zeta) at beta zeta = 40, good to a few eps; b to 2e-6 of 1 + |b|."""
    nearby = swap(1, lambda logit_q: logit_q + 1e-3)
    yield Case(mixture.d_t_d_logit_q, label, (t, logit_q, s), relative_slopes, 1e-5, nearby)
    yield Case(mixture.log_ratio, label, (t, s), lambda out, args: [1 + np.abs(out[0])], 2e-6, swap(0, lambda t: t + 1))
    steeper = swap(1, lambda s: type(s)(1.1 * s.beta))
    yield Case(mixture.d_log_ratio, label, (t, s), lambda out, args: [np.abs(out[0]).max()], 2e-6, steeper)
    d = np.float32(np.random.default_rng(3).standard_normal((3, *t.shape)))
    yield Case(
        mixture.draw_backward, label, (*d, t, logit_q, s), terms_of_draw_backward, 1e-5, swap(2, lambda d_zeta: -d_zeta)
    )
    if isinstance(s, Gaussian):
        size = lambda out, args: [(1 + np.abs(args[0])) / args[2].beta]  # noqa: E731
        moderate = np.where(np.abs(t) < 3, t, 0)  # beyond, the readable form divides by densities of nothing
        yield Case(mixture.d_t_d_beta, label, (moderate, logit_q, s), size, 2e-6, swap(1, np.negative))


def relative_slopes(out, args):
    """Slopes themselves, but nothing beyond 1e34, and the compiled sigmoid's end beside the largest."""
    kept = np.abs(out[0]) < 1e34
    return [np.where(kept, np.abs(out[0]) + FAR / 1e-5 * np.max(out[0], where=kept, initial=0), np.inf)]


def terms_of_draw_backward(out, args):
    d_logit_q, d_t, d_zeta, t, logit_q, s = args
    slope = mixture.d_t_d_logit_q(t, logit_q, s)
    slope = np.where(slope < 1e34, slope, np.inf)
    return [np.abs(d_logit_q) + (np.abs(d_t) + np.abs(d_zeta) * s.d_zeta(t)) * slope]


def spike_cases():
    """s = (rho - (1 - q)) / q is good to eps / q: its error is in the sizes. Only where zeta is clear of the spike."""
    for beta in (0.5, 4.0, 8.0, 80.0):
        rho, logit_q = units(numbers()[1], [-3, -0.2, 0.5, 4, 15])
        s = np.maximum(np.expm1(beta * spike.sample(*double((logit_q, rho)), beta)) / np.expm1(beta), 1e-9)
        rho, logit_q, s = (a[np.all(s > 1e-5, 1)] for a in (rho, logit_q, s))
        of_zeta = lambda out, args, s=s, beta=beta: [1 / (beta * s)]  # noqa: E731
        of_slope = lambda out, args, s=s: [np.abs(out[0]) / s]  # noqa: E731
        other = swap(0, lambda logit_q: logit_q + 0.1)
        yield Case(spike.sample, f"{beta}", (logit_q, rho, beta), of_zeta, 1e-5, other)
        yield Case(spike.d_zeta_d_logit_q, f"{beta}", (logit_q, rho, beta), of_slope, 2e-5, other)


# -- log q and log p ---------------------------------------------------------------------------------------------------

LEFT, RIGHT, ROWS = 70, 67, 9  # both sides beyond a chunk of 64, no multiples of a vector


def machine(size):
    """(rbm, logit_q, b, d): b of the given size, either sign, with zeros among them."""
    rng, D = np.random.default_rng([0, int(1e3 * size)]), LEFT + RIGHT
    rbm = RBM(*single(rng.normal(-1, 1, D), rng.normal(0, 0.4, (LEFT, RIGHT))))
    b = size * rng.standard_normal((ROWS, D))
    b[:, ::13] = 0
    return rbm, *single(rng.normal(-1, 6, (ROWS, D)), b, rng.standard_normal(ROWS))


def log_q_cases():
    """137 terms of about |logit q| + 1, each good to eps; d_b relatively too, since it may be multiplied by beta."""
    for size in (0, 1e-3, 1, 30, 600, 1e4):
        _, logit_q, b, d = machine(size)
        terms = lambda out, args: [np.sum(np.abs(args[0]) + 1, 1), 1, 1]  # noqa: E731
        yield Case(mixture.log_q, f"{size}", (logit_q, b), terms, 2e-6, swap(0, np.negative) if size else None)
        cache = mixture.LogQ(logit_q, b)
        wrong = swap(1, lambda cache: mixture.LogQ(-cache.logit_q, cache.b))
        wrong = wrong if size else None
        yield Case(mixture.log_q_backward, f"{size}", (d, cache), sizes_of_log_q_backward, 1e-5, wrong)


def sizes_of_log_q_backward(out, args):
    d = np.abs(args[0])[:, None]
    return [0.1 * d, np.minimum(0.1 * d, np.abs(out[1]) + FAR * d / 1e-5)]


def log_p_cases():
    """The value to the sum of |field| + 1 over units, a few roundings each; logit m likewise, but where the mean field
    flips from one sweep to the next (for b of about the couplings' size), which multiplies roundings."""
    for size in (0, 1e-3, 1, 30, 600, 1e4):
        rbm, _, b, d = machine(size)
        for sweeps in (1, 2, 5):
            other = swap(0, lambda rbm: RBM(rbm.a + 0.01, rbm.W))
            yield Case(overlapping.log_p, f"{size}, {sweeps} sweeps", (rbm, b, sweeps), sizes_of_log_p, 2e-6, other)
        cache = overlapping.log_p.readable(rbm, b)[1]
        wrong = swap(1, lambda cache: cache._replace(logit_m=-cache.logit_m))
        yield Case(overlapping.log_p_backward, f"{size}", (d, cache), sizes_of_log_p_backward, 1e-6, wrong)


def sizes_of_log_p(out, args):
    b, logit_m = args[1], out[-1]
    return [np.sum(np.abs(logit_m - b) + 1, 1), 1, 1, 1, 50 * (1 + np.abs(logit_m))]


def sizes_of_log_p_backward(out, args):
    d, (rbm, _, logit_m) = args
    m, d = boltzmann.sigmoid(logit_m), np.abs(d)
    left, right = boltzmann.split(m, rbm)
    return [d @ m, (d[:, None] * left).T @ right + FAR / 1e-6 * d.sum(), d[:, None]]


# -- layers ------------------------------------------------------------------------------------------------------------


def bernoulli_cases():
    """To 2e-7 of sum_v |l_v| + log 2: log 2 because a product of factors near 2 is rounded however small l is."""
    around = (1, 15, 16, 17, 784, 1023, 1025, 3000)  # a vector, a product of 112 factors, an image
    for pixels in (1, 250) if PYTHON else around:
        for scale in (0, 0.01, 1, 30, 1e4):
            rng = np.random.default_rng([pixels, int(1e4 * scale)])
            x, logits, d = single(
                *(rng.random((3, pixels)), scale * rng.standard_normal((12, pixels)), rng.standard_normal(12))
            )
            x[0] = np.round(x[0])
            terms = lambda out, args: [np.sum(np.abs(args[1]) + np.log(2), 1), 1, 1]  # noqa: E731
            wrong = swap(1, lambda logits: 1.1 * logits + 0.1)  # at 0 a pixel's half less its probability
            yield Case(layers.bernoulli, f"{pixels}, {scale}", (x, logits), terms, OF_SUMS, wrong)
            sized = lambda out, args: [np.abs(args[0])[:, None]]  # noqa: E731
            other = swap(1, lambda cache: (1 - cache[0], cache[1]))
            yield Case(layers.bernoulli_backward, f"{pixels}, {scale}", (d, (x, logits)), sized, 4e-7, other)


def dense_bernoulli_cases():
    """As bernoulli, of products with 0 and 1 alone, so that the logits are exact but for the bias' rounding."""
    for pixels, scale in itertools.product((1, 16, 784), (0.01, 1, 30, 1e4)):
        rng = np.random.default_rng([pixels, int(1e4 * scale)])
        y, bias, x = single(
            *(scale * rng.standard_normal((12, pixels)), scale * rng.standard_normal(pixels)), rng.random((3, pixels))
        )
        params = layers.Dense(np.eye(pixels, dtype=np.float32), bias)
        terms = lambda out, args: [np.sum(np.abs(args[1]) + np.abs(args[0].bias) + np.log(2), 1)]  # noqa: E731
        wrong = swap(0, lambda params: layers.Dense(params.kernel, 0 * params.bias))
        yield Case(layers.dense_bernoulli, f"{pixels}, {scale}", (params, y, x), terms, OF_SUMS, wrong)


def draw_binary_cases():
    """z is the same, as u is 0, 1 or 0.99 q, and no q underflows; log q(z) to 2e-7 of its terms."""
    for width, k, scale in itertools.product((1, 63, 65, 200), (1, 4), (0, 1, 20)):
        rng = np.random.default_rng([width, k])
        (logit_q,) = single(scale * rng.standard_normal((3, width)))
        u = np.where(rng.random((3 * k, width)) < 0.5, 0, 1)
        q = np.repeat(boltzmann.sigmoid(double(logit_q)), k, 0)
        (u,) = single(np.where(np.arange(width) % 3, u, 0.99 * q))
        terms = lambda out, args: [1, np.repeat(np.sum(np.abs(args[0]) + np.log(2), 1), len(out[1]) // 3)]  # noqa: E731
        wrong = swap(0, np.negative) if scale else None
        yield Case(layers.draw_binary, f"{width}, K = {k}, {scale}", (logit_q, u), terms, 2e-7, wrong)


def batch_norm_cases():
    """Relative to the norm: the mean is good to some eps of |x|, the normed inputs to |x| / std times that."""
    for centre, spread, allowed in ((0, 1, 2e-6), (3, 1, 5e-6), (0, 1e-3, 2e-6), (100, 1, 2e-4)):
        rng = np.random.default_rng(5)
        params = layers.BatchNorm(*single(*rng.normal(0.5, 1, (2, 21))))
        x, d = single(rng.normal(centre, spread, (37, 21)) * rng.lognormal(0, 1, 21), rng.standard_normal((37, 21)))
        norms = lambda out, args: [np.linalg.norm(array) for array in out]  # noqa: E731
        louder = swap(0, lambda params: layers.BatchNorm(1.01 * params.scale, params.offset))
        yield Case(layers.batch_norm_tanh, f"{centre} +- {spread}", (params, x), norms, allowed, louder)
        cache = layers.batch_norm_tanh.readable(params, x)[1]
        frozen = swap(1, lambda cache: (cache[0]._replace(normed=0 * cache[0].normed), cache[1]))
        yield Case(layers.batch_norm_tanh_backward, f"{centre} +- {spread}", (d, cache), norms, allowed, frozen)


# -- Adam --------------------------------------------------------------------------------------------------------------


def adam_cases():
    """A few roundings of numbers of the parameters' and moments' own size; one array, and more than a call takes."""
    for count in (1, 30):
        rng = np.random.default_rng(8)
        shapes = [((5, 17), (40,))[n % 2] for n in range(count)]
        p, g, m, v = (single(*(rng.normal(0, 1, shape) for shape in shapes)) for _ in range(4))
        v, decays = tuple(a * a for a in v), tuple(1e-2 * (n % 3) for n in range(count))
        wrong = swap(1, lambda g: (*g[:-1], 1.001 * g[-1]))
        args = p, g, m, v, decays, 1e-2, 0.9, 0.999, 1e-3
        yield Case(optimizer.steps, f"of {count}", args, sizes_of_adam, 5e-7, wrong)


def sizes_of_adam(out, args):
    p, g, m, v = map(arrays, args[:4])
    of_p, of_m = [np.abs(a) + 1 for a in p], [np.abs(a) + np.abs(b) for a, b in zip(g, m, strict=True)]
    return [*of_p, *of_m, *(a + b**2 for a, b in zip(v, g, strict=True))]


CASES = [
    case
    for family in (
        *(elementary_cases, mixture_cases, spike_cases, log_q_cases, log_p_cases, bernoulli_cases, batch_norm_cases),
        *(dense_bernoulli_cases, draw_binary_cases, adam_cases),
    )
    for case in family()
]
