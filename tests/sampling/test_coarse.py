"""The quick path of the AVX-512 engine is never sure of a spin that it is not: margins over all field values.

The engine's own comparison runs on every field in 16 bits that there is. What it may say follows from the rule alone:
of a field between `least` and `most`, the spin is 1 for coarse bits below `surely(least)`, 0 from `possibly(most)` on,
and open in between, where the comparison has to pass it on.
"""

import numba
import numpy as np
import pytest
import spin_bounds
from enumeration import states
from spin_bounds import random_side

from dvae_ref.fast import scalars
from dvae_ref.sampling.engines import avx512, blocks, coarse, lanes

pytestmark = pytest.mark.skipif(not avx512.available(), reason="this CPU has no AVX-512, which engines.coarse is for")


# -- what the engine says ----------------------------------------------------------------------------------------------


@numba.njit
def _compare_all(values, random, units, margins, up, unsure):
    """lanes._compare of as many fields and random words, 640 at a time; units and margins: of five alike."""
    words, halves, _ = blocks.room()
    for first in range(0, len(values), 640):
        words[:640] = values[first : first + 640]
        words[640:1280] = random[first : first + 640]
        lanes._compare(words, halves, units, margins, 0)
        for i in range(640):
            up[first + i] = halves[16 * blocks.UP + i // 32] >> np.uint32(i % 32) & np.uint32(1)
            unsure[first + i] = halves[16 * blocks.UNSURE + i // 32] >> np.uint32(i % 32) & np.uint32(1)


def said(values, random, unit, margins):
    """(up, unsure) of 16-bit fields and random words."""
    size = -(-len(values) // 640) * 640
    padded = np.zeros((2, size), np.int16)
    padded[0, : len(values)], padded[1, : len(values)] = values, random.astype(np.uint16).view(np.int16)
    up, unsure = np.zeros((2, size), bool)
    _compare_all(*padded, np.repeat(unit, 5), np.tile(margins, 5).view(np.int16), up, unsure)
    return up[: len(values)], unsure[: len(values)]


def wrong(values, least, most, unit, margins):
    """How many of the decisive comparisons are wrong."""
    return spin_bounds.wrong(lambda fields, random: said(fields, random, unit, margins), values, least, most)


# -- the sides of machines ---------------------------------------------------------------------------------------------


def error_in_steps(side, u):
    """Of unit u's field in 16 bits: what `low` can add, half a ratio a group."""
    q = len(side.low)
    return side.low.shape[1] * int(side.units[coarse.UNITS * (u % q) + u // q]["ratio"] // 2)


def wrong_of(side, u, values, margins):
    """`wrong` of unit u for fields in 16 bits. One that has saturated may be anything further out."""
    q = len(side.low)
    at = coarse.UNITS * (u % q) + u // q
    unit, error = side.units[at : at + 1].copy(), error_in_steps(side, u)
    unit["offset"] = 0  # the values have it already
    whole = values.astype(np.int64) * unit["ratio"]
    least, most = (np.float32(np.clip(whole + sign * error, -(2**24), 2**24)) * unit["step"] for sign in (-1, 1))
    beyond = (np.abs(values.astype(int)) >= 32767) & (np.abs(whole) * unit["step"] >= coarse.CELL * (coarse.CELLS - 1))
    least = np.where(beyond & (values < 0), -scalars.FIELD_MAX, least)
    most = np.where(beyond & (values > 0), scalars.FIELD_MAX, most)
    return wrong(values, least, most, unit, margins[at])


ALL = np.arange(-(2**15), 2**15).astype(np.int16)
SIZES = [0.01, 0.1, 0.5, 2.0]


def wrong_with(thinner, size, values):
    """How many comparisons are wrong in a side of weights up to a size, with margins thinner by so many 65,536ths."""
    side = coarse.side(*random_side(size))
    assert side.margins.max() < 32766  # where one is cut off the side is not drawn so
    margins = np.maximum(side.margins.astype(int) - thinner, 0).astype(np.uint16)
    return sum(wrong_of(side, u, values, margins) for u in range(35))


@pytest.mark.parametrize("size", SIZES)
def test_margins_hold_at_a_sample_of_fields(size):
    """Every 61st, of 35 units of as many scales. The control: margins are not thick."""
    assert wrong_with(0, size, ALL[::61]) == 0
    assert wrong_with(3, size, ALL[::61]) > 0  # the control


@pytest.mark.release
@pytest.mark.parametrize("size", SIZES)
def test_margins_hold_at_every_field(size):
    assert wrong_with(0, size, ALL) == 0
    assert wrong_with(3, size, ALL) > 0


def test_margins_hold_where_exact_fields_are_rounded():
    """`draw_exactly` compares float32 fields in units of 2**-11, rounded towards 0 and cut off at 16."""
    values, unit = ALL[2:-1], lanes._ROUNDED[:1]
    margins = lanes._ROUNDED_MARGINS[: coarse.CELLS].astype(int)
    inner = np.where(values == 0, 1, np.sign(values)) * np.abs(values.astype(int))
    least, most = (np.float32((inner + np.where(sign * values >= 0, sign, 0)) / 2**11) for sign in (-1, 1))
    least[values <= -32765], most[values >= 32765] = -scalars.FIELD_MAX, scalars.FIELD_MAX
    assert wrong(values, least, most, unit, margins.astype(np.uint16)) == 0
    assert wrong(values, least, most, unit, np.maximum(margins - 3, 0).astype(np.uint16)) > 0


@pytest.mark.parametrize("size", SIZES)
def test_two_parts_are_the_exact_field(size):
    """All 4,096 states of 12 units: ratio (offset + high) + low is the exact field; without low it is off by `error` at
    most, and by half of that in some state, so that the margin is not for nothing."""
    W, a = random_side(size, 12, 11)
    side, z = coarse.side(W, a), states(12)
    q_out, q_in = side.high.shape[:2]
    groups = np.pad(z, ((0, 0), (0, 5 * q_in - 12))).reshape(-1, 5, q_in).transpose(0, 2, 1) @ (1 << np.arange(5))
    for u in range(11):
        unit = side.units[coarse.UNITS * (u % q_out) + u // q_out]
        high, low = (
            part[u % q_out, np.arange(q_in), u // q_out, groups.astype(int)].astype(np.int64).sum(1)
            for part in (side.high, side.low)
        )
        exact = (a[u].astype(np.float64) + z @ W[:, u].astype(np.float64)) / unit["step"]
        rough = unit["ratio"] * (unit["offset"] + high)
        np.testing.assert_array_equal(rough + low, exact)
        assert np.max(np.abs(rough - exact)) <= error_in_steps(side, u)
        assert np.max(np.abs(high)) < 2**15
        whole = np.abs(unit["offset"] + high)  # saturates in the last cell only
        assert np.all((whole < 2**15) | (whole * unit["ratio"] * unit["step"] >= coarse.CELL * (coarse.CELLS - 1)))
        assert unit["ratio"] == 1 or np.max(np.abs(rough - exact)) >= error_in_steps(side, u) / 2
