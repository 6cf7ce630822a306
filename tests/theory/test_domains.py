import numpy as np
import pytest

from dvae_ref import RBM, BoltzmannMachine
from dvae_ref.theory import domains


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (2.5, ValueError, "sweeps must be a whole number >= 1 and <= 9; got 2.5"),
        (np.array(10), ValueError, "got 10"),
        (np.nan, ValueError, "got nan"),
        (np.inf, ValueError, "got inf"),
        ("3", TypeError, "sweeps must be a whole number; got '3'"),
        ([3], TypeError, r"got \[3\]"),
    ],
)
def test_numbers_are_refused_by_name(value, error, message):
    with pytest.raises(error, match=message):
        domains.whole("sweeps", value, 1, 9)


def test_whole_numbers_of_any_type_are_ints():
    for value in (3, 3.0, np.int8(3), np.float32(3), np.array(3), np.uint64(3)):
        found = domains.whole("sweeps", value)
        assert found == 3
        assert type(found) is int


@pytest.mark.parametrize(("least", "most"), [(0, 2**62), (1, 9), (-3, 2**62 - 1)])
def test_both_ends_are_inside_and_their_neighbours_outside(least, most):
    """Without ends given: from 0 to 2^62, above which int64 has no room to count on."""
    ends = () if (least, most) == (0, 2**62) else (least, most)
    assert [domains.whole("sweeps", value, *ends) for value in (least, most)] == [least, most]
    for value in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"sweeps must be a whole number >= {least}.*; got {value}$"):
            domains.whole("sweeps", value, *ends)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "NoneType"),
        ([1.0], "list"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "MaskedArray"),
        (np.array([1j]), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([0], "M8[s]"), "datetime64"),
        (np.array([None]), "object"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_named(value, got):
    with pytest.raises(TypeError, match=f"b must be an array of real numbers; got {got}"):
        domains.real("b", value)


def test_lists_become_arrays_and_masks_do_not():
    np.testing.assert_array_equal(domains.array("b", [1, 2.5]), [1, 2.5])
    with pytest.raises(TypeError, match="got MaskedArray"):
        domains.array("b", np.ma.masked_array([1.0, 2.0], [True, False]))


def test_what_is_not_finite_is_counted():
    domains.finite("b", np.array([1.0, -1e300]))
    with pytest.raises(ValueError, match="b has 2 values that are not finite"):
        domains.finite("b", np.array([1.0, np.nan, np.inf]))


def test_an_instance_of_another_class_is_named():
    rbm = RBM(np.zeros(2), np.zeros((1, 1)))
    domains.instance("the machine", rbm, RBM)
    with pytest.raises(TypeError, match="the machine must be a BoltzmannMachine; got RBM"):
        domains.instance("the machine", rbm, BoltzmannMachine)
    with pytest.raises(TypeError, match="the machine must be an RBM; got tuple"):
        domains.instance("the machine", tuple(rbm), RBM)


@pytest.mark.parametrize("value", [-1e-300, np.nextafter(1.0, 2.0), np.nan, -np.inf])
def test_uniform_numbers_are_from_0_to_1(value):
    """Both ends are let in, as generators may return 0; what is a rounding error outside is not."""
    domains.check_uniform(u=np.array([0.0, 0.5, 1.0]), rho=np.float32(1))
    with pytest.raises(ValueError, match=f"rho is a uniform number in .*; got {value}"):
        domains.check_uniform(u=np.array([0.5]), rho=np.array([0.5, value, 0.2]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_are_moved_inside_and_nothing_else(dtype):
    found = domains.inside(np.array([0, 1e-30, 0.5, 1], dtype))
    assert found.dtype == dtype
    assert 0 < found[0] < 1e-37
    np.testing.assert_array_equal(found[1:3], np.array([1e-30, 0.5], dtype))
    assert found[3] == np.nextafter(dtype(1), dtype(0))


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.array(3), np.int8(3)])
def test_one_number_is_a_float(value):
    assert domains.number("log_z", value) == 3.0
    assert type(domains.number("log_z", value)) is float


@pytest.mark.parametrize("value", ["3", None, (3.0, 0.1), [3.0], np.zeros(1), 3j, np.complex64(3), np.str_("3")])
def test_what_is_not_one_number_is_refused(value):
    with pytest.raises(TypeError, match="log_z must be"):
        domains.number("log_z", value)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="log_z has 1 values that are not finite"):
        domains.number("log_z", float("nan"))
