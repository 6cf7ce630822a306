"""The portable engine's comparison in 16 bits is never sure of a spin that it is not: margins over all field values."""

import numba
import numpy as np
import pytest
import spin_bounds
from enumeration import states
from spin_bounds import random_side

from dvae_ref.fast import scalars
from dvae_ref.sampling import gibbs, pcd, philox
from dvae_ref.sampling.engines import nibbles, portable, registers, rows
from dvae_ref.sampling.engines.path import Path
from dvae_ref.theory.boltzmann import RBM

EIGHT = 8 * registers.LANES
ALL = np.arange(-(2**15), 2**15).astype(np.int16)
SIZES = [0.01, 0.1, 0.5, 1.0, 20.0]
SATURATED = 32767


# -- what the engine says ----------------------------------------------------------------------------------------------


@numba.njit
def _compare_all(values, random, lanes, shift, up, unsure):
    """rows._compare of as many fields and random words, eight vectors at a time."""
    (words, open_lanes), spins = rows.room(), np.zeros(EIGHT // 4, np.uint8)
    for first in range(0, len(values), EIGHT):
        words[:EIGHT] = values[first : first + EIGHT]
        words[EIGHT : 2 * EIGHT] = random[first : first + EIGHT]
        rows._compare(words, lanes, 0, shift, spins, 0, registers.NIBBLES, open_lanes)
        for i in range(EIGHT):
            up[first + i] = spins[i // 4] >> i % 4 & 1
            unsure[first + i] = open_lanes[i // 32] >> np.uint32(i % 32) & np.uint32(1)


def said(values, random, unit, shift):
    """(up, unsure) of 16-bit fields and random words; unit: what `lanes` says of it, (ROWS,)."""
    padded = np.zeros((2, -(-len(values) // EIGHT) * EIGHT), np.int16)
    padded[0, : len(values)], padded[1, : len(values)] = values, random.astype(np.uint16).view(np.int16)
    lanes = np.repeat(unit[:, None], registers.LANES, 1)
    lanes[nibbles.OFFSET] = 0  # the values have it already
    lanes[nibbles.BIT] = 1 << np.arange(registers.LANES) % 4
    up, unsure = np.zeros(padded.shape, bool)
    _compare_all(*padded, lanes.reshape(-1), shift, up, unsure)
    return up[: len(values)], unsure[: len(values)]


# -- the sides of machines ---------------------------------------------------------------------------------------------


def lane_of(side, u):
    """(tile, lane) of unit u."""
    place = 4 * (u % side.q_out) + u // side.q_out
    return divmod(place, registers.LANES)


def wrong_of(side, u, values, thinner):
    """How many comparisons are wrong for fields in 16 bits of unit u. One that has saturated, beyond 8 nats, may be
    anything further out."""
    tile, lane = lane_of(side, u)
    unit, own = side.units[registers.LANES * tile + lane], side.lanes[tile, :, lane].copy()
    own[nibbles.LEAST] -= thinner
    error, whole = error_in_steps(side, u), values.astype(np.int64) * int(unit["ratio"])
    least, most = (np.float32(np.clip(whole + sign * error, -(2**24), 2**24)) * unit["step"] for sign in (-1, 1))
    beyond = (np.abs(values.astype(int)) >= SATURATED) & (np.abs(whole) * unit["step"] >= 8)
    least[beyond & (values < 0)], most[beyond & (values > 0)] = -scalars.FIELD_MAX, scalars.FIELD_MAX
    return spin_bounds.wrong(lambda fields, random: said(fields, random, own, side.shift), values, least, most)


def error_in_steps(side, u):
    """Of unit u's field in 16 bits: the sum over nibbles of the largest |low|."""
    tile, lane = lane_of(side, u)
    return int(np.sum(np.max(np.abs(side.low[tile, :, :, lane].astype(int)), 1)))


def wrong_with(thinner, size, values):
    """How many comparisons are wrong in a side of weights up to a size, with margins thinner by so many 65,536ths."""
    side = nibbles.side(*random_side(size))
    return sum(wrong_of(side, u, values, thinner) for u in range(35))


def test_margins_hold_at_a_sample_of_fields():
    """Every 61st, and the last of each side, of 35 units of as many scales; weights of 20 are drawn by exact fields."""
    values = np.concatenate([ALL[::61], ALL[:2], ALL[-2:]])
    usual = [size for size in SIZES if nibbles.side(*random_side(size)).settled < 1]
    assert usual == SIZES[:4]
    for size in usual:
        assert wrong_with(0, size, values) == 0


@pytest.mark.release
@pytest.mark.parametrize("size", SIZES[:4])
def test_margins_hold_at_every_field(size):
    assert wrong_with(0, size, ALL) == 0


@pytest.mark.parametrize("size", SIZES[1:4])
def test_control_margins_are_not_thick(size):
    assert wrong_with(3, size, ALL) > 0


@pytest.mark.parametrize("size", SIZES[:4])
def test_two_parts_are_the_exact_field(size):
    """All 4,096 states of 12 units: ratio (offset + high) + low is the exact field; without low it is off by half a
    ratio a nibble at most, which is what the margin is for."""
    W, a = random_side(size, 12, 11)
    side, z = nibbles.side(W, a), states(12)
    values = z.reshape(-1, 4, 3).transpose(0, 2, 1) @ (1 << np.arange(4))
    for u in range(11):
        tile, lane = lane_of(side, u)
        unit = side.units[registers.LANES * tile + lane]
        high, low = (
            part[tile, np.arange(3), values.astype(int), lane].astype(np.int64).sum(1) for part in (side.high, side.low)
        )
        exact = (a[u].astype(np.float64) + z @ W[:, u].astype(np.float64)) / unit["step"]
        rough = unit["ratio"] * (unit["offset"] + high)
        np.testing.assert_array_equal(rough + low, exact)
        assert np.max(np.abs(rough - exact)) <= 3 * (unit["ratio"] // 2)
        assert np.max(np.abs(high)) < 2**15


# -- where it is taken -------------------------------------------------------------------------------------------------


def rbm_of(size, shape=(40, 30)):
    rng = np.random.default_rng(8)
    return RBM(rng.normal(0, 1, sum(shape)).astype(np.float32), rng.normal(0, size, shape).astype(np.float32))


def tables(rbm):
    rbm = gibbs._exact(rbm)
    return portable.tables(Path(np.zeros_like(rbm.a), rbm.a, rbm.W))


def test_it_is_taken_where_fields_are_of_a_few_nats():
    assert all(side.settled < 0.005 for side in tables(rbm_of(0.3)).rough)
    assert tables(rbm_of(30)).rough is None
    with_base = portable.tables_batch(np.zeros((4, 5), np.float32), np.ones((2, 9), np.float32))
    assert with_base.rough is None


@pytest.mark.parametrize("row", [nibbles.LEAST, nibbles.ERROR])
def test_control_margins_that_are_left_out_are_seen(row, monkeypatch):
    """Those for the curve, and those for the error of the field: spins of the engine without them are others."""
    rbm, key = rbm_of(0.1, (400, 30)), philox.key(3)
    assert tables(rbm).rough
    state = pcd.init(key, rbm, 4000)
    wanted = gibbs.sweep_reference(key, state, rbm, 1)
    monkeypatch.setattr(gibbs.engines, "best", lambda: portable)
    assert same(gibbs.sweep(key, state, rbm, 1), wanted)
    plain = nibbles.side

    def thin(W, a):
        side = plain(W, a)
        side.lanes[:, row] = 0
        return side

    monkeypatch.setattr(nibbles, "side", thin)
    assert not same(gibbs.sweep(key, state, rbm, 1), wanted)


def same(found, wanted):
    return np.array_equal(found.left, wanted.left) and np.array_equal(found.right, wanted.right)
