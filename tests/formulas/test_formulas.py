"""Formulas of the derivations: no edit goes unseen, and those that matter most are evaluated and held against the code.

A case finds its display by what stands left of its equation, reads the LaTeX itself (`latex`), and compares every side
of the equation with what the function returns, at random numbers. The golden copies in displays.txt hold the rest:
`make formulas` shows what has changed and renews them.
"""

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, gammaln, logsumexp

sys.path.insert(0, str(Path(__file__).parent))

import latex
import pages

from dvae_ref.fast import scalars
from dvae_ref.model import layers
from dvae_ref.runs import optimizer
from dvae_ref.theory import boltzmann, bounds, gaussian_integral, joint, mean_field, mixture, overlapping
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


def display(case):
    """(id, LaTeX) of the one display that the case is of."""
    there = pages.displays().items()
    [found] = [(n, t) for n, t in there if n.startswith(case.page) and case.left in t and case.key in t]
    return found


def equation(case, text=None):
    """The sides right of the beginning."""
    found = display(case)[1] if text is None else text
    following = found[found.index(case.left) + len(case.left) :].split(case.end)[0]
    return latex.sides(following.removesuffix(r"\end{aligned}"))


def errors(case, text=None):
    """The relative error of each side."""
    wanted = np.asarray(case.value)
    for side in equation(case, text):
        found = latex.evaluate(side, case.symbols)
        yield float(np.max(np.abs(found - wanted) / (1e-300 + np.abs(wanted))))


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
    gradient, _ = overlapping.log_p_backward(np.ones(1), cache)
    yield Case("Eq. 5 in a", "05", r"\frac{\partial}{\partial a_i} =", {"m_i": m}, gradient.a)
    outer = {"m^L_i": m[1], "m^R_j": m[3]}
    yield Case("Eq. 5 in W", "05", r"\frac{\partial}{\partial W_{ij}} =", outer, gradient.W[1, 0])


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
    _, d_zeta = gaussian_integral.log_p_backward(np.ones(1), cache)
    yield Case(
        "Eq. 7's gradient in zeta",
        "06",
        r"\frac{\partial}{\partial \zeta} =",
        {"M": M, r"\mu": mu, r"\zeta": zeta},
        d_zeta[0],
    )
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


def of_bounds():
    log_w = RNG.normal(-3, 2, (1, 6))
    value, weights = bounds.importance_weighted(log_w)
    top = log_w.max()
    names = {r"\ell_{\max}": top, r"\ell_k": log_w[0], "K": 6.0, r"w_k": np.exp(log_w[0]), "w_j": np.exp(log_w[0])}
    yield Case("Eq. 3", "07", r"\log \frac1K \sum_k w_k =", names, value[0], key=r"\ell_{\max} +", end=r", \qquad")
    yield Case("Eq. 3's weights", "07", r"\tilde w_k =", names, weights[0])
    rng = np.random.default_rng(14)
    rbm, logit_q, z = machine(1, 1, 15), rng.normal(0, 1, (1, 2)), np.array([[0.0, 0.4]])
    q, up = expit(logit_q[0]), np.zeros(2)
    gamma = rbm.W[0] * q[1]
    term = joint.spike_term(rbm, logit_q, z, 2)  # z = [zeta > 0], and q in the last group
    _, found = joint.spike_term_backward(np.ones(1), term[1])
    names = {
        "a_i": rbm.a[:1],
        r"\mathrm{logit}(q_i)": logit_q[0, :1],
        "q_i": q[:1],
        r"\gamma_i": gamma[:1],
        "z_i": up[:1],
    }
    yield Case("DVAE's gradient in q, left", "07", r"\mathrm{logit}(q_i)} :\quad", names, found[0, :1])


def of_networks():
    rng = np.random.default_rng(16)
    x, d_y = rng.normal(0, 1, (2, 9, 1))
    scale = np.array([1.7])
    _, cache = layers.batch_norm(layers.BatchNorm(scale, np.zeros(1)), x)
    gradient, d_x = layers.batch_norm_backward(d_y, cache)
    hat, s = cache.normed[:, 0], cache.inverse_std[0]
    names = {
        r"\gamma": scale[0],
        "s": s,
        r"\bar y_n": d_y[:, 0],
        r"\bar y_r": d_y[:, 0],
        r"\hat x_n": hat,
        r"\hat x_r": hat,
        "N": 9.0,
    }
    yield Case("batch norm's d x", "08", r"\bar x_n =", names, d_x[:, 0])
    yield Case("batch norm's d scale", "08", r"\bar \gamma =", names, gradient.scale[0])
    names = {"x_r": x[:, 0], "N": 9.0, r"\mu": x.mean()}
    yield Case("batch norm's variance", "08", r"\omega =", names, cache.batch.variance[0])
    names = {r"\omega": cache.batch.variance[0], r"\epsilon": layers.BATCH_NORM_EPSILON}
    yield Case("batch norm's scale", "08", r"\qquad s =", names, s)
    pixels, logits = (rng.random((1, 8)) < 0.5) * 1.0, rng.normal(0, 2, (1, 8))
    names = {"x_i": pixels[0], "l_i": logits[0]}
    yield Case("its gradient", "08", r"\frac{\partial}{\partial l_i} =", names,
               layers.bernoulli_backward(np.ones(1), (pixels, logits))[0])  # fmt: skip
    p, g, m, v = rng.normal(0, 1, (4, 5))
    v = v**2
    new_p, new_m, new_v = optimizer.step(p, g, m, v, 0.01 * math.sqrt(1 - 0.99**3) / (1 - 0.9**3), 0.9, 0.99, 1e-3, 0.0)
    names = {r"\beta_1^t": 0.9**3, r"\beta_2^t": 0.99**3, r"\eta": 0.01, "m_t": new_m, "v_t": new_v,
             r"\epsilon_{\mathrm{A}}": 1e-3, r"\theta_{t-1}": p, r"\beta_1": 0.9, r"\beta_2": 0.99, "m_{t-1}": m,
             "v_{t-1}": v, "g_t^2": g**2, "g_t": g}  # fmt: skip
    yield Case("Adam", "08", r"\theta_t =", names, new_p)
    yield Case("Adam's m", "08", r"m_t =", names, new_m)
    yield Case("Adam's v", "08", r"v_t =", names, new_v)


def of_log_z():
    """E[log Z^] of R weights that are 0.5 or 1.5 with Z = 1, by the binomial law: the bias to first order, R = 400."""
    n = np.arange(401)
    log_binomial = gammaln(401) - gammaln(n + 1) - gammaln(401 - n) - 400 * math.log(2)
    mean = float(np.exp(log_binomial) @ np.log((0.5 * (400 - n) + 1.5 * n) / 400))
    names = {r"\log Z": 0.0, r"\mathrm{Var}(w)": 0.25, "R": 400.0, "Z": 1.0}
    yield Case("the bias of log Z", "09", r"\mathbb{E}[\log \hat Z] \approx", names, mean, 5e-3)
    f, delta = 0.7, 0.2
    names = {"y": math.exp(-f), r"e^{-\delta}": math.exp(-delta), r"\vartheta": math.tanh(delta / 2),
             "e^{f}": math.exp(f), r"e^{f - \delta}": math.exp(f - delta)}  # fmt: skip
    increment = float(scalars.softplus_increment(np.float32(math.exp(-f)), np.float32(delta)))
    yield Case("AIS's increment", "09", r"\frac{G - H}{G + H} =", names, math.tanh(increment / 2), 1e-6)


CASES = [*of_smoothings(), *of_machines(), *of_the_gaussian_integral(), *of_bounds(), *of_networks(), *of_log_z()]
CASES = [case for case in CASES if case.symbols]
NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_page_says_what_the_code_does(case):
    found = list(errors(case))
    assert found
    assert max(found) < case.tolerance


FALSE = [  # the formula, what is written on the page, and what a slip would make of it
    ("Eq. 9", r"R(\zeta \mid 0) - R(\zeta \mid 1)", r"R(\zeta \mid 1) - R(\zeta \mid 0)"),
    ("Eq. 9 in logits", r"f_0 / q + f_1 / (1 - q)", r"f_0 / (1 - q) + f_1 / q"),
    ("dzeta/dbeta, Sec. 3.3", r"= -\frac", r"= \frac"),
    ("Eq. 7", r"a_i - \lambda/2", r"a_i - \lambda"),
    ("Eq. 7's gradient in zeta", r"M \mu - M \zeta", r"M \zeta - M \mu"),
    ("log det", r"+ \tfrac12 \log \det\left( I", r"- \tfrac12 \log \det\left( I"),
    ("mean field, right", r"a^R + b^R + m^L W", r"a^R + m^L W"),
    ("H(m) - E^(m), Eq. 6", r"\max(b_i, 0)\, (1 - m_i)", r"\max(b_i, 0)\, m_i"),
    ("Eq. 5 in W", r"m^L_i m^R_j", r"m^L_i m^L_i"),
    ("Eq. 3", r"- \log K", r"+ \log K"),
    ("DVAE's gradient in q, left", r"(1 - z_i)\, q_i", r"(1 - q_i)\, q_i / 2"),
    ("batch norm's d x", r"- \hat x_n \cdot", r"+ \hat x_n \cdot"),
    ("batch norm's scale", r"\omega + \epsilon", r"\omega"),
    ("Adam", r"{1 - \beta_1^t}", r"{1 - \beta_2^t}"),
    ("nu", r"\mathrm{logit}(q) + b", r"\mathrm{logit}(q) - b"),
    ("E(z)", r"-a \cdot z", r"a \cdot z"),
    ("the bias of log Z", r"\log Z - \frac", r"\log Z + \frac"),
    ("AIS's increment", r"1 + y\, (1 + \vartheta)", r"1 + y\, (1 - \vartheta)"),
]


@pytest.mark.parametrize(("name", "written", "slip"), FALSE, ids=[f[0] for f in FALSE])
def test_false_formulas_are_seen(name, written, slip):
    """By their numbers, whatever the golden copy says."""
    case = CASES[NAMES.index(name)]
    text = display(case)[1]
    assert written in text
    assert max(errors(case, text.replace(written, slip))) > 10 * case.tolerance


@pytest.mark.parametrize(
    ("page", "written", "slip"),
    [
        ("07", r"\nu_i\, \mu_j", r"\mu_i\, \mu_j"),
        ("06", r"\lambda = \max(\beta, \lVert W \rVert + 5)", r"\lambda = \max(\beta, \lVert W \rVert) / 2"),
    ],
)
def test_false_formulas_that_are_not_evaluated_are_no_golden_copies(page, written, slip):
    """An edit of the page fails until the copy is renewed, and shows there as a difference."""
    [(name, text)] = [(n, t) for n, t in pages.formulas().items() if n.startswith(page) and written in t]
    assert pages.golden()[name] == text != text.replace(written, slip)


def test_no_formula_has_changed_unseen():
    """`make formulas` shows what has, and renews the copies."""
    assert pages.formulas() == pages.golden()


def test_every_page_has_displays():
    assert {name[:2] for name in pages.displays()} == {path.name[:2] for path in pages.DERIVATIONS.glob("[0-9]*.md")}
