"""KL(m || p^) by AIS: on machines small enough for enumeration, and on pieces of larger ones."""

import numpy as np
import pytest

from dvae_ref import exact
from dvae_ref.sampling import philox
from dvae_ref.theory.boltzmann import RBM, energy
from dvae_ref.theory.mean_field import mean_field
from figures import divergence, fig2a, fig2b
from figures.divergence import Annealing
from validation import machines

KEY = philox.key(31)
SWEEPS = [0, 1, 3, 10]


def machine(n_left=9, n_right=14, rows=30):
    """An RBM with couplings that matter, and b of the sizes that an exponential smoothing gives, skewed."""
    rng = np.random.default_rng(8)
    rbm = RBM(rng.normal(-0.5, 0.7, n_left + n_right), rng.normal(0.2, 0.6, (n_left, n_right)))
    return rbm, rng.normal(1, 4, (rows, n_left + n_right))


@pytest.mark.parametrize(
    ("estimate", "annealing"), [(divergence.kl, (40, 60)), (divergence.kl_from_biases, (400, 100))]
)
def test_kl_is_that_of_enumeration(estimate, annealing):
    """30 zetas: z-scores within the central 99.9% of chi-square with 30 degrees of freedom, (11, 60), for every number
    of sweeps, which share log Z. A sweep less, couplings 10% larger or half the errors fail."""
    rbm, b = machine()
    kl, error = estimate(KEY, rbm, b, SWEEPS, Annealing(*annealing))
    exactly = np.stack([exact.kl(rbm, b, mean_field(rbm, b, s)) for s in SWEEPS])
    assert kl.shape == (4, 30)
    for row, oracle in zip(kl, exactly, strict=True):
        assert 11 < np.sum(((row - oracle) / error) ** 2) < 60
    assert np.sum(((kl[1] - exactly[2]) / error) ** 2) > 1000
    assert np.sum((2 * (kl[3] - exactly[3]) / error) ** 2) > 60
    other = RBM(rbm.a, 1.1 * rbm.W)
    assert np.sum(((kl[3] - exact.kl(other, b, mean_field(other, b, 10))) / error) ** 2) > 200


def test_the_mean_field_is_the_better_base():
    """With the same chains and temperatures, errors at least five times smaller: else the KL would drown in them."""
    rbm, b = machine()
    errors = [f(KEY, rbm, b, [5], Annealing(40, 60))[1] for f in (divergence.kl, divergence.kl_from_biases)]
    assert np.median(errors[0]) < np.median(errors[1]) / 5


def test_a_piece_is_the_machine_with_the_other_units_off():
    rbm, b = machine(rows=3)
    small, small_b = divergence.cut_out(rbm, b, 4, 6)
    z = np.random.default_rng(1).integers(0, 2, (5, 10)).astype(float)
    whole = np.zeros((5, 23))
    whole[:, :4], whole[:, 9:15] = z[:, :4], z[:, 4:]
    np.testing.assert_allclose(energy(small, z), energy(rbm, whole), rtol=1e-14)
    np.testing.assert_array_equal(small_b, b[:, [0, 1, 2, 3, 9, 10, 11, 12, 13, 14]])


def test_fig2a_measures_a_trained_model(options):
    """Its piece against enumeration: the errors of the five zetas, 4.5 standard errors each."""
    data = fig2a.compute(options)
    assert data["kl"].shape == (len(fig2a.SWEEPS), 5)
    assert np.all(np.abs(data["cut_kl"] - data["cut_exact"]) < 4.5 * data["cut_error"] + 1e-9)
    assert np.all(np.diff(data["kl"], axis=0) < 1e-9)  # every sweep lowers the KL
    assert data["kl"][0].min() > 10 * data["kl"][-1].max()


def test_fig2b_has_a_kl_for_every_zeta_and_snapshot(options):
    data = fig2b.compute(options)
    assert [curve[:2] for curve in fig2b.curves(data)] == [("exp", 10.0), ("power", 30.0)]
    np.testing.assert_array_equal(data["iteration"], [3, 6, 12])
    for _, _, prefix in fig2b.curves(data):
        kl, error = data[f"{prefix}_kl"], data[f"{prefix}_error"]
        assert kl.shape == (3, 4)
        assert np.all(kl > -5 * error)
        spread = np.hypot(error, data[f"{prefix}_uniform_error"])
        assert np.all(np.abs(kl - data[f"{prefix}_uniform"]) < 5 * spread + 1e-9)
        number, other = fig2b.two(data, prefix)
        np.testing.assert_array_equal(number, kl)
        assert np.mean(number == other) > 0.9


# -- a second mode -----------------------------------------------------------------------------------------------------


def bimodal():
    """validation's symmetric ferromagnet, 16 + 16 units, and a b that prefers one of its two modes by a few nats."""
    rbm = machines.ferromagnet().rbm
    return rbm, np.random.default_rng(3).normal(0.02, 0.02, (6, 32))


def test_a_mode_that_the_mean_field_misses_is_a_bar():
    """From the mean field all six are far too low, and their errors do not say so; from the uniform base, right."""
    rbm, b = bimodal()
    exactly = exact.kl(rbm, b, mean_field(rbm, b, 5))
    with pytest.warns(UserWarning, match="is too low: it is at least"):
        kl, error = divergence.kl(KEY, rbm, b, [5], Annealing(50, 100))
    uniform, uniform_error = divergence.kl(KEY, rbm, b, [5], Annealing(1000, 100), uniform=True)
    assert np.all(exactly - kl[0] > 20 * error)
    assert np.all(np.abs(uniform[0] - exactly) < 4 * uniform_error)
    assert not np.any(divergence.agree(kl[0], error, uniform[0], uniform_error))
    data = {"a_kl": kl, "a_error": error[None], "a_uniform": uniform, "a_uniform_error": uniform_error[None]}
    np.testing.assert_array_equal(fig2b.two(data, "a"), (kl, uniform))


def test_control_where_there_is_one_mode_both_agree():
    rbm, b = machine()
    estimates = divergence.kl(KEY, rbm, b, [5], Annealing(40, 60))
    others = divergence.kl(philox.key(7), rbm, b, [5], Annealing(800, 60), uniform=True)
    assert np.all(divergence.agree(estimates[0][0], estimates[1], others[0][0], others[1]))
