"""Steps of exact fields by hand, how far fields may reach, and what may be packed."""

import numpy as np
import pytest

from dvae_ref.sampling import fields
from dvae_ref.theory.boltzmann import RBM


def test_steps_are_the_least_powers_of_two_of_which_2_to_the_24_are_more():
    reach = np.array([0, 2.0**-4, 2.0**-3, 1, 1.999, 2, 2.0**14])
    np.testing.assert_array_equal(np.log2(fields.steps(reach)), [-27, -27, -26, -23, -23, -22, -9])
    below = np.nextafter(2.0**-3, 0)
    assert fields.steps(np.array([below])) == 2.0**-27


def test_reach_is_of_all_that_meets_in_a_unit():
    a, W = np.array([-1.0, 2, 3, -4, 5]), np.array([[1.0, -2, 3], [10, 20, -30]])
    np.testing.assert_array_equal(fields.reach(a, W), [7, 62, 14, 26, 38])


def test_fields_may_reach_to_below_2_to_the_14():
    a = np.array([fields.MAX_FIELD - 2, 0])
    rounded, own = fields.exact_fields(RBM(a, np.ones((1, 1))))
    assert rounded.a[0] == 2**14 - 2
    np.testing.assert_array_equal(np.log2(own), [-10, -23])
    with pytest.raises(ValueError, match=r"can reach 1\.64e\+04"):
        fields.exact_fields(RBM(a + 1, np.ones((1, 1))))


def test_a_step_is_doubled_where_rounding_makes_a_sum_too_large():
    """2 - 2**-26 is below 2, and 2 when it is rounded to 2**-23: then 2**24 steps are no more than it."""
    rounded, own = fields.exact_fields(RBM(np.array([2 - 2.0**-26, 0]), np.zeros((1, 1))))
    assert (rounded.a[0], own[0], own[1]) == (2, 2.0**-22, 2.0**-27)


def test_units_are_packed_by_quarters():
    """Of 6 units: 0, 2, 4 in the first nibble's bits, 1, 3, 5 in the second's."""
    assert fields.pack(np.eye(6)).tolist() == [[1, 0], [0, 1], [2, 0], [0, 2], [4, 0], [0, 4]]


@pytest.mark.parametrize(
    ("nibbles", "message"),
    [
        (np.zeros((3, 2)), r"x must be uint8 of shape \(R, 2\), 5 units; got float64"),
        (np.zeros(2, np.uint8), r"got uint8 \(2,\)"),
        (np.zeros((3, 3), np.uint8), r"got uint8 \(3, 3\)"),
        (np.uint8([[7, 3], [7, 11]]), "x has bits that are no units: 11 in a nibble"),
        (np.uint8([[16, 3]]), "x has bits that are no units: 16 in a nibble"),
    ],
)
def test_what_is_no_packed_state_is_refused(nibbles, message):
    fields.check_packed(np.uint8([[7, 3]]), 5, "x")
    with pytest.raises(ValueError, match=message):
        fields.check_packed(nibbles, 5, "x")


def test_states_to_pack_and_unpack_have_two_axes():
    with pytest.raises(ValueError, match=r"states to pack are \(R, D\); got shape \(3,\)"):
        fields.pack(np.zeros(3))
    for nibbles in (np.zeros(2, np.uint8), np.zeros((1, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"5 units are packed in \(R, 2\); got"):
            fields.unpack(nibbles, 5)


def test_sums_of_the_rows_that_a_nibble_switches_on():
    """Of five rows: nibble 0 has rows 0, 2, 4, nibble 1 rows 1 and 3."""
    W = np.arange(10.0).reshape(5, 2)
    sums = fields.partial_sums(W)
    assert sums.shape == (2, 16, 2)
    for value in range(8):
        on = [row for k, row in enumerate((0, 2, 4)) if value >> k & 1]
        np.testing.assert_array_equal(sums[0, value], W[on].sum(0))
        on = [row for k, row in enumerate((1, 3)) if value >> k & 1]
        np.testing.assert_array_equal(sums[1, value], W[on].sum(0))


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 7, 32)])
def test_room_begins_on_a_cache_line(shape):
    for dtype in (np.float32, np.float64):
        found = fields.aligned(shape, dtype)
        assert (found.shape, found.dtype, found.ctypes.data % 64) == (shape, dtype, 0)
        assert found.flags.c_contiguous
