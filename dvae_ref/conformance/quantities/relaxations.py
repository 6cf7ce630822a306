"""Quantities of the two relaxed priors: log p(zeta) + log Z and its gradient, overlapping and Gaussian integral.

Overlapping (Eqs. 4 to 6): with b = log r(zeta|1) - log r(zeta|0), c = log r(zeta|0) and m the mean field after so many
sweeps, the lower bound

    log p(zeta) + log Z  ~  H(m) - E(m) + b·m + sum_i c_i,

whose gradient at fixed m is m in a, m_left m_right' in W, and m db/dzeta + dc/dzeta in zeta. Gaussian integral (Eq. 7):
with A = J + lam I

    log p(zeta) + log Z  =  log det(A / 2 pi) / 2 - zeta·A zeta / 2 + sum_i softplus((A zeta + a - lam/2)_i).

Where implementations part: an m that is differentiated, starts elsewhere, or sweeps the other side first; log Z in the
value, or its negative phase in the gradient; c left out as if it were a constant, though it moves with zeta; halves in
Eq. 7; the gradient of the determinant in W, which automatic differentiation has and code by hand forgets.
"""

import functools

import numpy as np

from dvae_ref.conformance.quantities import trouble
from dvae_ref.conformance.quantities.machines import draw_machine, machine
from dvae_ref.conformance.quantities.smoothings import draw_sharpness, draw_zeta, smoothing_of
from dvae_ref.conformance.quantity import Quantity
from dvae_ref.model.baselines import LAWS
from dvae_ref.theory import gaussian_integral, overlapping
from dvae_ref.theory.smoothing import SMOOTHINGS, Gaussian, named

ROWS, SIDE = 8, 4
SWEEPS = 2  # not the paper's five: what runs through the sweeps must not have died out


def draw_overlapping(rng, kind):
    """A machine with couplings that count, zeta (rows, D) at vertices, between and in the middle.

    Row 0 is 2^-21 from a vertex in every unit: on the unit interval zeta and 1 - zeta have to keep their digits there.
    In the last four rows zeta is 0.35 to 0.65, b is small, and two sweeps have not settled m: another order, start or
    number of sweeps is seen. The last unit's bias is -30.
    """
    found = draw_machine(rng, SIDE, SIDE, scale=1.5) | draw_sharpness(rng, kind)
    zeta = draw_zeta(rng, kind, found["beta"], (ROWS, 2 * SIDE))
    zeta[-4:] = rng.uniform(0.35, 0.65, (4, 2 * SIDE))  # where b is small and m not settled
    zeta[0] = rng.choice(trouble.ENDS, 2 * SIDE)
    found["a"][-1] = -trouble.FIELD
    return found | {"zeta": zeta, "sweeps": SWEEPS, "cotangent": rng.normal(0.5, 1, ROWS)}


def compute_overlapping(inputs, kind, smoothing=None, log_p=overlapping.log_p, backward=overlapping.log_p_backward):
    """log p(zeta) + log Z as H(m) - E(m) + b·m + sum(c) (Eqs. 4, 6), and its gradient with m held fixed (Eq. 5).

    log_p (rows,), nats; d_zeta (rows, D) and d_a, d_W of sum(cotangent log_p). The library states log p relative to
    r_max and in t; that is taken back here. smoothing, log_p, backward: what stands in their places in a mistake.
    """
    smoothing = smoothing or smoothing_of(inputs, kind)
    t, d = smoothing.t(inputs["zeta"]), inputs["cotangent"]
    value, cache = log_p(machine(inputs), smoothing.log_ratio(t), int(inputs["sweeps"]))
    d_rbm, d_b = backward(d, cache)
    d_t = d_b * smoothing.d_log_ratio(t) + d[:, None] * smoothing.d_log_r_max(t)
    log_p = value + smoothing.log_r_max(t).sum(-1)
    return {"log_p": log_p, "d_zeta": d_t / smoothing.d_zeta(t), "d_a": d_rbm.a, "d_W": d_rbm.W}


def overlapping_terms(inputs, kind):
    """log r(zeta|0), b, biases and couplings, which are added."""
    smoothing = smoothing_of(inputs, kind)
    t = smoothing.t(inputs["zeta"])
    size = sum(np.abs(f(t)).sum(-1) for f in (smoothing.log_r0, smoothing.log_ratio))
    return {"log_p": size + np.abs(inputs["a"]).sum() + np.abs(inputs["W"]).sum()}


def draw_gaussian_integral(rng):
    """A machine, lam 3 to 8 above ||W||, and zeta (rows, D) within three deviations of a vertex.

    J + lam I is positive definite for lam > ||W||, the largest singular value. zeta is any real number: who clips it to
    (0, 1) is seen. The last unit's bias is -30.
    """
    found = draw_machine(rng, SIDE, SIDE)
    zeta = draw_zeta(rng, *named(Gaussian), 8.0, (ROWS, 2 * SIDE))
    zeta[0] = rng.choice(trouble.ENDS, 2 * SIDE)
    found["a"][-1] = -trouble.FIELD
    lam = np.linalg.norm(found["W"], 2) + rng.uniform(3, 8)
    return found | {"lam": lam, "zeta": zeta, "cotangent": rng.normal(0.5, 1, ROWS)}


def compute_gaussian_integral(inputs):
    """log p(zeta) + log Z of Eq. 7, (rows,), nats, and its gradient: (J + lam I)(E[z|zeta] - zeta) in zeta, E[z|zeta]
    in a.

    E[z|zeta] = sigmoid((J + lam I) zeta + a - lam/2). In W stand the terms of zeta and, once for each row's weight,
    that of the determinant, -W (lam^2 I - W'W)^-1. lam is a constant, although in training it may follow ||W||.
    """
    value, cache = gaussian_integral.log_p(machine(inputs), inputs["zeta"], float(inputs["lam"]))
    d_rbm, d_zeta = gaussian_integral.log_p_backward(inputs["cotangent"], cache)
    return {"log_p": value, "d_zeta": d_zeta, "d_a": d_rbm.a, "d_W": d_rbm.W}


def gaussian_integral_terms(inputs):
    """The squares of zeta, biases and couplings, which are added."""
    zeta, lam = inputs["zeta"], float(inputs["lam"])
    size = np.sum(lam * (zeta * zeta + np.abs(zeta)) + np.abs(inputs["a"]) + lam / 2, -1)
    return {"log_p": size + np.abs(zeta).max(-1) ** 2 * np.abs(inputs["W"]).sum()}


def overlapping_of(kind):
    """The Quantity of a kind of smoothing."""
    return Quantity(
        f"log_p_overlapping_{kind}",
        f"Eqs. 4, 5, 6; {LAWS[kind].equation}",
        f"log p(zeta) + log Z of the overlapping relaxation, {LAWS[kind].adjective} smoothing, as H(m) - E^(m) after "
        "the given number of mean field sweeps (as in mean_field); by Eq. 5 the gradient does not act on m; -log Z is "
        "not in it",
        functools.partial(draw_overlapping, kind=kind),
        functools.partial(compute_overlapping, kind=kind),
        "sum(cotangent * log_p) with m held fixed",
        functools.partial(overlapping_terms, kind=kind),
    )


QUANTITIES = (
    *(overlapping_of(kind) for kind in SMOOTHINGS),
    Quantity(
        "log_p_gaussian_integral",
        "Eq. 7",
        "log p(zeta) + log Z of the Gaussian integral trick: log det((J + lam I) / 2 pi) / 2 - zeta·(J + lam I) zeta "
        "/ 2 + sum_i softplus(((J + lam I) zeta + a - lam/2)_i), J = [[0, W], [W', 0]]; lam is a constant",
        draw_gaussian_integral,
        compute_gaussian_integral,
        "sum(cotangent * log_p)",
        gaussian_integral_terms,
    ),
)
