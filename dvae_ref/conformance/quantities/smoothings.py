"""Quantities of one smoothing transformation: densities, CDFs, reparameterisation, log q(zeta|x).

Of r(zeta|z), z = 0 and 1, with distribution functions R(zeta|z), element by element:

    b = log r(zeta|1) - log r(zeta|0), c = log r(zeta|0)                                      Eq. 4
    CDF(zeta) = (1 - q) R(zeta|0) + q R(zeta|1), and quantile, the zeta at which it is rho    Eq. 8
    dzeta/dq = (R(zeta|0) - R(zeta|1)) / ((1 - q) r(zeta|0) + q r(zeta|1))                    Eq. 9
    dzeta/dbeta = -((1 - q) dR(zeta|0)/dbeta + q dR(zeta|1)/dbeta) / (the same density)       Sec. 3.3

On [0, 1] r is an exponential (Eq. 1), that mixed with the uniform, or a power function (Eq. 10), on the real line a
Gaussian or a logistic. All have r(zeta|1) = r(1 - zeta|0), so that an exchange of the ends is a wrong number and no
crash.

Where implementations part: near a vertex, where 1 - zeta has lost its digits or a guard of 1e-7 decides; at
q = sigmoid(40), which is 1; what beta is, a precision, a variance or a scale; normalisers that are left out, since they
drop out of b; and whether a gradient is in q or in logit q.
"""

import functools

import numpy as np

from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory import mixture, spike
from dvae_ref.theory.elementary import sigmoid
from dvae_ref.theory.mirror import RealLine
from dvae_ref.theory.smoothing import SMOOTHINGS, build, parameters

LEAST, MOST = -18.0, 13.0  # of logit(zeta): zeta from 1e-8, and 1 - zeta from 40 units of float32's last place


def draw_sharpness(rng, kind):
    """beta, and epsilon where there is one."""
    return {"beta": rng.uniform(*LAWS[kind].tried)} | share_of_uniform(kind)


def share_of_uniform(kind):
    """epsilon, for a smoothing that has one."""
    return {"epsilon": 0.05} if "epsilon" in LAWS[kind].parameters else {}


def draw_zeta(rng, kind, beta, shape):
    """zeta around both vertices, well inside (0, 1) or, on the real line, up to three standard deviations away."""
    if issubclass(SMOOTHINGS[kind], RealLine):
        deviation = build(kind, beta).deviation
        return (rng.random(shape) < 0.4) + rng.normal(0, 1, shape).clip(-3, 3) * deviation
    return sigmoid(rng.normal(-1, 7, shape).clip(LEAST, MOST))


def draw_q(rng, shape, reach):
    """q on either side of a third, its logit within reach."""
    return sigmoid(rng.normal(-0.5, 3, shape).clip(-reach, reach))


def smoothing_of(inputs, kind):
    """The smoothing of that kind with the beta, and epsilon, of the inputs."""
    return SMOOTHINGS[kind](**{name: float(inputs[name]) for name in parameters(kind)})


def logit(q):
    """Within 80: q = 1, which sigmoid(40) is in either dtype, is as good as 1 - e^-80 beside densities up to e^18."""
    with np.errstate(divide="ignore"):
        return (np.log(q) - np.log1p(-q)).clip(-80, 80)


def draw_smoothing(rng, kind, n=40):
    """zeta, q and rho, (n,): ordinary elements, then all pairs of known trouble.

    zeta and q are independent of rho: CDF and Eq. 9 are taken at zeta, quantile at rho.
    """
    found = draw_sharpness(rng, kind)
    hard_zeta, hard_q = trouble.zeta_and_q(1)
    zeta = np.append(draw_zeta(rng, kind, found["beta"], n), hard_zeta)
    q = np.append(draw_q(rng, n, 6), hard_q)
    return found | {"zeta": zeta, "q": q, "rho": draw_rho(rng, len(q))}


def draw_rho(rng, n):
    """The first within 1e-6 of 0, where quantile is near the vertex, or far out on the line. (Near 1 no CDF has the
    digits: 1 - rho would be needed.)"""
    rho = rng.uniform(0.01, 0.99, n)
    rho[0] = trouble.NEAR
    return rho


def compute_smoothing(inputs, kind, smoothing=None, invert=True):
    """What Eqs. 4, 8 and 9 make of r(zeta|z), element by element, (n,); log r, b and c in nats.

    In q, as the paper has it, and not in logit q, as the library does. smoothing: what stands for the right one in a
    mistake; invert: not where it has no inverse.
    """
    smoothing = smoothing or smoothing_of(inputs, kind)
    q, t, logit_q = inputs["q"], smoothing.t(inputs["zeta"]), logit(inputs["q"])
    quantile = {}
    if invert:
        quantile["quantile"] = smoothing.zeta(mixture.inverse_cdf(logit_q, inputs["rho"], smoothing))
    return {
        "log_r0": smoothing.log_r0(t),
        "log_r1": smoothing.log_r1(t),
        "b": smoothing.log_ratio(t),
        "c": smoothing.log_r0(t),
        "cdf0": smoothing.cdf0(t),
        "cdf1": smoothing.cdf1(t),
        "cdf": mixture.cdf(t, logit_q, smoothing),
        **quantile,
        "d_zeta_d_q": smoothing.cdf_gap(t) / density(q, t, smoothing),
        "d_zeta_d_beta": mixture.d_t_d_beta(t, logit_q, smoothing) * smoothing.d_zeta(t),
    }


def smoothing_terms(inputs, kind):
    """CDFs of order one are subtracted and divided by the density, however small their difference is."""
    smoothing, q = smoothing_of(inputs, kind), inputs["q"]
    t = smoothing.t(inputs["zeta"])
    slope = 1 / density(q, t, smoothing)
    return {"d_zeta_d_q": slope, "d_zeta_d_beta": slope / smoothing.beta}


def density(q, t, smoothing):
    """(1 - q) r(zeta|0) + q r(zeta|1), as Eq. 9 has it in q: by logit q, q (1 - q) would have to be divided out."""
    return (1 - q) * np.exp(smoothing.log_r0(t)) + q * np.exp(smoothing.log_r1(t))


def draw_spike(rng, n=40):
    """zeta, q and rho, (n,), a third of zeta on the spike. Rows on it tell who lets zeta move with q there."""
    zeta = np.where(rng.random(n) < 0.3, 0, rng.uniform(0.03, 0.97, n))
    q = sigmoid(rng.normal(0, 1.5, n).clip(-3, 3))
    near, far = trouble.ENDS  # far from the spike 1 - R(zeta|1) cancels: there q is not small
    zeta = np.concatenate([zeta, [near, 0.5, far, 0.0, near, far, near, 0.5]])
    ends = sigmoid(np.concatenate([trouble.LOGITS, [40.0, 12.0, -12.0, -12.0]]))
    q, n = np.concatenate([q, ends]), len(zeta)
    return {"beta": rng.uniform(4, 8), "zeta": zeta, "q": q, "rho": draw_rho(rng, n)}


def compute_spike(inputs):
    """What Eqs. 8 and 9 make of a spike at 0 and r(zeta|1), element by element.

    r(zeta|1) = beta e^(beta zeta) / (e^beta - 1) on [0, 1], R(zeta|1) = (e^(beta zeta) - 1) / (e^beta - 1); the CDF
    jumps to 1 - q at 0, so that rho below 1 - q gives zeta = 0. Above it dzeta/dq = (1 - R(zeta|1)) / (q r(zeta|1)); on
    it zeta does not move.
    """
    beta, zeta, q = float(inputs["beta"]), inputs["zeta"], inputs["q"]
    grown, whole = np.expm1(beta * zeta), np.expm1(beta)
    # at fixed s = R(zeta|1), zeta = log(1 + (e^beta - 1) s) / beta
    d_beta = ((grown + grown / whole) / (grown + 1) - zeta) / beta
    return {
        "log_r1": np.log(beta / whole) + beta * zeta,
        "cdf1": grown / whole,
        "cdf": spike_rho(zeta, q, beta),
        "quantile": spike.sample(logit(q), inputs["rho"], beta),
        "d_zeta_d_q": spike_slope(zeta, beta) / q,
        "d_zeta_d_beta": np.where(zeta > 0, d_beta, 0),
    }


def spike_rho(zeta, q, beta):
    """CDF(zeta) = 1 - q (1 - R(zeta|1)), 1 - q on the spike itself."""
    return 1 - q * (np.expm1(beta) - np.expm1(beta * zeta)) / np.expm1(beta)


def spike_slope(zeta, beta):
    """q dzeta/dq at fixed rho (Eq. 9) in terms of zeta: (1 - R(zeta|1)) / r(zeta|1), 0 on the spike.

    dvae_ref.theory.spike has it in terms of rho, from which R would have to be regained by subtraction.
    """
    return np.where(zeta > 0, np.expm1(beta * (1 - zeta)) / beta, 0)


def draw_log_q(rng, kind, rows=5, d=7):
    """zeta and q, (rows, units), those of known trouble last; the rows' weights."""
    found = draw_sharpness(rng, kind)
    hard_zeta, hard_q = trouble.zeta_and_q(d)
    zeta = np.concatenate([draw_zeta(rng, kind, found["beta"], (rows, d)), hard_zeta])
    q = np.concatenate([draw_q(rng, (rows, d), 12), hard_q])
    return found | {"zeta": zeta, "q": q, "cotangent": rng.normal(0.5, 1, len(q))}


def compute_log_q(inputs, kind, smoothing=None):
    """sum_i log((1 - q_i) r(zeta_i|0) + q_i r(zeta_i|1)), (rows,), nats, and its gradient in q and zeta, (rows, units).

    (r1 - r0) / density in q, ((1 - q) dr0/dzeta + q dr1/dzeta) / density in zeta. Near a vertex one density is e^|b|
    times the other, but its weight may be q = sigmoid(-40) = 4e-18.
    """
    smoothing = smoothing or smoothing_of(inputs, kind)
    q, t, d = inputs["q"], smoothing.t(inputs["zeta"]), inputs["cotangent"][:, None]
    b = smoothing.log_ratio(t)
    return {
        "log_q": mixture.log_q(logit(q), b)[0] + smoothing.log_r_max(t).sum(-1),
        "d_q": d * slope_in_q(q, b),
        "d_zeta": d * slope_in_t(q, t, smoothing) / smoothing.d_zeta(t),
    }


def slope_in_t(q, t, smoothing):
    """d/dt log((1 - q) r0 + q r1) = (1 - nu) d log r0/dt + nu d log r1/dt, nu = q(z=1|x, zeta): the library's is
    relative to r_max, whose slope cancels near the vertices."""
    nu, other = (sigmoid(sign * (logit(q) + smoothing.log_ratio(t))) for sign in (1, -1))
    return other * smoothing.d_log_r0(t) - nu * smoothing.d_log_r0(-t)


def slope_in_q(q, b):
    """d/dq log((1 - q) r0 + q r1) = (r1 - r0) / ((1 - q) r0 + q r1): the library's slope in logit q over q (1 - q),
    in which sigmoid(logit q + b) - q would cancel."""
    e = np.exp(-np.abs(b))
    return np.where(b > 0, (1 - e) / ((1 - q) * e + q), (e - 1) / (1 - q + q * e))


def log_q_terms(inputs, kind):
    """Logarithms of both densities."""
    smoothing = smoothing_of(inputs, kind)
    t = smoothing.t(inputs["zeta"])
    return {"log_q": sum(np.abs(f(t)).sum(-1) for f in (smoothing.log_r0, smoothing.log_r1))}


def of_kind(kind):
    """The two Quantities of a kind of smoothing."""
    law, equation = LAWS[kind].adjective, LAWS[kind].equation
    uniform = ", mixed with the uniform: r'(zeta|z) = (1 - epsilon) r(zeta|z) + epsilon"
    mixed = uniform if share_of_uniform(kind) else ""
    return (
        Quantity(
            f"smoothing_{kind}",
            f"{equation}, Eqs. 8, 9",
            f"{law} smoothing{mixed}: log r(zeta|z), b and c (Eq. 4), CDFs, the inverse CDF of (1 - q) r(zeta|0) + "
            "q r(zeta|1), and how zeta moves with q and beta at fixed rho; element by element",
            functools.partial(draw_smoothing, kind=kind),
            functools.partial(compute_smoothing, kind=kind),
            "zeta at fixed rho = CDF(zeta)",
            functools.partial(smoothing_terms, kind=kind),
        ),
        Quantity(
            f"log_q_{kind}",
            f"{equation}, Sec. 3.3",
            f"log q(zeta|x) = sum_i log((1 - q_i) r(zeta_i|0) + q_i r(zeta_i|1)), {law} smoothing",
            functools.partial(draw_log_q, kind=kind),
            functools.partial(compute_log_q, kind=kind),
            "sum(cotangent * log_q), zeta and q taken as independent",
            functools.partial(log_q_terms, kind=kind),
        ),
    )


QUANTITIES = (
    *(quantity for kind in SMOOTHINGS for quantity in of_kind(kind)),
    Quantity(
        "smoothing_spike",
        "Eq. 1, left; Eqs. 8, 9",
        "spike-and-exponential smoothing, zeta = 0 if z = 0: log r(zeta|1), CDFs, the inverse CDF, and how zeta moves "
        "with q and beta at fixed rho (on the spike, not at all); element by element",
        draw_spike,
        compute_spike,
        "zeta at fixed rho = CDF(zeta)",
    ),
)
