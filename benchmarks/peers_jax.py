"""What a user of JAX would write, jitted whole: block Gibbs and AIS. Importing it needs jax.

The same algorithms as in peers_torch.py, whose formulas stand there; a key is split for every half-sweep.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np


def sides(a, W):
    """(a_left, a_right) of biases (..., D)."""
    return jnp.split(a, [len(W)], axis=-1)


def _parameters(a, W):
    a_left, a_right = sides(jnp.asarray(a), W)
    return a_left, a_right, jnp.asarray(W)


def _draw(key, field):
    """1 with probability sigmoid(field), float32."""
    return (jax.random.uniform(key, field.shape) < jax.nn.sigmoid(field)).astype(jnp.float32)


def _halves(key):
    """(the next sweep's key, the keys of this one's halves)."""
    key, right, left = jax.random.split(key, 3)
    return key, right, left


@partial(jax.jit, static_argnums=3)
def sweep(parameters, key, z_left, sweeps):
    """(key, z_left, z_right) so many sweeps later."""
    a_left, a_right, W = parameters

    def once(_, carry):
        key, z_left, _ = carry
        key, right, left = _halves(key)
        z_right = _draw(right, z_left @ W + a_right)
        return key, _draw(left, z_right @ W.T + a_left), z_right

    return jax.lax.fori_loop(0, sweeps, once, (key, z_left, jnp.zeros((len(z_left), len(a_right)))))


def gibbs(a, W, chains, sweeps):
    """A function that takes persistent chains `sweeps` sweeps further and returns z (R, D)."""
    parameters, key = _parameters(a, W), jax.random.key(0)
    z_left = jax.random.bernoulli(key, 0.5, (chains, len(W))).astype(jnp.float32)

    def run():
        nonlocal key, z_left
        key, z_left, z_right = sweep(parameters, key, z_left, sweeps)
        z_right.block_until_ready()
        return np.concatenate([z_left, z_right], 1)

    return run


@partial(jax.jit, static_argnums=(2, 3))
def _ais(parameters, key, chains, temperatures):
    """(key, log w (R,)) of chains annealed from uniform states, in one compiled loop."""
    a_left, a_right, W = parameters
    inv_temps = jnp.linspace(0, 1, temperatures)

    def anneal(k, carry):
        key, z_left, log_w, lost = carry
        t, t_next = inv_temps[k], inv_temps[k + 1]
        h = z_left @ W + a_right
        gain = (t_next - t) * (z_left @ a_left) + (jax.nn.softplus(t_next * h) - jax.nn.softplus(t * h)).sum(1)
        gain -= lost  # compensated summation, for there is no float64 without a global switch
        total = log_w + gain
        key, right, left = _halves(key)
        z_right = _draw(right, t_next * h)
        return key, _draw(left, t_next * (z_right @ W.T + a_left)), total, (total - log_w) - gain

    zeros = jnp.zeros(chains)
    start = (key, jax.random.bernoulli(key, 0.5, (chains, len(W))).astype(jnp.float32), zeros, zeros)
    key, _, log_w, _ = jax.lax.fori_loop(0, temperatures - 1, anneal, start)
    return key, log_w


def ais(a, W, chains, temperatures):
    """A function that returns (log Z, standard error): uniform base, right side summed out."""
    parameters, state = _parameters(a, W), [jax.random.key(1)]

    def run():
        state[0], log_w = _ais(parameters, state[0], chains, temperatures)
        log_w = np.asarray(log_w, np.float64)
        w = np.exp(log_w - log_w.max())
        error = w.std() / w.mean() / math.sqrt(chains)
        return float(log_w.max() + np.log(w.mean())) + len(a) * math.log(2), error

    return run
