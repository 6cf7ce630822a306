"""What the rule of a spin says of 16 coarse bits alone: what quick comparisons are held to."""

import numpy as np

from dvae_ref.fast import scalars


def surely(f):
    """The number of coarse values for which a spin of field f is 1 whatever the fine bits are: all below it."""
    return _count(scalars.surely_up, f)


def possibly(f):
    """The number of coarse values for which it can be 1."""
    return _count(scalars.possibly_up, f)


def _count(up, f):
    """up(c, e) falls with c; its last c is near 65,536 sigmoid(f), which is good to far less than 2."""
    f = np.clip(f, -scalars.FIELD_MAX, scalars.FIELD_MAX)
    e = scalars.exp(-f)
    near = np.floor(65536 / (1 + np.exp(-f.astype(np.float64)))).astype(np.int32)
    around = np.clip(near + np.arange(-2, 3, dtype=np.int32)[:, None], -1, 65536)
    holds = (around < 0) | (around < 65536) & up(around, e)
    assert np.all(holds[0] | (around[0] >= 65535))
    assert not np.any(holds[-1] & (around[-1] >= 0))
    return np.max(np.where(holds, around, -1), 0) + 1
