"""The bits of a spin, one function at a time: against integer arithmetic in Python. (exp and the rest: test_philox.)"""

import numpy as np
import pytest

from dvae_ref.fast import scalars

WORDS = np.random.default_rng(3).integers(0, 2**32, 200, dtype=np.uint64)
U = 2.0**-23


@pytest.mark.parametrize("odd", [0, 1])
def test_halves_of_a_word(odd):
    """Low 16 bits for an even chain, high ones for an odd one."""
    found = scalars.half(WORDS, np.uint64(odd))
    assert found.tolist() == [int(word) >> 16 * odd & 0xFFFF for word in WORDS]


def test_fine_bits_are_the_leading_seven_of_sixteen():
    bits = np.arange(2**16, dtype=np.int32)
    assert scalars.fine_bits(bits).tolist() == [n // 2**9 for n in range(2**16)]


def test_a_spin_s_uniform_number_is_in_the_middle_of_its_cell():
    """(n + 1/2) / 2^23 with n = 128 coarse + fine, exact: all fine bits of the first, a middle and the last cell."""
    fine = np.arange(128, dtype=np.int32)
    for coarse in (0, 1, 0x8000, 0xFFFF):
        found = scalars.spin_uniform(np.int32(coarse), fine)
        assert found.dtype == np.float32
        assert found.tolist() == [(128 * coarse + n + 0.5) * U for n in range(128)]


@pytest.mark.parametrize("field", [-16.2, -5.0, -0.3, 0.0, 0.3, 5.0, 16.2])
def test_a_spin_that_is_sure_is_so_for_all_fine_bits(field):
    """Of coarse values near the threshold, each with all of its 128 fine ones, surely_up is all and possibly_up any."""
    e = scalars.exp_minus(np.float32(field))
    threshold = int(2**16 / (1 + np.exp(-field)))
    near = np.arange(threshold - 5, threshold + 6, dtype=np.int32)
    coarse = near[(near >= 0) & (near < 2**16)]
    spins = scalars.is_up(scalars.spin_uniform(coarse[:, None], np.arange(128, dtype=np.int32)), e)
    np.testing.assert_array_equal(scalars.surely_up(coarse, e), spins.all(1))
    np.testing.assert_array_equal(scalars.possibly_up(coarse, e), spins.any(1))
    assert np.sum(spins.any(1) != spins.all(1)) <= 1  # one cell holds the threshold
    assert len(set(spins.any(1))) == 2 or abs(field) > 10


@pytest.mark.parametrize("field", [-1000.0, -80.0, -79.0, 0.0, 80.0, 1e30])
def test_fields_are_clamped_at_80(field):
    exact = np.exp(-np.clip(field, -80, 80))
    assert scalars.exp_minus(np.float32(field)) == pytest.approx(exact, rel=2e-7)
