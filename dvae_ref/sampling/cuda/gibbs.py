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
from dvae_ref.sampling.philox import LEFT, RIGHT, coarse_words, fine_words


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
        draw(target, first_chain + CHAINS * device.thread()[1], column, counter, sums)
    cuda.syncthreads()


@device.function
def draw(target, chain, column, counter, fields):
    """Nibble column + x of chains chain, ..., chain + 3, from fields[4 c + k] of unit k of chain c.

    A counter serves eight chains: four of them are words 0 and 1, or 2 and 3.
    """
    q, g = target.shape[1], column + device.thread()[0]
    nibble0 = nibble1 = nibble2 = nibble3 = np.uint32(0)
    for k in range(4):
        f0, f1, f2, f3 = fields[k], fields[4 + k], fields[8 + k], fields[12 + k]
        up0, up1, up2, up3 = _spins(chain, np.uint64(k * q + g), counter, (f0, f1, f2, f3))
        nibble0 |= up0 << np.uint32(k)
        nibble1 |= up1 << np.uint32(k)
        nibble2 |= up2 << np.uint32(k)
        nibble3 |= up3 << np.uint32(k)
    if g < q:
        _store(target, chain, g, nibble0)
        _store(target, chain + 1, g, nibble1)
        _store(target, chain + 2, g, nibble2)
        _store(target, chain + 3, g, nibble3)


@device.function
def _store(target, chain, g, nibble):
    if chain < target.shape[0]:
        target[chain, g] = nibble


@device.function
def _spins(chain, unit, counter, field):
    """A unit of four chains, uint32: by 16 bits, and by 7 more where any of them needs these."""
    low, high = _pair(coarse_words, chain, unit, counter)
    odd, even = np.uint64(1), np.uint64(0)
    c0, c1, c2, c3 = (
        scalars.half(low, even),
        scalars.half(low, odd),
        scalars.half(high, even),
        scalars.half(high, odd),
    )
    e0, e1 = scalars.exp_minus(field[0]), scalars.exp_minus(field[1])
    e2, e3 = scalars.exp_minus(field[2]), scalars.exp_minus(field[3])
    f0 = f1 = f2 = f3 = np.int32(0)
    if _unsure(c0, e0) or _unsure(c1, e1) or _unsure(c2, e2) or _unsure(c3, e3):
        low, high = _pair(fine_words, chain, unit, counter)
        f0, f1 = scalars.fine_bits(scalars.half(low, even)), scalars.fine_bits(scalars.half(low, odd))
        f2, f3 = scalars.fine_bits(scalars.half(high, even)), scalars.fine_bits(scalars.half(high, odd))
    return _up(c0, f0, e0), _up(c1, f1, e1), _up(c2, f2, e2), _up(c3, f3, e3)


@device.function
def _pair(words, chain, unit, counter):
    """The two words of chains chain, ..., chain + 3."""
    sweep, side, k0, k1 = counter
    w0, w1, w2, w3 = words(np.uint64(chain // 8), sweep, side, unit, k0, k1)
    return (w0, w1) if chain % 8 == 0 else (w2, w3)


@device.function
def _unsure(coarse, e):
    return scalars.possibly_up(coarse, e) != scalars.surely_up(coarse, e)


@device.function
def _up(coarse, fine, e):
    return np.uint32(scalars.is_up(scalars.spin_uniform(coarse, fine), e))
