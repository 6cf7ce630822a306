"""How a block of threads shares out a machine whose W fits into shared memory (`resident`), decided on the CPU."""

from typing import NamedTuple

import numpy as np

from dvae_ref.sampling.cuda import device
from dvae_ref.sampling.philox import CHAINS

LANES, WARPS = 32, 8  # threads of a warp; warps of a block at most
WIDEST = 4 * LANES * WARPS  # units to a side at most: a warp has one column
SUMS = 4 * CHAINS  # of a thread
ROOM = CHAINS + 1  # vectors for the sums of four units


class Plan(NamedTuple):
    """How a block of threads shares out a machine of 4 q_left x 4 q_right units."""

    q_left: int
    q_right: int
    vectors: int  # of four floats to a row of W
    shares_right: int  # of the units in, when the right side is drawn
    shares_left: int

    @property
    def threads(self):
        warps = max(_columns(self.q_right) * self.shares_right, _columns(self.q_left) * self.shares_left)
        return LANES, warps

    @property
    def shared(self):
        """Bytes of shared memory."""
        states = SUMS * (self.q_left + self.q_right)
        sums = max(self.shares_right * self.q_right, self.shares_left * self.q_left) * 4 * ROOM
        return 4 * (16 * self.q_left * self.vectors + states + sums)


def plan(n_left, n_right, besides=lambda plan: 0):
    """The Plan for a machine that a block can hold; None if it is too large, or one side too wide.

    besides: of a Plan, the bytes that are needed when the sweeps are done.
    """
    q_left, q_right = -(-n_left // 4), -(-n_right // 4)
    if 4 * max(q_left, q_right) > WIDEST:
        return None
    shares = (min(q_in, WARPS // _columns(q_out)) for q_in, q_out in ((q_left, q_right), (q_right, q_left)))
    found = Plan(q_left, q_right, q_right | 1, *shares)
    return found if max(found.shared, besides(found)) <= device.shared_memory() else None


def _columns(q):
    return -(-q // LANES)


def work(plan):
    """(side, warp, 4), int64, flat; left side first: the column and the share of every warp, and the units in of the
    share, 4 first .. 4 last - 1. Of a warp without work the share is -1."""
    table = np.full((2, plan.threads[1], 4), -1)
    sides = (plan.q_right, plan.q_left, plan.shares_left), (plan.q_left, plan.q_right, plan.shares_right)
    for rows, (q_in, q_out, shares) in zip(table, sides, strict=True):
        part, column = np.divmod(np.arange(shares * _columns(q_out)), _columns(q_out))
        rows[: len(part)] = np.stack([column, part, part * q_in // shares, (part + 1) * q_in // shares], -1)
    return table.reshape(-1)


def parameters(plan, W, *sides):
    """What a block reads of a machine, float32: W as it lies in shared memory, then values of all units, (left, right,
    padding) each: 4 q_left of the left side, 4 q_right of the right."""
    panel = np.zeros((4 * plan.q_left, 4 * plan.vectors), np.float32)
    panel[: W.shape[0], : W.shape[1]] = W
    values = [_filled(side, padding) for left, right, padding in sides for side in (left, right)]
    return np.concatenate([panel.reshape(-1), *values])


def _filled(values, padding):
    filled = np.full(-(-len(values) // 4) * 4, padding, np.float32)
    filled[: len(values)] = values
    return filled
