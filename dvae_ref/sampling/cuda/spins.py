"""A unit of eight chains, drawn on a GPU: what one Philox counter is for (`philox`), and one thread's work."""

import numpy as np
from numba import cuda, float32, uint64

from dvae_ref.fast import scalars
from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.philox import CHAINS, coarse_words, fine_words

_ONE, _WORDS = np.uint64(1), CHAINS // 2


@device.function
def draw(octet, unit, counter, field):
    """Bit c of the result is the unit of chain 8 octet + c, from its field[c]: (8,), float32, local.

    counter: sweep, side and the key's two words, uint64. If 16 bits do not decide for all of the eight, 7 more are
    drawn for all of them.
    """
    words, e = cuda.local.array(_WORDS, uint64), cuda.local.array(CHAINS, float32)
    _words_of(coarse_words, octet, unit, counter, words)
    most = least = np.uint32(0)
    for c in range(CHAINS):
        e[c] = scalars.exp_minus(field[c])
        coarse = scalars.half(words[c // 2], np.uint64(c) & _ONE)
        most |= np.uint32(scalars.possibly_up(coarse, e[c])) << np.uint32(c)
        least |= np.uint32(scalars.surely_up(coarse, e[c])) << np.uint32(c)
    if most != least:
        least = _settled(octet, unit, counter, words, e)
    return least


@device.function
def _settled(octet, unit, counter, words, e):
    """The spins that 16 bits of their uniform numbers leave open, decided by all 23."""
    more, up = cuda.local.array(_WORDS, uint64), np.uint32(0)
    _words_of(fine_words, octet, unit, counter, more)
    for c in range(CHAINS):
        odd = np.uint64(c) & _ONE
        fine = scalars.fine_bits(scalars.half(more[c // 2], odd))
        uniform = scalars.spin_uniform(scalars.half(words[c // 2], odd), fine)
        up |= np.uint32(scalars.is_up(uniform, e[c])) << np.uint32(c)
    return up


@device.function
def _words_of(function, octet, unit, counter, words):
    sweep, side, k0, k1 = counter
    words[0], words[1], words[2], words[3] = function(np.uint64(octet), sweep, side, np.uint64(unit), k0, k1)
