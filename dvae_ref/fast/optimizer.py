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
    """The bits of the largest |new_p|, which are in the order of the numbers, NaN above infinity."""
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
        old, new = (p[n], g[n], m[n], v[n]), (new_p[n], new_m[n], new_v[n])
        largest = max(largest, _adam(*old, *new, decays[n], rate, beta1, rest1, beta2, rest2, epsilon))
    return largest


def steps(p, g, m, v, decays, rate, beta1, beta2, epsilon):
    if not len(p) == len(g) == len(m) == len(v) == len(decays) or not all(map(_fit, p, g, m, v)):
        return NotImplemented
    f = np.float32  # 1 - beta2 before it is rounded: it would lose 5e-5
    constants = f(rate), f(beta1), f(1 - beta1), f(beta2), f(1 - beta2), f(epsilon)
    new = [tuple(np.empty(a.shape, f) for a in p) for _ in range(3)]
    largest, flat = np.int32(0), [[a.reshape(-1) for a in arrays] for arrays in (p, g, m, v, *new)]
    for first in range(0, len(p), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        left_out = _AT_ONCE - len(p[some])
        arrays = [(*array[some], *[_NONE] * left_out) for array in flat]
        strengths = np.array([*decays[some], *[0] * left_out], f)
        largest = max(largest, _all(*arrays, strengths, *constants))
    return *new, bool(largest < _INFINITE)


def _fit(p, g, m, v):
    """Whether these are float32 of one shape, not (), in contiguous rows that may be written to."""
    shape = getattr(p, "shape", ())
    return shape != () and all(plain(a) and a.shape == shape and a.flags.carray for a in (p, g, m, v))
