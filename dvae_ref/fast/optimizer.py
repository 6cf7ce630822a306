"""Twin of dvae_ref.runs.optimizer.steps: a pass over all arrays."""

import numpy as np

from dvae_ref.fast.elementary import OPTIONS
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.muladd import muladd
from dvae_ref.fast.shapes import plain

_AT_ONCE = 24  # arrays to a call, each of which costs some microseconds
_NONE = np.empty(0, np.float32)
_MAGNITUDE, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)


@compiled(**OPTIONS)
def _adam(p, g, m, v, new_p, new_m, new_v, decay, rate, beta1, rest1, beta2, rest2, epsilon):
    """Adam's step for an array of n numbers, with rest = 1 - beta and decay that of the weights:

        slope = g + decay p,  new_m = beta1 m + rest1 slope,  new_v = beta2 v + rest2 slope^2,
        new_p = p - rate new_m / (sqrt(new_v) + epsilon).

    Returns the bits of the largest |new_p|, which are in the order of the numbers, NaN above infinity.
    """
    largest = np.int32(0)
    for i in range(p.size):
        slope = g[i] + decay * p[i]
        new_m[i] = muladd(beta1, m[i], rest1 * slope)
        new_v[i] = muladd(beta2, v[i], rest2 * (slope * slope))
        new_p[i] = p[i] - rate * new_m[i] / (np.sqrt(new_v[i]) + epsilon)
        bits = np.float32(new_p[i]).view(np.int32) & _MAGNITUDE
        largest = bits if bits > largest else largest
    return largest


@compiled(**OPTIONS)
def _all(p, g, m, v, new_p, new_m, new_v, decays, rate, beta1, rest1, beta2, rest2, epsilon):
    """_adam of tuples of arrays."""
    largest = np.int32(0)
    for n in range(len(p)):
        steps = rate, beta1, rest1, beta2, rest2, epsilon
        bits = _adam(p[n], g[n], m[n], v[n], new_p[n], new_m[n], new_v[n], decays[n], *steps)
        largest = max(largest, bits)
    return largest


def steps(p, g, m, v, decays, rate, beta1, beta2, epsilon):
    if not len(p) == len(g) == len(m) == len(v) == len(decays) or not all(map(_fit, p, g, m, v)):
        return NotImplemented
    f = np.float32  # 1 - beta2 before it is rounded: it would lose 5e-5
    constants = f(rate), f(beta1), f(1 - beta1), f(beta2), f(1 - beta2), f(epsilon)
    new_p, new_m, new_v = _room(p), _room(p), _room(p)
    flat = [_flat(arrays) for arrays in (p, g, m, v, new_p, new_m, new_v)]
    largest = np.int32(0)
    for first in range(0, len(p), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        arrays = [_filled_up(of_a_kind[some], _NONE) for of_a_kind in flat]
        strengths = np.array(_filled_up(decays[some], 0), f)
        largest = max(largest, _all(*arrays, strengths, *constants))
    return new_p, new_m, new_v, bool(largest < _INFINITE)


def _room(arrays):
    """Arrays of these shapes, not yet written."""
    return tuple(np.empty(array.shape, np.float32) for array in arrays)


def _flat(arrays):
    """Views of the arrays as vectors."""
    return tuple(array.reshape(-1) for array in arrays)


def _filled_up(some, filler):
    """A tuple of _AT_ONCE elements, for which _all is compiled: these, and as many fillers as are missing."""
    return tuple(some) + (filler,) * (_AT_ONCE - len(some))


def _fit(p, g, m, v):
    """Whether these are float32 of one shape, not (), in contiguous rows that may be written to."""
    shape = getattr(p, "shape", ())
    return shape != () and all(plain(a) and a.shape == shape and a.flags.carray for a in (p, g, m, v))
