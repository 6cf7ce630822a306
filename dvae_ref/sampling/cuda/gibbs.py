"""Block Gibbs sampling on a GPU: a block of threads takes 16 chains through all sweeps, as chains never meet.

The kernel is `gibbs._sweep_blocks`: for each side in turn, fields by `tiles.add_up`, then `draw`. There is one barrier
more per side: its new states are read only after all of them were written.
"""

import numpy as np
from numba import cuda, float32

from dvae_ref.fast import scalars
from dvae_ref.sampling import fields
from dvae_ref.sampling.cuda import device, tiles
from dvae_ref.sampling.cuda.device import VECTOR
from dvae_ref.sampling.cuda.tiles import BLOCK_CHAINS, CHAINS, INPUTS, LANES, OUTPUTS, SUMS, THREADS
from dvae_ref.sampling.gibbs import LEFT, RIGHT
from dvae_ref.sampling.philox import DOMAIN_GIBBS, philox


def sweep(left, right, rbm, start, sweeps, key):
    """(left, right) after sweeps number start, start + 1, ...; nibbles (R, q), an RBM with exact fields."""
    n_left = len(rbm.W)
    to_right = tiles.panel(rbm.W), tiles.columns(rbm.a[n_left:], fields.NEVER)
    to_left = tiles.panel(rbm.W.T), tiles.columns(rbm.a[:n_left], fields.NEVER)
    left, right = device.put(left), device.put(right)
    parameters = [device.put(values) for values in (*to_right, *to_left)]
    blocks = -(-left.shape[0] // BLOCK_CHAINS)
    words = np.uint64(key.k0), np.uint64(key.k1)
    device.launch(sweep_kernel, blocks, THREADS, left, right, *parameters, start, sweeps, *words)
    return device.get(left), device.get(right)


@cuda.jit
def sweep_kernel(left, right, to_right, a_right, to_left, a_left, start, sweeps, k0, k1):
    """left, right: (R, q), uint8; to_*: `tiles.panel`; a_*: `tiles.columns`; start, sweeps: int64; k0, k1: uint64."""
    tile = cuda.shared.array((INPUTS, OUTPUTS), float32, VECTOR)
    bits = cuda.shared.array((INPUTS, BLOCK_CHAINS), float32, VECTOR)
    sums = cuda.local.array(SUMS, float32)
    for t in range(start, start + sweeps):
        _half_sweep(left, right, (to_right, a_right), (np.uint64(t), RIGHT, k0, k1), (tile, bits), sums)
        _half_sweep(right, left, (to_left, a_left), (np.uint64(t), LEFT, k0, k1), (tile, bits), sums)


@device.function
def _half_sweep(source, target, side, counter, shared, sums):
    """Draw the units of `target` given those of `source`."""
    weights, offsets = side
    first_chain = BLOCK_CHAINS * device.block()[0]
    for column in range(0, target.shape[1], LANES):
        tiles.add_up(source, weights, offsets, first_chain, column, shared, sums)
        for c in range(CHAINS):
            chain = first_chain + CHAINS * device.thread()[1] + c
            draw(target, chain, column, counter, (sums[4 * c], sums[4 * c + 1], sums[4 * c + 2], sums[4 * c + 3]))
    cuda.syncthreads()


@device.function
def draw(target, chain, column, counter, field):
    """Nibble column + x of a chain from the fields of its four units: as `gibbs.flip`, from the same counter."""
    t, side, k0, k1 = counter
    g = column + device.thread()[0]
    words = philox(np.uint64(chain * target.shape[1] + g), t, side, DOMAIN_GIBBS, k0, k1)
    e0, e1 = scalars.exp_minus(field[0]), scalars.exp_minus(field[1])
    e2, e3 = scalars.exp_minus(field[2]), scalars.exp_minus(field[3])
    nibble = scalars.nibble(words, e0, e1, e2, e3)
    if g < target.shape[1] and chain < target.shape[0]:
        target[chain, g] = nibble
