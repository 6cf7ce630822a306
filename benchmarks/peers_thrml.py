"""Block Gibbs with thrml, whose machines have spins s = 2 z - 1. Importing it needs thrml and jax."""

import jax
import jax.numpy as jnp
import numpy as np
from thrml import Block, SamplingSchedule, SpinNode, sample_states
from thrml.models import IsingEBM, IsingSamplingProgram


def gibbs(a, W, chains, sweeps):
    """A function that takes persistent chains `sweeps` sweeps further and returns z (R, D).

    z = (1 + s) / 2 makes the couplings W / 4 and the biases a / 2 + (sums of W over the other side) / 4.
    """
    n_left, n_right = W.shape
    nodes = [SpinNode() for _ in range(n_left + n_right)]
    left, right = nodes[:n_left], nodes[n_left:]
    biases = a / 2 + np.concatenate([W.sum(1), W.sum(0)]) / 4
    edges = [(u, v) for u in left for v in right]
    machine = IsingEBM(nodes, edges, jnp.asarray(biases), jnp.asarray(W.reshape(-1) / 4), jnp.array(1.0))
    blocks = [Block(right), Block(left)]
    program = IsingSamplingProgram(machine, blocks, [])
    schedule = SamplingSchedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)

    @jax.jit
    def advance(key, states):
        keys = jax.random.split(key, chains + 1)
        drawn = jax.vmap(lambda k, *state: sample_states(k, program, schedule, list(state), [], blocks))
        return keys[0], [value[:, 0] for value in drawn(keys[1:], *states)]

    key = jax.random.key(2)
    state = [key, [jax.random.bernoulli(key, 0.5, (chains, len(block.nodes))) for block in blocks]]

    def run():
        state[:] = advance(*state)
        z_right, z_left = (np.asarray(value, np.float32) for value in state[1])
        return np.concatenate([z_left, z_right], 1)

    return run
