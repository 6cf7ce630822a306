"""Block Gibbs with thrml, whose machines have spins s = 2 z - 1. Importing it needs thrml and jax."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from thrml import Block, SamplingSchedule, SpinNode, sample_states
from thrml.models import IsingEBM, IsingSamplingProgram


def gibbs(a, W, chains, sweeps):
    """A function that takes persistent chains `sweeps` sweeps further and returns z (R, D).

    z = (1 + s) / 2 makes the couplings W / 4 and the biases a / 2 + (sums of W over the other side) / 4. A machine is a
    graph of nodes here, a side a block of them; thrml draws one chain, and `vmap` many.
    """
    n_left, n_right = W.shape
    left = [SpinNode() for _ in range(n_left)]
    right = [SpinNode() for _ in range(n_right)]
    biases = a / 2 + np.concatenate([W.sum(1), W.sum(0)]) / 4
    edges = list(itertools.product(left, right))
    machine = IsingEBM(left + right, edges, jnp.asarray(biases), jnp.asarray(W.reshape(-1) / 4), jnp.array(1.0))
    blocks = [Block(right), Block(left)]
    program = IsingSamplingProgram(machine, blocks, [])
    schedule = SamplingSchedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)

    def of_one_chain(key, right, left):
        return sample_states(key, program, schedule, [right, left], [], blocks)

    @jax.jit
    def advance(key, right, left):
        key, *keys = jax.random.split(key, chains + 1)
        right, left = jax.vmap(of_one_chain)(jnp.stack(keys), right, left)
        return key, right.squeeze(1), left.squeeze(1)  # of n_samples, which is 1

    key = jax.random.key(2)
    state = key, jax.random.bernoulli(key, 0.5, (chains, n_right)), jax.random.bernoulli(key, 0.5, (chains, n_left))

    def run():
        nonlocal state
        state = advance(*state)
        _, right, left = state
        return np.concatenate([np.asarray(left, np.float32), np.asarray(right, np.float32)], 1)

    return run
