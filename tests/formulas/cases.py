"""Formulas of the theory that are evaluated: where on the pages, their symbols, and what the functions return."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit, logsumexp

from dvae_ref.theory import boltzmann, gaussian_integral, mean_field, mixture, overlapping
from dvae_ref.theory.boltzmann import RBM
from dvae_ref.theory.smoothing import Exponential, Power

RNG = np.random.default_rng(11)
Q, RHO = RNG.uniform(0.05, 0.95, (2, 7))
LOGIT_Q = np.log(Q / (1 - Q))


class Case(NamedTuple):
    """Where the equation is, what its symbols stand for, and what each of its sides has to be."""

    name: str
    page: str  # its number
    left: str  # the LaTeX that the equation begins with: what follows is evaluated
    symbols: dict
    value: object
    tolerance: float = 1e-10
    key: str = ""  # what else stands in its display, where another begins alike
    end: str = r"\qquad"  # where it ends, if the display goes on


def smoothed(law):
    """t, zeta and the law's densities and CDFs there, as the pages name them."""
    t = mixture.inverse_cdf(LOGIT_Q, RHO, law)
    zeta = law.zeta(t)
    slope = law.d_zeta(t)
    r0, r1 = (np.exp(f(t)) / slope for f in (law.log_f0, law.log_f1))
    names = {r"r(\zeta \mid 0)": r0, r"r(\zeta \mid 1)": r1, "r_0": r0, "r_1": r1, "q": Q, r"\beta": law.beta,
             r"R(\zeta \mid 0)": law.cdf0(t), r"R(\zeta \mid 1)": law.cdf1(t), "R_0": law.cdf0(t), "R_1": law.cdf1(t),
             "f_0": np.exp(law.log_f0(t)), "f_1": np.exp(law.log_f1(t)), r"\zeta": zeta, "b": law.log_ratio(t),
             r"\partial_\beta R(\zeta \mid 0)": law.d_beta_cdf0(t),
             r"\partial_\beta R(\zeta \mid 1)": law.d_beta_cdf1(t),
             r"q(\zeta \mid x)": (1 - Q) * r0 + Q * r1, r"[b \gt 0]": 1.0 * (law.log_ratio(t) > 0)}  # fmt: skip
    return t, names


def of_smoothings():
    exponential, power = Exponential(4.0), Power(3.0)
    t, e = smoothed(exponential)
    slope = mixture.d_t_d_logit_q(t, LOGIT_Q, exponential)
    d_zeta = exponential.d_zeta(t)
    nu = expit(LOGIT_Q + exponential.log_ratio(t))
    e |= {r"\nu": nu, r"Z_\beta": (1 - math.exp(-4)) / 4}
    log_q, cache = mixture.log_q(LOGIT_Q[:, None], e["b"][:, None])
    d_logit_q, d_b = mixture.log_q_backward(np.ones(7), cache)
    yield Case("Eq. 9", "03", r"\frac{\partial \zeta}{\partial q} =", e, slope * d_zeta / (Q * (1 - Q)),
               key=r"q\, r(\zeta \mid 1)", end="$")  # fmt: skip
    yield Case("Eq. 9 in logits", "03", r"\frac{\partial t}{\partial\, \mathrm{logit}(q)} =", e, slope)
    yield Case("dzeta/dbeta, Sec. 3.3", "03", r"\frac{\partial \zeta}{\partial \beta} =", e,
               mixture.d_t_d_beta(t, LOGIT_Q, exponential) * d_zeta)  # fmt: skip
    names = {r"Z_\beta": e[r"Z_\beta"], r"\zeta": e[r"\zeta"], r"\beta": 4.0}
    key = r"Z_\beta = \int"
    yield Case("exponential r(zeta|0)", "02", r"r(\zeta \mid 0) =", names, e["r_0"], key=key)
    yield Case("exponential R(zeta|0)", "02", r"R(\zeta \mid 0) =", names, e["R_0"], key=key)
    yield Case("its Z", "02", r"e^{-\beta s}\, ds =", names, e[r"Z_\beta"], key=key)
    yield Case("nu", "02", r"q(z = 1 \mid x, \zeta) =", e | {r"\mathrm{logit}(q)": LOGIT_Q}, nu)
    yield Case("log q(zeta|x)", "02", r"\log \frac{q(\zeta \mid x)}{r_{\max}} =", e, log_q)
    yield Case(
        "its gradient in b", "02", r"\frac{q e^b}{1 - q + q e^b} - [b \gt 0] =", e | {"e^b": np.exp(e["b"])}, d_b[:, 0]
    )
    yield Case("its gradient in logit q", "02", r"\frac{q (1 - q)(r_1 - r_0)}{q(\zeta \mid x)} =", e, d_logit_q[:, 0])
    v_0, v_1 = 0.3, 0.8
    b = stats.norm.logpdf(Q, 1, math.sqrt(v_1)) - stats.norm.logpdf(Q, 0, math.sqrt(v_0))
    yield Case("b of two widths", "02", "b =", {r"\zeta": Q, "v_0": v_0, "v_1": v_1}, b, key="v_0", end=r"\qquad")
    t, p = smoothed(power)
    names, key = {r"\zeta": p[r"\zeta"], r"\beta": 3.0}, r"\frac{1}{\beta}\, \zeta^"
    yield Case("power R(zeta|0)", "02", r"R(\zeta \mid 0) =", names, p["R_0"], key=key)
    yield Case("power r(zeta|0)", "02", r"r(\zeta \mid 0) =", names, p["r_0"], key=key)


def machine(n_left, n_right, seed=12):
    rng = np.random.default_rng(seed)
    return RBM(rng.normal(-0.4, 0.7, n_left + n_right), rng.normal(0.2, 0.8, (n_left, n_right)))


def of_machines():
    rbm = machine(3, 2)
    z = np.array([[1.0, 0, 1, 1, 1]])
    left, right = z[0, :3], z[0, 3:]
    names = {"a": rbm.a, "z^L": left, "z^R": right, "W": rbm.W, "z": z[0]}
    yield Case("E(z)", "01", "z^R_j =", names, boltzmann.energy(rbm, z)[0], key="E(z) =")
    h = rbm.a_right + left @ rbm.W
    names = {"a^L": rbm.a_left, "z^L": left, "h_j": h}
    rights = np.array(list(np.ndindex(2, 2)))
    summed = logsumexp(-boltzmann.energy(rbm, np.concatenate([np.tile(left, (4, 1)), rights], 1)))
    yield Case("z_left alone", "01", r"\log \tilde p(z^L) =", names, summed)
    m = RNG.uniform(0.1, 0.9, 5)
    b = RNG.normal(0, 1.5, (1, 5))
    one = {
        "a^R": rbm.a_right,
        "b^R": b[0, 3:],
        "m^L": m[:3],
        "W": rbm.W,
        "m^R": m[3:],
        "a^L": rbm.a_left,
        "b^L": b[0, :3],
    }
    start = mean_field.mean_field(rbm, b, 1)[0]
    half = {**one, "m^L": np.full(3, 0.5)}
    yield Case("mean field, right", "04", r"m^R \leftarrow", half, expit(start[3:]))
    yield Case("mean field, left", "04", r"m^L \leftarrow", {**one, "m^R": expit(start[3:])}, expit(start[:3]))
    log_p, cache = overlapping.log_p(rbm, b, 2)
    m = expit(cache.logit_m[0])
    entropy = -np.sum(m * np.log(m) + (1 - m) * np.log(1 - m))
    names = {"H(m)": entropy, "a": rbm.a, "m^L": m[:3], "m^R": m[3:], "W": rbm.W, "m_i": m, "b_i": b[0], "m": m}
    yield Case("H(m) - E^(m), Eq. 6", "04", r"H(m) - \hat E(m) - \sum_i \log r_{\max} =", names, log_p[0])
    gradient, d_b = overlapping.log_p_backward(np.ones(1), cache)
    yield Case("Eq. 5 in a", "05", r"\frac{\partial}{\partial a_i} =", {"m_i": m}, gradient.a)
    from_log_r_max = (b[0] > 0) * 1.0  # of log p(zeta) / r_max, which is what the function returns
    yield Case("Eq. 5 in b", "05", r"\frac{\partial}{\partial b_i} =", {"m_i": m}, d_b[0] + from_log_r_max)
    outer = {"m^L_i": m[1], "m^R_j": m[3]}
    yield Case("Eq. 5 in W", "05", r"\frac{\partial}{\partial W_{ij}} =", outer, gradient.W[1, 0])


def of_the_mean_fields_kl():
    """Its derivative in m_1, by central differences of the KL by enumeration: 1e-6 in m, right to 1e-10."""
    rbm, rng = machine(3, 2, 17), np.random.default_rng(17)
    m, b, z = rng.uniform(0.1, 0.9, 5), rng.normal(0, 1.5, 5), np.array(list(np.ndindex((2,) * 5)))
    log_p = z @ b - boltzmann.energy(rbm, z)
    log_p -= logsumexp(log_p)

    def kl(m_1):
        units = np.where(np.arange(5) == 1, m_1, m)
        log_m = np.sum(np.log(np.where(z == 1, units, 1 - units)), 1)
        return np.exp(log_m) @ (log_m - log_p)

    slope = (kl(m[1] + 1e-6) - kl(m[1] - 1e-6)) / 2e-6
    names = {"m_i": m[1], "a_i": rbm.a[1], "b_i": b[1], "J_{ij}": rbm.W[1], "m_j": m[3:]}
    yield Case("dKL/dm", "04", r"\frac{\partial\, \mathrm{KL}}{\partial m_i} =", names, slope, 1e-7)


def of_the_gaussian_integral():
    rbm, lam = machine(3, 2, 13), 9.0
    zeta = RNG.uniform(-0.3, 1.3, 5)
    J = np.zeros((5, 5))
    J[:3, 3:] = rbm.W
    M = J + J.T + lam * np.eye(5)
    log_p, cache = gaussian_integral.log_p(rbm, zeta[None], lam)
    names = {r"| \tfrac{1}{2 \pi} M \right|^{1/2}": math.sqrt(np.linalg.det(M / (2 * math.pi))), "Z": 1.0,
             r"e^{-\frac12 \zeta^T M \zeta}": math.exp(-zeta @ M @ zeta / 2), r"(M \zeta)_i": M @ zeta, "a_i": rbm.a,
             r"\lambda": lam}  # fmt: skip
    yield Case("Eq. 7", "06", r"p(\zeta) =", names, np.exp(log_p[0]), key=r"\prod_i")
    mu = cache.mean_z[0]
    gradient, d_zeta = gaussian_integral.log_p_backward(np.ones(1), cache)
    yield Case(
        "Eq. 7's gradient in zeta",
        "06",
        r"\frac{\partial}{\partial \zeta} =",
        {"M": M, r"\mu": mu, r"\zeta": zeta},
        d_zeta[0],
    )
    names = {
        r"\mu^L (\zeta^R)^T": np.outer(mu[:3], zeta[3:]),
        r"\zeta^L (\mu^R)^T": np.outer(zeta[:3], mu[3:]),
        r"\zeta^L (\zeta^R)^T": np.outer(zeta[:3], zeta[3:]),
        "W": rbm.W,
        r"( \lambda^2 I - W^T W \right)^{-1}": np.linalg.inv(lam**2 * np.eye(2) - rbm.W.T @ rbm.W),
    }
    yield Case("Eq. 7's gradient in W", "06", r"\frac{\partial}{\partial W} =", names, gradient.W, key=r"\mu^L")
    inner = np.eye(2) - rbm.W.T @ rbm.W / lam**2
    names = {
        "D": 5.0,
        r"\lambda": lam,
        r"\pi": math.pi,
        r"\log \det\left( I - W^T W / \lambda^2 \right)": np.linalg.slogdet(inner)[1],
    }
    yield Case(
        "log det",
        "06",
        r"\tfrac12 \log \det \left( \tfrac{1}{2 \pi} M \right) =",
        names,
        gaussian_integral._log_det(rbm, lam)[0],
    )


def all_of():
    """Every Case of the theory."""
    return [*of_smoothings(), *of_machines(), *of_the_mean_fields_kl(), *of_the_gaussian_integral()]
