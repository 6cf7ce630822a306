"""Twin of dvae_ref.experiment.optimizer.step."""

import numpy as np

from dvae_ref.fast.elementary import OPTIONS
from dvae_ref.fast.jit import compiled
from dvae_ref.fast.shapes import alike


@compiled(**OPTIONS)
def _adam(p, g, m, v, decay, rate, beta1, rest1, beta2, rest2, epsilon, new_p, new_m, new_v):
    """Arrays of any one shape. Raveled here, where it costs nothing."""
    p, g, m, v = p.ravel(), g.ravel(), m.ravel(), v.ravel()
    new_p, new_m, new_v = new_p.reshape(-1), new_m.reshape(-1), new_v.reshape(-1)
    for i in range(p.size):
        slope = g[i] + decay * p[i]
        new_m[i] = beta1 * m[i] + rest1 * slope
        new_v[i] = beta2 * v[i] + rest2 * (slope * slope)
        new_p[i] = p[i] - rate * new_m[i] / (np.sqrt(new_v[i]) + epsilon)


def step(p, g, m, v, rate, beta1, beta2, epsilon, decay=0.0):
    if not alike(p, g, m, v):
        return NotImplemented
    # 1 - beta2 before it is rounded: it would lose 5e-5
    f = np.float32
    constants = f(decay), f(rate), f(beta1), f(1 - beta1), f(beta2), f(1 - beta2), f(epsilon)
    new = np.empty(p.shape, f), np.empty(p.shape, f), np.empty(p.shape, f)
    _adam(p, g, m, v, *constants, *new)
    return new
