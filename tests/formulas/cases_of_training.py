"""The same of what trains and is reported: bounds, networks, Adam, log Z."""

import math

import numpy as np
from cases import RNG, Case, machine
from scipy.special import expit, gammaln

from dvae_ref.fast import scalars
from dvae_ref.model import layers
from dvae_ref.runs import optimizer
from dvae_ref.theory import bounds, joint


def of_bounds():
    log_w = RNG.normal(-3, 2, (1, 6))
    value, weights = bounds.importance_weighted(log_w)
    top = log_w.max()
    names = {r"\ell_{\max}": top, r"\ell_k": log_w[0], "K": 6.0, r"w_k": np.exp(log_w[0]), "w_j": np.exp(log_w[0])}
    yield Case("Eq. 3", "07", r"\log \frac1K \sum_k w_k =", names, value[0], key=r"\ell_{\max} +", end=r", \qquad")
    yield Case("Eq. 3's weights", "07", r"\tilde w_k =", names, weights[0])
    names = {r"\bar w": 2.002, "p(x)": 2.0, r"\log p(x)": math.log(2)}
    yield Case("log w to second order", "07", r"\log \bar w \approx", names, math.log(2.002), 1e-8)  # third: 3e-10
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
        r"\bar y_n": d_y[4, 0],  # of one image: an r for an n leaves an array
        r"\bar y_r": d_y[:, 0],
        r"\hat x_n": hat[4],
        r"\hat x_r": hat,
        "N": 9.0,
    }
    yield Case("batch norm's d x", "08", r"\bar x_n =", names, d_x[4, 0], key=r"\bar \gamma")
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
    new_p, new_m, new_v = optimizer.step(p, g, m, v, 0.0, 0.01 * math.sqrt(1 - 0.99**3) / (1 - 0.9**3), 0.9, 0.99, 1e-3)
    names = {r"\beta_1^t": 0.9**3, r"\beta_2^t": 0.99**3, r"\eta": 0.01, "m_t": new_m, "v_t": new_v,
             r"\epsilon_{\mathrm{A}}": 1e-3, r"\theta_{t-1}": p, r"\beta_1": 0.9, r"\beta_2": 0.99, "m_{t-1}": m,
             "v_{t-1}": v, "g_t^2": g**2, "g_t": g}  # fmt: skip
    yield Case("Adam", "08", r"\theta_t =", names, new_p)
    yield Case("Adam's m", "08", r"m_t =", names, new_m)
    yield Case("Adam's v", "08", r"v_t =", names, new_v)


def of_log_z():
    """log Z^ of 400 weights that are 1 or 3, so that Z = 2, by the binomial law: bias and variance to first order.

    log Z is taken off both sides, as the bias is small beside it."""
    n = np.arange(401)
    log_binomial = gammaln(401) - gammaln(n + 1) - gammaln(401 - n) - 400 * math.log(2)
    probability, off = np.exp(log_binomial), np.log((1 * (400 - n) + 3 * n) / 400 / 2)
    mean = float(probability @ off)
    variance = float(probability @ (off - mean) ** 2)
    names = {r"\log Z": 0.0, r"\mathrm{Var}(w)": 1.0, "R": 400.0, "Z": 2.0}
    yield Case("the bias of log Z", "09", r"\mathbb{E}[\log \hat Z] \approx", names, mean, 5e-3)
    yield Case("the variance of log Z", "09", r"\mathrm{Var}(\log \hat Z) \approx", names, variance, 5e-3)
    f, delta = 0.7, 0.2
    names = {"y": math.exp(-f), r"e^{-\delta}": math.exp(-delta), r"\vartheta": math.tanh(delta / 2),
             "e^{f}": math.exp(f), r"e^{f - \delta}": math.exp(f - delta)}  # fmt: skip
    increment = float(scalars.softplus_increment(np.float32(math.exp(-f)), np.float32(delta)))
    yield Case("AIS's increment", "09", r"\frac{G - H}{G + H} =", names, math.tanh(increment / 2), 1e-6)


def all_of():
    """Every Case of training."""
    return [*of_bounds(), *of_networks(), *of_log_z()]
