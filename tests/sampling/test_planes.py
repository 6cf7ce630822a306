"""The portable engine's quick comparison is never sure of a spin that it is not, and sure of nearly all."""

import numpy as np
from spin_bounds import possibly, surely

from dvae_ref.sampling.engines import planes

RNG = np.random.default_rng(4)
FIELDS = np.concatenate(
    [
        np.linspace(-21, 21, 300_001),
        RNG.uniform(-12, 12, 300_000),
        RNG.normal(0, 1e-3, 1000),
        [-128, -1e4, 1e4, -0.0, 0],
    ]
).astype(np.float32)


def wrong(f, rule, shift=0):
    """How many sure answers are wrong: of the last c that is surely 1, of the first and last that are open, and of the
    first that is surely 0 (the comparison is sure of 1 below some c, and of 0 above another one)."""
    sure, open_ = surely(rule), possibly(rule)
    found = 0
    for c in (sure - 1, sure, open_ - 1, open_, np.zeros_like(sure), np.full_like(sure, 65535)):
        there = (c >= 0) & (c < 65536)
        spins = np.zeros(len(f), np.uint8)
        planes._compare(spins, f, np.clip(c + shift, 0, 65535).astype(np.uint16))
        found += np.sum(there & ((spins == 1) & (c >= sure) | (spins == 0) & (c < open_)))
    return found


def test_what_is_sure_is_so():
    assert wrong(FIELDS, FIELDS) == 0
    inner = FIELDS[np.abs(FIELDS) < 8]
    off = inner + np.float32(4e-4)  # moves 65,536 sigmoid(f) by up to 7, and by 0.02 at 8
    assert wrong(off, inner) > 1000
    assert wrong(inner, inner, shift=1) > 1000


def test_few_spins_are_left_open():
    """1.5 values of c in 65,536, for fields that the machine draws; so settling costs nothing."""
    f = RNG.normal(0, 3, 2_000_000).astype(np.float32)
    spins = np.zeros(len(f), np.uint8)
    planes._compare(spins, f, RNG.integers(0, 65536, len(f)).astype(np.uint16))
    assert 10 < np.sum(spins == 2) < 2 * 1.5 / 65536 * len(f)
    assert abs(np.mean(spins == 1) - 0.5) < 0.01


def test_planes_hold_every_unit_once():
    """Unit k q + g at k p + g, p the multiple of 8 from q on."""
    row = planes.in_planes(np.arange(1, 38, dtype=np.float32), -1)
    assert row.shape == (64,)
    units = np.array([k * 16 + g for k in range(4) for g in range(10)][:37])
    np.testing.assert_array_equal(row[units], np.arange(1, 38))
    assert np.sum(row == -1) == 64 - 37
