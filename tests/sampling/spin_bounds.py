"""What the rule of a spin says of 16 coarse bits alone: what quick comparisons are held to, on sides of all scales."""

import numpy as np

from dvae_ref.fast import scalars
from dvae_ref.sampling import fields
from dvae_ref.theory.boltzmann import RBM


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


def wrong(said, values, least, most):
    """How many decisive comparisons are wrong: said(values, random) -> (up, unsure), of fields in `least` to `most`.

    The comparison is sure of 1 up to some coarse value, and of 0 from another one on. So it is right everywhere if it
    is at the last value that is surely 1, at the first and the last that are open, and at the first that is surely 0.
    """
    sure, open_ = surely(least), possibly(most)
    never, found = np.zeros(len(sure), bool), 0
    for random, is_one, is_zero in (
        (np.zeros_like(sure), sure > 0, open_ == 0),
        (sure - 1, sure > 0, never),
        (sure, never, sure >= open_),
        (open_ - 1, sure >= open_, never),
        (open_, never, open_ < 65536),
        (np.full_like(sure, 65535), sure > 65535, open_ < 65536),
    ):
        there = (random >= 0) & (random < 65536)
        up, unsure = said(values[there], random[there])
        found += np.sum(~unsure & np.where(up, ~is_one[there], ~is_zero[there]))
    return found


def random_side(size, n_in=200, n_out=35):
    """Weights of all sizes up to `size`, another one in each column: fields in 16 bits have many units."""
    rng = np.random.default_rng(int(1000 * size))
    W = rng.normal(0, 1, (n_in, n_out)) * np.geomspace(size / 50, size, n_out)
    a = rng.normal(0, 1, n_out) - W.sum(0) / 2
    rbm, _ = fields.exact_fields(RBM(np.concatenate([np.zeros(n_in), a]), W))
    return rbm.W, rbm.a_right
