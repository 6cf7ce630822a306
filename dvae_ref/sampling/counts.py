"""How often units, and pairs of units of the two sides, are 1 together in packed chains: AND and popcount of bits.

A unit's states in 64 chains are a word; the words of a pair have as many common bits as there are chains in which both
are 1. Counts are exact; the readable form is z_left' z_right.
"""

import numpy as np
from numba.extending import register_jitable

from dvae_ref.fast.jit import compiled
from dvae_ref.sampling import fields

_WORD = 64  # chains
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES, _TOP = np.uint64(0x0101010101010101), np.uint64(56)


def counts(left, right, n_left, n_right):
    """(of units (D,), of pairs (D_left, D_right)), int64, of packed sides (R, q), uint8; ValueError if they are not."""
    fields.check_packed(left, n_left, "left")
    fields.check_packed(right, n_right, "right")
    if len(left) != len(right):
        raise ValueError(f"need as many chains left as right; got {len(left)} and {len(right)}")
    words_left, words_right = _words(left), _words(right)
    pairs = np.zeros((n_left, n_right), np.int64)
    _pairs(words_left, words_right, pairs)
    units = (np.bitwise_count(words).sum(0, dtype=np.int64) for words in (words_left, words_right))
    return np.concatenate([found[:n] for found, n in zip(units, (n_left, n_right), strict=True)]), pairs


def _words(nibbles):
    """(words, units), those that only pad the last nibbles too: bit c % 64 of word c // 64 is chain c."""
    out = np.zeros((-(-len(nibbles) // _WORD), 4, nibbles.shape[1]), np.uint64)
    _fill(np.ascontiguousarray(nibbles), out)
    return out.reshape(len(out), -1)


@compiled(nogil=True)
def _fill(nibbles, out):
    """Bit k of nibble g is unit k q + g."""
    for c in range(len(nibbles)):
        row, words, place = nibbles[c], out[c // _WORD], np.uint64(c % _WORD)
        words0, words1, words2, words3 = words[0], words[1], words[2], words[3]
        for g in range(row.size):
            nibble = np.uint64(row[g])
            words0[g] |= (nibble & np.uint64(1)) << place
            words1[g] |= (nibble >> np.uint64(1) & np.uint64(1)) << place
            words2[g] |= (nibble >> np.uint64(2) & np.uint64(1)) << place
            words3[g] |= (nibble >> np.uint64(3)) << place


@compiled(nogil=True)
def _pairs(left, right, out):
    """left (words, units), right (words, units): the loop over right units is vectorised."""
    for i in range(len(out)):
        row = out[i]
        for w in range(len(left)):
            own, others = left[w, i], right[w]
            for j in range(row.size):
                row[j] += np.int64(_bits(own & others[j]))


@register_jitable(forceinline=True)
def _bits(word):
    """How many bits of a word are 1; compilers know this form of it."""
    word = word - (word >> np.uint64(1) & _M1)
    word = (word & _M2) + (word >> np.uint64(2) & _M2)
    word = word + (word >> np.uint64(4)) & _M4
    return word * _BYTES >> _TOP
