"""What a user of JAX would write: a training step of DVAE#, jitted whole. Importing it needs jax.

As peers_torch_training.py, whose formulas stand there: zeta held by t = logit(zeta), densities relative to r(zeta|0),
b = log r(zeta|1) - log r(zeta|0) = (1 - 1/beta) t. Here a step is one pure function of a state, compiled once for all
shapes of a case; a batch of B images with K samples each has N = B K rows.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import stop_gradient
from jax.nn import logsumexp, sigmoid, softplus

from benchmarks.peers_jax import sides, sweep


def _draw(logit_q, u, rho, beta):
    """t of zeta ~ (1 - q) r(zeta|0) + q r(zeta|1), z = [u < q]; its derivative in logit q is that of Eq. 9.

    The value is the drawn t; a term that is zero, slope (logit q - logit q), has the derivative.
    """
    fixed = stop_gradient(logit_q)
    log_zeta = beta * jnp.log(rho)
    t = log_zeta - jnp.log(-jnp.expm1(log_zeta))
    t = jnp.where(u < sigmoid(fixed), -t, t)
    return t + _slope(t, fixed, beta) * (logit_q - fixed)


def _slope(t, logit_q, beta):
    """dt / dlogit q = (R0 - R1) / (f0 / q + f1 / (1 - q)), written for the half of the interval where zeta is small."""
    log_far = -softplus(-jnp.abs(t))
    log_near = log_far - jnp.abs(t)
    gap = jnp.exp(log_near / beta) + jnp.expm1(log_far / beta)
    logit = jnp.where(t < 0, logit_q, -logit_q)
    f0, f1 = jnp.exp(log_near / beta + log_far), jnp.exp(log_far / beta + log_near)
    return beta * gap / (f0 / sigmoid(logit) + f1 / sigmoid(-logit))


def _dense(params, x, zeta):
    """[x, zeta] kernel + bias; what hangs on x alone is computed once for its K samples."""
    kernel, bias = params
    of_x, of_zeta = jnp.split(kernel, [x.shape[1]])
    y = x @ of_x + bias
    if zeta is None:
        return y
    return _repeat(y, len(zeta) // len(x)) + zeta @ of_zeta


def _repeat(y, k):
    """Each row k times."""
    return jnp.broadcast_to(y[:, None], (len(y), k, y.shape[1])).reshape(-1, y.shape[1])


def _network(params, x, zeta, epsilon):
    """Outputs (N, outputs), and (mean, variance) of every hidden layer: dense with x and zeta, batch norm, tanh."""
    (hidden, out), averages = params, []
    for dense, (scale, offset) in hidden:
        y = _dense(dense, x, zeta)
        mean, variance = y.mean(0), y.var(0)
        x, zeta = jnp.tanh((y - mean) * (jax.lax.rsqrt(variance + epsilon) * scale) + offset), None
        averages.append((mean, variance))
    return _dense(out, x, zeta), averages


def _mean_field(a_left, a_right, W, b, sweeps):
    """(m_left, m_right, H(m)) after sweeps from m = 1/2, right side first."""
    b_left, b_right = sides(b, W)
    bias_left, bias_right = a_left + b_left, a_right + b_right
    left = jnp.full_like(bias_left, 0.5)
    for _ in range(sweeps):
        logit_right = bias_right + left @ W
        right = sigmoid(logit_right)
        logit_left = bias_left + right @ W.T
        left = sigmoid(logit_left)
    size = jnp.abs(jnp.concatenate([logit_left, logit_right], 1))
    return left, right, (softplus(-size) + size * sigmoid(-size)).sum(1)


def _log_ratio(rbm, logit_q, b, sweeps):
    """log p(zeta) + log Z - log q(zeta|x) by mean field, whose m is not differentiated (Eq. 5)."""
    a, W = rbm
    fixed_a, fixed_W, fixed_b = stop_gradient((a, W, b))
    a_left, a_right = sides(fixed_a, W)
    left, right, entropy = _mean_field(a_left, a_right, fixed_W, fixed_b, sweeps)
    m = jnp.concatenate([left, right], 1)
    log_p = entropy + ((left @ W) * right).sum(1) + m @ a
    return log_p + (b * m - softplus(logit_q + b) + softplus(logit_q)).sum(1)


def _encode(encoder, x, u, rho, step):
    """(t, logit q), (N, D) each, and the averages, group by group: a network has the zeta of the groups before it."""
    epsilon, _ = step.batch_norm
    centred, zeta = x - step.mean_x, None
    drawn, logits_q, averages = [], [], []
    us, rhos = jnp.split(u, len(encoder), 1), jnp.split(rho, len(encoder), 1)
    for network, own_u, own_rho in zip(encoder, us, rhos, strict=True):
        logit_q, moved = _network(network, centred, zeta, epsilon)
        if zeta is None:
            logit_q = _repeat(logit_q, step.k)
        logits_q.append(logit_q)
        drawn.append(_draw(logit_q, own_u, own_rho, step.beta))
        zeta = sigmoid(jnp.concatenate(drawn, 1))
        averages.append(moved)
    return jnp.concatenate(drawn, 1), jnp.concatenate(logits_q, 1), averages


def _bound(params, x, u, rho, step):
    """The K-sample bound plus log Z of each image (B,), nats (Eq. 3), and the batch's averages."""
    encoder, decoder, rbm, _ = params
    t, logit_q, averages = _encode(encoder, x, u, rho, step)
    log_ratio = _log_ratio(rbm, logit_q, (1 - 1 / step.beta) * t, step.mean_field_sweeps)
    logits, moved = _network(decoder, sigmoid(t), None, step.batch_norm[0])
    logits = (logits + step.output_bias).reshape(len(x), step.k, -1)
    log_px = (x[:, None] * logits - softplus(logits)).sum(2)
    bound = logsumexp(log_ratio.reshape(len(x), -1) + log_px, 1) - math.log(step.k)
    return bound, [*averages, moved]


def _loss(params, x, u, rho, moments, step):
    """Minus the bound, with the negative phase as the gradient of log Z; and (bound, averages)."""
    bound, averages = _bound(params, x, u, rho, step)
    (a, W), (z, zz) = params[2], moments
    return -bound.mean() + a @ z + (W * zz).sum(), (bound, averages)


def _adam(params, gradient, m, v, count, step):
    """(params, m, v) after a step down the gradient and the weight decay: trees of one structure."""
    beta1, beta2, epsilon = step.adam
    rate = step.learning_rate * jnp.sqrt(1 - beta2**count) / (1 - beta1**count)

    def of_a_leaf(p, g, m, v, applies):
        g = g + step.weight_decay * applies * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        return p - rate * m / (jnp.sqrt(v) + epsilon), m, v

    decayed = jax.tree.unflatten(jax.tree.structure(params), step.decayed)
    moved = jax.tree.map(of_a_leaf, params, gradient, m, v, decayed)
    return jax.tree.transpose(jax.tree.structure(params), jax.tree.structure((0, 0, 0)), moved)


def _negative_phase(rbm, key, z_left, sweeps):
    """z_left so many sweeps later, and the moments."""
    a, W = rbm
    a_left, a_right = sides(a, W)
    _, z_left, z_right = sweep((a_left, a_right, W), key, z_left, sweeps)
    return z_left, (jnp.concatenate([z_left.mean(0), z_right.mean(0)]), z_left.T @ z_right / len(z_left))


def training_step(step):
    """(run, answer): `step.steps` steps of training, and the answer of benchmarks.step."""
    momentum = step.batch_norm[1]

    @partial(jax.jit, donate_argnums=0)
    def advance(state, x):
        params, m, v, moving, z_left, moments, key, count = state
        key, sweeps_key, noise_key = jax.random.split(key, 3)
        if step.sweeps:
            z_left, moments = _negative_phase(params[2], sweeps_key, z_left, step.sweeps)
        u, rho = jax.random.uniform(noise_key, (2, *step.u.shape), minval=jnp.finfo(jnp.float32).tiny)
        gradient, (_, averages) = jax.grad(_loss, has_aux=True)(params, x, u, rho, moments, step)
        moving = jax.tree.map(lambda old, new: (1 - momentum) * old + momentum * new, moving, averages)
        params, m, v = _adam(params, gradient, m, v, count, step)
        return params, m, v, moving, z_left, moments, key, count + 1

    @jax.jit
    def value(params, x, u, rho, moments):
        gradient, (bound, _) = jax.grad(_loss, has_aux=True)(params, x, u, rho, moments, step)
        return bound, gradient

    batches, state = [jnp.asarray(x) for x in step.batches], _start(step)

    def run():
        nonlocal state
        for _ in range(step.steps):
            state = advance(state, batches[int(state[-1]) % len(batches)])
        jax.block_until_ready(state)

    def answer():
        bound, gradient = value(step.params, batches[0], step.u, step.rho, step.moments)
        return [np.asarray(bound)] + [-np.asarray(leaf) for leaf in jax.tree.leaves(gradient) if leaf.ndim == 2]

    return run, answer


def _start(step):
    """(params, m, v, moving averages, z_left, moments, key, count)."""
    params = jax.tree.map(jnp.asarray, step.params)
    encoder, decoder, (_, W), _ = params
    m, v = jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)
    moving, key = [_fresh_averages(network) for network in [*encoder, decoder]], jax.random.key(3)
    z_left = jax.random.bernoulli(key, 0.5, (step.chains, len(W))).astype(jnp.float32)
    return params, m, v, moving, z_left, tuple(map(jnp.asarray, step.moments)), key, jnp.float32(1)


def _fresh_averages(network):
    """(mean, variance) of every hidden layer, 0 and 1."""
    hidden, _ = network
    return [(jnp.zeros_like(scale), jnp.ones_like(scale)) for _, (scale, _) in hidden]
