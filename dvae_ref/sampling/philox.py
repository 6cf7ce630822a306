"""Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011).

A block cipher turns (counter, key) into four 32-bit words. A random number is therefore a function of what it
is for (key, index), never of how many were drawn before or by which thread.

The last word of a counter is its domain, which keeps the three uses of one key apart. Uniform numbers take the counter
(index, index >> 32, 0, domain). Spins take

    (chain // 8, sweep, side + 2 fine + 4 unit, domain),    side: 0 right, 1 left; fine: 0, or 1 for the second counter,

and a counter serves the chains 8 n, ..., 8 n + 7 of one unit with 16 bits each: chain 8 n + i has a half of word
i // 2, the low one for even i, the high one for odd i.
Derived in docs/derivations/09-sampling.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from dvae_ref.arrays import Array
from dvae_ref.fast import scalars
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.tasks import share_out, take
from dvae_ref.theory import domains

Word = np.uint64 | Array  # that holds 32-bit words
DOMAIN_GIBBS, DOMAIN_UNIFORM, DOMAIN_KEY = np.uint64(0), np.uint64(1), np.uint64(2)
RIGHT, LEFT = np.uint64(0), np.uint64(1)  # the side of a spin's counter
CHAINS = 8  # that a spin's counter serves
MOST_CHAINS, MOST_UNITS = CHAINS * 2**32, 2**30  # what a counter has room for
STREAMS = 2  # the version of all this: it changes when the same key gives other numbers (1: dvae_ref 0.1)

_WORD = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_FINE, _UNIT = np.uint64(2), np.uint64(2)  # what a fine counter adds to the side; the bits below the unit
_ZERO = np.uint64(0)
_MULTIPLIER_0, _MULTIPLIER_2 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_CHUNK = 16384  # counters to a task: 30 microseconds of work, as much as another thread takes to begin


class Key(NamedTuple):
    """The two 32-bit words of a Philox key."""

    k0: int
    k1: int


def key(seed: int) -> Key:
    """The key of a seed, a whole number 0 <= seed < 2**64: ValueError beyond, TypeError for another type.

    >>> key(2**32 + 7)
    Key(k0=7, k1=1)
    """
    return Key(*_words(seed, "a seed"))


def fold_in(key: Key, *data: int) -> Key:
    """A new key for each sequence of integers 0 <= data < 2**64: one role, sweep or restart apiece.

    ValueError for other integers, TypeError for what is none, or no key.
    """
    check(key)
    for item in data:
        counter = [np.uint64(word) for word in _words(item, "what is folded into a key")]
        words = philox(*counter, _ZERO, DOMAIN_KEY, np.uint64(key.k0), np.uint64(key.k1))
        key = Key(int(words[0]), int(words[1]))
    return key


def check(key: Key) -> None:
    """TypeError unless this is a Key, ValueError unless its words are of 32 bits."""
    if not isinstance(key, Key):
        raise TypeError(f"a sampler takes a key, such as philox.key(0); got {key!r}")
    for name, word in zip(Key._fields, key, strict=True):
        domains.whole(f"a key's {name}", word, 0, 2**32 - 1)


def _words(value, name):
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    value = int(value)
    if not 0 <= value < 2**64:
        raise ValueError(f"{name} must lie in 0 <= value < 2**64; got {value}")
    return value & 0xFFFFFFFF, value >> 32


@register_jitable(forceinline=True)
def philox(c0: Word, c1: Word, c2: Word, c3: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """Four random words from a counter and a key; all are uint64 that hold 32-bit words (scalars or
    arrays)."""
    # masks show the compiler that all products are of 32 by 32 bits
    c0, c1, c2, c3 = c0 & _WORD, c1 & _WORD, c2 & _WORD, c3 & _WORD
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_2 = _MULTIPLIER_2 * c2
        c0 = (product_2 >> _SHIFT) ^ c1 ^ k0
        c2 = (product_0 >> _SHIFT) ^ c3 ^ k1
        c1 = product_2 & _WORD
        c3 = product_0 & _WORD
        k0 = (k0 + _WEYL_0) & _WORD
        k1 = (k1 + _WEYL_1) & _WORD
    return c0, c1, c2, c3


@register_jitable(forceinline=True)
def coarse_words(octet: Word, sweep: Word, side: Word, unit: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """The 16 bits of each of the chains 8 octet, ..., 8 octet + 7, two to a word; all uint64, k0 and k1 the key."""
    return philox(octet, sweep, side | unit << _UNIT, DOMAIN_GIBBS, k0, k1)


@register_jitable(forceinline=True)
def fine_words(octet: Word, sweep: Word, side: Word, unit: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """16 more, of which the leading 7 count, for spins that the first do not decide (`scalars.surely_up`)."""
    return philox(octet, sweep, side | _FINE | unit << _UNIT, DOMAIN_GIBBS, k0, k1)


@register_jitable(forceinline=True)
def spin(
    field: np.float32, bits: np.int32, chain: np.int64, sweep: Word, side: Word, unit: Word, k0: Word, k1: Word
) -> bool:
    """The rule: 1 with probability sigmoid(field), from the 16 bits that the chain has of `coarse_words` (int32), and
    from 7 of `fine_words` if these do not decide; chain: int64, the other counters and the key uint64."""
    e = scalars.exp_minus(field)
    up = scalars.surely_up(bits, e)
    if up == scalars.possibly_up(bits, e):
        return up
    words = fine_words(np.uint64(chain // CHAINS), sweep, side, unit, k0, k1)
    own = scalars.half(words[chain % CHAINS // 2], np.uint64(chain % 2))
    return scalars.is_up(scalars.spin_uniform(bits, scalars.fine_bits(own)), e)


@register_jitable
def whole_counters(chains: int) -> int:
    """How many chain numbers a machine takes in a batch of machines: whole counters of 8."""
    return (chains + CHAINS - 1) // CHAINS * CHAINS


def uniform(key: Key, shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32) -> Array:
    """Independent uniform numbers in the open interval (0, 1), as many as `shape` holds.

    float32: (n + 1/2) / 2**23 with n of 23 bits, four to a counter; float64: (n + 1/2) / 2**52 with n of 52 bits, two
    to a counter. Neither 0 nor 1 can occur. The same for any number of threads. ValueError for another dtype or a
    negative length, TypeError for a key that is none.

    >>> u = uniform(key(0), (2, 3))
    >>> u.shape, u.dtype, bool(np.all((u > 0) & (u < 1)))
    ((2, 3), dtype('float32'), True)
    """
    check(key)
    fills = {np.dtype(np.float32): (_fill_float32, 4), np.dtype(np.float64): (_fill_float64, 2)}
    if np.dtype(dtype) not in fills:
        raise ValueError(f"uniform numbers come as float32 or float64; got dtype {np.dtype(dtype)}")
    fill, per_counter = fills[np.dtype(dtype)]
    shape = [domains.whole("a shape's length", n) for n in ((shape,) if np.ndim(shape) == 0 else shape)]
    size = math.prod(shape)
    out = np.empty((per_counter, -(-size // per_counter)), dtype)  # word k of counter i stands at [k, i]
    share_out(fill, out.shape[1], _CHUNK, out, np.uint64(key.k0), np.uint64(key.k1))
    return out.reshape(-1)[:size].reshape(shape)


@compiled(nogil=True)
def _fill_float32(counter, width, out, k0, k1):
    first = width * take(counter)
    while first < out.shape[1]:
        part0, part1 = out[0, first : first + width], out[1, first : first + width]
        part2, part3 = out[2, first : first + width], out[3, first : first + width]
        for i in range(part0.size):
            index = np.uint64(first) + np.uint64(i)
            w0, w1, w2, w3 = philox(index, index >> _SHIFT, _ZERO, DOMAIN_UNIFORM, k0, k1)
            part0[i] = scalars.uniform(w0)
            part1[i] = scalars.uniform(w1)
            part2[i] = scalars.uniform(w2)
            part3[i] = scalars.uniform(w3)
        first = width * take(counter)


@compiled(nogil=True)
def _fill_float64(counter, width, out, k0, k1):
    first = width * take(counter)
    while first < out.shape[1]:
        part0, part1 = out[0, first : first + width], out[1, first : first + width]
        for i in range(part0.size):
            index = np.uint64(first) + np.uint64(i)
            w0, w1, w2, w3 = philox(index, index >> _SHIFT, _ZERO, DOMAIN_UNIFORM, k0, k1)
            part0[i] = scalars.uniform_double(w0, w1)
            part1[i] = scalars.uniform_double(w2, w3)
        first = width * take(counter)
